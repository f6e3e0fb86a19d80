import BindingsClient
import Bus
import Contract
import Database
import Synchronization
import TestSupport
import Testing

@Suite("Messages typed into pods", .serialized)
struct DeliveryTests {
    private static let enter: [UInt8] = [0x0d]

    /// What was typed, as text.
    private func typed(_ shim: ScriptedShim) -> [String] { shim.typed.map { String(decoding: $0.bytes, as: UTF8.self) } }

    /// The seq of the frame that holds this output.
    private func frame(_ text: String, _ shim: ScriptedShim) throws -> UInt64 {
        try #require(shim.frames.first { $0.kind == .out && String(decoding: $0.bytes, as: UTF8.self).contains(text) }?.seq)
    }

    @Test("An agent that is busy, then in a dialog, then has a half-typed line, then idle gets a message once, in one piece, when it is idle")
    func once() async throws {
        let it = try await Stage.start(instances: 2)
        try await it.startRelay()
        let b = try await it.scripted("b")
        _ = try await it.channel("design", [(b.pod, "b")])
        try it.say("executing", "thinking", of: b)
        let message = try await it.post("@b the schema is final\nsecond line")
        #expect(message.deliveries.map(\.state) == [.queued])
        try b.output("\u{1b}[?2004hstill at it")
        for (status, reason) in [("executing", "tool"), ("waiting", "approval"), ("unknown", "none"), ("waiting", "question"), ("idle", "draft")] {
            try b.output("\r\n\(status) \(reason)")
            try it.say(status, reason, of: b)
            // The service has heard it when what it says of another pod's wait is there.
            let wait = try await it.wait(nil, on: [b.pod], until: Wait.Until(rawValue: status) ?? .executing, timeout: status == "unknown" ? 50 : 20_000)
            _ = try await it.outcome(wait)
            #expect(b.typed.isEmpty, "while \(status) \(reason)")
        }
        try b.output("\r\nready")
        let ready = b.seq
        try it.say("idle", "prompt", of: b)
        let receipt = try await it.receipt(message, b.pod, .delivered)
        #expect(b.typed.count == 2 && b.typed[1].bytes == Self.enter)
        let text = typed(b)[0]
        #expect(text.hasPrefix("\u{1b}[200~[#design \(message.id), from ada, by way of a channel]\r@b the schema is final\rsecond line"))
        #expect(text.hasSuffix("\u{1b}[201~") && b.typed.allSatisfy { $0.author == "person:ada" && $0.via == "channel:" + message.id })
        let inputs = b.frames.filter { $0.kind == .in }.map(\.seq)
        #expect(inputs.allSatisfy { $0 > ready } && receipt.seq == inputs[1] && receipt.note == nil)
        // Another rest brings nothing new.
        let second = try await it.post("@b more")
        try b.output("\r\nidle again")
        try it.say("idle", "turn_done", of: b)
        try await it.receipt(second, b.pod, .delivered)
        #expect(b.typed.count == 4 && typed(b)[2].contains("more"))
        try await eventually("the receipts were not told once each: \(it.told("channel"))") {
            it.told("channel").filter { $0 == "delivered" }.count == 2 ? true : nil
        }
        await it.end()
    }

    @Test("Lines do not submit early where nothing is pasted, and a shell gets a comment")
    func lines() async throws {
        let it = try await Stage.start()
        try await it.startRelay()
        let b = try await it.scripted("b", agent: "shell")
        _ = try await it.channel("design", [(b.pod, "b")])
        try b.output("$ ")
        let payload = try JSON.encode(PodStatus(status: "idle", reason: "prompt", since: .now(), seq: b.seq, agent: "shell"))
        try it.bus.publish(Subjects.status(b.pod), payload: payload)
        let message = try await it.post("@b one\n\ttwo; touch /tmp/x\r\nthree")
        try await it.receipt(message, b.pod, .delivered)
        #expect(typed(b).count == 2 && typed(b)[0].hasPrefix("# [#design ") && b.typed[1].bytes == Self.enter)
        #expect(typed(b)[0].hasSuffix("@b one ⏎ two; touch /tmp/x ⏎ three"))
        #expect(!b.typed[0].bytes.contains { $0 < 0x20 })
        await it.end()
    }

