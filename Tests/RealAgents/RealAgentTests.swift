import APIClient
import Contract
import Foundation
import TestSupport
import Testing

/// Real agents in pods of a whole local stack, each through a turn, an approval, an interrupt and an error. What the detector said is compared with
/// what happened: the stand-in writes down when it was asked what.
@Suite("Real agents in pods", .serialized, .enabled(if: !RealAgent.installed.isEmpty, "SWITCHBACK_REAL_AGENTS names no folder with codex or claude in it"))
struct RealAgentTests {
    /// `switchback up` in a folder of its own.
    final class LocalStack: Sendable {
        let home = FileManager.default.temporaryDirectory.path + "/real-\(UUID().uuidString.prefix(6))"
        let api: APIClient
        private static let programs = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path

        init() throws {
            try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
            try Self.run(["up", "--port", "0"], home)
            struct Settings: Decodable {
                var apiPort: Int
                var adminToken: String
            }
            let settings = try JSONDecoder().decode(Settings.self, from: Data(contentsOf: URL(filePath: home + "/stack.json")))
            api = APIClient(address: "http://127.0.0.1:\(settings.apiPort)", token: settings.adminToken)
        }

        func down() throws {
            try Self.run(["down"], home)
            try? FileManager.default.removeItem(atPath: home)
        }

        private static func run(_ arguments: [String], _ home: String) throws {
            let process = Process()
            process.executableURL = URL(filePath: programs + "/switchback")
            process.arguments = arguments
            var environment = ProcessInfo.processInfo.environment
            environment["SWITCHBACK_HOME"] = home
            process.environment = environment
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardError = pipe
            try process.run()
            let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw TestSupportError("switchback \(arguments): \(text)") }
        }
    }

    @Test("A turn, an approval, an interrupt and an error are what the detector says they are", arguments: RealAgent.installed)
    func turns(agent: RealAgent) async throws {
        try await inStack(agent) { try await drive(agent, $0, $1) }
    }

    /// Runs a stack of its own for the body; what fails is told with the agent's screen and statuses.
    private func inStack(_ agent: RealAgent, _ body: (APIClient, _ folder: String) async throws -> Void) async throws {
        let stack = try LocalStack()
        do {
            try await body(stack.api, stack.home)
        } catch {
            let screen = try? await stack.api.screen("real-\(agent.name)").body
            let history = try? await stack.api.history("real-\(agent.name)").entries.filter { $0.what == "status" }
            Issue.record(
                "\(agent.name): \(error)\n\(String(decoding: screen ?? [], as: UTF8.self))\n\(history?.map { "\($0.from) \($0.value) \($0.reason ?? "") \($0.evidence ?? "")" }.joined(separator: "\n") ?? "")"
            )
        }
        try stack.down()
    }

    @Test(
        "A message of a channel waits while the agent works and asks, is typed into it once when it rests, and is submitted", arguments: RealAgent.installed)
    func channel(agent: RealAgent) async throws {
        try await inStack(agent) { api, folder in
            let driven = try await DrivenAgent.start(agent, api, folder)
            _ = try await api.createChannel("work", members: ["real-\(agent.name)", "person:test"])
            try await driven.say("Please do-shell now.")
            _ = try await driven.asked("shell")
            try await driven.wait("waiting", "approval")
            let message = try await api.postMessage("@real-\(agent.name) Please do-plain now.", to: "work")
            func delivery() async throws -> ChannelMessage.Delivery? { try await api.message(message.id).deliveries.first }
            // What was typed into the agent in the channel's name.
            func typed() async throws -> [String] {
                try await api.timeline(driven.pod.pod.text).entries.filter { $0.what == "input" && $0.text?.contains("[#work \(message.id)") == true }.compactMap(\.text)
            }
            // A dialog that nobody answers keeps it: nothing says when it would have been typed.
            try await Task.sleep(for: .seconds(4))
            #expect(try await delivery()?.state == .queued)
            #expect(try await typed().isEmpty)
            #expect(driven.times(asked: "plain").isEmpty)
            try await driven.approve()

            let answered = try await driven.asked("plain")
            try await eventually("it was not said to be delivered") { try await delivery()?.state == .delivered }
            try await driven.wait("idle")
            let history = try await api.history(driven.pod.pod.text).entries.filter { $0.what == "status" }
            // It rested before, and worked afterwards.
            #expect(history.contains { $0.value == "idle" && $0.from < answered && ($0.to ?? .now()) > answered - .seconds(10) })
            #expect(history.contains { $0.value == "executing" && ($0.to ?? .now()) > answered })
            try await eventually("the record lacks what was typed") { try await !typed().isEmpty }
            #expect(try await typed().count == 1)
            #expect(driven.times(asked: "plain").count == 1)
        }
    }

    private func drive(_ agent: RealAgent, _ api: APIClient, _ folder: String) async throws {
        let driven = try await DrivenAgent.start(agent, api, folder)
        let pod = driven.pod
        @discardableResult
        func wait(_ status: String, _ reason: String? = nil, within limit: Duration = .seconds(40)) async throws -> PodStatus {
            try await driven.wait(status, reason, within: limit)
        }
        func say(_ text: String) async throws { try await driven.say(text) }
        func asked(_ word: String) async throws -> Timestamp { try await driven.asked(word) }
        /// The statuses since a moment, oldest first.
        func history(since time: Timestamp) async throws -> [PodHistory.Entry] {
            try await api.history(pod.pod.text).entries.filter { $0.what == "status" && $0.to ?? .now() > time }
        }

        try await say("Please do-plain now.")
        let plain = try await asked("plain")
        try await eventually("the turn was not seen") {
            try await history(since: plain - .seconds(1)).contains { $0.value == "executing" }
        }
        try await wait("idle")
        let turn = try await history(since: plain - .seconds(1))
        #expect(turn.contains { $0.value == "executing" && $0.from < plain + .seconds(2) })
        #expect(!turn.contains { $0.value == "waiting" })

        try await say("Please do-shell now.")
        let shell = try await asked("shell")
        try await wait("waiting", "approval")
        // A title may say it a moment before the dialog is painted.
        let waiting = try await eventually("the dialog has no options") {
            let status = try await api.status(pod.pod.text)
            return status.options?.isEmpty == false ? status : nil
        }
        #expect(waiting.since > shell && waiting.since < shell + .seconds(10))
        #expect(waiting.options?.isEmpty == false && waiting.fingerprint?.utf8.count == 16)
        // An approval that nobody answers stands.
        try await Task.sleep(for: .seconds(4))
        #expect(try await api.status(pod.pod.text).since == waiting.since)
        _ = try await api.input(pod.pod.text, .init(text: agent.approve, take: true))
        try await wait("executing")
        try await wait("idle")
        #expect(try await history(since: shell).filter { $0.value == "waiting" }.count == 1)

        try await say("Please do-slow now.")
        let slow = try await asked("slow")
        try await wait("executing")
        try await Task.sleep(for: .seconds(5))
        #expect(try await api.status(pod.pod.text).status == "executing")
        _ = try await api.input(pod.pod.text, .init(text: "\u{1b}", take: true))
        let pressed = Timestamp.now()
        let stopped = try await wait("idle", within: .seconds(15))
        #expect(stopped.since < pressed + .seconds(4))
        #expect(try await history(since: slow + .seconds(1)).filter { $0.value == "executing" }.count == 1)

        try await say("Please do-fail now.")
        let fail = try await asked("fail")
        try await wait("idle", within: .seconds(90))
        #expect(try await history(since: fail).allSatisfy { $0.value != "waiting" })
    }
}
