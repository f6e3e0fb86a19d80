public import Contract

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Hands a hook's report to the pod's socket.
public enum HookReporter {
    /// Sends one report and waits for the answer, for three seconds at most.
    /// - Throws: the shim's refusal; `unavailable` when nobody listens there.
    public static func send(_ report: HookReport, socket path: String) throws(ErrorBody) {
        guard path.utf8.count <= 103 else { throw ErrorBody(.badRequest, "the socket's path is too long: \(path)") }
        let payload: [UInt8]
        do { payload = try JSON.encode(report) + [0x0a] } catch { throw ErrorBody(.internal, "the report could not be encoded: \(error)") }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure("no socket") }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 3, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { space in
            for (index, byte) in path.utf8.enumerated() { space[index] = byte }
        }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard connected == 0 else { throw failure("the pod's socket \(path) does not answer") }
        var sent = 0
        while sent < payload.count {
            let count = payload.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress?.advanced(by: sent), payload.count - sent, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw failure("the report could not be sent") }
            sent += count
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !answer.contains(0x0a) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            answer += buffer[..<count]
        }
        guard !answer.isEmpty else { throw failure("the pod did not answer") }
        let _: Done = try Reply.decode(Done.self, from: answer.filter { $0 != 0x0a })
    }

    private static func failure(_ what: String) -> ErrorBody {
        ErrorBody(.unavailable, "\(what): \(String(cString: strerror(errno)))")
    }
}
