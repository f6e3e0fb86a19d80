internal import Glibc

/// TCP ports on this machine.
enum Ports {
    /// True when nothing listens there and we may.
    static func isFree(_ port: Int, host: String = "127.0.0.1") -> Bool {
        bound(host: host, port: port) != nil
    }

    /// A port the system says is free, different from all in `taken`.
    static func free(besides taken: Set<Int> = []) throws(StackError) -> Int {
        for _ in 0..<64 {
            if let port = bound(host: "127.0.0.1", port: 0), !taken.contains(port) { return port }
        }
        throw StackError(.portTaken, "No free TCP port was found on 127.0.0.1.", fix: "See `ss -ltn` for what holds them.")
    }

    private static func bound(host: String, port: Int) -> Int? {
        guard let number = UInt16(exactly: port) else { return nil }
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = number.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return nil }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Bool in
                // Listening as well: with SO_REUSEADDR a bind alone succeeds beside a listener that set it too.
                bind(socket, generic, length) == 0 && listen(socket, 1) == 0 && getsockname(socket, generic, &length) == 0
            }
        }
        return result ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }
}
