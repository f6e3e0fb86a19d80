import Glibc

/// Where a viewer connects: `ws://host:port/path`.
struct ViewerURL {
    var host: String
    var port: UInt16
    var path: String
    var token: String?

    init?(_ text: String, token: String?) {
        guard text.hasPrefix("ws://"), let slash = text.dropFirst(5).firstIndex(of: "/") else { return nil }
        let parts = text.dropFirst(5)[..<slash].split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else { return nil }
        host = String(parts[0])
        self.port = port
        path = String(text[slash...])
        self.token = token
    }
}

/// A WebSocket (RFC 6455) on a blocking socket: whole, unmasked or masked binary and text messages, nothing else.
/// The measuring end of both contestants, so that its cost is the same for both.
struct WebSocketConnection: Sendable {
    let descriptor: Int32
    private var buffer: [UInt8] = []
    private var start = 0

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Connects as a viewer.
    init?(_ url: ViewerURL) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = url.port.bigEndian
        address.sin_addr.s_addr = inet_addr(url.host)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard connected == 0 else { return nil }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        self.init(descriptor: descriptor)
        let authorization = url.token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        let request =
            "GET \(url.path) HTTP/1.1\r\nHost: \(url.host):\(url.port)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\(authorization)\r\n"
        guard writeAll(Array(request.utf8)), let head = readHead(), head.hasPrefix("HTTP/1.1 101") else {
            complain("no WebSocket at \(url.path)\n")
            return nil
        }
    }

    /// Answers a viewer's upgrade. The accept key is that of the one key our viewer sends.
    mutating func acceptUpgrade() -> Bool {
        guard readHead() != nil else { return false }
        return writeAll(
            Array(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
                    .utf8))
    }

    /// Sends one binary message, unmasked as servers do, or masked with zeros as clients must.
    func send(_ bytes: ArraySlice<UInt8>, masked: Bool = false) -> Bool {
        var frame: [UInt8] = [0x82]
        let mask: UInt8 = masked ? 0x80 : 0
        switch bytes.count {
        case 0..<126: frame.append(UInt8(bytes.count) | mask)
        case 126..<65536: frame += [126 | mask, UInt8(bytes.count >> 8), UInt8(bytes.count & 255)]
        default:
            frame.append(127 | mask)
            for shift in stride(from: 56, through: 0, by: -8) { frame.append(UInt8(bytes.count >> shift & 255)) }
        }
        if masked { frame += [0, 0, 0, 0] }
        frame += bytes
        return writeAll(frame)
    }

    /// The next binary message; text messages are passed over. Nil at the end.
    mutating func receive() -> [UInt8]? {
        while true {
            guard let head = take(2) else { return nil }
            var length = Int(head[1] & 0x7f)
            if length >= 126 {
                guard let more = take(length == 126 ? 2 : 8) else { return nil }
                length = more.reduce(0) { $0 << 8 | Int($1) }
            }
            let mask = head[1] & 0x80 != 0 ? take(4) : [0, 0, 0, 0]
            guard let mask, var payload = take(length) else { return nil }
            if mask != [0, 0, 0, 0] { for index in payload.indices { payload[index] ^= mask[index & 3] } }
            switch head[0] & 0x0f {
            case 2: return payload
            case 8: return nil
            default: continue
            }
        }
    }

    private mutating func take(_ count: Int) -> [UInt8]? {
        while buffer.count - start < count { guard fill() else { return nil } }
        defer { start += count }
        return Array(buffer[start..<start + count])
    }

    private mutating func fill() -> Bool {
        if start > 1 << 20 {
            buffer.removeFirst(start)
            start = 0
        }
        return withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 16) { space in
            let count = read(descriptor, space.baseAddress, space.count)
            guard count > 0 else { return false }
            buffer.append(contentsOf: space.prefix(count))
            return true
        }
    }

    private mutating func readHead() -> String? {
        while true {
            if let end = buffer.indices.first(where: { $0 + 4 <= buffer.count && Array(buffer[$0..<$0 + 4]) == [13, 10, 13, 10] }) {
                let head = String(decoding: buffer[..<end], as: UTF8.self)
                start = end + 4
                return head
            }
            guard fill() else { return nil }
        }
    }

    private func writeAll(_ bytes: [UInt8]) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress?.advanced(by: written), bytes.count - written) }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }
}