    @Test("When nobody hears that the text, or Enter, was typed, it is not typed again and the receipt is true", arguments: [1, 2])
    func lost(step: Int) async throws {
        let it = try await Stage.start(lease: .seconds(1))
        try await it.startRelay()
        let b = try await it.scripted("b")
        _ = try await it.channel("design", [(b.pod, "b")])
        let count = Mutex(0)
        b.whenTyped { [weak b] typed in
            guard let b else { return }
            _ = try? b.output(typed.bytes == Self.enter ? "\r\nanswer\r\n" : "half a line")
            // The detector sees a half-typed line between the two.
            try? it.say("idle", typed.bytes == Self.enter ? "turn_done" : "draft", of: b)
            if count.withLock({ count in
                count += 1
                return count == step - 1
            }) {
                b.loseAnswers(1)
            }
        }
        if step == 1 { b.loseAnswers(1) }
        let message = try await it.post("@b once")
        try it.say("idle", "prompt", of: b)
        try await it.receipt(message, b.pod, .delivered)
        #expect(b.typed.count == 2 && b.typed[1].bytes == Self.enter, "\(typed(b))")
        await it.end()
    }

    @Test("When a person took the line before its Enter, it is theirs to submit")
    func taken() async throws {
        let it = try await Stage.start(lease: .seconds(1))
        try await it.startRelay()
        let b = try await it.scripted("b")
        _ = try await it.channel("design", [(b.pod, "b")])
        let isFirst = Mutex(true)
        b.whenTyped { [weak b] _ in
            let isNow = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            guard let b, isNow else { return }
            _ = try? b.output("text")
            // Somebody types before the answer is there, which is lost then.
            Task { @Sendable in
                _ = try? await it.bus.request(Subjects.shimWrite(b.pod), payload: Array(" and this".utf8), headers: [(Headers.author, "person:eve")])
                try? it.say("idle", "draft", of: b)
            }
        }
        b.loseAnswers(1)
        let message = try await it.post("@b once")
        try it.say("idle", "prompt", of: b)
        let receipt = try await it.receipt(message, b.pod, .delivered)
        #expect(receipt.note?.contains("whoever typed after it") == true)
        #expect(typed(b).count == 2 && typed(b)[1] == " and this")
        await it.end()
    }

