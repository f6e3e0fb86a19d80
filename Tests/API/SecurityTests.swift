import APIClient
import Contract
import Foundation
import TestSupport
import Testing

@testable import APIServer

/// What the network may send. Bytes go over a socket as they stand here.
@Suite("Hostile requests", .serialized)
struct SecurityTests {
    /// Sends bytes and reads until the server closes, or nothing more comes for a while.
    ///
    /// - Parameter untilClosed: an answer is not the end: the server is to close.
    private func send(
        _ stage: SecurityStage, _ pieces: [[UInt8]], pause: Duration = .zero, within limit: Duration = .seconds(60), untilClosed: Bool = false
    ) async throws -> (answer: String, isClosed: Bool, took: Duration) {
        let port = try #require(stage.address.split(separator: ":").last.flatMap { UInt16($0) })
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                let began = ContinuousClock.now
                let socket: Int32
                do {
                    socket = try rawSocket(port)
                } catch {
                    return continuation.resume(throwing: error)
                }
                defer { close(socket) }
                var isClosed = false
                for piece in pieces {
                    if Glibc.send(socket, piece, piece.count, Int32(MSG_NOSIGNAL)) < 0 {
                        isClosed = true
                        break
                    }
                    if pause > .zero { usleep(UInt32(clamping: pause.microseconds)) }
                }
                var answer: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 65_536)
                while ContinuousClock.now - began < limit {
                    var poller = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
                    guard poll(&poller, 1, answer.isEmpty ? 200 : 150) > 0 else {
                        if answer.isEmpty || untilClosed { continue }
                        break
                    }
                    let count = recv(socket, &buffer, buffer.count, 0)
                    if count <= 0 {
                        isClosed = true
                        break
                    }
                    answer += buffer.prefix(count)
                }
                continuation.resume(returning: (String(decoding: answer, as: UTF8.self), isClosed, ContinuousClock.now - began))
            }
        }
    }

    private func send(_ stage: SecurityStage, _ text: String) async throws -> (answer: String, isClosed: Bool, took: Duration) {
        try await send(stage, [Array(text.utf8)])
    }

    private func status(_ answer: String) -> Int? { answer.split(separator: " ").dropFirst().first.flatMap { Int($0) } }

    private func request(_ method: String, _ path: String, _ headers: [String] = [], token: String? = SecurityStage.operatorToken, body: String = "") -> String {
        let authorization = token.map { ["Authorization: Bearer \($0)"] } ?? []
        let length = body.isEmpty ? [] : ["Content-Length: \(body.utf8.count)"]
        return (["\(method) \(path) HTTP/1.1", "Host: switchback"] + authorization + length + headers).joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    @Test(
        "no path leads out of the page's folder",
        arguments: [
            "/web/../tokens", "/web/..%2ftokens", "/web/%2e%2e/tokens", "/web/%2e%2e%2ftokens", "/web/..%5ctokens", "/web/....//tokens", "/web//etc/passwd",
            "/web/./../tokens", "/web/%252e%252e/tokens", "/web/..;/tokens", "/web/\u{2025}/tokens", "/web/%c0%ae%c0%ae/tokens", "/web/index.html/../../tokens",
            "/web/%00", "/web/index.html%00.js", "/../tokens", "//tokens", "/web/..\\..\\tokens", "/web/.hidden", "/web/", "/web/index.html/",
            "http://switchback/web/../tokens", "/web/file:///etc/passwd",
        ])
    func traversal(path: String) async throws {
        let stage = try await SecurityStage()
        let (answer, isClosed, _) = try await send(stage, request("GET", path, token: nil))
        #expect([400, 404].contains(status(answer) ?? 0) || answer.isEmpty && isClosed, "\(answer.prefix(200))")
        #expect(!answer.contains(SecurityStage.admin) && !answer.contains("root:"))
    }

    @Test(
        "nothing that is sent becomes a header of the answer, or a line of the log",
        arguments: [
            "/v1/pods/x%0d%0aSet-Cookie:%20a=b", "/v1/pods?status=x%0d%0aSet-Cookie:%20a=b", "/?token=x%0d%0aSet-Cookie:%20a=b", "/%0d%0aSet-Cookie:%20a=b",
            "/v1/pods/x%0aSet-Cookie:a=b/screen", "/v1/search?q=%0d%0aSet-Cookie:%20a", "/v1/channels/%0d%0aSet-Cookie:a", "/v1/pods/%1b%5b2J%0alevel=error/screen",
        ])
    func injection(path: String) async throws {
        let stage = try await SecurityStage()
        let answer = try await send(stage, request("GET", path)).answer
        let head = answer.components(separatedBy: "\r\n\r\n")[0]
        #expect(!head.lowercased().contains("set-cookie") && (status(answer) ?? 500) < 500 || status(answer) == 503, "\(head)")
        #expect(!stage.log.text.contains("\u{1b}[2J"))
    }

    @Test("names and keys with line breaks are refused, and never reach a file name, a header or the log")
    func names() async throws {
        let stage = try await SecurityStage()
        for name in [#"a\r\nSet-Cookie: x"#, #"a\n"#, #"\"; filename=\"/etc/passwd"#, "../../x", #"a\u0000"#, #"\u202e"#, "a b", "%0d%0a", ""] {
            let body = #"{"name":"\#(name)","command":["x"]}"#
            #expect(try await stage.ada.raw("POST", "/v1/pods", body: Array(body.utf8)).status == 400, "\(name)")
        }
        #expect(try await stage.ada.raw("POST", "/v1/recordings?name=a%0d%0ab", body: Array("x".utf8)).status == 400)
        let raw = try await send(stage, request("POST", "/v1/pods", ["Idempotency-Key: a\u{0}b"], body: "{}")).answer
        #expect(status(raw) == 400 || raw.isEmpty)
        #expect(try await stage.ada.pods().pods.isEmpty)
    }

    @Test(
        "what is no clear HTTP is refused, and its connection closed",
        arguments: [
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/pods HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}", "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            "POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "POST /v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n",
            "GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}",
        ].map(Bytes.init))
    func smuggling(sent: Bytes) async throws {
        let bytes = sent.text
        let stage = try await SecurityStage()
        let (answer, isClosed, _) = try await send(stage, [Array(bytes.utf8)], within: .seconds(8))
        // One answer; or nobody can take a second one for that of another request, as the first says that the connection ends.
        let isLast = answer.components(separatedBy: "\r\n\r\n")[0].lowercased().contains("connection: close")
        #expect(answer.components(separatedBy: "HTTP/1.1 ").count <= 2 || isLast, "two answers to one request: \(answer)")
        #expect((status(answer) ?? 400) >= 400 || !answer.contains("pods"), "\(answer.prefix(300))")
        #expect(isClosed || (status(answer) ?? 0) >= 400 || bytes.contains("Content-Length: 5"), "\(answer.prefix(300))")
        // The server goes on.
        #expect(try await stage.ada.raw("GET", "/healthz").status == 200)
    }

    @Test("bodies that are too large are refused without being read, and so are heads")
    func oversized() async throws {
        let stage = try await SecurityStage()
        let large = [UInt8](repeating: 0x20, count: 3 << 20)
        #expect(try await stage.ada.raw("POST", "/v1/pods", body: large).status == 413)
        let announced = try await send(stage, request("POST", "/v1/pods", ["Content-Length: 99999999999"]))
        #expect(status(announced.answer) == 413 && announced.took < .seconds(60))
        for head in [
            request("GET", "/v1/pods", ["X-Large: " + String(repeating: "a", count: 1 << 20)]),
            request("GET", "/v1/pods", (0..<20_000).map { "X-\($0): a" }), request("GET", "/" + String(repeating: "a", count: 1 << 20)),
        ] {
            let (answer, isClosed, _) = try await send(stage, head)
            #expect(isClosed || (400..<500).contains(status(answer) ?? 0), "\(answer.prefix(200))")
            #expect(status(answer) != 200)
        }
        let nested = String(repeating: "[", count: 100_000)
        #expect(try await stage.ada.raw("POST", "/v1/pods", body: Array(nested.utf8)).status == 400)
        #expect(try await stage.ada.raw("GET", "/healthz").status == 200)
    }

    @Test("a head that comes byte by byte, and a body that stands still, end their connections; a slow reader of ours is not taken for one")
    func slow() async throws {
        let stage = try await SecurityStage(patience: .seconds(1))
        let head = Array(request("GET", "/healthz", ["X-A: " + String(repeating: "a", count: 100)]).utf8)
        let dribbled = try await send(stage, head.map { [$0] }, pause: .milliseconds(40))
        #expect(dribbled.isClosed && dribbled.answer.isEmpty, "\(dribbled)")
        // Also the second one on a connection.
        let slow = Array(("GET /healthz HTTP/1.1\r\nX-Slow: " + String(repeating: "a", count: 42)).utf8).map { [$0] }
        let second = try await send(stage, [Array(request("GET", "/healthz").utf8)] + slow, pause: .milliseconds(40), untilClosed: true)
        #expect(second.isClosed && second.answer.components(separatedBy: "HTTP/1.1 200").count == 2, "\(second)")
        let start = Array(request("POST", "/v1/pods", ["Content-Length: 100000"]).utf8)
        let body = try await send(stage, [start] + (0..<100).map { _ in [0x20] }, pause: .milliseconds(40))
        #expect(body.isClosed && (status(body.answer) ?? 400) >= 400, "\(body)")
        #expect(body.took < .seconds(60))
        // One that keeps a pace is served.
        let text = Array(#"{"command":[],"name":"x"}"#.utf8) + [UInt8](repeating: 0x20, count: 12_000)
        let steady = Array(request("POST", "/v1/pods", ["Content-Length: \(text.count)"]).utf8)
        let pieces = stride(from: 0, to: text.count, by: 600).map { Array(text[$0..<min($0 + 600, text.count)]) }
        let served = try await send(stage, [steady] + pieces, pause: .milliseconds(150))
        #expect(status(served.answer) == 400 && served.answer.contains("command"), "\(served)")
    }

    @Test(
        "pages of other sites can neither change anything nor open a terminal with a browser's sign-in",
        arguments: ["http://evil.example", "null", "http://switchback.evil.example", "https://switchback:1", "http://switchback@evil.example", "file://"])
    func foreign(origin: String) async throws {
        let stage = try await SecurityStage()
        _ = try await stage.pod("shown")
        let cookie = "Cookie: switchback=\(SecurityStage.admin)"
        let upgrade = ["Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        for (method, path, body) in [
            ("POST", "/v1/pods", #"{"command":["x"]}"#), ("POST", "/v1/pods/shown/input", #"{"text":"x"}"#), ("POST", "/v1/pods/shown/stop", "{}"),
            ("POST", "/v1/credentials", #"{"name":"x","role":"admin"}"#), ("DELETE", "/v1/credentials/taaaaaaaaaaaa", ""), ("DELETE", "/v1/session", ""),
            ("POST", "/v1/session", #"{"token":"\#(SecurityStage.viewer)"}"#),
        ] {
            let answer = try await send(stage, request(method, path, [cookie, "Origin: \(origin)"], token: nil, body: body)).answer
            #expect(status(answer) == 403, "\(method) \(path): \(answer.prefix(100))")
            #expect(!answer.lowercased().contains("set-cookie") && !answer.lowercased().contains("access-control-allow"))
        }
        for credentials in [[cookie], ["Authorization: Bearer \(SecurityStage.admin)"]] {
            let socket = try await send(stage, request("GET", "/v1/pods/shown/terminal?mode=raw", credentials + upgrade + ["Origin: \(origin)"], token: nil)).answer
            #expect(status(socket) == 403, "\(socket.prefix(100))")
        }
        // The server's own pages can.
        let own = try await send(stage, request("GET", "/v1/pods/shown/terminal?mode=raw", [cookie, "Origin: http://switchback"] + upgrade, token: nil)).answer
        #expect(status(own) == 101)
    }

    @Test("cookies are for this server's pages alone, and pages may load and do nothing foreign")
    func browser() async throws {
        let stage = try await SecurityStage(proxies: ["127.0.0.1"])
        func header(_ answer: String, _ name: String) -> String? {
            let line = answer.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix(name + ":") }
            return line?.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let plain = try await send(stage, request("GET", "/?token=\(SecurityStage.viewer)", token: nil)).answer
        let cookie = try #require(header(plain, "set-cookie"))
        #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/") && !cookie.contains("Secure") && !cookie.contains("Domain"))
        #expect(status(plain) == 303 && header(plain, "location") == "/" && header(plain, "cache-control") == "no-store")
        let secure = try await send(stage, request("GET", "/?token=\(SecurityStage.viewer)", ["X-Forwarded-Proto: https"], token: nil)).answer
        #expect(header(secure, "set-cookie")?.contains("; Secure") == true)
        for path in ["/", "/web/index.html", "/sign-in", "/pods/x"] {
            let page = try await send(stage, request("GET", path, token: nil)).answer
            let policy = try #require(header(page, "content-security-policy"))
            for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "connect-src 'self'"] {
                #expect(policy.contains(part))
            }
            #expect(!policy.contains("unsafe") && !policy.contains("*"))
            #expect(header(page, "x-content-type-options") == "nosniff" && header(page, "referrer-policy") == "no-referrer")
        }
        for path in ["/v1/pods", "/openapi.json", "/v1/nothing"] {
            let answer = try await send(stage, request("GET", path)).answer
            #expect(header(answer, "x-content-type-options") == "nosniff" && header(answer, "cache-control") == "no-store", "\(path)")
        }
        for method in ["TRACE", "CONNECT", "OPTIONS", "PUT", "PATCH"] {
            let answer = try await send(stage, request(method, "/v1/pods", ["Origin: http://evil.example"])).answer
            #expect([400, 404, 405, 501].contains(status(answer) ?? 0) && !answer.lowercased().contains("access-control"), "\(method) \(answer.prefix(80))")
        }
    }

    @Test("a token is no part of any address after the sign-in, works in none, and stands in no log")
    func tokens() async throws {
        let stage = try await SecurityStage()
        _ = try await stage.pod("shown")
        let issued = try await stage.ada.createCredential(name: "olive", role: .operator)
        for path in ["/v1/pods", "/v1/me", "/v1/pods/shown/screen", "/v1/pods/shown/terminal", "/v1/events"] {
            for name in ["token", "access_token", "Authorization"] {
                #expect(try await stage.client(nil).raw("GET", "\(path)?\(name)=\(issued.token)").status == 401, "\(path)?\(name)=")
            }
        }
        let upgrade = ["Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        let socket = try await send(stage, request("GET", "/v1/pods/shown/terminal?token=\(issued.token)", upgrade, token: nil)).answer
        #expect(status(socket) == 401)
        _ = try await send(stage, request("GET", "/?token=\(issued.token)", token: nil))
        _ = try await send(stage, request("GET", "/v1/pods", ["Cookie: switchback=\(issued.token)"], token: nil))
        _ = try await stage.client(issued.token).input("shown", .init(text: "typed"))
        _ = try await stage.client(issued.token).raw("GET", "/v1/pods/\(issued.token)/screen")
        _ = try await stage.client(issued.token + "x").raw("GET", "/v1/pods")
        _ = try await stage.client(issued.token).raw("POST", "/v1/pods/shown/marker", body: Array("{".utf8))
        #expect(!stage.log.text.contains(issued.token.suffix(64)) && !stage.log.text.contains(SecurityStage.admin))
    }
}

/// What is sent, shown without its control characters.
struct Bytes: Sendable, CustomTestStringConvertible {
    let text: String
    var testDescription: String { text.unicodeScalars.map { $0.isASCII ? $0.escaped(asASCII: true) : "?" }.joined() }
}
