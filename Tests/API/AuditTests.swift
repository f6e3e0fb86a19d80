import APIClient
import Bus
import Contract
import Database
import Foundation
import Logging
import TestSupport
import Testing

@testable import APIServer

@Suite("The audit log", .serialized)
struct AuditTests {
    /// Waits until the log has this many entries of an action.
    @discardableResult
    private func entries(_ stage: SecurityStage, _ action: String, count: Int = 1) async throws -> [AuditEntry] {
        try await eventually("the log lacks \(action)") {
            let page = try await stage.ada.audit(action: action, limit: 1000)
            return page.records.count >= count ? page.records.reversed().map(\.entry) : nil
        }
    }

    private func refused(_ body: () async throws -> Any) async {
        await #expect(throws: ErrorBody.self) { _ = try await body() }
    }

    @Test("lets nobody wait, and does not try for ever, when its server has left the bus")
    func left() async throws {
        let nats = try await NATSServer.start()
        let bus = try await nats.connect(name: "left")
        let auditor = Auditor(bus: bus, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        await bus.close()
        let began = ContinuousClock.now
        await auditor.record(AuditEntry(person: nil, address: "127.0.0.1", action: "stopPod", target: nil, outcome: .done, code: nil))
        await auditor.flush(within: .seconds(60))
        #expect(ContinuousClock.now - began < .seconds(50))
    }

    @Test("holds who did what, to what, from where, and how it ended, for every change and every refusal")
    func entries() async throws {
        let stage = try await SecurityStage()
        let (pod, _, credential) = try await stage.pod("shown")
        let created = try await entries(stage, "createPod")
        #expect(created[0].actor == "person:ada" && created[0].target == pod.text && created[0].outcome == .done && created[0].address == "127.0.0.1")
        #expect(created[0].credential == "file")
        let issued = try await stage.ada.createCredential(name: "olive", role: .operator)
        #expect(try await entries(stage, "createCredential")[0].target == issued.credential.id)
        _ = try await stage.client(issued.token).input("shown", .init(text: "hunter2"))
        let typed = try await entries(stage, "writeInput")
        #expect(typed[0].actor == "person:olive" && typed[0].credential == issued.credential.id && typed[0].target == "shown")
        // Refusals of each kind: by role, by a pod's rights, of a stranger, of a wrong token; of reading too.
        await refused { try await stage.client(SecurityStage.viewer).input("shown", .init(text: "x")) }
        await refused { try await stage.client(credential).credentials() }
        await refused { try await stage.client(nil).pods() }
        await refused { try await stage.client("wrong-token-wrong-token").screen("shown") }
        let denied = try await eventually("refusals are missing") {
            let page = try await stage.ada.audit(outcome: "denied", limit: 1000)
            return page.records.count >= 4 ? page.records.reversed().map(\.entry) : nil
        }
        #expect(denied.map(\.actor) == ["person:vera", "pod:\(pod)", "nobody", "nobody"])
        #expect(denied.map(\.action) == ["writeInput", "listCredentials", "listPods", "getScreen"])
        #expect(denied.map(\.code) == ["denied", "denied", "unauthenticated", "unauthenticated"])
        // What went wrong is there too, and reading is not.
        await refused { try await stage.ada.input("nobody", .init(text: "x")) }
        #expect(try await entries(stage, "writeInput", count: 3).last?.outcome == .failed)
        _ = try await stage.ada.pods()
        #expect(try await stage.ada.audit(action: "listPods", limit: 10).records.allSatisfy { $0.entry.outcome == .denied })
        let verified = try await stage.ada.verifyAudit()
        #expect(verified.intact && verified.entries >= 8)
        // No secret and nothing typed got in.
        let all = try await stage.ada.raw("GET", "/v1/audit?limit=1000")
        let text = String(decoding: all.body, as: UTF8.self)
        for secret in [String(issued.token.suffix(64)), String(credential.suffix(48)), "wrong-token", "hunter2", SecurityStage.admin] { #expect(!text.contains(secret)) }
    }

    @Test("tells a session of typing once, not every key, and what a viewer's socket tries")
    func sockets() async throws {
        let stage = try await SecurityStage()
        let (pod, shim, _) = try await stage.pod("shown")
        let raw = RawViewer()
        let connection = try await stage.client(SecurityStage.operatorToken).terminal("shown", mode: .raw) { raw.take($0) }
        try await eventually("nothing was shown") { raw.binaries > 0 ? true : nil }
        for key in "many keys" { connection.send(Array(String(key).utf8)) }
        try await eventually("not typed") { shim.typed.flatMap(\.bytes).count == 9 ? true : nil }
        connection.send(text: #"{"take":true}"#)
        let other = RawViewer()
        let looking = try await stage.client(SecurityStage.viewer).terminal("shown", mode: .view) { other.take($0) }
        try await eventually("nothing was shown") { other.binaries > 0 ? true : nil }
        for _ in 0..<3 { looking.send(text: #"{"type":"input","text":"x"}"#) }
        looking.send(text: #"{"type":"resize","columns":90,"rows":30}"#)
        looking.send(text: #"{"type":"take"}"#)
        try await entries(stage, "takeTerminal", count: 2)
        try await entries(stage, "resizeTerminal")
        let typed = try await entries(stage, "typeInTerminal", count: 2)
        #expect(Set(typed.map { "\($0.actor) \($0.outcome) \($0.target ?? "")" }) == ["person:olga done \(pod)", "person:vera denied \(pod)"])
        #expect(typed.count == 2 && shim.typed.flatMap(\.bytes).count == 9)
        withExtendedLifetime((connection, looking)) {}
    }

    @Test("misses nothing while the registry and with it the database are away, and nothing is there twice")
    func away() async throws {
        let stage = try await SecurityStage()
        _ = try await stage.pod("shown")
        await stage.stopRegistry()
        for _ in 0..<15 { await refused { try await stage.client(SecurityStage.viewer).create(PodSpec(command: ["x"])) } }
        try await stage.startRegistry()
        #expect(try await entries(stage, "createPod", count: 16).count == 16)
        // The same entry again, as after a lost acknowledgement.
        let entry = AuditEntry(actor: "person:ada", address: "a", action: "twice", outcome: .done)
        for _ in 0..<3 {
            _ = try await stage.bus.request(Subjects.auditEntry, payload: try JSON.encode(entry), headers: [])
        }
        try await entries(stage, "twice")
        _ = try await stage.ada.raw("POST", "/v1/pods", body: Array("{".utf8))
        try await entries(stage, "createPod", count: 17)
        #expect(try await stage.ada.audit(action: "twice").records.count == 1)
        #expect(try await stage.ada.verifyAudit().intact)
    }

    @Test("lets a stranger fill it slowly only, and says how many refusals it did not tell")
    func strangers() {
        var budget = StrangerBudget()
        let start = ContinuousClock.now
        let entry = AuditEntry(actor: "nobody", address: "1.2.3.4", action: "x", outcome: .denied)
        let told = (0..<1000).compactMap { _ in budget.admit(entry, now: start) }
        #expect(told.count == 20 && told.allSatisfy { $0.repeats == nil })
        #expect(budget.admit(entry, now: start + .seconds(60))?.repeats == 980)
        var all = StrangerBudget()
        let many = (0..<5000).compactMap { number in
            all.admit(AuditEntry(actor: "nobody", address: "\(number)", action: "x", outcome: .denied), now: start)
        }
        #expect(many.count == 600)
    }

    // MARK: - The chain

    private func filled() async throws -> SecurityStage {
        let stage = try await SecurityStage()
        for number in 0..<8 {
            let entry = AuditEntry(actor: "person:ada", address: "a", action: "filler", target: "\(number)", outcome: .done)
            _ = try await stage.bus.request(Subjects.auditEntry, payload: try JSON.encode(entry), headers: [])
        }
        try await entries(stage, "filler", count: 8)
        #expect(try await stage.ada.verifyAudit().intact)
        return stage
    }

    @Test(
        "refuses changes, whoever makes them",
        arguments: ["UPDATE registry.audit SET entry = '{}'", "DELETE FROM registry.audit WHERE seq = 8", "TRUNCATE registry.audit"])
    func appendOnly(statement: String) async throws {
        let stage = try await filled()
        await #expect(throws: DatabaseError.self) {
            try await stage.pool.withConnection { connection in _ = try connection.query(statement) }
        }
        #expect(try await stage.ada.verifyAudit().intact)
    }

    @Test(
        "shows who goes behind its back: what was changed, removed, inserted or moved",
        arguments: [
            ("UPDATE registry.audit SET entry = replace(entry, 'person:ada', 'person:eve') WHERE seq = 3", 3),
            ("UPDATE registry.audit SET time = time - interval '1 hour' WHERE seq = 4", 4),
            ("DELETE FROM registry.audit WHERE seq = 5", 5),
            ("DELETE FROM registry.audit WHERE seq = 1", 1),
            ("DELETE FROM registry.audit WHERE seq = 8", 8),
            ("DELETE FROM registry.audit", 1),
            // Closes the gap it makes.
            ("DELETE FROM registry.audit WHERE seq = 5; UPDATE registry.audit SET seq = seq - 1 WHERE seq > 5", 5),
            // Two change places.
            (
                "UPDATE registry.audit SET seq = 100 WHERE seq = 2; UPDATE registry.audit SET seq = 2 WHERE seq = 3; UPDATE registry.audit SET seq = 3 WHERE seq = 100",
                2
            ),
            // One is put between with a digest of its own making.
            (
                """
                UPDATE registry.audit SET seq = seq + 100 WHERE seq > 4; UPDATE registry.audit SET seq = seq - 99 WHERE seq > 100;
                INSERT INTO registry.audit SELECT 5, time, 'forged', entry, digest, sha256('forged'::bytea) FROM registry.audit WHERE seq = 4
                """, 5
            ),
            // One is added behind.
            ("INSERT INTO registry.audit SELECT 9, time, 'forged', entry, digest, sha256('forged'::bytea) FROM registry.audit WHERE seq = 8", 9),
            ("UPDATE registry.audit SET previous = sha256('x'::bytea) WHERE seq = 6", 6),
        ])
    func tampering(statements: String, seq: UInt64) async throws {
        let stage = try await filled()
        try await stage.pool.withConnection { connection in
            try connection.execute("ALTER TABLE registry.audit DISABLE TRIGGER USER; \(statements)")
        }
        let verified = try await stage.ada.verifyAudit()
        #expect(!verified.intact)
        #expect(verified.seq == seq)
        #expect((verified.problem?.count ?? 0) > 10)
    }

    @Test("shows by a digest that was noted elsewhere that even the whole log was written anew")
    func anew() async throws {
        let stage = try await filled()
        let head = try await stage.ada.verifyAudit()
        #expect(try await stage.ada.verifyAudit(seq: head.entries, digest: head.head).intact)
        try await stage.pool.withConnection { connection in
            try connection.execute("ALTER TABLE registry.audit DISABLE TRIGGER USER; DELETE FROM registry.audit; DELETE FROM registry.audit_head")
        }
        for number in 0..<8 {
            let entry = AuditEntry(actor: "person:eve", address: "a", action: "filler", target: "\(number)", outcome: .done)
            _ = try await stage.bus.request(Subjects.auditEntry, payload: try JSON.encode(entry), headers: [])
        }
        try await entries(stage, "filler", count: 8)
        #expect(try await stage.ada.verifyAudit().intact)
        let verified = try await stage.ada.verifyAudit(seq: head.entries, digest: head.head)
        #expect(!verified.intact && verified.seq == head.entries)
    }

    @Test("pages, and finds by time, person, action and outcome")
    func finds() async throws {
        let stage = try await filled()
        let first = try await stage.ada.audit(action: "filler", limit: 3)
        #expect(first.records.map(\.entry.target) == ["7", "6", "5"])
        let second = try await stage.ada.audit(action: "filler", before: first.next, limit: 3)
        #expect(second.records.map(\.entry.target) == ["4", "3", "2"])
        #expect(try await stage.ada.audit(actor: "person:eve").records.isEmpty)
        #expect(try await stage.ada.audit(since: Timestamp.now().description).records.isEmpty)
        #expect(try await stage.ada.audit(until: "-1h").records.isEmpty)
        #expect(try await stage.ada.audit(since: "-1h", outcome: "done").records.count >= 8)
        for bad in ["/v1/audit?outcome=x", "/v1/audit?limit=0", "/v1/audit?before=0", "/v1/audit/verify?seq=1", "/v1/audit?since=never"] {
            #expect(try await stage.ada.raw("GET", bad).status == 400)
        }
    }
}
