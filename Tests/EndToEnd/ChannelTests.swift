import APIClient
import Bus
import Contract
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("Channels between pods", .serialized)
struct ChannelTests {
    /// A program that says back what was submitted to it, line by line.
    private static let echo = ["sh", "-c", "echo ready; while IFS= read -r line; do echo \"GOT:$line\"; done"]

    /// What the pod was given, by the message's id: how often it was submitted.
    private func given(_ stack: Stack, _ pod: PodID, _ id: String) async throws -> Int {
        String(decoding: try await stack.recordedOutput(pod), as: UTF8.self).components(separatedBy: "GOT:# [#design \(id),").count - 1
    }

    @Test("The service, the relay, the registry are killed before, while and after a message is typed: it is given once, and the receipt says so")
    func killed() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let pod = try await stack.run(Self.echo, name: "builder", columns: 200).pod
        try await stack.waitForScreen(pod, "ready")
        _ = try await api.createChannel("design", members: ["builder", "person:test"])
        // Kills a part when the nth input of a message is on the bus.
        let plan = Mutex<(part: Stack.Part, inputs: Int)?>(nil)
        let killed = Mutex(0)
        // Weakly: the stack ends its shims when nobody holds it any more.
        try stack.bus.subscribe(Subjects.pty(pod, .in)) { [weak stack] message in
            guard message.header(Headers.via)?.hasPrefix("channel:") == true else { return }
            let part: Stack.Part? = plan.withLock { plan in
                guard var now = plan else { return nil }
                now.inputs -= 1
                plan = now.inputs > 0 ? now : nil
                return now.inputs == 0 ? now.part : nil
            }
            if let part {
                stack?.kill9(part)
                killed.withLock { $0 += 1 }
            }
        }
        var seq: UInt64 = 100
        func rest() throws {
            seq += 100
            try stack.say("idle", "prompt", of: pod, seq: seq)
        }
        var messages: [ChannelMessage] = []
        for (part, inputs) in [(Stack.Part.bindings, 0), (.relay, 0), (.bindings, 1), (.relay, 1), (.bindings, 2), (.relay, 2), (.registry, 1)] {
            try stack.say("executing", "tool", of: pod, seq: seq + 1)
            let message = try await api.postMessage("@builder step \(messages.count)", to: "design", idempotencyKey: "k\(messages.count)")
            messages.append(message)
            let before = killed.withLock { $0 }
            if inputs == 0 { stack.kill9(part) } else { plan.withLock { $0 = (part, inputs) } }
            try rest()
            if inputs > 0 {
                try await eventually(within: .seconds(20), "nothing was typed of \(message.id)") { killed.withLock { $0 } > before ? true : nil }
            }
            try await stack.start(part)
            let what = "\(message.text), \(part) killed at \(inputs)"
            let receipt = try await eventually(within: .seconds(60), "\(what) did not arrive") { () -> ChannelMessage.Delivery? in
                try rest()
                let delivery = try await api.message(message.id).deliveries.first
                return delivery?.state == .delivered ? delivery : nil
            }
            #expect(receipt.reason == nil && (receipt.seq ?? 0) > 0)
            // Asked again under its key, it is the same message.
            #expect(try await api.postMessage(message.text, to: "design", idempotencyKey: "k\(messages.count - 1)").id == message.id)
        }
        try await eventually(within: .seconds(20), "the last is not recorded") { try await self.given(stack, pod, messages[messages.count - 1].id) > 0 ? true : nil }
        let inputs = try await stack.recorded(pod).filter { $0.kind == .in }
        for message in messages {
            #expect(try await given(stack, pod, message.id) == 1, "\(message.text)")
            let own = inputs.filter { $0.via == "channel:" + message.id }
            #expect(own.count == 2 && own.last?.bytes == [0x0d] && own.allSatisfy { $0.author == Stack.person }, "\(message.text)")
        }
        #expect(try await api.messages(.init(channel: "design")).messages.map(\.text) == messages.map(\.text))
    }

    @Test("By command: create, join, post, read, ack, a question and its answer; a pod speaks for itself and sees only its channels")
    func commands() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        func agent(_ name: String) async throws -> (pod: PodID, token: [String: String]) {
            let pod = try await stack.run(["sh", "-c", "echo \"$SWITCHBACK_TOKEN\"; exec cat"], name: name, columns: 120).pod
            let screen = try await stack.waitForScreen(pod, "sbp_")
            let credential = try #require(screen.text.split(whereSeparator: \.isWhitespace).map(String.init).first { $0.hasPrefix("sbp_") })
            return (pod, ["SWITCHBACK_TOKEN": credential, "SWITCHBACK_POD": pod.text])
        }
        let a = try await agent("a")
        let b = try await agent("b")
        let c = try await agent("c")
        func run(_ words: [String], _ who: [String: String] = [:], exit: Int32 = 0) async throws -> String {
            let ran = try await stack.command(["channel"] + words, environment: who)
            #expect(ran.exit == exit, "channel \(words): \(ran.output)\(ran.errors)")
            return (exit == 0 ? ran.output : ran.errors).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        #expect(RecordID.isOne(try await run(["create", "design"], a.token)))
        _ = try await run(["create", "design"], b.token, exit: 1)
        #expect(try await run(["list"], b.token).contains("no channel"))
        _ = try await run(["read", "design"], b.token, exit: 1)
        _ = try await run(["join", "design", "c"], b.token, exit: 4)
        #expect(try await run(["join", "design"], b.token) == "#design: a, b")
        let said = try await run(["post", "design", "@b the schema\nis final @nobody"], a.token)
        #expect(RecordID.isOne(said))
        _ = try await run(["post", "design", "hello"], c.token, exit: 4)
        let read = try await run(["read", "design", "--unread"], b.token)
        #expect(read.contains("a") && read.contains("    is final") && read.contains("b queued"))
        #expect(try await run(["read", "design", "--unread"], b.token) == "Nothing new.")
        #expect(try await run(["read", "design", "--search", "SCHEMA", "--json"], b.token).contains("\"state\":\"read\""))
        #expect(try await run(["ack", said], b.token) == "acknowledged")
        _ = try await run(["ack", said], c.token, exit: 4)

        let asked = try await run(["post", "design", "@b ready?", "--question"], a.token)
        let topology = try await eventually(within: .seconds(10), "the picture lacks the question") { () -> Topology? in
            let topology = try await api.topology()
            return topology.edges.contains { $0.id == asked } ? topology : nil
        }
        let edge = try #require(topology.edges.first { $0.id == asked })
        #expect(edge.kind == "wait" && edge.from == a.pod.text && edge.to == b.pod.text && edge.why == "asked in #design")
        let room = try #require(topology.channels.first)
        #expect(room.name == "design" && room.members == [a.pod.text, b.pod.text] && room.questions == 1)
        // Who is asked may not ask back, nor wait for who asks.
        _ = try await run(["post", "design", "@a are you?", "--question"], b.token, exit: 6)
        #expect(try await stack.command(["wait", "a", "--until", "ended"], environment: b.token).exit == 6)
        async let waiting = stack.command(["wait", asked, "--timeout", "60s"], environment: a.token)
        _ = try await run(["post", "design", "yes", "--reply-to", asked], b.token)
        let waited = try await waiting
        #expect(waited.exit == 0 && waited.output.contains("matched"), "\(waited)")
        try await eventually(within: .seconds(10), "the edge stayed") { try await api.topology().edges.contains { $0.id == asked } ? nil : true }
        #expect(try await run(["read", "--search", "yes"]).contains("#design"))
        #expect(try await run(["leave", "design"], b.token) == "#design: a")
        // A text on a screen.
        async let seen = stack.command(["wait", "a", "--until", "text:all green", "--timeout", "60s"])
        _ = try await eventually(within: .seconds(10), "nobody waits") { try await api.waits().first { $0.until == .text } }
        _ = try await stack.type("tests are all green", into: a.pod)
        #expect(try await seen.exit == 0)
        #expect(try await stack.command(["wait", "a", "--until", "text:never", "--timeout", "200ms"]).exit == 124)
        #expect(try await stack.command(["wait", "a", "--until", "text:x"], environment: c.token).exit == 4)
    }

    @Test("Over MCP an agent makes a channel, asks, is answered, acknowledges; each tool says what it did")
    func mcp() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let pod = try await stack.run(["sh", "-c", "echo \"$SWITCHBACK_TOKEN\"; exec cat"], name: "a", columns: 120).pod
        let screen = try await stack.waitForScreen(pod, "sbp_")
        let credential = try #require(screen.text.split(whereSeparator: \.isWhitespace).map(String.init).first { $0.hasPrefix("sbp_") })
        /// Calls tools one after the other; their answers.
        func call(_ calls: [(String, String)]) async throws -> [String] {
            var lines = [#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#]
            for (index, call) in calls.enumerated() {
                lines.append(#"{"jsonrpc":"2.0","id":\#(index + 1),"method":"tools/call","params":{"name":"\#(call.0)","arguments":\#(call.1)}}"#)
            }
            let file = NSTemporaryDirectory() + "mcp-\(UUID().uuidString)"
            try lines.joined(separator: "\n").appending("\n").write(toFile: file, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(atPath: file) }
            let ran = try await stack.command(
                ["-c", "exec \"\(stack.programsDirectory)/switchback\" mcp <\"\(file)\""],
                environment: ["SWITCHBACK_TOKEN": credential, "SWITCHBACK_POD": pod.text], program: "/bin/sh")
            return ran.output.split(separator: "\n").dropFirst().map(String.init)
        }
        let made = try await call([
            ("create_channel", #"{"name":"design"}"#), ("join_channel", #"{"channel":"design"}"#),
            ("send_channel_message", #"{"channel":"design","text":"@test may I\npush?","asks":true}"#),
            ("send_channel_message", #"{"channel":"design"}"#), ("join_channel", #"{"channel":"nowhere"}"#),
        ])
        #expect(made.count == 5 && made[0...2].allSatisfy { $0.contains("\"isError\":false") } == false)
        // A person is a member from what they say first.
        #expect(made[2].contains("needs somebody to answer"))
        #expect(made[3].contains("\"isError\":true") && made[3].contains("text is missing") && made[4].contains("there is no channel"))
        _ = try await api.joinChannel("design")
        let asked = try await call([("send_channel_message", #"{"channel":"design","text":"@test may I\npush?","asks":true}"#)])
        #expect(asked[0].contains("\"isError\":false") && asked[0].contains("queued"))
        let question = try #require(try await api.messages(.init(channel: "design")).messages.last)
        #expect(question.isOpenQuestion && question.author == Author(kind: .pod, id: pod.text))
        #expect(try await api.attention().contains { $0.subject == question.id })
        let answer = try await api.postMessage("go on", to: "design", replyTo: question.id)
        let heard = try await call([
            ("wait_for", #"{"messages":["\#(question.id)"],"hold_seconds":5}"#), ("get_channel_messages", #"{"channel":"design","unread":true}"#),
            ("acknowledge_message", #"{"message":"\#(answer.id)"}"#), ("get_channel_messages", #"{"channel":"design","unread":true}"#),
        ])
        #expect(heard[0].contains("matched") && heard[1].contains("go on") && heard[2].contains("acknowledged"))
        #expect(heard[3].contains(#"\"messages\":[]"#) || heard[3].contains(#""messages":[]"#))
        #expect(try await api.message(answer.id).deliveries.first?.state == .acknowledged)
        #expect(try await api.attention().allSatisfy { $0.subject != question.id })
    }
}
