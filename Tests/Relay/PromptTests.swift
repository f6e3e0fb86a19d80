import Bus
import Contract
import Foundation
import RelayClient
import Synchronization
import TestSupport
import Testing

@testable import RelayServer

private final class Tally: Sendable {
    private let fields = Mutex<(results: [Applied.Result: Int], late: Int)>(([:], 0))

    func count(_ applied: Applied, isLate: Bool) {
        fields.withLock { fields in
            fields.results[applied.result, default: 0] += 1
            if isLate { fields.late += 1 }
        }
    }

    var results: [Applied.Result: Int] { fields.withLock { $0.results } }
    var late: Int { fields.withLock { $0.late } }
}

@Suite("Prompts and approvals", .serialized)
struct PromptTests {
    private let ada = Author(kind: .person, id: "ada")

    private func say(_ stage: RelayStage, _ shim: ScriptedShim, _ status: String, _ reason: String, _ fingerprint: String? = nil, options: [String]? = nil)
        async throws
    {
        try stage.bus.publish(
            Subjects.status(shim.pod),
            payload: try JSON.encode(
                PodStatus(
                    status: status, reason: reason, since: .now(), seq: shim.seq, options: options, fingerprint: fingerprint)))
        try await stage.bus.flush()
        try await eventually("the relay did not hear the status") {
            let known = stage.relay.held(shim.pod)?.status
            return known?.status == status && known?.reason == reason && known?.fingerprint == fingerprint ? true : nil
        }
    }

    private func submit(_ stage: RelayStage, _ shim: ScriptedShim, _ text: String, keepDraft: Bool? = nil) async throws -> Applied {
        try await stage.client.write(
            Write(pod: shim.pod, author: ada, role: .operator, submit: true, keepDraft: keepDraft), bytes: Array(text.utf8))
    }

