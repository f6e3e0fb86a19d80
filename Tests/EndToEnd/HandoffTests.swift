import APIClient
import Bus
import Contract
import Foundation
import TestSupport
import Testing

@Suite("Handoffs between pods", .serialized)
struct HandoffTests {
    @Test("Two pods: one asks, the other grants; the picture says who waits on whom, now and then")
    func topology() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let reviewer = try await stack.run(["cat"], name: "reviewer").pod
        let builder = try await stack.run(["cat"], name: "builder").pod
        let asked = try await stack.command(
            ["bind", "request", "--from", "reviewer", "--to", "builder", "--scope", "terminal:read,terminal:write", "--note", "your test output"])
        #expect(asked.exit == 0)
        let id = asked.output.split(separator: "\n").first.map(String.init) ?? ""
        #expect(RecordID.isOne(id))
        try await eventually(within: .seconds(10), "the picture lacks the pending edge") {
            let topology = try await api.topology()
            return topology.edges.contains { $0.id == id && $0.state == .pending && $0.pending == [.read, .write] } ? true : nil
        }
        let pendingAt = Timestamp.now()
        // People know pods by their names.
        try await eventually(within: .seconds(10), "nothing asks for an answer") {
            try await stack.command(["attention"]).output.contains("reviewer asks builder for read, write") ? true : nil
        }
        #expect(try await stack.command(["bind", "accept", id, "--scope", "terminal:read"]).exit == 0)
        let bound = try await api.binding(id)
        #expect(bound.granted == [.read] && bound.pending == [.write] && bound.state == .active)

        try stack.say("waiting", "approval", of: builder, seq: 3)
        let waiting = try await api.createWait(.init(pods: ["builder"], until: .idle, timeoutMs: 60_000))
        let item = try await eventually(within: .seconds(10), "nothing needs a person") {
            try await api.attention().first { $0.kind == .approval && $0.pod == builder }
        }
        #expect(item.frees == 1)
        // For whom it waits stands in its row: the person who must answer, and for nobody else.
        let person = try await eventually(within: .seconds(10), "the picture lacks whom it waits for") {
            try await api.topology().nodes.first { $0.pod == builder }?.blockedBy.first?.split(separator: ":").last
        }
        let rows = try await stack.command(["ps"]).output.split(separator: "\n").map(String.init)
        #expect(rows.first { $0.hasPrefix("builder") }?.contains("  \(person)  ") == true)
        #expect(rows.first { $0.hasPrefix("reviewer") }?.contains("  \(person)  ") == false)
        let then = Timestamp.now()
        let shown = try await stack.command(["topology"])
        #expect(shown.output.contains("reviewer → builder"))
        try stack.say("idle", "turn_done", of: builder, seq: 9)
        let ended = try await api.wait(waiting.id, hold: 20)
        #expect(ended.outcome == .matched)
        try await eventually(within: .seconds(10), "the item stayed") { try await api.attention().allSatisfy { $0.kind != .approval } ? true : nil }

