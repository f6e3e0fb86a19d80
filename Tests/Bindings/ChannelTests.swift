import BindingsClient
import Bus
import Contract
import Database
import Synchronization
import TestSupport
import Testing

@Suite("Channels, kept", .serialized)
struct ChannelTests {
    @Test("Messages have their order, receipts, search and past; who is no member sees nothing")
    func history() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        let c = try await it.pod("c")
        let made = try await it.channel("design", [(a, "a"), (b, "b")])
        #expect(await code { try await it.channel("design", []) } == .conflict)
        for name in ["", "a b", "#x", "-x", "C-abcdefghijkl", String(repeating: "x", count: 65)] {
            #expect(await code { try await it.channel(name, []) } == .badRequest, "\(name)")
        }
        _ = try await it.channel("other", [(b, "b")])
        let author = Stage.author(a)
        let first = try await it.post("@b the Schema is 100% final", by: author, "a")
        let between = first.created
        let second = try await it.post("thanks_all", by: Stage.author(b), "b")
        _ = try await it.post("elsewhere", to: "other", by: Stage.author(b), "b")
        #expect([first.number, second.number] == [1, 2] && first.deliveries.map(\.member) == [Stage.author(b)])
        // The same key posts once.
        let keyed = try await it.post("again", by: author, "a", key: "k1")
        #expect(try await it.post("again", by: author, "a", key: "k1").id == keyed.id)
        #expect(try await it.post("again", by: Stage.author(b), "b", key: "k1").id != keyed.id)

        func texts(_ request: ListMessages) async throws -> [String] { try await it.client.messages(request).messages.map(\.text) }
        #expect(try await texts(.init(channel: "design")).count == 4)
        #expect(try await texts(.init(channel: "design", text: "schema IS")) == [first.text])
        // What means something to the database does not to the search.
        #expect(try await texts(.init(channel: "design", text: "%")) == [first.text])
        #expect(try await texts(.init(channel: "design", text: "_")) == ["thanks_all"])
        #expect(try await texts(.init(text: "'; DROP TABLE")) == [])
        // What no name, id or text can be is answered, not tried.
        for bad in ["", "\u{0}", "a\u{0}b", "../x", String(repeating: "x", count: 100_000)] {
            #expect(try await texts(.init(channel: "design", text: bad + "\u{0}")) == [])
            #expect(await code { try await texts(.init(channel: bad)) } == .notFound)
            #expect(await code { try await it.post("hi", to: bad) } == .notFound)
            #expect(await code { try await it.post("hi", by: author, "a", replyTo: bad) } == .badRequest)
            #expect(await code { try await it.client.message(.init(message: bad, author: nil)) } == .notFound)
            #expect(await code { try await it.client.acknowledge(.init(message: bad, author: author)) } == .notFound)
            #expect(await code { try await it.client.wait(CreateWait(waiter: author, pods: [], messages: [bad], mode: .all, until: .reply)) } == .notFound)
        }
        #expect(try await texts(.init(reader: author)).count == 4)
        #expect(try await texts(.init(reader: Stage.author(b))).count == 5)
        #expect(try await texts(.init(reader: Stage.author(c))) == [])
        #expect(try await texts(.init(pod: b, text: "the")) == [first.text])
        #expect(try await texts(.init(channel: "design", after: 1, limit: 1)) == ["thanks_all"])
        #expect(try await texts(.init(channel: made.id, before: 3, limit: 1)) == ["thanks_all"])
        #expect(try await it.client.messages(.init(channel: "design", limit: 2)).more)
        #expect(await code { try await texts(.init(channel: "design", reader: Stage.author(c))) } == .denied)
        #expect(await code { try await texts(.init(channel: "nowhere", reader: Stage.author(c))) } == .notFound)
        #expect(await code { try await it.client.channel(.init(channel: "design", member: Stage.author(c))) } == .notFound)
        #expect(await code { try await it.client.message(.init(message: first.id, author: Stage.author(c))) } == .notFound)
        #expect(await code { try await it.post("hi", by: Stage.author(c), "c") } == .denied)
        #expect(await code { try await it.client.acknowledge(.init(message: first.id, author: Stage.author(c))) } == .denied)
        #expect(await code { try await it.client.read(.init(channel: "design", author: Stage.author(c))) } == .denied)

