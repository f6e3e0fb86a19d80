import APIClient
import Contract
import Database
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import APIServer

@Suite("People and their tokens", .serialized)
struct PeopleTests {
    private func code(_ body: () async throws -> Any) async -> ErrorBody.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? ErrorBody)?.code
        }
    }

    @Test("A token is shown once, kept as a digest, says who one is, and dies by a revocation")
    func life() async throws {
        let stage = try await SecurityStage()
        let issued = try await stage.ada.createCredential(name: "olive", role: .operator, note: "night shift", expiresIn: 3600)
        #expect(PersonToken.id(of: issued.token) == issued.credential.id)
        let me = try await stage.client(issued.token).me()
        #expect(me.name == "olive" && me.role == "operator" && me.credential == issued.credential.id && me.pods == nil)
        #expect(me.expires == issued.credential.expires && me.expires != nil)
        // Nobody can say it again: neither the API nor the database has more than its digest.
        let listed = try await stage.ada.raw("GET", "/v1/credentials?all=true")
        let secret = String(issued.token.suffix(64))
        #expect(String(decoding: listed.body, as: UTF8.self).contains(issued.credential.id))
        #expect(!String(decoding: listed.body, as: UTF8.self).contains(secret))
        let rows = try await stage.pool.withConnection { connection in
            try connection.query("SELECT t::text AS row FROM registry.tokens t").map { try $0.decode("row", as: String.self) }
        }
        #expect(rows.count == 1 && rows[0].contains("olive") && !rows[0].contains(secret))
        // Almost right is wrong.
        let forged = String(issued.token.dropLast()) + (issued.token.last == "0" ? "1" : "0")
        #expect(await code { try await stage.client(forged).me() } == .unauthenticated)
        let revoked = try await stage.ada.revokeCredential(issued.credential.id)
        #expect(revoked.state == "revoked" && revoked.revokedBy == Author(kind: .person, id: "ada"))
        #expect(await code { try await stage.client(issued.token).me() } == .unauthenticated)
        #expect(try await stage.ada.revokeCredential(issued.credential.id).revoked == revoked.revoked)
        #expect(try await !stage.ada.credentials().contains { $0.id == issued.credential.id })
        #expect(try await stage.ada.credentials(all: true).contains { $0.id == issued.credential.id })
        #expect(await code { try await stage.ada.revokeCredential("taaaaaaaaaaaa") } == .notFound)
    }

    @Test("A token outlives the API and the registry, and a revocation too")
    func restart() async throws {
        let stage = try await SecurityStage()
        let kept = try await stage.ada.createCredential(name: "kept", role: .viewer)
        let gone = try await stage.ada.createCredential(name: "gone", role: .viewer)
        _ = try await stage.ada.revokeCredential(gone.credential.id)
        await stage.stopRegistry()
        // The API knows what it knew.
        #expect(try await stage.client(kept.token).me().name == "kept")
        #expect(await code { try await stage.client(gone.token).me() } == .unauthenticated)
        try await stage.startRegistry()
        #expect(try await stage.ada.credentials().contains { $0.id == kept.credential.id })
        #expect(try await stage.client(kept.token).me().name == "kept")
        #expect(await code { try await stage.client(gone.token).me() } == .unauthenticated)
    }

    @Test("A revoked token's sockets and event streams close within a second; so do those of one that expires")
    func closes() async throws {
        let stage = try await SecurityStage()
        _ = try await stage.pod("shown")
        let issued = try await stage.ada.createCredential(name: "olive", role: .operator)
        let raw = RawViewer()
        let view = RawViewer()
        let connections = [
            try await stage.client(issued.token).terminal("shown", mode: .raw) { raw.take($0) },
            try await stage.client(issued.token).terminal("shown", mode: .view) { view.take($0) },
        ]
        try await eventually("nothing was shown") { raw.binaries > 0 && view.binaries > 0 ? true : nil }
        let events = Mutex<[String]>([])
        let client = stage.client(issued.token)
        let stream = Task {
            try await client.events { event in
                events.withLock { $0.append(event.event ?? "") }
                return true
            }
        }
        try await eventually("no event stream") { events.withLock { $0.first } == "hello" ? true : nil }
        let began = ContinuousClock.now
        _ = try await stage.ada.revokeCredential(issued.credential.id)
        try await eventually(within: .seconds(5), "a socket stayed open") { raw.closeCode == 4403 && view.closeCode == 4403 ? true : nil }
        try await stream.value
        // A second is meant; what is looked at anew each 20 s by itself would be too late.
        #expect(ContinuousClock.now - began < .seconds(10))
        #expect(events.withLock { $0.last } == "revoked")
        withExtendedLifetime(connections) {}

        let short = try await stage.ada.createCredential(name: "guest", role: .viewer, expiresIn: 2)
        let guest = RawViewer()
        let connection = try await stage.client(short.token).terminal("shown", mode: .view) { guest.take($0) }
        try await eventually("nothing was shown") { guest.binaries > 0 ? true : nil }
        try await eventually(within: .seconds(5), "the socket outlived its token") { guest.closeCode == 4403 ? true : nil }
        #expect(await code { try await stage.client(short.token).me() } == .unauthenticated)
        #expect(try await stage.ada.credentials(all: true).first { $0.id == short.credential.id }?.state == "expired")
        withExtendedLifetime(connection) {}
    }

    @Test("A token for some pods sees, searches, starts and types into those only")
    func scoped() async throws {
        let stage = try await SecurityStage()
        let (_, ours, _) = try await stage.pod("ci-one")
        let (_, theirs, _) = try await stage.pod("other")
        let issued = try await stage.ada.createCredential(name: "bot", role: .operator, pods: ["ci-*"])
        let bot = stage.client(issued.token)
        #expect(try await bot.me().pods == ["ci-*"])
        #expect(try await bot.pods().pods.map(\.name) == ["ci-one"])
        #expect(try await bot.pod("ci-one").name == "ci-one")
        for ask in [
            { () async throws in _ = try await bot.pod("other") }, { _ = try await bot.screen("other") }, { _ = try await bot.timeline("other") },
            { _ = try await bot.history("other") }, { _ = try await bot.input("other", .init(text: "x")) }, { _ = try await bot.stop("other") },
            { _ = try await bot.search("x") }, { _ = try await bot.search("x", pod: "other") }, { _ = try await bot.bindings() },
            { _ = try await bot.attention() }, { try await bot.events { _ in false } }, { _ = try await bot.create(PodSpec(command: ["x"])) },
            { _ = try await bot.create(PodSpec(name: "other-two", command: ["x"])) }, { try await bot.export("other") { _ in } },
        ] {
            #expect(await code(ask) == .denied)
        }
        _ = try await bot.input("ci-one", .init(text: "hello"))
        #expect(String(decoding: ours.typed.flatMap(\.bytes), as: UTF8.self) == "hello" && theirs.typed.isEmpty)
        let viewer = RawViewer()
        let connection = try await bot.terminal("other", mode: .raw) { viewer.take($0) }
        try await eventually("not refused") { viewer.closeCode == 4403 ? true : nil }
        #expect(viewer.binaries == 0)
        withExtendedLifetime(connection) {}
    }

    @Test(
        "Refuses tokens that make no sense, with words",
        arguments: [
            #"{"name":"a b","role":"viewer"}"#, #"{"name":"x","role":"agent"}"#, #"{"name":"x","role":"king"}"#, #"{"name":"x"}"#,
            #"{"name":"x","role":"viewer","pods":[]}"#, #"{"name":"x","role":"viewer","pods":["a b"]}"#, #"{"name":"x","role":"viewer","expires_in":0}"#,
            #"{"name":"x","role":"viewer","expires":"2001-01-01T00:00:00Z"}"#, #"{"name":"x\r\ny","role":"viewer"}"#,
            #"{"name":"x","role":"viewer","expires_in":9223372036854775807}"#,
        ])
    func nonsense(body: String) async throws {
        let stage = try await SecurityStage()
        let answer = try await stage.ada.raw("POST", "/v1/credentials", body: Array(body.utf8))
        #expect(answer.status == 400)
        #expect((Reply.error(in: answer.body)?.message.count ?? 0) > 10)
        #expect(try await stage.ada.credentials(all: true).allSatisfy { $0.source == "file" })
    }

    @Test("Who shows wrong tokens too often is told to wait; who was in stays in; a token that is guessed at is guarded from everywhere")
    func limits() async throws {
        let stage = try await SecurityStage(proxies: ["127.0.0.1"])
        let issued = try await stage.ada.createCredential(name: "olive", role: .viewer)
        func ask(_ token: String, from address: String) async throws -> (status: Int, headers: [(String, String)], body: [UInt8]) {
            try await stage.client(token).raw("GET", "/v1/me", headers: [("X-Forwarded-For", address)])
        }
        #expect(try await ask(issued.token, from: "203.0.113.5").status == 200)
        for attempt in 0..<20 { #expect(try await ask("wrong-token-number-\(attempt)", from: "203.0.113.5").status == 401) }
        let refused = try await ask("wrong-token-number-20", from: "203.0.113.5")
        #expect(refused.status == 429)
        #expect(refused.headers.contains { $0.0.lowercased() == "retry-after" && (Int($0.1) ?? 0) > 0 })
        // Even the right one, unless it was shown there before.
        #expect(try await ask(Self.admin, from: "203.0.113.5").status == 429)
        #expect(try await ask(issued.token, from: "203.0.113.5").status == 200)
        #expect(try await ask(Self.admin, from: "203.0.113.6").status == 200)
        // A socket is no way around it.
        await #expect(throws: ErrorBody.self) {
            try await APIClient(address: stage.address, token: "wrong-token-wrong").terminal("x", mode: .raw) { _ in }
        }
        let id = issued.credential.id
        for attempt in 0..<10 {
            let guess = PersonToken.make(id, secret: String(repeating: "\(attempt)", count: 64))
            #expect(try await ask(guess, from: "198.51.100.\(attempt)").status == 401)
        }
        #expect(try await ask(PersonToken.make(id, secret: String(repeating: "a", count: 64)), from: "198.51.100.99").status == 429)
        #expect(try await ask(issued.token, from: "203.0.113.5").status == 200)
    }

    private static let admin = SecurityStage.admin
}