        let past = try await api.topology(at: then.description)
        #expect(past.nodes.map(\.pod).sorted() == [reviewer, builder].sorted())
        #expect(past.nodes.first { $0.pod == builder }?.status == "waiting")
        #expect(past.edges.contains { $0.id == waiting.id } && past.edges.contains { $0.id == id && $0.granted == [.read] })
        #expect(try await api.topology(at: pendingAt.description).edges.contains { $0.id == id && $0.state == .pending })
        #expect(try await stack.command(["topology", "--at", pendingAt.description, "--json"]).output.contains("\"pending\""))
    }

    @Test("`wait` ends with the codes of the contract, and goes on without the command")
    func exitCodes() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let one = try await stack.run(["cat"], name: "one").pod
        let two = try await stack.run(["cat"], name: "two").pod
        try stack.say("idle", of: one, seq: 2)
        try await eventually(within: .seconds(10), "the status was not heard") {
            try await stack.command(["wait", "one", "--until", "idle", "--timeout", "1s"]).exit == 0 ? true : nil
        }
        #expect(try await stack.command(["wait", "two", "--timeout", "200ms"]).exit == 124)
        #expect(try await stack.command(["wait", "nobody"]).exit == 1)
        #expect(try await stack.command(["wait"]).exit == 2)
        let detached = try await stack.command(["wait", "one", "two", "--all", "--until", "ended", "--detach"])
        let id = detached.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        // The services that carry it restart.
        stack.kill9(.bindings)
        stack.kill9(.api)
        _ = try await stack.ask(Subjects.podsStop, PodRequest(pod: one, author: Stack.person, graceMs: 100), as: Pod.self)
        try await stack.start(.bindings)
        try await stack.start(.api)
        #expect(try await api.wait(id).isOpen)
        let gone = try await api.createWait(.init(pods: ["two"], until: .idle, timeoutMs: 60_000))
        _ = try await stack.ask(Subjects.podsStop, PodRequest(pod: two, author: Stack.person, graceMs: 100), as: Pod.self)
        let resumed = try await stack.command(["wait", "--resume", id, "--json"])
        #expect(resumed.exit == 0)
        #expect(resumed.output.contains("\"outcome\":\"matched\"") || resumed.output.contains("\"outcome\" : \"matched\""))
        #expect(try await stack.command(["wait", "--resume", gone.id]).exit == 3)
    }

    @Test("`wait --any` ends with the first pod and `--all` with the last; a command that was killed takes its answer later by the wait's id")
    func anyAllAndKilled() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let one = try await stack.run(["cat"], name: "one").pod
        let two = try await stack.run(["cat"], name: "two").pod
        func begin(_ arguments: [String]) async throws -> String {
            try await stack.command(["wait"] + arguments + ["--until", "idle", "--timeout", "2m", "--detach"]).output.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let any = try await begin(["one", "two", "--any"])
        let all = try await begin(["one", "two", "--all"])
        let plain = try await begin(["one", "two"])
        for (id, mode) in [(any, Wait.Mode.any), (all, .all), (plain, .all)] { #expect(try await api.wait(id).mode == mode) }

        // Nothing is left of a command that is killed but its wait.
        let said = FileManager.default.temporaryDirectory.path + "/wait-\(PodID.random())"
        let killing = "\"$0\" wait two --until idle 2>'\(said)' & until grep -q W- '\(said)' 2>/dev/null; do sleep 0.05; done; kill -9 $!; wait $!"
        let killed = try await stack.command(["-c", killing, stack.programsDirectory + "/switchback"], program: "/bin/bash")
        #expect(killed.exit == 128 + 9)
        let words = try String(contentsOfFile: said, encoding: .utf8).split(whereSeparator: \.isWhitespace).map(String.init)
        try? FileManager.default.removeItem(atPath: said)
        let left = try #require(words.first { $0.hasPrefix("W-") })
        #expect(try await api.wait(left).isOpen)

        try stack.say("idle", "turn_done", of: one, seq: 3)
        #expect(try await stack.command(["wait", "--resume", any]).exit == 0)
        let seen = try await api.wait(any)
        #expect(seen.outcome == .matched && seen.targets.first { $0.pod == one }?.seen?.seq == 3 && seen.targets.first { $0.pod == two }?.seen == nil)
        for id in [all, plain] { #expect(try await api.wait(id).isOpen) }
        try stack.say("idle", "turn_done", of: two, seq: 4)
        for id in [all, plain, left] { #expect(try await stack.command(["wait", "--resume", id]).exit == 0) }
    }

    @Test("A prompt waits for an idle agent with --when-idle and is refused at a dialog, which stands on the timeline; a wait in a circle exits 6, an interrupted one 75")
    func gateByCommand() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let one = try await stack.run(["sh", "-c", "echo \"$SWITCHBACK_TOKEN\"; exec cat"], name: "one", columns: 120).pod
        let two = try await stack.run(["cat"], name: "two").pod
        // At a dialog: refused, with its code and a mark.
        let dialog = try JSON.encode(
            PodStatus(
                status: "waiting", reason: "approval", since: .now(), seq: 3, evidence: "the test", question: "Go on?", options: ["Yes", "No"],
                fingerprint: "00112233445566aa"))
        for subject in [Subjects.status(two), Subjects.statusChanged(two)] { try stack.bus.publish(subject, payload: dialog) }
        try await eventually(within: .seconds(10), "the gate does not know of the dialog") {
            try await stack.command(["send", "two", "yes", "--submit"]).errors.contains("dialog") ? true : nil
        }
        // An option that the dialog does not have is a mistake, and nothing is typed.
        try await eventually(within: .seconds(10), "the dialog's options are not known") {
            let answer = try await stack.command(["approve", "two", "--option", "4"])
            return answer.exit == 2 && answer.errors.contains("2 options: 1 Yes, 2 No") ? true : nil
        }
        let refused = try await stack.command(["send", "two", "yes", "--submit", "--json"])
        #expect(refused.exit == 5 && refused.errors.contains("approval_open"), "\(refused)")
        try await eventually(within: .seconds(10), "the refusal is not on the timeline") {
            try await stack.recorded(two).contains { frame in
                guard frame.kind == .ctl, case .marker(let text, _)? = try? JSON.decode(Control.self, from: frame.bytes) else { return false }
                return text.hasPrefix("refused (approval_open)")
            } ? true : nil
        }
        #expect(try await !stack.live(two).text.contains("yes"))

        // Later: it waits, and is written once the agent rests.
        async let late = stack.command(["send", "two", "do the next thing", "--submit", "--when-idle", "--timeout", "30s"])
        try await Task.sleep(for: .milliseconds(500))
        #expect(try await !stack.live(two).text.contains("next thing"))
        try stack.say("idle", "turn_done", of: two, seq: 20)
        #expect(try await late.exit == 0)
        try await stack.waitForScreen(two, "do the next thing")

        let three = try await stack.run(["cat"], name: "three").pod
        for subject in [Subjects.status(three), Subjects.statusChanged(three)] { try stack.bus.publish(subject, payload: dialog) }
        try await eventually(within: .seconds(10), "the dialog is not known") {
            try await api.pod("three").status?.status == "waiting" ? true : nil
        }

        // One waits for two; from inside two, waiting for one would close a circle.
        let credential = try #require(
            try await stack.waitForScreen(one, "sbp_").text.split(whereSeparator: \.isWhitespace).map(String.init).first { $0.hasPrefix("sbp_") })
        _ = try await stack.ask(
            Subjects.waitsCreate, CreateWait(waiter: Author(kind: .pod, id: two.text), pods: [one], mode: .all, until: .ended), as: Wait.self)
        let circle = try await stack.command(["wait", "two", "--until", "ended"], environment: ["SWITCHBACK_TOKEN": credential])
        #expect(circle.exit == 6 && circle.errors.contains(one.text) && circle.errors.contains(two.text), "\(circle)")

        // Interrupted: it goes on without the command.
        let interrupted = try await stack.command(
            ["-c", "timeout -s INT 2 \(stack.programsDirectory)/switchback wait one --until ended; exit $?"], program: "/bin/bash")
        let id = try #require(interrupted.errors.split(whereSeparator: \.isWhitespace).map(String.init).first { $0.hasPrefix("W-") }, "\(interrupted)")
        #expect(try await api.wait(id).isOpen)
        let preserved = try await stack.command(
            ["-c", "timeout --preserve-status -s INT 2 \(stack.programsDirectory)/switchback wait --resume \(id)"], program: "/bin/bash")
        #expect(preserved.exit == 75, "\(preserved)")
        let asJSON = try await stack.command(
            ["-c", "timeout --preserve-status -s INT 2 \(stack.programsDirectory)/switchback wait one --until ended --json"], program: "/bin/bash")
        #expect(asJSON.exit == 75 && asJSON.output.isEmpty, "\(asJSON)")
        #expect(asJSON.errors.hasPrefix(#"{"error":{"code":"interrupted""#) && asJSON.errors.contains("--resume W-"), "\(asJSON)")

        // A pod that sees that another waits, and not for what, is told what it lacks.
        let blind = try await stack.command(["approve", "three"], environment: ["SWITCHBACK_TOKEN": credential, "SWITCHBACK_POD": one.text])
        #expect(blind.exit == 4 && blind.errors.contains("bind request --to three --scope read,approve"), "\(blind)")

        // Terminals that one may not see are denied with that code, in a terminal as well, and all of the reason is told.
        for command in ["attach", "replay"] {
            let peek = try await stack.command(
                ["-c", "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))", stack.programsDirectory + "/switchback", command, "two"],
                environment: ["SWITCHBACK_TOKEN": credential], program: "/usr/bin/python3")
            #expect(peek.exit == 4 && peek.output.contains("--to \(two)"), "\(command): \(peek)")
        }
    }
}

