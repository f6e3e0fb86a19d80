import Bus
import Contract
import Database
import Foundation
import Logging
import RegistryClient
import Synchronization
import TestSupport
import Testing

@testable import RegistryServer

@Suite("What the registry keeps of statuses")
struct StatusHistoryTests {
    @Test("What a detector says is kept with its time, whole; what is older, the same or told twice changes nothing")
    func statuses() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        let pod = try await it.create("s")
        let time = Timestamp.now()
        func tell(_ status: String, _ second: Int64, seq: UInt64, question: String? = nil) throws {
            let value = PodStatus(status: status, since: time + .seconds(second), seq: seq, confidence: 0.9, question: question, options: question.map { _ in ["Yes", "No"] })
            try it.bus.publish(Subjects.statusChanged(pod.pod), payload: try JSON.encode(value))
        }
        try tell("executing", 1, seq: 5)
        try await it.pod("s") { $0.status?.status == "executing" }
        try tell("waiting", 2, seq: 9, question: "Run it?")
        try await it.pod("s") { $0.status?.status == "waiting" }
        try tell("waiting", 2, seq: 9, question: "Run it?")
        try tell("idle", 1, seq: 7)
        try tell("waiting", 2, seq: 12, question: "Run it now?")
        try it.bus.publish(Subjects.statusChanged(pod.pod), payload: Array("{garbled".utf8))
        try tell("executing", 4, seq: 13)
        try await it.pod("s") { $0.status?.status == "executing" }
        let history = try await it.client.history(PodRequest(pod: pod.pod, author: .alice))
        #expect(history.entries.filter { $0.what == "status" }.map(\.value) == ["executing", "waiting", "executing"])
        let waiting = try #require(try await it.client.get("s", at: time + .seconds(3)).status)
        #expect(waiting.status == "waiting" && waiting.question == "Run it now?" && waiting.options == ["Yes", "No"] && waiting.confidence == 0.9)
        #expect(waiting.since == time + .seconds(2))
        #expect(try await it.client.list(ListPods(status: "executing")).pods.count == 1)
        #expect(try await it.client.list(ListPods(status: "waiting")).pods.isEmpty)
        await it.end()
    }

    @Test("Statuses give the same history in whatever order they arrive, and however often")
    func statusOrder() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        let store = RegistryStore(pool: it.pool)
        let time = Timestamp.now()
        let words = ["executing", "waiting", "idle"]
        let said: [PodStatus] = (0..<12).map { index in
            PodStatus(status: words[index % 3], since: time + .seconds(index), seq: UInt64(index))
        }
        var generator = SystemRandomNumberGenerator()
        for turn in 0..<8 {
            let pod = try await it.create("o\(turn)")
            let order = turn == 0 ? said : (said + said).shuffled(using: &generator)
            for status in order { try await store.learn([(pod.pod, status)]) }
            let entries = try await it.client.history(PodRequest(pod: pod.pod, author: .alice)).entries.filter { $0.what == "status" }
            #expect(entries.map(\.from) == said.map(\.since))
            #expect(entries.map(\.value) == said.map(\.status))
            #expect(zip(entries, entries.dropFirst()).allSatisfy { $0.to == $1.from } && entries.last?.to == nil)
        }
        await it.end()
    }

    @Test("A pod's status ends with the pod")
    func statusEnds() async throws {
        let it = try await Surroundings.start()
        try await it.addRunner()
        let pod = try await it.create("s")
        let time = Timestamp.now()
        func tell(_ status: String, at since: Timestamp, seq: UInt64) throws {
            try it.bus.publish(Subjects.statusChanged(pod.pod), payload: try JSON.encode(PodStatus(status: status, since: since, seq: seq)))
        }
        try await it.say(pod.pod, .start(.init(argv: ["bash"], columns: 80, rows: 24)), seq: 1, at: time)
        try tell("waiting", at: time + .seconds(1), seq: 2)
        try await it.pod("s") { $0.status?.status == "waiting" }
        try await it.say(pod.pod, .exit(.signal(9)), seq: 4, at: time + .seconds(10))
        try await it.pod("s") { $0.lifecycle == .crashed && $0.status == nil }
        // What was seen before the end and arrives behind it has its place; what comes after the end has none.
        try tell("idle", at: time + .seconds(5), seq: 3)
        try tell("executing", at: time + .seconds(20), seq: 9)
        try await eventually("the late status was not kept") {
            try await it.client.history(PodRequest(pod: pod.pod, author: .alice)).entries.filter { $0.what == "status" }.count == 2
        }
        let entries = try await it.client.history(PodRequest(pod: pod.pod, author: .alice)).entries.filter { $0.what == "status" }
        #expect(entries.map(\.value) == ["waiting", "idle"])
        #expect(entries.last?.to == time + .seconds(10))
        #expect(try await it.client.list(ListPods(status: "waiting")).pods.isEmpty)
        #expect(try await it.client.get("s", at: time + .seconds(2)).status?.status == "waiting")
        await it.end()
    }
}