    @Test("In 10,000 runs in which a dialog appears between the decision and the write, none is answered")
    func race() async throws {
        let stage = try await RelayStage()
        let tally = Tally()
        let ada = ada
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    let shim = try ScriptedShim(stage.bus)
                    let first = try shim.output("> ")
                    try await stage.reached(shim, first)
                    for run in 0..<200 {
                        let mark = try shim.output("\u{1b}[H\u{1b}[2Jready \(run) > ")
                        let idle = PodStatus(status: "idle", reason: "prompt", since: .now(), seq: mark)
                        try stage.bus.publish(Subjects.status(shim.pod), payload: try JSON.encode(idle))
                        try await eventually { stage.relay.held(shim.pod)?.status?.seq == mark ? true : nil }
                        async let prompt = stage.client.write(
                            Write(pod: shim.pod, author: ada, role: .operator, submit: true), bytes: [])
                        try await Task.sleep(for: .microseconds(Int.random(in: 0...20_000)))
                        let dialog = try shim.output("\r\nAllow this? 1. Yes 2. No")
                        // The detector takes its time to see it.
                        try await Task.sleep(for: .microseconds(Int.random(in: 0...20_000)))
                        let waiting = PodStatus(status: "waiting", reason: "approval", since: .now(), seq: dialog, fingerprint: "\(run)")
                        try stage.bus.publish(Subjects.status(shim.pod), payload: try JSON.encode(waiting))
                        let applied = try await prompt
                        tally.count(applied, isLate: applied.result == .applied && (applied.seq ?? 0) > dialog)
                    }
                    let late = shim.frames.enumerated().contains { index, frame in
                        frame.kind == .in && String(decoding: shim.frames[..<index].last { $0.kind == .out }?.bytes ?? [], as: UTF8.self).contains("Allow")
                    }
                    #expect(!late)
                }
            }
            try await group.waitForAll()
        }
        #expect(tally.late == 0)
        let counted = tally.results
        #expect(counted.values.reduce(0, +) == 10_000)
        // Both ways must have happened, or nothing was shown.
        #expect(counted[.applied, default: 0] > 0 && counted[.approvalOpen, default: 0] > 0, "\(counted)")
    }

    @Test("A prompt is refused while a dialog is open and over a half-typed line, which --keep-draft cuts and puts back")
    func refusals() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try await stage.reached(shim, try shim.output("> "))
        for reason in ["approval", "plan", "trust", "question", "login", "password"] {
            try await say(stage, shim, "waiting", reason, "f")
            #expect(try await submit(stage, shim, "go on").result == .approvalOpen, "\(reason)")
        }
        try await say(stage, shim, "idle", "draft")
        #expect(try await submit(stage, shim, "go on").result == .draftPresent)
        #expect(shim.typed.isEmpty)
        let kept = try await submit(stage, shim, "go on", keepDraft: true)
        #expect(kept.result == .applied)
        #expect(shim.typed.map(\.bytes) == [[0x15], Array("go on".utf8), [0x0d], [0x19]])
        // Nothing was seen to come of it, and the answer says so.
        #expect(kept.tookEffect == false)
    }

    @Test("A dialog on the screen is not answered by a prompt while no detector says anything, nor by what an agent types")
    func unseen() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try await stage.reached(shim, try shim.output("Allow this? 1. Yes 2. No"))
        #expect(try await submit(stage, shim, "go on").result == .approvalOpen)
        #expect(try await submit(stage, shim, "").result == .approvalOpen)
        let itself = Author(kind: .pod, id: shim.pod.text)
        #expect(try await stage.client.write(Write(pod: shim.pod, author: itself, role: nil), bytes: [0x0d]).result == .approvalOpen)
        #expect(shim.typed.isEmpty)
        try await stage.reached(shim, try shim.output("\u{1b}[H\u{1b}[2J> "))
        #expect(try await submit(stage, shim, "go on").result == .applied)
    }

    @Test("An approval answers the dialog that was seen, and no other")
    func approvals() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try await stage.reached(shim, try shim.output("Allow? 1. Yes 2. No"))
        func approve(_ fingerprint: String, option: Int? = nil, reject: Bool? = nil, role: Role = .operator) async throws -> Applied {
            try await stage.client.approve(
                Approve(pod: shim.pod, author: ada, role: role, fingerprint: fingerprint, option: option, reject: reject))
        }
        #expect(try await approve("one").result == .screenChanged)
        try await say(stage, shim, "waiting", "approval", "one", options: ["Yes", "Yes, always", "No, and say why"])
        #expect(try await approve("one", role: .viewer).result == .denied)
        #expect(try await approve("two").result == .screenChanged)
        // A choice that is not there is a mistake in the request; whoever may not choose is told that first.
        #expect(try await approve("one", option: 4, role: .viewer).result == .denied)
        #expect(try await approve("two", option: 4).result == .screenChanged)
        let mistake = await #expect(throws: ErrorBody.self) { try await approve("one", option: 4) }
        #expect(mistake?.code == .badRequest && mistake?.message == "the dialog has options 1 to 3")
        #expect(shim.typed.isEmpty)
        let rejected = try await approve("one", reject: true)
        #expect(rejected.result == .applied && rejected.tookEffect == false)
        #expect(shim.typed.map(\.bytes) == [Array("3".utf8)])
        // The dialog is replaced by another one after it was seen.
        try await say(stage, shim, "waiting", "approval", "two", options: ["Yes", "No"])
        #expect(try await approve("one").result == .screenChanged)
        async let second = approve("two")
        try await eventually("nothing was typed") { shim.typed.count == 2 ? true : nil }
        try await say(stage, shim, "executing", "tool")
        #expect(try await second.tookEffect == true)
        #expect(shim.typed.last?.bytes == Array("1".utf8))
    }

    @Test("A question on a last row that came instead of the one that was seen is known by what stands above it")
    func lastRow() throws {
        let reader = DialogReader.detection(folders: [URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Agents").standardized.path])
        func read(_ command: String, typed: String = "", isSeen: Bool = true) -> String? {
            let screen = "I will run a command.\r\n\r\n\(command)\r\nRun shell command? (Y)es/(N)o/(D)on't ask again [Yes]: \(typed)"
            return reader.read(Array(screen.utf8), 80, 24, "aider", 7, isSeen)?.fingerprint
        }
        #expect(read("make test") != nil && read("make test") == read("make test"))
        #expect(read("make test") != read("rm -rf build"))
        // An answer that is not sent yet makes no other question of it.
        #expect(read("make test", typed: "y") == nil)
        // Words that only look like a question hold up no prompt before the detector believes them.
        #expect(read("make test", isSeen: false) == nil)
    }

    @Test("A dialog that came instead of the one that was seen is not approved, though no detector has read it yet")
    func replaced() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try await stage.reached(shim, try shim.output("Allow this <one>? 1. Yes 2. No"))
        try await say(stage, shim, "waiting", "approval", "one", options: ["Yes", "No"])
        let other = try shim.output("\u{1b}[H\u{1b}[2JAllow this <two>? 1. Yes 2. No")
        try await stage.reached(shim, other)
        let approve = Approve(pod: shim.pod, author: ada, role: .operator, fingerprint: "one")
        #expect(try await stage.client.approve(approve).result == .screenChanged)
        #expect(shim.typed.isEmpty)
        // A dialog that is only painted again is the same one.
        try await stage.reached(shim, try shim.output("\u{1b}[H\u{1b}[2JAllow this <one>? 1. Yes 2. No"))
        #expect(try await stage.client.approve(approve).result == .applied)
        #expect(shim.typed.map(\.bytes) == [Array("1".utf8)])
    }

    @Test("In 10,000 runs in which another dialog replaces the one that was seen, only the one that was seen is approved")
    func replacedInARace() async throws {
        let stage = try await RelayStage()
        let tally = Tally()
        let ada = ada
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    let shim = try ScriptedShim(stage.bus)
                    try await stage.reached(shim, try shim.output("> "))
                    for run in 0..<200 {
                        let seen = try shim.output("\u{1b}[H\u{1b}[2JAllow this <\(run)>? 1. Yes 2. No")
                        let status = PodStatus(status: "waiting", reason: "approval", since: .now(), seq: seen, options: ["Yes", "No"], fingerprint: "\(run)")
                        try stage.bus.publish(Subjects.status(shim.pod), payload: try JSON.encode(status))
                        try await eventually { stage.relay.held(shim.pod)?.status?.seq == seen ? true : nil }
                        // Somebody answers it in the terminal at the same time, and the agent asks the next thing.
                        async let answer = stage.client.approve(Approve(pod: shim.pod, author: ada, role: .operator, fingerprint: "\(run)"))
                        for _ in 0..<Int.random(in: 0...3) { await Task.yield() }
                        try await Task.sleep(for: .microseconds(Int.random(in: 0...3_000)))
                        let other = try shim.output("\u{1b}[H\u{1b}[2JAllow this <\(run) too>? 1. Yes 2. No")
                        // The detector takes its time to see it, and is done with it before the next run.
                        try await Task.sleep(for: .microseconds(Int.random(in: 0...3_000)))
                        let next = PodStatus(
                            status: "waiting", reason: "approval", since: .now(), seq: other, options: ["Yes", "No"], fingerprint: "\(run) too")
                        try stage.bus.publish(Subjects.status(shim.pod), payload: try JSON.encode(next))
                        tally.count(try await answer, isLate: false)
                    }
                    // The shim's own order decides what stood there when the key came.
                    let late = shim.frames.enumerated().filter { index, frame in
                        frame.kind == .in && String(decoding: shim.frames[..<index].last { $0.kind == .out }?.bytes ?? [], as: UTF8.self).contains(" too>")
                    }
                    #expect(late.isEmpty, "\(late.count) others were approved")
                }
            }
            try await group.waitForAll()
        }
        let counted = tally.results
        #expect(counted.values.reduce(0, +) == 10_000)
        // Both ways must have happened, or nothing was shown.
        #expect(counted[.applied, default: 0] > 0 && counted[.screenChanged, default: 0] > 0, "\(counted)")
    }

    @Test("A pod without a binding is refused, whatever it says of its role")
    func strangers() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try await stage.reached(shim, try shim.output("> "))
        let other = Author(kind: .pod, id: PodID.random().text)
        #expect(try await stage.client.write(Write(pod: shim.pod, author: other, role: .admin), bytes: [0x61]).result == .denied)
        #expect(try await stage.client.write(Write(pod: shim.pod, author: other, role: .admin, submit: true), bytes: [0x61]).result == .denied)
        #expect(
            try await stage.client.approve(Approve(pod: shim.pod, author: other, role: .admin, fingerprint: "f")).result == .denied)
        let itself = Author(kind: .pod, id: shim.pod.text)
        #expect(try await stage.client.write(Write(pod: shim.pod, author: itself, role: nil), bytes: [0x61]).result == .applied)
        #expect(shim.typed.count == 1)
    }
}
