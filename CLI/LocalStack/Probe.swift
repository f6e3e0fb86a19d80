internal import Glibc

/// Asks a server on this machine whether it is ready. Blocking, with a deadline; for the supervisor and `doctor`.
enum Probe {
    /// The status and body of `GET path` over HTTP/1.1, or nil when nothing answered in time.
    static func http(port: Int, path: String, seconds: Double = 1) -> (status: Int, body: String)? {
        let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n"
        guard let answer = exchange(port: port, send: request, until: { _ in false }, seconds: seconds) else { return nil }
        guard let lineEnd = answer.firstIndex(of: "\r\n") else { return nil }
        let words = answer[..<lineEnd].split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/"), let status = Int(words[1]) else { return nil }
        guard let bodyStart = answer.range(ofBlankLine: ()) else { return (status, "") }
        return (status, String(answer[bodyStart...]))
    }

    /// The first line a NATS server sends to everyone who connects: `INFO {…}`.
    static func natsInfo(port: Int, seconds: Double = 1) -> String? {
        guard let answer = exchange(port: port, send: nil, until: { $0.contains(UInt8(ascii: "\n")) }, seconds: seconds) else { return nil }
        return answer.hasPrefix("INFO ") ? answer : nil
    }

    private static func exchange(port: Int, send: String?, until: ([UInt8]) -> Bool, seconds: Double) -> String? {
        guard let number = UInt16(exactly: port) else { return nil }
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = number.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let deadline = Clock.now() + seconds
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        if connected != 0 {
            guard errno == EINPROGRESS, wait(socket, POLLOUT, deadline) else { return nil }
            var code: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &length) == 0, code == 0 else { return nil }
        }
        if let send {
            let bytes = Array(send.utf8)
            guard Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { return nil }
        }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while answer.count < 262_144, !until(answer) {
            guard wait(socket, POLLIN, deadline) else { return nil }
            let count = recv(socket, &chunk, chunk.count, 0)
            if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            if count <= 0 { break }
            answer.append(contentsOf: chunk[..<count])
        }
        return answer.isEmpty ? nil : String(decoding: answer, as: UTF8.self)
    }

    private static func wait(_ socket: Int32, _ events: Int32, _ deadline: Double) -> Bool {
        while true {
            let left = deadline - Clock.now()
            guard left > 0 else { return false }
            var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
            let ready = poll(&entry, 1, Int32(left * 1000) + 1)
            if ready > 0 { return true }
            if ready < 0 && errno != EINTR { return false }
        }
    }
}

extension String {
    /// Where the text after the first empty line starts.
    fileprivate func range(ofBlankLine: Void) -> String.Index? {
        // "\r\n" is one Character in Swift.
        var index = startIndex
        while let end = self[index...].firstIndex(of: "\r\n") {
            let next = self.index(after: end)
            if next < endIndex && self[next] == "\r\n" { return self.index(after: next) }
            index = next
        }
        return nil
    }
}
