import Contract
import NIOCore
import NIOWebSocket
import Testing

@testable import APIServer

@Suite("Access")
struct AccessTests {
    private static let text = """
        # people
        aaaaaaaaaaaaaaaa viewer vera   # looks only
        bbbbbbbbbbbbbbbb admin ada

        """

    private func access() throws -> Access {
        Access(verifiers: [try AccessTokens(lines: Self.text, from: "tokens")], origins: ["https://other.example"])
    }

    private func credentials(
        authorization: String? = nil, cookie: String? = nil, origin: String? = nil, mutates: Bool = false
    ) -> Access.Credentials {
        .init(
            authorization: authorization, cookies: cookie.map { [$0] } ?? [], origin: origin, host: "switchback.example:7420", mutates: mutates)
    }

    @Test("knows people by their whole token only")
    func tokens() throws {
        let tokens = try AccessTokens(lines: Self.text, from: "tokens")
        #expect(tokens.person(token: "aaaaaaaaaaaaaaaa") == Person(name: "vera", role: .viewer))
        #expect(tokens.person(token: "bbbbbbbbbbbbbbbb") == Person(name: "ada", role: .admin))
        for wrong in ["", "a", "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaab"] {
            #expect(tokens.person(token: wrong) == nil)
        }
    }

    @Test("says which line of a token file is wrong", arguments: ["short viewer x", "aaaaaaaaaaaaaaaa king x", "aaaaaaaaaaaaaaaa viewer", ""])
    func badFile(line: String) {
        let error = #expect(throws: AccessTokens.Invalid.self) { try AccessTokens(lines: "# first\n" + line, from: "the file") }
        #expect(error?.description.contains("the file") == true)
    }

    @Test("takes a bearer token or the cookie, and nothing else")
    func ways() throws {
        let access = try access()
        #expect(try access.person(credentials(authorization: "Bearer aaaaaaaaaaaaaaaa")).name == "vera")
        #expect(try access.person(credentials(cookie: "a=b; switchback=bbbbbbbbbbbbbbbb")).name == "ada")
        for bad in [credentials(), credentials(authorization: "Basic aaaaaaaaaaaaaaaa"), credentials(cookie: "switchback=x")] {
            let error = #expect(throws: ErrorBody.self) { try access.person(bad) }
            #expect(error?.code == .unauthenticated)
        }
    }

    @Test("lets no foreign page change anything with a browser's sign-in")
    func origins() throws {
        let access = try access()
        func ask(_ origin: String?) throws { _ = try access.person(credentials(cookie: "switchback=bbbbbbbbbbbbbbbb", origin: origin, mutates: true)) }
        try ask(nil)
        try ask("http://switchback.example:7420")
        try ask("https://other.example")
        for foreign in ["http://evil.example", "http://switchback.example:7420.evil.example", "null", "http://evil.example/switchback.example:7474"] {
            let error = #expect(throws: ErrorBody.self) { try ask(foreign) }
            #expect(error?.code == .denied)
        }
    }

    @Test("cuts a close reason at a character that fits, and writes lengths of all three sizes")
    func wire() {
        let close = WebSocketWire.close(code: 4404, reason: String(repeating: "ü", count: 100))
        #expect(close.readableBytes <= 127)
        #expect(String(validating: close.readableBytesView.dropFirst(4), as: UTF8.self) != nil)
        for (length, header) in [(125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            #expect(WebSocketWire.message(.binary, payload: Array(repeating: 0, count: length)).readableBytes == length + header)
        }
    }

    @Test("decodes queries")
    func query() {
        let query = Query("mode=raw&name=a%20b&bad=%ff&empty=&x")
        #expect(query["mode"] == "raw")
        #expect(query["name"] == "a b")
        #expect(query["bad"] == nil)
        #expect(query["empty"] == "")
        #expect(query["missing"] == nil)
    }
}