        _ = try await it.client.read(.init(channel: "design", author: Stage.author(b), through: 1))
        let read = try await it.client.message(.init(message: first.id, author: author))
        #expect(read.deliveries[0].state == .read)
        let acknowledged = try await it.client.acknowledge(.init(message: first.id, author: Stage.author(b)))
        #expect(acknowledged.deliveries[0].state == .acknowledged)
        // Who was not mentioned has read it too, and is no receipt.
        _ = try await it.client.read(.init(channel: "design", author: author))
        #expect(try await it.client.messages(.init(channel: "design")).messages[1].readers == [author])
        // As it was.
        let then = try await it.client.messages(.init(channel: "design", at: between)).messages
        #expect(then.map(\.text) == [first.text] && then[0].deliveries[0].state == .queued)
        let later = try await it.client.messages(.init(channel: "design", at: read.deliveries[0].since)).messages
        #expect(later.count == 4 && later[0].deliveries[0].state == .read)
        #expect(try await it.client.channels(.init(at: made.created)).map(\.name) == ["design"])
        await it.end()
    }

    @Test("A pod joins and leaves for itself alone; who leaves gets nothing more, and the sender is told")
    func members() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        _ = try await it.channel("design", [(a, "a")])
        func change(_ who: PodID, by author: Author) -> ChangeMember { ChangeMember(channel: "design", author: author, who: Stage.author(who), name: "b") }
        #expect(await code { try await it.client.join(change(b, by: Stage.author(a))) } == .denied)
        #expect(
            await code {
                try await it.client.createChannel(
                    CreateChannel(name: "trap", author: Stage.author(a), members: [.init(who: Stage.author(b), name: "b")]))
            } == .denied)
        _ = try await it.client.join(change(b, by: Stage.author(b)))
        #expect(try await it.client.join(change(b, by: Stage.ada)).members.count == 2)
        let message = try await it.post("@b wait for it", by: Stage.author(a), "a")
        #expect(await code { try await it.client.leave(change(b, by: Stage.author(a))) } == .denied)
        #expect(try await it.client.leave(change(b, by: Stage.author(b))).members.map(\.name) == ["a"])
        let dead = try await it.receipt(message, b, .dead)
        #expect(dead.reason == .left)
        let notice = try await it.client.messages(.init(channel: "design")).messages.last
        #expect(notice?.author.kind == .system && notice?.mentions == [Stage.author(a)] && notice?.text.contains(message.id) == true)
        #expect(await code { try await it.client.leave(change(b, by: Stage.author(b))) } == .notFound)
        try await it.exit(b)
        #expect(
            try await eventually("a pod that has ended could join") {
                await code { try await it.client.join(change(b, by: Stage.ada)) } == .gone ? true : nil
            })
        await it.end()
    }

    @Test("A question is an edge until it is answered, closes no cycle, and a wait for its reply ends with it", arguments: 2...6)
    func questions(length: Int) async throws {
        let it = try await Stage.start()
        var pods: [PodID] = []
        for index in 0..<length { pods.append(try await it.pod("p\(index)")) }
        _ = try await it.channel("design", pods.enumerated().map { ($1, "p\($0)") }, people: ["eve"])
        // Waits and questions by turns.
        var first: ChannelMessage?
        for index in 0..<length - 1 {
            if index % 2 == 0 {
                let asked = try await it.post("@p\(index + 1) ready?", by: Stage.author(pods[index]), "p\(index)", asks: true)
                first = first ?? asked
            } else {
                #expect(try await it.wait(pods[index], on: [pods[index + 1]]).isOpen)
            }
        }
        let asked = try #require(first)
        let snapshot = try await it.client.snapshot()
        #expect(snapshot.questions.contains { $0.id == asked.id } && snapshot.channels.map(\.name) == ["design"])
        for closing in 0..<2 {
            do {
                if closing == 0 {
                    try await it.post("@p0 and you?", by: Stage.author(pods[length - 1]), "p\(length - 1)", asks: true)
                } else {
                    _ = try await it.wait(pods[length - 1], on: [pods[0]])
                }
                Issue.record("it was not refused")
            } catch {
                #expect(error.code == .wouldDeadlock)
                #expect(error.message.contains(([pods[length - 1]] + pods).map(\.text).joined(separator: " waits on ")))
            }
        }
        // Refused, it was not said.
        #expect(try await it.client.messages(.init(text: "and you?")).messages.isEmpty)
        let wait = try await it.client.wait(
            CreateWait(waiter: Stage.author(pods[0]), pods: [], messages: [asked.id], mode: .all, until: .reply, timeoutMs: 60_000))
        #expect(wait.isOpen)
        // Without asking it may be said, and by mentioning who asked it answers.
        let answer = try await it.post("@p0 yes", by: Stage.author(pods[1]), "p1")
        let ended = try await it.outcome(wait)
        #expect(ended.outcome == .matched && ended.targets[0].seen?.message == answer.id)
        let after = try await it.client.snapshot()
        #expect(!after.questions.contains { $0.id == asked.id })
        #expect(try await it.client.message(.init(message: asked.id, author: nil)).answers.map(\.message) == [answer.id])
        #expect(try await it.client.snapshot(at: asked.created).questions.map(\.id) == [asked.id])
        // Answered already, it ends at once.
        let late = try await it.client.wait(CreateWait(waiter: Stage.ada, pods: [], messages: [asked.id], mode: .all, until: .reply))
        #expect(late.outcome == .matched)
        await it.end()
    }

    @Test("A question to a person needs one until it is answered or withdrawn; who asked and ended waits no more; who was asked and ended will not answer")
    func people() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        _ = try await it.channel("design", [(a, "a"), (b, "b")], people: ["eve"])
        let author = Stage.author(a)
        func needs(_ message: ChannelMessage) async throws -> Bool { try await it.client.attention().contains { $0.subject == message.id && $0.kind == .question } }
        let one = try await it.post("@eve may I?", by: author, "a", asks: true)
        #expect(try await needs(one))
        try await it.post("go on", by: Author(kind: .person, id: "eve"), "eve", replyTo: one.id)
        #expect(try await !needs(one))
        let two = try await it.post("@eve and this?", by: author, "a", asks: true)
        // A status of the pod's own answers nothing of it.
        try it.say("idle", of: a, seq: 4)
        try it.say("waiting", "approval", of: a, seq: 5)
        try await eventually("the status was not heard") { try await it.client.attention().contains { $0.kind == .approval } ? true : nil }
        #expect(try await needs(two))
        #expect(try await it.client.acknowledge(.init(message: two.id, author: author)).closed != nil)
        #expect(try await !needs(two))
        #expect(await code { try await it.post("ready?", by: author, "a", asks: true) } == .badRequest)
        #expect(await code { try await it.post("yes", by: author, "a", replyTo: "M-none") } == .badRequest)

        let three = try await it.post("@b yours?", by: author, "a", asks: true)
        let wait = try await it.client.wait(CreateWait(waiter: author, pods: [], messages: [three.id], mode: .all, until: .reply, timeoutMs: 60_000))
        let four = try await it.post("I wonder", by: Stage.author(b), "b", asks: false)
        #expect(four.asks == nil)
        try await it.exit(b)
        #expect(try await it.outcome(wait).outcome == .gone)
        #expect(try await it.client.snapshot().questions.isEmpty)
        let five = try await it.post("@eve last?", by: author, "a", asks: true)
        try await it.exit(a)
        try await eventually("a dead pod's question waits") { try await it.client.snapshot().questions.isEmpty ? true : nil }
        #expect(try await !needs(five))
        await it.end()
    }

    @Test("Events after a snapshot lead to the next one, and are told in order without gaps")
    func events() async throws {
        let it = try await Stage.start()
        let a = try await it.pod("a")
        let b = try await it.pod("b")
        let before = try await it.client.snapshot()
        _ = try await it.channel("design", [(a, "a")])
        _ = try await it.client.join(ChangeMember(channel: "design", author: Stage.author(b), who: Stage.author(b), name: "b"))
        let asked = try await it.post("@b ready?", by: Stage.author(a), "a", asks: true)
        try await it.post("@a yes", by: Stage.author(b), "b", replyTo: asked.id)
        try await it.post("@a sure?", by: Stage.author(b), "b", asks: true)
        _ = try await it.client.read(.init(channel: "design", author: Stage.author(a)))
        let after = try await it.client.snapshot()
        let told = try await eventually("the events did not come") {
            let events = it.events.withLock { $0 }.filter { $0.subject.hasPrefix("event.channel.") }.compactMap { try? JSON.decode(ChannelEvent.self, from: $0.payload) }
            return events.last?.seq == after.seq ? events : nil
        }
        #expect(told.map(\.what) == ["created", "joined", "posted", "answered", "posted", "posted", "caught_up", "read", "read"])
        #expect(told.map(\.seq) == Array(before.seq + 1...after.seq))
        var applied = before
        for event in told { applied.apply(event) }
        #expect(applied == after)
        await it.end()
    }

    @Test("A wait ends when a text is on a screen: at once, later, over the end of a row; a pod needs a binding, and its end ends the wait")
    func texts() async throws {
        let it = try await Stage.start()
        try await it.startRelay()
        let a = try await it.pod("a")
        let b = try await it.scripted("b")
        func wait(_ waiter: Author, _ text: String) async throws(ErrorBody) -> Wait {
            try await it.client.wait(CreateWait(waiter: waiter, pods: [b.pod], mode: .all, until: .text, text: text, timeoutMs: 60_000))
        }
        let already = try await eventually("the screen is not known") {
            let wait = try await wait(Stage.ada, "welcome")
            return wait.isOpen ? nil : wait
        }
        #expect(already.outcome == .matched)
        let later = try await wait(Stage.ada, "tests passed")
        let other = try await wait(Stage.ada, "tests failed")
        let wrapped = try await wait(Stage.ada, "over-the-end")
        try b.output("42 tests ")
        try b.output("passed\r\n")
        let seen = try await it.outcome(later)
        #expect(seen.outcome == .matched && seen.targets[0].seen?.text == "tests passed" && (seen.targets[0].seen?.seq ?? 0) > 0)
        // It stood there for a moment only.
        try b.output("\u{1b}[H\u{1b}[2J" + String(repeating: "x", count: 75) + "over-the-end")
        #expect(try await it.outcome(wrapped).outcome == .matched)
        #expect(try await it.client.wait(other.id).isOpen)

        #expect(await code { try await wait(Stage.author(a), "anything") } == .denied)
        let binding = try await it.accept(try await it.request(a, b.pod))
        let allowed = try await wait(Stage.author(a), "anything")
        #expect(allowed.isOpen)
        _ = try await it.client.revoke(DecideBinding(id: binding.id, author: Stage.author(b.pod)))
        #expect(try await it.outcome(allowed).outcome == .gone)
        #expect(try await it.client.wait(allowed.id).targets[0].seen?.reason == "denied")

        // The service is another one; the wait goes on.
        await it.stopService()
        try await it.startService()
        try b.output("\r\nsome tests failed")
        #expect(try await it.outcome(other).outcome == .matched)
        let gone = try await wait(Stage.ada, "never")
        try b.control(.exit(.code(0)))
        #expect(try await it.outcome(gone).outcome == .gone)
        await it.end()
    }
}
