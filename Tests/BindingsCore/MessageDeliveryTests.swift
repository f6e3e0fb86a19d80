import BindingsCore
import Contract
import Testing

@Suite("What becomes of a message")
struct MessageDeliveryTests {
    private let ada = Author(kind: .person, id: "ada")
    private let start = Timestamp(microseconds: 1_000_000)

    private func pod(_ name: String) -> Channel.Member {
        Channel.Member(who: Author(kind: .pod, id: PodID.random().text), name: name, joined: start)
    }

    private func message(
        _ text: String = "hello", by author: Author? = nil, to mentioned: [Channel.Member], asks: Bool? = nil, hops: Int = 0, number: UInt64 = 1
    ) -> ChannelMessage {
        MessageDelivery.post(
            ChannelMessage(
                id: "M-\(number)", channel: "C-1", channelName: "design", number: number, author: author ?? ada, authorName: "ada", text: text,
                created: start, asks: asks, hops: hops), to: mentioned, now: start)
    }

    private func after(_ facts: [MessageDelivery.Fact], _ member: Author, _ message: ChannelMessage) -> ChannelMessage {
        var message = message
        for (index, fact) in facts.enumerated() {
            message = MessageDelivery.apply(fact, of: member, message, now: start + .seconds(index + 1))?.message ?? message
        }
        return message
    }

    @Test("A receipt goes from queued to acknowledged and never back, in whatever order the facts come, each once")
    func states() {
        let b = pod("b")
        let first = message(to: [b])
        #expect(first.deliveries.map(\.state) == [.queued] && first.queuedPods.count == 1 && MessageDelivery.isOpen(first))
        let whole = after([.delivered(seq: 7, note: nil), .read, .acknowledged], b.who, first)
        #expect(whole.deliveries[0].state == .acknowledged && whole.deliveries[0].seq == 7)
        #expect(whole.deliveries[0].delivered == start + .seconds(1) && whole.deliveries[0].read == start + .seconds(2))
        #expect(!MessageDelivery.isOpen(whole))
        // What comes late adds what it says and takes nothing back.
        let late = after([.acknowledged, .delivered(seq: 7, note: nil), .read], b.who, first)
        #expect(late.deliveries[0].state == .acknowledged && late.deliveries[0].delivered != nil)
        for fact in [MessageDelivery.Fact.delivered(seq: 9, note: nil), .read, .acknowledged, .failed(.expired, nil)] {
            #expect(MessageDelivery.apply(fact, of: b.who, whole, now: start) == nil, "\(fact)")
        }
        #expect(MessageDelivery.apply(.read, of: ada, whole, now: start) == nil)
        let random: [MessageDelivery.Fact] = [.delivered(seq: 1, note: nil), .read, .acknowledged, .failed(.expired, nil)]
        var generator = Seeded(3)
        for _ in 0..<500 {
            var seen = first
            for _ in 0..<6 {
                let before = seen.deliveries[0].state
                seen = after([random.randomElement(using: &generator)!], b.who, seen)
                let order: [ChannelMessage.Delivery.State] = [.queued, .dead, .delivered, .read, .acknowledged]
                #expect(order.firstIndex(of: before)! <= order.firstIndex(of: seen.deliveries[0].state)!)
            }
        }
    }

    @Test("What is dead is not delivered any more; it can still be read, and the receipt says both")
    func dead() {
        let b = pod("b")
        let dead = after([.failed(.expired, "late")], b.who, message(to: [b]))
        #expect(dead.deliveries[0].state == .dead && dead.deliveries[0].reason == .expired && !MessageDelivery.isOpen(dead))
        #expect(MessageDelivery.apply(.delivered(seq: 1, note: nil), of: b.who, dead, now: start) == nil)
        let read = after([.read], b.who, dead)
        #expect(read.deliveries[0].state == .read && read.deliveries[0].reason == .expired)
        #expect(MessageDelivery.apply(.failed(.podEnded, nil), of: b.who, after([.delivered(seq: 1, note: nil)], b.who, message(to: [b])), now: start) == nil)
    }

    @Test("Mentions are members by name or id, each once, never the author; others are named as unknown")
    func mentions() {
        let (a, b, c) = (pod("a"), pod("builder-2"), pod("c.d"))
        func found(_ text: String) -> ([String], [String]) {
            let found = MessageDelivery.mentions(in: text, members: [a, b, c], author: a.who)
            return (found.members.map(\.name), found.unknown)
        }
        #expect(found("@builder-2 look, @c.d. And @builder-2 again") == (["builder-2", "c.d"], []))
        #expect(found("(@builder-2) @a me @nobody's @nobody") == (["builder-2"], ["nobody"]))
        #expect(found("mail ada@builder-2 or @builder-2@host or npm i @c.d/core, @@c.d @") == ([], []))
        #expect(found("@\(b.who.id): hi") == (["builder-2"], []))
        #expect(found("@builder-2-") == (["builder-2"], []))
        #expect(found("") == ([], []))
    }

