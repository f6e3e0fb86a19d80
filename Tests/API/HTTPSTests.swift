import APIClient
import Contract
import Foundation
import ServiceKit
import TestSupport
import Testing

@testable import APIServer

@Suite("HTTPS", .serialized, .enabled(if: TestCertificates.areAvailable, "openssl is needed"))
struct HTTPSTests {
    private let made: TestCertificates

    init() throws {
        made = try TestCertificates()
        try made.sign("server")
    }

    private var files: (chain: String, key: String) { (made.certificate("server"), made.key("server")) }

    /// The authority's file under a name of its own: clients keep what they once read.
    private func authority(_ name: String) throws -> String {
        let file = "\(made.folder)/\(name)-ca.crt"
        try FileManager.default.copyItem(atPath: made.authority, toPath: file)
        return file
    }

    private func client(_ stage: SecurityStage, _ authority: String?) -> APIClient {
        APIClient(address: stage.address, token: SecurityStage.operatorToken, authority: authority)
    }

    private func problem(_ stage: SecurityStage) async -> String? {
        await stage.health.report().first { $0.name == "https" }?.problem
    }

    private func says(_ stage: SecurityStage, _ text: String) async -> Bool? { await problem(stage)?.contains(text) == true ? true : nil }

    @Test("requests, events, terminal sockets and cookies go by HTTPS, and to nobody who does not trust it")
    func works() async throws {
        let stage = try await SecurityStage(tls: made)
        let ours = client(stage, try authority("first"))
        #expect(stage.address.hasPrefix("https://"))
        let answer = try await ours.raw("POST", "/v1/session", body: Array(#"{"token":"\#(SecurityStage.viewer)"}"#.utf8))
        func header(_ name: String) -> String? { answer.headers.first { $0.0.lowercased() == name }?.1 }
        #expect(answer.status == 200)
        #expect(header("set-cookie")?.contains("; Secure") == true)
        #expect(header("strict-transport-security")?.contains("max-age=") == true)
        // Errors say it as well, and so does the page.
        for path in ["/v1/nothing", "/", "/?token=\(SecurityStage.viewer)"] {
            let answer = try await ours.raw("GET", path)
            #expect(answer.headers.contains { $0.0.lowercased() == "strict-transport-security" }, "\(path)")
        }

        let shim = try await stage.pod("shown").shim
        let viewer = RawViewer()
        let socket = try await ours.terminal("shown", mode: .raw, scrollback: 0) { viewer.take($0) }
        try shim.output("by TLS")
        try await eventually(within: .seconds(60), "the socket did not show it") { viewer.screen.contains { $0.contains("by TLS") } ? true : nil }
        socket.send(Array("typed".utf8))
        try await eventually(within: .seconds(60), "what was typed did not arrive") { String(decoding: shim.typed.flatMap(\.bytes), as: UTF8.self) == "typed" ? true : nil }
        // More than any buffer between us holds.
        let many = (1...4000).map { "line \($0) of a long text that is sent at once\r\n" }.joined()
        try shim.output(many)
        try await eventually(within: .seconds(60), "a burst did not arrive whole") { viewer.screen.contains { $0.contains("line 4000 of") } ? true : nil }
        socket.close()

        for stranger in [nil, try stranger()] {
            let error = await #expect(throws: ErrorBody.self) { try await client(stage, stranger).pods() }
            #expect(error?.code == .unavailable && error?.message.contains("its certificate is not good") == true, "\(error?.message ?? "")")
            #expect(error?.message.contains("SWITCHBACK_CA") == true)
            let closed = await #expect(throws: ErrorBody.self) { _ = try await client(stage, stranger).terminal("shown", mode: .raw) { _ in } }
            #expect(closed?.message.contains("its certificate is not good") == true, "\(closed?.message ?? "")")
        }
        let plain = stage.address.replacingOccurrences(of: "https:", with: "http:")
        await #expect(throws: ErrorBody.self) { try await APIClient(address: plain, token: SecurityStage.operatorToken).pods() }
    }

    /// An authority that signed nothing here.
    private func stranger() throws -> String {
        let other = try TestCertificates()
        let file = "\(made.folder)/stranger.crt"
        try FileManager.default.copyItem(atPath: other.authority, toPath: file)
        return file
    }

    @Test("a new certificate is shown to new connections without a restart, and open sockets go on")
    func reload() async throws {
        let stage = try await SecurityStage(tls: made)
        let first = try authority("first")
        let shim = try await stage.pod("shown").shim
        let viewer = RawViewer()
        let socket = try await client(stage, first).terminal("shown", mode: .raw) { viewer.take($0) }
        try made.makeAuthority()
        try made.sign("server")
        let second = try authority("second")
        try await eventually(within: .seconds(60), "the new one is not shown") { (try? await client(stage, second).pods()) != nil ? true : nil }
        // One whose pool holds no connection from before.
        let third = "\(made.folder)/third-ca.crt"
        try FileManager.default.copyItem(atPath: first, toPath: third)
        await #expect(throws: ErrorBody.self) { try await client(stage, third).pods() }
        try shim.output("still here")
        try await eventually(within: .seconds(60), "the open socket stood still") { viewer.screen.contains { $0.contains("still here") } ? true : nil }
        #expect(viewer.closeCode == nil)
        socket.close()
    }

    @Test("a missing, garbled, foreign or expired certificate stands in /readyz and once in the log, and mending it is enough")
    func broken() async throws {
        try FileManager.default.removeItem(atPath: files.chain)
        let stage = try await SecurityStage(tls: made)
        #expect(await problem(stage)?.contains("server.crt is not there") == true)
        let authority = try authority("first")
        await #expect(throws: ErrorBody.self) { try await client(stage, authority).pods() }

        try made.sign("server")
        try await eventually(within: .seconds(60), "it was not found") { await problem(stage) == nil ? true : nil }
        _ = try await client(stage, authority).pods()

        try "nonsense".write(toFile: files.chain, atomically: true, encoding: .utf8)
        try await eventually(within: .seconds(60), "garbage was not seen") { await says(stage, "server.crt is no certificate in PEM form; the one before it is still shown") }
        let again = "\(made.folder)/again-ca.crt"
        try FileManager.default.copyItem(atPath: authority, toPath: again)
        _ = try await client(stage, again).pods()

        try made.sign("other")
        try FileManager.default.removeItem(atPath: files.chain)
        try FileManager.default.copyItem(atPath: made.certificate("other"), toPath: files.chain)
        try await eventually(within: .seconds(60), "another's key was not seen") { await says(stage, "is not the key of the certificate") }

        try "nonsense".write(toFile: files.key, atomically: true, encoding: .utf8)
        try await eventually(within: .seconds(60), "a garbled key was not seen") { await says(stage, "server.key is no key") }

        try made.sign("server", days: -1)
        try await eventually(within: .seconds(60), "an expired one was not seen") { await says(stage, "has expired at") }
        let expired = "\(made.folder)/expired-ca.crt"
        try FileManager.default.copyItem(atPath: authority, toPath: expired)
        await #expect(throws: ErrorBody.self) { try await client(stage, expired).pods() }

        try made.sign("server")
        try await eventually(within: .seconds(60), "it did not get well") { await problem(stage) == nil ? true : nil }
        let last = "\(made.folder)/last-ca.crt"
        try FileManager.default.copyItem(atPath: authority, toPath: last)
        _ = try await client(stage, last).pods()
        let lines = stage.log.text.split(separator: "\n").filter { $0.contains("HTTPS") }
        for part in ["is not there", "no certificate in PEM form", "is not the key of", "is no key", "has expired at"] {
            #expect(lines.filter { $0.hasPrefix("error") && $0.contains(part) }.count >= 1, "\(part)")
        }
        // A line for each change, not for each look.
        #expect(lines.count <= 16, "\(lines)")
    }

    @Test("a file of authorities that cannot be used is said before anything is asked")
    func authorityFile() throws {
        #expect(APIClient.problem(withAuthority: made.authority) == nil)
        #expect(APIClient.problem(withAuthority: made.folder + "/none") != nil)
        #expect(APIClient.problem(withAuthority: made.key("server")) != nil)
    }
}
