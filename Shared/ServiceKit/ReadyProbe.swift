#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Asks a service on this machine for `/readyz`. Blocks, for at most two seconds.
enum ReadyProbe {
    static func isReady(_ address: ListenAddress) -> Bool {
        guard address.port > 0, let socket = connect(address) else { return false }
        defer { close(socket) }
        let request = Array("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
        guard request.withUnsafeBytes({ send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }) == request.count else { return false }
        var answer: [UInt8] = []
        while answer.count < 12 {
            let count = withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { space in
                let count = recv(socket, space.baseAddress, space.count, 0)
                if count > 0 { answer.append(contentsOf: UnsafeRawBufferPointer(rebasing: space[..<count])) }
                return count
            }
            guard count > 0 else { break }
        }
        return answer.starts(with: "HTTP/1.1 200".utf8)
    }

    /// A service that listens on every address is asked on the loopback one.
    private static func connect(_ address: ListenAddress) -> Int32? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let host = ["", "0.0.0.0", "::", "*"].contains(address.host) ? "127.0.0.1" : address.host
        guard getaddrinfo(host, String(address.port), &hints, &found) == 0, let first = found else { return nil }
        defer { freeaddrinfo(first) }
        let socket = Glibc.socket(first.pointee.ai_family, first.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return nil }
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] { setsockopt(socket, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size)) }
        guard Glibc.connect(socket, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
            close(socket)
            return nil
        }
        return socket
    }
}
