internal import COpenSSL

/// A SHA-256 value: 32 bytes.
public struct SHA256Digest: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 32

    public let bytes: [UInt8]

    /// Nil unless `bytes` are exactly 32.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    fileprivate init(checked bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// 32 zero bytes: what stands before the first link of a chain.
    public static let zero = SHA256Digest(checked: [UInt8](repeating: 0, count: byteCount))

    /// 64 lower-case hexadecimal digits.
    public var hex: String { hexadecimal(bytes) }

    public var description: String { hex }
}

/// Two lower-case digits for each byte.
func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// SHA-256 (FIPS 180-4) by libcrypto.
public enum SHA256 {
    /// The digest of the parts, one after the other.
    public static func digest(_ parts: [UInt8]...) -> SHA256Digest {
        let hasher = SHA256Hasher()
        for part in parts { hasher.update(part) }
        return hasher.finish()
    }
}

/// SHA-256 fed piece by piece. Not for use from two threads at once.
public final class SHA256Hasher {
    private let context: OpaquePointer

    public init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("libcrypto has no memory for a digest") }
        self.context = context
        precondition(EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "libcrypto must offer SHA-256")
    }

    deinit {
        EVP_MD_CTX_free(context)
    }

    public func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    public func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        precondition(EVP_DigestUpdate(context, start, bytes.count) == 1, "SHA-256 never refuses bytes")
    }

    /// The digest of everything fed; the hasher starts anew.
    public func finish() -> SHA256Digest {
        let bytes = [UInt8](unsafeUninitializedCapacity: SHA256Digest.byteCount) { target, count in
            var written: UInt32 = 0
            precondition(EVP_DigestFinal_ex(context, target.baseAddress, &written) == 1, "SHA-256 must finish")
            count = Int(written)
        }
        precondition(EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "libcrypto must offer SHA-256")
        return SHA256Digest(checked: bytes)
    }
}