    @Test("Control characters, nothing and too much are refused; several lines are not")
    func problems() {
        #expect(MessageDelivery.problem("one\ntwo\tthree\r\n") == nil)
        for text in ["", " \n ", "a\u{1b}[200~b", "a\u{3}b", "a\u{9b}b", "\u{7f}"] { #expect(MessageDelivery.problem(text)?.code == .badRequest) }
        #expect(MessageDelivery.problem(String(repeating: "ä", count: 16 << 10)) == nil)
        #expect(MessageDelivery.problem(String(repeating: "ä", count: 16 << 10) + "a")?.code == .tooLarge)
    }

    @Test("Pods that only answer one another are stopped, also three in a circle; a person, or time, begins anew")
    func loops() {
        for count in 2...4 {
            let members = (0..<count).map { pod("p\($0)") }
            var told: [Author: (hops: Int, at: Timestamp)] = [:]
            var now = start
            var delivered = 0
            // A person sets it off.
            var current = message(to: [members[0]])
            for step in 0..<50 {
                let receiver = members[step % count]
                guard current.delivery(receiver.who)?.state == .queued else { break }
                delivered += 1
                told[receiver.who] = (current.hops, now)
                now = now + .seconds(5)
                current = message(
                    by: receiver.who, to: [members[(step + 1) % count]], hops: MessageDelivery.hops(author: receiver.who, told: told[receiver.who], now: now))
            }
            #expect(delivered == MessageDelivery.longestChain)
            #expect(current.deliveries[0].state == .dead && current.deliveries[0].reason == .loop)
            #expect(MessageDelivery.hops(author: ada, told: (50, now), now: now) == 0)
            #expect(MessageDelivery.hops(author: members[0].who, told: (50, now), now: now + .seconds(601)) == 0)
        }
        // People are told all the same.
        let person = Channel.Member(who: Author(kind: .person, id: "eve"), name: "eve", joined: start)
        #expect(message(by: pod("b").who, to: [person], hops: 99).deliveries[0].state == .queued)
    }

    @Test("A question waits for each one asked; a reply, a mention back, an end or a withdrawal frees its author")
    func questions() throws {
        let (a, b, c) = (pod("a"), pod("b"), pod("c"))
        let asked = message(by: a.who, to: [b, c], asks: true)
        let claim = try #require(Claim(asked))
        #expect(claim.from.description == a.who.id && Set(claim.to.map(\.description)) == [b.who.id, c.who.id])
        func says(_ by: Channel.Member, _ mentioned: [Channel.Member], reply: Bool) -> ChannelMessage {
            var message = message(by: by.who, to: mentioned, number: UInt64.random(in: 2...9_999_999))
            message.replyTo = reply ? asked.id : nil
            return message
        }
        let one = try #require(MessageDelivery.answered(by: says(b, [], reply: true), asked, now: start))
        #expect(one.message.unanswered == [c.who] && one.message.delivery(b.who)?.state == .acknowledged)
        let two = try #require(MessageDelivery.answered(by: says(c, [a], reply: false), one.message, now: start))
        #expect(!two.message.isOpenQuestion && Claim(two.message) == nil)
        // Who asks back has not answered, unless it says that it does.
        var back = says(b, [a], reply: false)
        back.asks = true
        #expect(MessageDelivery.answered(by: back, asked, now: start) == nil)
        back.replyTo = asked.id
        #expect(MessageDelivery.answered(by: back, asked, now: start) != nil)
        // Neither who was not asked, nor who speaks to somebody else, nor what was said before answers.
        #expect(MessageDelivery.answered(by: says(pod("d"), [a], reply: false), asked, now: start) == nil)
        #expect(MessageDelivery.answered(by: says(b, [c], reply: false), asked, now: start) == nil)
        #expect(MessageDelivery.answered(by: message(by: b.who, to: [a], number: 1), asked, now: start) == nil)
        let told = after([.delivered(seq: 3, note: nil)], b.who, asked)
        let gone = try #require(MessageDelivery.gone(b.who, .podEnded, told, now: start))
        #expect(gone.message.unanswered == [c.who] && gone.message.delivery(b.who)?.state == .delivered && gone.what == "abandoned")
        #expect(MessageDelivery.gone(a.who, .podEnded, asked, now: start)?.message.isOpenQuestion == false)
        #expect(MessageDelivery.withdraw(asked, now: start)?.message.unanswered == [])
        #expect(MessageDelivery.expire(asked, now: start + .seconds(24 * 3600)).last?.message.isOpenQuestion == false)
        #expect(MessageDelivery.expire(asked, now: start + .seconds(24 * 3600 - 1)).isEmpty)
        // A person's question keeps nobody from working.
        #expect(Claim(message(to: [b], asks: true)) == nil)
    }

    @Test("What is typed says who speaks and never looks like the operator; a shell gets a comment on one line")
    func words() {
        let b = pod("b")
        var said = message("first\r\nsecond\tthird", by: pod("a").who, to: [b])
        said.authorName = "builder"
        let typed = MessageDelivery.typed(said, isShell: false)
        #expect(typed == "[#design M-1, from the agent in pod builder, not from your operator]\nfirst\nsecond\tthird")
        let shell = MessageDelivery.typed(said, isShell: true)
        #expect(shell.hasPrefix("# [#design M-1, ") && !shell.contains(where: { $0.isNewline || $0 == "\t" }))
        #expect(MessageDelivery.typed(message(to: [b]), isShell: false).contains("from ada, by way of a channel"))
    }

    @Test("Cycles over waits, bindings and questions are found with their path, a chain is not", arguments: 2...6)
    func cycles(length: Int) throws {
        let pods = (0..<length).map { _ in PodID.random() }
        func author(_ index: Int) -> Author { Author(kind: .pod, id: pods[index].text) }
        var graph = WaitForGraph()
        for index in 0..<length - 1 {
            let claim: Claim?
            switch index % 3 {
            case 0:
                var asked = ChannelMessage(
                    id: "M-\(index)", channel: "C", channelName: "c", number: 1, author: author(index), authorName: "a", text: "?", created: start,
                    mentions: [author(index + 1)], asks: true)
                asked.deliveries = [.init(member: author(index + 1), name: "b", since: start)]
                claim = Claim(asked)
            case 1:
                claim = Claim(
                    Wait(
                        id: "W-\(index)", waiter: author(index), targets: [.init(pod: pods[index + 1])], mode: .all, until: .idle, created: start,
                        deadline: start + .seconds(9)))
            default:
                claim = Claim(
                    Binding(
                        id: "B-\(index)", from: pods[index], to: pods[index + 1], state: .pending, requested: [.read], pending: [.read],
                        requestedBy: author(index), created: start))
            }
            let edge = try #require(claim)
            graph.set(edge)
        }
        let last = ChannelMessage(
            id: "M-last", channel: "C", channelName: "c", number: 2, author: author(length - 1), authorName: "z", text: "?", created: start,
            mentions: [author(0)], asks: true)
        let closing = try #require(Claim(last))
        let path = try #require(graph.path(closing: closing))
        #expect(path.map(\.description) == ([pods[length - 1]] + pods).map(\.text))
        #expect(graph.cycles().isEmpty)
    }

    @Test("A wait for an answer ends with it, and is gone when nobody can give it")
    func replies() throws {
        let (b, c) = (PodID.random(), PodID.random())
        let wait = Wait(
            id: "W-1", waiter: ada, targets: [.init(pod: b, message: "M-1"), .init(pod: c, message: "M-1"), .init(pod: nil, message: "M-1", person: "eve")],
            mode: .all, until: .reply, created: start, deadline: start + .seconds(60))
        func answer(_ by: Author) -> ChannelMessage.Answer { .init(by: by, message: "M-9", time: start) }
        #expect(WaitMachine.learn(answer(Author(kind: .pod, id: b.text)), to: "M-2", wait, now: start) == nil)
        #expect(WaitMachine.learn(answer(ada), to: "M-1", wait, now: start) == nil)
        var next = try #require(WaitMachine.learn(answer(Author(kind: .pod, id: b.text)), to: "M-1", wait, now: start)).wait
        #expect(next.isOpen && next.targets[0].seen?.message == "M-9")
        next = try #require(WaitMachine.learn(answer(Author(kind: .person, id: "eve")), to: "M-1", next, now: start)).wait
        let matched = try #require(WaitMachine.learn(answer(Author(kind: .pod, id: c.text)), to: "M-1", next, now: start)).wait
        #expect(matched.outcome == .matched)
        var lost = ChannelMessage.Delivery(member: Author(kind: .pod, id: c.text), name: "c", since: start)
        lost.reason = .podEnded
        #expect(WaitMachine.learn(lost, of: "M-1", next, now: start)?.wait.outcome == .gone)
        #expect(WaitMachine.learn(.lifecycle(.exited, nil), of: c, next, now: start)?.wait.outcome == .gone)
        // Another kind of wait hears nothing of it.
        let other = Wait(id: "W-2", waiter: ada, targets: [.init(pod: b)], mode: .all, until: .idle, created: start, deadline: start + .seconds(9))
        #expect(WaitMachine.learn(answer(Author(kind: .pod, id: b.text)), to: "M-1", other, now: start) == nil)
        func problem(_ pods: [PodID], _ messages: [String]?, _ until: Wait.Until, _ text: String? = nil) -> ErrorBody.Code? {
            WaitMachine.problem(CreateWait(waiter: ada, pods: pods, messages: messages, mode: .all, until: until, text: text))?.code
        }
        #expect(problem([], ["M-1"], .reply) == nil && problem([b], nil, .text, "done") == nil)
        #expect(problem([], nil, .reply) == .badRequest && problem([b], ["M-1"], .reply) == .badRequest && problem([b], ["M-1"], .idle) == .badRequest)
        #expect(problem([b], nil, .text) == .badRequest && problem([b], nil, .idle, "done") == .badRequest && problem([b], nil, .text, " \n") == .badRequest)
    }
}
