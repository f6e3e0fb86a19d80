import BindingsClient
import Bus
import Contract
import Database
import Foundation
import RegistryClient
import Synchronization
import TestSupport
import Testing

@Suite("Bindings, kept")
struct BindingTests {
    @Test("Itself, an unknown scope, an unknown pod, an ended pod: an error and no row")
    func refusedRequests() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        #expect(await code { try await it.request(a, a) } == .badRequest)
        #expect(await code { try await it.request(a, PodID.random()) } == .notFound)
        #expect(await code { try await it.request(a, b, []) } == .badRequest)
        let raw = #"{"from":"\#(a)","to":"\#(b)","scopes":["terminal:dance"],"author":"pod:\#(a)"}"#
        let answer = try await it.bus.request(Subjects.bindingsRequest, payload: Array(raw.utf8))
        #expect(Reply.error(in: answer.payload)?.code == .badRequest)
        #expect(Reply.error(in: answer.payload)?.message.contains("terminal:read") == true)
        try await it.exit(b)
        try await eventually(holds: { try await !it.pods.get(b.text).lifecycle.isLive })
        #expect(await code { try await it.request(a, b) } == .gone)
        #expect(try await it.rows() == 0)
        await it.end()
    }

    @Test("From request to revoke: every transition is an event, and the way back is another binding")
    func life() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        let asked = try await it.request(a, b, [.read, .write])
        #expect(asked.state == .pending)
        #expect(await code { try await it.client.accept(DecideBinding(id: asked.id, author: Author(kind: .pod, id: a.text))) } == .denied)
        let part = try await it.accept(asked, [.read])
        #expect(part.granted == [.read] && part.pending == [.write] && part.state == .active)
        #expect(try await it.request(a, b, [.read]) == part)
        let whole = try await it.accept(asked)
        #expect(whole.granted == [.read, .write] && whole.pending.isEmpty)
        #expect(await code { try await it.accept(asked) } == .conflict)
        let more = try await it.request(a, b, [.approve])
        #expect(more.id == asked.id && more.state == .active && more.pending == [.approve])
        // The other direction grants nothing, and is a binding of its own.
        #expect(try await it.client.list(ListBindings(pod: b)).map(\.id) == [asked.id])
        let back = try await it.request(b, a)
        #expect(back.id != asked.id && back.state == .pending)
        let revoked = try await it.client.revoke(DecideBinding(id: asked.id, author: Author(kind: .pod, id: b.text), reason: "done"))
        #expect(revoked.state == .inactive && revoked.reason == .revoked && revoked.answer == "done")
        #expect(await code { try await it.accept(asked) } == .gone)
        let again = try await it.request(a, b)
        #expect(again.id != asked.id && again.state == .pending)
        try await eventually("the events did not come") {
            it.told("binding", asked.id) == ["requested", "accepted", "accepted", "asked", "revoked"] ? true : nil
        }
        await it.end()
    }

    @Test("A request that was rejected keeps the reason, and can be made again; so can one that was withdrawn")
    func again() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        let first = try await it.request(a, b)
        let rejected = try await it.client.reject(DecideBinding(id: first.id, author: Author(kind: .pod, id: b.text), reason: "busy"))
        #expect(rejected.state == .inactive && rejected.reason == .rejected && rejected.answer == "busy")
        let second = try await it.request(a, b)
        #expect(second.id != first.id && second.state == .pending)
        _ = try await it.client.revoke(DecideBinding(id: second.id, author: Author(kind: .pod, id: a.text)))
        let third = try await it.request(a, b)
        #expect(third.state == .pending)
        #expect(try await it.accept(third).state == .active)
        #expect(try await it.client.get(first.id) == rejected)
        #expect(try await it.client.list(ListBindings(pod: b)).map(\.id) == [third.id])
        try await eventually("the events did not come") { it.told("binding", first.id) == ["requested", "rejected"] ? true : nil }
        await it.end()
    }

    @Test("Twenty requests at once, with two services, make one binding")
    func atOnce() async throws {
        let it = try await Stage.start(instances: 2)
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { try await it.request(a, b).id } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(try await it.rows() == 1)
        await it.end()
    }

    @Test("A request that nobody answers lapses by itself, and is not accepted afterwards")
    func lapses() async throws {
        let it = try await Stage.start()
        let asked = try await it.request(try await it.pod("a"), try await it.pod("b"))
        #expect(try #require(asked.expires) == asked.created + .seconds(86_400))
        try await it.pool.withConnection { connection in
            _ = try connection.query(
                """
                UPDATE bindings.records SET due = now() - interval '1 s',
                    state = jsonb_set(state, '{expires}', to_jsonb('2020-01-01T00:00:00.000000Z'::text)) WHERE id = $1
                """, asked.id)
        }
        try await eventually("it did not lapse") { try await it.client.get(asked.id).state == .inactive ? true : nil }
        #expect(try await it.client.get(asked.id).reason == .expired)
        try await eventually("its end was not told") { it.told("binding", asked.id) == ["requested", "expired"] ? true : nil }
        #expect(await code { try await it.accept(asked) } == .gone)
        await it.end()
    }

    @Test("Policies: the mesh's, a pod's own, one owner, a person's leave")
    func policies() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        let other = try await it.pod("c", owner: "bob")
        #expect(try await it.client.policy(PolicyRequest()).policy == .explicit)
        _ = try await it.client.policy(PolicyRequest(policy: .sameOwnerAuto))
        #expect(try await it.request(a, b).state == .active)
        #expect(try await it.request(other, b).state == .pending)
        _ = try await it.client.policy(PolicyRequest(pod: a, policy: .askPerson))
        let asked = try await it.request(b, a)
        #expect(await code { try await it.accept(asked) } == .denied)
        let person = Author(kind: .person, id: "ada")
        #expect(try await it.client.accept(DecideBinding(id: asked.id, author: person, role: .operator)).state == .active)
        await it.end()
    }

    @Test("A pod's end ends its bindings: they leave the present and stay in the past")
    func podEnds() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        let bound = try await it.accept(try await it.request(a, b))
        let then = Timestamp.now()
        try await it.exit(b)
        try await eventually("it did not end") { try await it.client.get(bound.id).reason == .podEnded ? true : nil }
        #expect(try await it.client.snapshot().bindings.isEmpty)
        #expect(try await it.client.snapshot(at: then).bindings == [bound])
        #expect(try await it.client.list(ListBindings(at: then)) == [bound])
        #expect(try await it.client.snapshot(at: bound.created - .microseconds(1)).bindings.isEmpty)
        await it.end()
    }

    @Test("A snapshot with the events after it is the next snapshot, and what a follower saw at T is the snapshot at T")
    func replays() async throws {
        let it = try await Stage.start(instances: 2)
        var pods: [PodID] = []
        for index in 0..<5 { pods.append(try await it.pod("p\(index)")) }
        let first = try await it.client.snapshot()
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<120 {
            let from = pods.randomElement(using: &generator)!
            let to = pods.randomElement(using: &generator)!
            let known = try await it.client.list().randomElement(using: &generator)
            let person = Author(kind: .person, id: "ada")
            // Refusals are part of it.
            switch Int.random(in: 0..<6, using: &generator) {
            case 0, 1: _ = try? await it.request(from, to, [Scope.allCases.randomElement(using: &generator)!])
            case 2: if let known { _ = try? await it.client.accept(DecideBinding(id: known.id, author: person, role: .operator)) }
            case 3: if let known { _ = try? await it.client.revoke(DecideBinding(id: known.id, author: person, role: .operator)) }
            case 4: _ = try? await it.wait(from, on: [to], timeout: 100_000)
            default:
                if let wait = try await it.client.waits().randomElement(using: &generator) {
                    _ = try await it.client.cancel(CancelWait(id: wait.id, author: wait.waiter))
                }
            }
        }
        let last = try await it.client.snapshot()
        #expect(last.seq > first.seq)
        let sink = it
        var following = first
        var seen: [BindingSnapshot] = [first]
        try await eventually("the events did not come") {
            sink.events.withLock { $0.count { !$0.subject.hasPrefix("event.attention") } } > 0
                && sink.events.withLock { $0.contains { message in (try? JSON.decode(Counted.self, from: message.payload).seq) == last.seq } } ? true : nil
        }
        let messages = it.events.withLock { $0 }
        var expected = first.seq
        for message in messages {
            let seq = try JSON.decode(Counted.self, from: message.payload).seq
            guard seq > first.seq else { continue }
            expected += 1
            #expect(seq == expected, "the events come in order, none missing")
            if message.subject.hasPrefix("event.binding") {
                following.apply(try JSON.decode(BindingEvent.self, from: message.payload))
            } else if message.subject.hasPrefix("event.wait") {
                following.apply(try JSON.decode(WaitEvent.self, from: message.payload))
            } else {
                continue
            }
            seen.append(following)
        }
        #expect(following.bindings == last.bindings && following.waits == last.waits)
        for then in seen.dropFirst().shuffled().prefix(25) {
            let past = try await it.client.snapshot(at: then.time)
            #expect(past.bindings == then.bindings && past.waits == then.waits)
        }
        await it.end()
    }

    private struct Counted: Decodable { var seq: UInt64 }

    @Test("Two requests that wait for each other are reported as a cycle, until one is answered")
    func pendingBothWays() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        _ = try await it.request(a, b)
        #expect(try await it.client.attention().map(\.kind) == [.binding])
        let back = try await it.request(b, a)
        let cycle = try #require(try await it.client.attention().first { $0.kind == .cycle })
        #expect(cycle.path == [a, b].sorted())
        try await eventually("no event told of it") { it.told("attention", cycle.id) == ["opened"] ? true : nil }
        _ = try await it.accept(back)
        #expect(try await it.client.attention().map(\.kind) == [.binding])
        try await eventually("no event told of its end") { it.told("attention", cycle.id) == ["opened", "closed"] ? true : nil }
        await it.end()
    }

    @Test("A dialog that was painted in parts needs a person once, with the words that it has in the end; the next dialog is another item")
    func painted() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let since = Timestamp.now()
        try it.say("waiting", "approval", of: a, seq: 3, fingerprint: "half", since: since)
        let item = try await eventually("nothing was opened") { try await it.client.attention().first }
        try it.say("waiting", "approval", of: a, seq: 4, fingerprint: "whole", since: since)
        let now = try await eventually("the item stayed as it was") { try await it.client.attention().first { $0.status?.fingerprint == "whole" } }
        #expect(now.id == item.id && now.opened == item.opened)
        try it.say("waiting", "approval", of: a, seq: 9, fingerprint: "next", since: since + .seconds(1))
        let next = try await eventually("the next was not opened") { try await it.client.attention().first { $0.status?.fingerprint == "next" } }
        #expect(next.id != item.id)
        try await eventually("the events did not come") { it.told("attention", item.id) == ["opened", "opened", "closed"] ? true : nil }
        await it.end()
    }

    @Test("A dialog opens one item, which its answer closes; what cannot be told changes nothing")
    func attention() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        try it.say("waiting", "approval", of: a, seq: 4)
        let item = try await eventually("nothing was opened") { try await it.client.attention().first }
        #expect(item.kind == .approval && item.pod == a && item.summary == "as seen" && item.status?.seq == 4)
        try it.say("unknown", of: a, seq: 5)
        try it.say("executing", "tool", of: a, seq: 6)
        try await eventually("it was not closed") { try await it.client.attention().isEmpty ? true : nil }
        try await eventually("the events did not come") { it.told("attention") == ["opened", "closed"] ? true : nil }
        try it.say("waiting", "approval", of: a, seq: 6, fingerprint: "proceed", asks: ("Do you want to proceed?", "Bash command\nrm -rf build"))
        let asked = try await eventually("nothing was opened") { try await it.client.attention().first }
        #expect(asked.summary == "Do you want to proceed? Bash command · rm -rf build" && asked.status?.about == "Bash command\nrm -rf build")
        try it.say("executing", "tool", of: a, seq: 6)
        try await eventually("it was not closed") { try await it.client.attention().isEmpty ? true : nil }
        try it.say("waiting", "login", of: a, seq: 7)
        try await eventually("nothing was opened") { try await it.client.attention().first?.kind == .login ? true : nil }
        try await it.exit(a)
        try await eventually("it outlived its pod") { try await it.client.attention().isEmpty ? true : nil }
        #expect(try await it.client.attention(ListAttention(all: true)).map(\.resolution) == ["answered", "answered", "ended"])
        await it.end()
    }
}
