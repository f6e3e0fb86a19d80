internal import Glibc

/// TCP ports on this machine.
enum Ports {
    /// True when nothing listens there and we may.
    static func isFree(_ port: Int, host: String = "127.0.0.1") -> Bool {
        bound(host: host, port: port) != nil
    }

    /// A port nothing listens on, different from all in `taken`.
    ///
    /// Below the range from which the system gives every outgoing connection a port: one out of that range may be some client's the moment before its server
    /// starts, now or at any later start.
    static func free(besides taken: Set<Int> = []) throws(StackError) -> Int {
        let lasting = 20_000..<max(20_000, firstOfOutgoing())
        for attempt in 0..<64 {
            let wanted = attempt < 48 ? lasting.randomElement() ?? 0 : 0
            if let port = bound(host: "127.0.0.1", port: wanted), !taken.contains(port) { return port }
        }
        throw StackError(.portTaken, "No free TCP port was found on 127.0.0.1.", fix: "See `ss -ltn` for what holds them.")
    }

    /// Where the ports of outgoing connections begin: Linux' `ip_local_port_range`, else its default.
    private static func firstOfOutgoing() -> Int {
        let range = Files.read("/proc/sys/net/ipv4/ip_local_port_range") ?? ""
        return range.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) } ?? 32_768
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
