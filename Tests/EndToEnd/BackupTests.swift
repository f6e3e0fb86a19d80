import APIClient
import Bus
import Contract
import Foundation
import PostgresPrograms
import TestSupport
import Testing

@Suite("Backup and restore", .serialized)
struct BackupTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    private func script(_ name: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
        let programs = try PostgresPrograms.findFolder(environment: ProcessInfo.processInfo.environment)
        return try await TestSupport.output(of: [Self.root + "/scripts/" + name] + arguments, environment: ["SWITCHBACK_POSTGRES": programs])
    }

    private struct Before {
        var ended: PodID
        var running: PodID
        var middle: (seq: UInt64, text: String)
        var output: [UInt8]
        var binding: Binding
        var token: String
        var audit: AuditVerified
    }

    /// A deployment that worked for a while and was saved while it ran; it is gone then.
    private func old(_ file: String) async throws -> Before {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let ended = try await stack.run(["sh", "-c", "for i in $(seq 3000); do echo line-$i; done"], name: "ended").pod
        let running = try await stack.run(["sh", "-c", "echo alive; exec sleep 600"], name: "running").pod
        _ = try await stack.waitForScreen(running, "alive")
        _ = try await stack.waitUntilEnded(ended)
        _ = try await stack.run(["sleep", "600"], name: "other").pod
        let granted = try await stack.command(["bind", "request", "--from", "running", "--to", "other", "--scope", "terminal:read"])
        #expect(granted.exit == 0, "\(granted.errors)")
        let binding = try await api.binding(granted.output.split(separator: "\n").first.map(String.init) ?? "")
        let issued = try await api.createCredential(name: "olive", role: .viewer)
        let frames = try await stack.recorded(ended)
        let middle = frames[frames.count / 2].seq
        let screen = try await stack.seek(ended, seq: middle).screen.text
        let audit = try await eventually(within: .seconds(60), "the audit log stayed empty") {
            let verified = try await api.verifyAudit()
            return verified.intact && verified.entries >= 2 ? verified : nil
        }
        // The last seconds are on the bus only; checking a recording stores them.
        for pod in [ended, running] { #expect(try await stack.verify(pod).ok) }
        let secrets = file + ".secrets"
        try FileManager.default.createDirectory(atPath: secrets + "/root", withIntermediateDirectories: true)
        try Data("signs everything".utf8).write(to: URL(filePath: secrets + "/root/root.json"))
        let saved = try await script("backup", [file, "--database", stack.databaseURL, "--secrets", secrets])
        #expect(saved.status == 0, "\(saved.output)")
        // A second one does not write over it.
        #expect(try await script("backup", [file, "--database", stack.databaseURL]).status != 0)
        return Before(
            ended: ended, running: running, middle: (middle, screen), output: try await stack.recordedOutput(ended), binding: binding,
            token: issued.token, audit: audit)
    }

    @Test("what a running deployment saved comes back on new servers: recordings to the byte, bindings, people, the audit chain; and it goes on recording")
    func roundTrip() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/switchback-backup-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/saved.tar"

        let before = try await old(file)
        #expect((try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int) == 0o600)

        // Other servers, with nothing on them.
        let stack = try await Stack.start([])
        let damaged = folder + "/damaged.tar"
        var bytes = try Data(contentsOf: URL(filePath: file))
        bytes[bytes.count / 2] ^= 0xff
        try bytes.write(to: URL(filePath: damaged))
        let refused = try await script("restore", [damaged, "--database", stack.databaseURL])
        #expect(refused.status != 0 && refused.output.contains("damaged"), "\(refused.output)")
        let restored = try await script("restore", [file, "--database", stack.databaseURL, "--secrets", folder + "/secrets"])
        #expect(restored.status == 0, "\(restored.output)")
        #expect(try String(contentsOfFile: folder + "/secrets/root/root.json", encoding: .utf8) == "signs everything")
        // Into a database that has something nothing is written.
        let again = try await script("restore", [file, "--database", stack.databaseURL])
        #expect(again.status != 0 && again.output.contains("holds a Switchback already"), "\(again.output)")

        for part in Stack.Part.withoutDetector { try await stack.start(part) }
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let told = try await stack.command(["verify"])
        #expect(told.exit == 0 && told.output.contains("3 recordings, all as they were written"), "\(told.output) \(told.errors)")
        let verified = try await stack.verify(before.ended)
        #expect(verified.ok && verified.frames > 0, "\(verified)")
        #expect(try await stack.verify(before.running).ok)
        #expect(try await stack.recordedOutput(before.ended) == before.output)
        #expect(try await stack.seek(before.ended, seq: before.middle.seq).screen.text == before.middle.text)
        #expect(try await stack.seek(before.running).screen.text.contains("alive"))
        #expect(try await api.pod("ended").pod == before.ended)
        let binding = try await api.bindings(all: true).first { $0.id == before.binding.id }
        #expect(binding?.granted == before.binding.granted && binding?.from == before.binding.from && binding?.created == before.binding.created)
        #expect(try await APIClient(address: stack.apiURL, token: before.token).me().name == "olive")
        // The chain goes on behind the head that was noted before.
        let chain = try await api.verifyAudit(seq: UInt64(before.audit.entries), digest: before.audit.head)
        #expect(chain.intact && chain.entries >= before.audit.entries, "\(chain)")

        // The new bus counts from the beginning; what is typed now is recorded all the same.
        let fresh = try await stack.run(["sh", "-c", "for i in $(seq 500); do echo new-$i; done"], name: "fresh").pod
        _ = try await stack.waitUntilEnded(fresh)
        #expect(String(decoding: try await stack.recordedOutput(fresh), as: UTF8.self).contains("new-500"))
        #expect(try await stack.verify(fresh).ok)
    }

    @Test("a bus that lost its disk is filled anew without a restart of anything: changes are made and noted, pods run, are recorded and end")
    func lostDisk() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let old = try await stack.run(["sh", "-c", "for i in $(seq 2000); do echo line-$i; done; cat"], name: "old").pod
        _ = try await stack.waitForScreen(old, "line-2000")
        _ = try await api.createCredential(name: "before", role: .viewer)
        #expect(try await stack.verify(old).ok)
        try await stack.nats.restart(empty: true)
        // Every change waits for the audit log, which is a stream.
        try await eventually(within: .seconds(90), "nothing can be changed") { (try? await api.createCredential(name: "after", role: .viewer)) != nil }
        try await eventually(within: .seconds(90), "the audit log does not go on") {
            let verified = try? await api.verifyAudit()
            return verified?.intact == true && (verified?.entries ?? 0) >= 2 ? true : nil
        }
        try await eventually(within: .seconds(90), "the pod that was there takes no input") {
            (try? await api.input("old", .init(text: "still-here\r"))) != nil ? true : nil
        }
        try await eventually(within: .seconds(90), "what it prints is not recorded") {
            let output = (try? await stack.recordedOutput(old)).map { String(decoding: $0, as: UTF8.self) } ?? ""
            return output.contains("line-1999") && output.contains("still-here") ? true : nil
        }
        #expect(try await stack.verify(old).ok)
        let fresh = try await stack.run(["sh", "-c", "echo fresh"], name: "fresh").pod
        // Lifecycle follows from the stream's control frames.
        _ = try await stack.waitUntilEnded(fresh)
        #expect(try await stack.verify(fresh).ok)
    }
}