@Suite("Limits on failures")
struct FailureLimitTests {
    @Test("counts per address and per token within a window, and forgets")
    func counts() {
        var limit = FailureLimit()
        let start = ContinuousClock.now
        for number in 0..<20 {
            #expect(limit.pause(address: "a", token: "t\(number)", now: start) == nil)
            limit.failed(address: "a", token: "t\(number)", now: start)
        }
        #expect(limit.pause(address: "a", token: "new", now: start) == .seconds(60))
        #expect(limit.pause(address: "b", token: "new", now: start) == nil)
        #expect(limit.pause(address: "a", token: "new", now: start + .seconds(60)) == nil)
        for number in 0..<10 { limit.failed(address: "c\(number)", token: "guessed", now: start) }
        #expect(limit.pause(address: "d", token: "guessed", now: start + .seconds(1)) == .seconds(59))
        limit.succeeded(address: "e", token: "guessed")
        #expect(limit.pause(address: "e", token: "guessed", now: start) == nil)
    }

    @Test("keeps a bounded number in mind, whatever comes")
    func bounded() {
        var limit = FailureLimit()
        limit.largest = 16
        let start = ContinuousClock.now
        for number in 0..<1000 { limit.failed(address: "a\(number)", token: "t\(number)", now: start + .milliseconds(number)) }
        #expect(Mirror(reflecting: limit).children.compactMap { ($0.value as? any Collection)?.count }.allSatisfy { $0 <= 17 })
    }

    @Test("believes a forwarded address from known proxies only")
    func forwarded() {
        #expect(ClientAddress.of(peer: "10.0.0.1", forwarded: ["1.2.3.4"], proxies: []) == "10.0.0.1")
        #expect(ClientAddress.of(peer: "10.0.0.1", forwarded: ["6.6.6.6, 1.2.3.4"], proxies: ["10.0.0.1"]) == "1.2.3.4")
        #expect(ClientAddress.of(peer: "10.0.0.1", forwarded: ["1.2.3.4, 10.0.0.2"], proxies: ["10.0.0.1", "10.0.0.2"]) == "1.2.3.4")
        #expect(ClientAddress.of(peer: "10.0.0.1", forwarded: ["<script>\r\nx"], proxies: ["10.0.0.1"]) == "10.0.0.1")
        #expect(ClientAddress.of(peer: "10.0.0.1", forwarded: ["2001:db8::1"], proxies: ["10.0.0.1"]) == "2001:db8::1")
    }
}