    @Test("Messages come in their order, each once, with two instances, restarts of the service, of the relay and of NATS in between")
    func order() async throws {
        let it = try await Stage.start(instances: 2, lease: .seconds(1))
        try await it.startRelay()
        let shims = try await [it.scripted("b"), it.scripted("c")]
        _ = try await it.channel("design", [(shims[0].pod, "b"), (shims[1].pod, "c")])
        // Each says that it is idle again after everything it was given.
        for shim in shims {
            shim.whenTyped { [weak shim] typed in
                guard let shim else { return }
                _ = try? shim.output(typed.bytes == Self.enter ? "\r\nanswer\r\n" : "text")
                if typed.bytes == Self.enter { try? it.say("idle", "turn_done", of: shim) }
            }
        }
        var messages: [ChannelMessage] = []
        func post(_ count: Int) async throws {
            for _ in 0..<count { messages.append(try await it.post("@b @c number \(messages.count)")) }
        }
        try await post(3)
        for shim in shims { try it.say("idle", "prompt", of: shim) }
        try await it.receipt(messages[0], shims[0].pod, .delivered)
        await it.stopService()
        try await it.startService()
        try await post(3)
        try await it.receipt(messages[1], shims[1].pod, .delivered)
        await it.stopRelay()
        try await post(2)
        try await it.startRelay()
        try await it.nats.restart()
        try await eventually("the bus did not come back") { it.bus.isConnected ? true : nil }
        for shim in shims {
            for message in messages {
                // What was said while the bus was away nobody heard.
                try await eventually(within: .seconds(40), "\(message.text) did not arrive: \(self.typed(shim))") {
                    try it.say("idle", "turn_done", of: shim)
                    return try await it.client.message(MessageRequest(message: message.id, author: nil)).delivery(Stage.author(shim.pod))?.state == .delivered
                        ? true : nil
                }
            }
            let texts = typed(shim).filter { $0.contains("number") }
            #expect(texts.count == 8 && shim.typed.count == 16, "\(typed(shim))")
            for (index, text) in texts.enumerated() { #expect(text.hasSuffix("number \(index)")) }
        }
        await it.end()
    }

    @Test("What a dead instance held is delivered when its lease is over, not before")
    func leases() async throws {
        let it = try await Stage.start()
        try await it.startRelay()
        let b = try await it.scripted("b")
        _ = try await it.channel("design", [(b.pod, "b")])
        let message = try await it.post("@b held")
        await it.stopService()
        let until = try await it.pool.withConnection { connection in
            Timestamp(
                microseconds: try connection.query(
                    "UPDATE bindings.mailboxes SET holder = 'dead', lease = now() + interval '1500 milliseconds' WHERE pod = $1 RETURNING lease", b.pod.text)[0]
                    .decode("lease"))
        }
        try await it.startService()
        try it.say("idle", "prompt", of: b)
        let receipt = try await it.receipt(message, b.pod, .delivered)
        #expect(receipt.since >= until && b.typed.count == 2)
        await it.end()
    }

    @Test("The receiver ends: what is queued is dead and its sender is told; the sender ends: its message arrives all the same")
    func deaths() async throws {
        let it = try await Stage.start()
        try await it.startRelay()
        let a = try await it.scripted("a")
        let b = try await it.scripted("b")
        let c = try await it.scripted("c")
        _ = try await it.channel("design", [(a.pod, "a"), (b.pod, "b"), (c.pod, "c")])
        let lost = try await it.post("@b do it", by: Stage.author(a.pod), "a")
        let last = try await it.post("@c farewell", by: Stage.author(a.pod), "a")
        try b.control(.exit(.code(0)))
        let dead = try await it.receipt(lost, b.pod, .dead)
        #expect(dead.reason == .podEnded)
        try it.say("idle", "prompt", of: a)
        try await eventually(within: .seconds(20), "the sender was not told: \(typed(a))") {
            self.typed(a).contains { $0.contains("from Switchback]") && $0.contains("\(lost.id) was not delivered to b") } ? true : nil
        }
        #expect(b.typed.isEmpty)
        #expect(try await it.client.channel(ListChannels(channel: "design")).members.map(\.name) == ["a", "c"])
        try a.control(.exit(.signal(9)))
        try await eventually("the sender did not leave") {
            try await it.client.channel(ListChannels(channel: "design")).members.map(\.name) == ["c"] ? true : nil
        }
        try it.say("idle", "prompt", of: c)
        try await it.receipt(last, c.pod, .delivered)
        // Whom it mentions is here no more, and says so.
        #expect(try await it.post("@a @b hello").unknown == ["a", "b"])
        await it.end()
    }

    @Test("Pods that answer one another are stopped; the last message is dead with its reason, and can be read")
    func loops() async throws {
        let it = try await Stage.start()
        try await it.startRelay()
        let a = try await it.scripted("a")
        let b = try await it.scripted("b")
        _ = try await it.channel("design", [(a.pod, "a"), (b.pod, "b")])
        let posts = Mutex<[ChannelMessage]>([])
        for (shim, me, other) in [(a, "a", "b"), (b, "b", "a")] {
            shim.whenTyped { [weak shim] typed in
                guard let shim, typed.bytes == Self.enter else { return }
                _ = try? shim.output("\r\nanswer\r\n")
                Task { @Sendable in
                    // Its turn is over when it has answered.
                    if let message = try? await it.post("@\(other) thanks", by: Stage.author(shim.pod), me) { posts.withLock { $0.append(message) } }
                    try? it.say("idle", "turn_done", of: shim)
                }
            }
        }
        for shim in [a, b] { try it.say("idle", "prompt", of: shim) }
        try await it.post("@a begin")
        let stopped = try await eventually(within: .seconds(60), "they did not stop: \(posts.withLock { $0.map(\.hops) })") {
            posts.withLock { $0.first { $0.deliveries.first?.state == .dead } }
        }
        #expect(stopped.deliveries[0].reason == .loop && stopped.hops == 8)
        #expect(a.typed.count + b.typed.count == 16)
        // It is there to be read, and a person begins anew.
        let reader = Stage.author(stopped.author == Stage.author(a.pod) ? b.pod : a.pod)
        _ = try await it.client.read(ReadChannel(channel: "design", author: reader))
        #expect(try await it.client.message(MessageRequest(message: stopped.id, author: nil)).deliveries[0].state == .read)
        await it.end()
    }

    @Test("What an agent has read itself is not typed any more")
    func read() async throws {
        let it = try await Stage.start()
        try await it.startRelay()
        let b = try await it.scripted("b")
        let c = try await it.scripted("c")
        _ = try await it.channel("design", [(b.pod, "b"), (c.pod, "c")])
        let first = try await it.post("@b @c first")
        _ = try await it.client.read(ReadChannel(channel: "design", author: Stage.author(b.pod)))
        let second = try await it.post("@b second")
        for shim in [b, c] { try it.say("idle", "prompt", of: shim) }
        try await it.receipt(second, b.pod, .delivered)
        try await it.receipt(first, c.pod, .delivered)
        #expect(typed(b).count == 2 && typed(b)[0].contains("second"))
        #expect(try await it.client.message(MessageRequest(message: first.id, author: nil)).delivery(Stage.author(b.pod))?.state == .read)
        await it.end()
    }
}
