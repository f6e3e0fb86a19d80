internal import Contract
internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A file for what must be read twice. Reads and writes run on NIO's blocking threads.
final class SpoolFile: Sendable {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    private let descriptor: Int32

    /// Has no name from the beginning, so that nothing of it outlives the process.
    init() {
        var path = Array("/tmp/switchback-import-XXXXXX".utf8CString)
        descriptor = mkstemp(&path)
        unlink(path)
    }

    func remove() { close(descriptor) }

    func append(_ piece: ByteBuffer) async throws {
        let descriptor = self.descriptor
        try await NIOThreadPool.singleton.runIfActive {
            try piece.withUnsafeReadableBytes { bytes in
                var done = 0
                while done < bytes.count {
                    let count = write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                    guard count > 0 else {
                        throw ErrorBody(.unavailable, "the recording cannot be kept in /tmp while it is read: \(String(cString: strerror(errno)))")
                    }
                    done += count
                }
            }
        }
    }

    func reader() throws -> Reader { Reader(descriptor: descriptor) }

    struct Reader {
        fileprivate let descriptor: Int32
        private var offset = 0

        fileprivate init(descriptor: Int32) { self.descriptor = descriptor }

        /// The next bytes; empty at the end.
        mutating func read(_ count: Int) async throws -> [UInt8] {
            let (descriptor, offset) = (self.descriptor, self.offset)
            let bytes = try await NIOThreadPool.singleton.runIfActive {
                try [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
                    used = pread(descriptor, buffer.baseAddress, count, off_t(offset))
                    if used < 0 {
                        used = 0
                        throw Failed(description: "the spooled recording cannot be read: \(String(cString: strerror(errno)))")
                    }
                }
            }
            self.offset += bytes.count
            return bytes
        }
    }
}
