import BindingsClient
import Bus
import Contract
import Database
import RegistryClient
import Synchronization
import TestSupport
import Testing

@Suite("Waits, kept")
struct WaitTests {
    @Test("What is true already ends it at once; what cannot be told, another status and another pod do not end it")
    func ends() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        try it.say("idle", "turn_done", of: a, seq: 3)
        let already = try await eventually("the status was not heard") {
            let wait = try await it.wait(nil, on: [a])
            return wait.isOpen ? nil : wait
        }
        #expect(already.outcome == .matched && already.targets[0].seen?.reason == "turn_done" && already.targets[0].seen?.seq == 3)
        let open = try await it.wait(nil, on: [b])
        #expect(open.isOpen)
        for (index, word) in ["unknown", "executing", "waiting", "unknown"].enumerated() { try it.say(word, of: b, seq: UInt64(index + 1)) }
        try it.say("idle", of: a, seq: 9)
        try it.say("idle", "prompt", of: b, seq: 10)
        let ended = try await it.outcome(open)
        #expect(ended.outcome == .matched && ended.targets[0].seen?.seq == 10)
        #expect(try await it.client.waits().isEmpty)
        try await eventually("the events did not come") { it.told("wait", open.id) == ["created", "matched"] ? true : nil }
        await it.end()
    }

    @Test("Any, all, a target's end, the deadline, a cancel")
    func outcomes() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        let any = try await it.wait(nil, on: [a, b], .any)
        let all = try await it.wait(nil, on: [a, b])
        let until = try await it.wait(nil, on: [b], until: .ended)
        let brief = try await it.wait(nil, on: [a], until: .waiting, timeout: 150)
        let cancelled = try await it.wait(nil, on: [a], until: .waiting)
        try it.say("idle", of: a)
        #expect(try await it.outcome(any).outcome == .matched)
        #expect(try await it.client.wait(all.id).isOpen)
        try await it.exit(b)
        #expect(try await it.outcome(all).outcome == .gone)
        #expect(try await it.outcome(until).outcome == .matched)
        #expect(try await it.outcome(brief).outcome == .timedOut)
        #expect(try await it.client.cancel(CancelWait(id: cancelled.id, author: Author(kind: .person, id: "ada"))).outcome == .cancelled)
        #expect(await code { try await it.wait(nil, on: [PodID.random()]) } == .notFound)
        #expect(await code { try await it.wait(nil, on: []) } == .badRequest)
        await it.end()
    }

    @Test("A wait that would close a cycle is refused with the path and leaves nothing", arguments: 2...6)
    func cycles(length: Int) async throws {
        let it = try await Stage.start()
        var pods: [PodID] = []
        for index in 0..<length { pods.append(try await it.pod("p\(index)")) }
        // The first edge is a request for a binding.
        _ = try await it.request(pods[0], pods[1])
        for index in 1..<length - 1 { #expect(try await it.wait(pods[index], on: [pods[index + 1]]).isOpen) }
        let before = try await it.client.waits()
        do {
            _ = try await it.wait(pods[length - 1], on: [pods[0]])
            Issue.record("it was not refused")
        } catch {
            #expect(error.code == .wouldDeadlock)
            #expect(error.message.contains(([pods[length - 1]] + pods).map(\.text).joined(separator: " waits on ")))
        }
        #expect(try await it.client.waits() == before)
        // A person's wait holds up nobody.
        #expect(try await it.wait(nil, on: [pods[0]]).isOpen)
        await it.end()
    }

    @Test("The service is killed and another one started, and NATS restarts: each wait ends rightly, once")
    func survives() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        let first = try await it.wait(nil, on: [a])
        let timed = try await it.wait(nil, on: [b], timeout: 300)
        await it.stopService()
        // Said while nobody listens: the registry kept it.
        try it.say("idle", "turn_done", of: a, seq: 8)
        try await eventually("the registry did not hear it") { try await it.pods.get(a.text).status?.status == "idle" ? true : nil }
        try await it.startService()
        try await it.startService()
        #expect(try await it.outcome(first).outcome == .matched)
        #expect(try await it.outcome(timed).outcome == .timedOut)
        let second = try await it.wait(nil, on: [b])
        try await it.nats.restart()
        try await eventually("the bus did not come back") { it.bus.isConnected ? true : nil }
        try await eventually("the status was not heard") {
            try it.say("idle", of: b, seq: 20)
            return try await it.client.wait(second.id).outcome == .matched ? true : nil
        }
        for wait in [first, second] {
            try await eventually("the end of \(wait.id) was not told once: \(it.told("wait", wait.id))") {
                it.told("wait", wait.id) == ["created", "matched"] ? true : nil
            }
        }
        await it.end()
    }

    @Test("A wait for an answer ends with it")
    func binding() async throws {
        let it = try await Stage.start()
        let asked = try await it.request(try await it.pod("a"), try await it.pod("b"))
        let wait = try await it.client.wait(
            CreateWait(waiter: Author(kind: .pod, id: asked.from.text), pods: [], bindings: [asked.id], mode: .all, until: .binding))
        #expect(wait.isOpen)
        _ = try await it.accept(asked)
        let ended = try await it.outcome(wait)
        #expect(ended.outcome == .matched && ended.targets[0].seen?.binding == .active)
        await it.end()
    }
}
