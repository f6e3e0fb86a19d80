internal import CZstd

/// Why compressed data could not be made or read.
public struct CompressionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What went wrong, as a value that programs can compare.
    public enum Code: String, Sendable {
        /// The data is not zstd, is damaged or ends early.
        case malformed
        /// The data would unpack to more bytes than the caller allows.
        case tooLarge = "too_large"
        /// zstd itself refused, for example for lack of memory.
        case failed
    }

    public var code: Code
    public var message: String

    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}

/// zstd frames (RFC 8878), one-shot.
public enum Zstd {
    /// The level used where speed matters more than the last percent.
    public static let defaultLevel: Int32 = 3

    /// `bytes` as one zstd frame that says its unpacked size.
    public static func compress(_ bytes: [UInt8], level: Int32 = defaultLevel) throws(CompressionError) -> [UInt8] {
        try ZstdCompressor(level: level).compress(bytes)
    }

    /// The bytes of one zstd frame. Throws `tooLarge` before unpacking more than `limit` bytes.
    public static func decompress(_ bytes: [UInt8], limit: Int, dictionary: [UInt8] = []) throws(CompressionError) -> [UInt8] {
        try ZstdDecompressor().decompress(bytes, limit: limit, dictionary: dictionary)
    }
}

/// A compression context, kept to save its set-up for every frame. Not for use from two threads at once.
public final class ZstdCompressor {
    private let context: OpaquePointer
    private let level: Int32

    public init(level: Int32 = Zstd.defaultLevel) throws(CompressionError) {
        guard let context = ZSTD_createCCtx() else {
            throw CompressionError(code: .failed, message: "zstd: no memory for a compression context")
        }
        self.context = context
        self.level = level
    }

    deinit {
        ZSTD_freeCCtx(context)
    }

    /// `bytes` as one zstd frame that says its unpacked size. What `dictionary` has (any bytes) is not written again; the same
    /// bytes are needed to unpack.
    public func compress(_ bytes: [UInt8], dictionary: [UInt8] = []) throws(CompressionError) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        var failure = 0
        let packed = [UInt8](unsafeUninitializedCapacity: bound) { target, count in
            let written = bytes.withUnsafeBytes { source in
                dictionary.withUnsafeBytes { dictionary in
                    ZSTD_compress_usingDict(
                        context, target.baseAddress, bound, source.baseAddress, source.count, dictionary.baseAddress, dictionary.count, level)
                }
            }
            if ZSTD_isError(written) != 0 {
                failure = written
            } else {
                count = written
            }
        }
        guard failure == 0 else { throw CompressionError(code: .failed, message: zstdMessage(failure)) }
        return packed
    }
}

/// A decompression context. Not for use from two threads at once.
public final class ZstdDecompressor {
    private let context: OpaquePointer

    public init() throws(CompressionError) {
        guard let context = ZSTD_createDCtx() else {
            throw CompressionError(code: .failed, message: "zstd: no memory for a decompression context")
        }
        self.context = context
    }

    deinit {
        ZSTD_freeDCtx(context)
    }

    /// The bytes of one zstd frame that says its unpacked size. Throws `tooLarge` before unpacking more than `limit` bytes.
    public func decompress(_ bytes: [UInt8], limit: Int, dictionary: [UInt8] = []) throws(CompressionError) -> [UInt8] {
        let size = bytes.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
        // ZSTD_CONTENTSIZE_UNKNOWN and ZSTD_CONTENTSIZE_ERROR are the two largest values.
        guard size < UInt64.max - 1 else {
            throw CompressionError(code: .malformed, message: "zstd: not a frame that says its size")
        }
        guard size <= UInt64(max(0, limit)) else {
            throw CompressionError(code: .tooLarge, message: "zstd: the frame unpacks to \(size) bytes; at most \(limit) are allowed")
        }
        var failure = 0
        let capacity = Int(size)
        let unpacked = [UInt8](unsafeUninitializedCapacity: max(1, capacity)) { target, count in
            let written = bytes.withUnsafeBytes { source in
                dictionary.withUnsafeBytes { dictionary in
                    ZSTD_decompress_usingDict(
                        context, target.baseAddress, capacity, source.baseAddress, source.count, dictionary.baseAddress, dictionary.count)
                }
            }
            if ZSTD_isError(written) != 0 {
                failure = written
            } else {
                count = written
            }
        }
        guard failure == 0 else { throw CompressionError(code: .malformed, message: zstdMessage(failure)) }
        guard unpacked.count == capacity else {
            throw CompressionError(code: .malformed, message: "zstd: the frame says \(capacity) bytes and holds \(unpacked.count)")
        }
        return unpacked
    }
}

private func zstdMessage(_ code: Int) -> String {
    "zstd: " + String(cString: ZSTD_getErrorName(code))
}