extension Stack {
    /// Says a pod's status in the detector's place.
    func say(_ status: String, _ reason: String? = nil, of pod: PodID, seq: UInt64) throws {
        let payload = try JSON.encode(PodStatus(status: status, reason: reason, since: .now(), seq: seq, evidence: "the test"))
        // As a detector does: for who listens now, and for the record.
        for subject in [Subjects.status(pod), Subjects.statusChanged(pod)] { try bus.publish(subject, payload: payload) }
    }

    /// Runs the command against this stack.
    func command(_ arguments: [String], environment: [String: String] = [:], program: String? = nil) async throws -> (exit: Int32, output: String, errors: String) {
        let url = apiURL
        let token = token
        let program = program ?? programsDirectory + "/switchback"
        return try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                do {
                    let process = Process()
                    process.executableURL = URL(filePath: program)
                    process.arguments = arguments
                    process.environment = ProcessInfo.processInfo.environment.merging(
                        ["SWITCHBACK_URL": url, "SWITCHBACK_TOKEN": token].merging(environment) { $1 }
                    ) { $1 }
                    let output = Pipe()
                    let errors = Pipe()
                    process.standardOutput = output
                    process.standardError = errors
                    process.standardInput = FileHandle.nullDevice
                    try process.run()
                    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                    let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                    process.waitUntilExit()
                    continuation.resume(returning: (process.terminationStatus, text, said))
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }
}
