import Bus
import Compression
import Contract
import Logging
import RelayClient
import Synchronization
import Terminal
import TestSupport
import Testing
import ViewProtocol

@testable import RelayServer

/// A nats-server, a relay that owns all shards, and a client.
struct RelayStage {
    let server: NATSServer
    let bus: BusConnection
    let relay: RelayService
    let client: RelayClient

    init() async throws {
        server = try await NATSServer.start()
        let relayBus = try await server.connect(name: "relay")
        try await JetStream(relayBus).ensureStreams()
        // The detector's rules are tested elsewhere; here a dialog is what says so.
        let dialogs = DialogReader { screen, _, _, _, seq, _ in
            let text = String(decoding: screen, as: UTF8.self)
            guard text.contains("Allow this") else { return nil }
            // "Allow this <two>?"
            let fingerprint = text.split(separator: "<", maxSplits: 1).dropFirst().first?.prefix { $0 != ">" }
            return PodStatus(status: "waiting", reason: "approval", since: .now(), seq: seq, fingerprint: fingerprint.map(String.init))
        }
        relay = RelayService(bus: relayBus, logger: Logger(label: "relay") { _ in SwiftLogNoOpLogHandler() }, dialogs: dialogs)
        try await relay.join(instance: "one")
        bus = try await server.connect(name: "test")
        client = RelayClient(bus: bus)
    }

    func attach(_ shim: ScriptedShim, _ format: Attach.Format = .snapshot) async throws -> RelayClient.Attached {
        try await client.attach(Attach(pod: shim.pod, format: format, scrollback: 0))
    }

    /// Waits until the relay has this frame.
    func reached(_ shim: ScriptedShim, _ seq: UInt64) async throws {
        try await eventually("the relay did not reach frame \(seq)") {
            try await client.attach(Attach(pod: shim.pod, format: .snapshot)).meta.seq >= seq ? true : nil
        }
    }

    func snapshot(_ attached: RelayClient.Attached) throws -> [UInt8] {
        try Zstd.decompress(attached.payload, limit: 64 << 20)
    }
}

@Suite("The relay", .serialized)
struct RelayTests {
    /// Text, colours, characters of two to four bytes, sequences of all kinds, a synchronized update, the other screen.
    static let session: [UInt8] = Array(
        ("plain\r\n\u{1b}[1;38;2;10;200;30mgrün 漢字 👩‍👩‍👧\u{1b}[0m\r\n\u{1b}]0;title\u{7}\u{1b}[3;7H\u{1b}[4:3mcurly\u{1b}[m"
            + "\u{1b}[?2026h\u{1b}[2J\u{1b}[Hframe one\r\n漢\u{1b}[?2026l\u{1b}[?1049h\u{1b}[5;5Hother\u{1b}[?25l\u{1b}[?1049l\u{1b}[?2026hopen ").utf8)

    @Test("gives a late joiner the early viewer's exact state at every byte of a session")
    func lateJoin() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        for byte in Self.session {
            let seq = try shim.output([byte])
            try await stage.reached(shim, seq)
            let attached = try await stage.attach(shim)
            #expect(attached.meta.seq == seq)
            #expect(try stage.snapshot(attached) == shim.snapshot.bytes)
        }
        // At most the first request may have come before the first frame.
        #expect(shim.keyframesGiven <= 1)
    }

    @Test("ignores frames that come twice")
    func duplicates() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        let first = try shim.output("one\r\n")
        try shim.output("two\r\n")
        try shim.publishAgain(first)
        let last = try shim.output("three\r\n")
        try await stage.reached(shim, last)
        #expect(try stage.snapshot(try await stage.attach(shim)) == shim.snapshot.bytes)
    }

    @Test("repairs a jump with a keyframe from the shim")
    func jump() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try await stage.reached(shim, try shim.output("one\r\n"))
        try shim.output("lost\r\n", publish: false)
        let last = try shim.output("three\r\n")
        try await stage.reached(shim, last)
        #expect(shim.keyframesGiven > 0)
        #expect(try stage.snapshot(try await stage.attach(shim)) == shim.snapshot.bytes)
    }

    @Test("repairs a jump from a keyframe that comes by itself")
    func jumpToKeyframe() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus, answers: false)
        try await stage.reached(shim, try shim.output("one\r\n"))
        try shim.output("lost\r\n", publish: false)
        try shim.keyframe()
        let last = try shim.output("three\r\n")
        try await stage.reached(shim, last)
        #expect(try stage.snapshot(try await stage.attach(shim)) == shim.snapshot.bytes)
    }

    @Test("knows after a restart what the stream holds, although the shim is gone")
    func restart() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus, answers: false)
        try shim.output("first\r\n")
        try shim.keyframe()
        let last = try shim.output("second\r\n")
        try await stage.reached(shim, last)
        await stage.relay.stop()
        let second = RelayService(bus: try await stage.server.connect(name: "second"), logger: Logger(label: "r") { _ in SwiftLogNoOpLogHandler() })
        try await second.join(instance: "two")
        let attached = try await stage.attach(shim)
        #expect(attached.meta.seq == last)
        #expect(try stage.snapshot(attached) == shim.snapshot.bytes)
        await second.stop()
    }

    @Test("has what was said last before it was back on the bus, although nothing comes after it; and keeps what it had where nothing was lost")
    func lastWords() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        let still = try ScriptedShim(stage.bus)
        try await stage.reached(shim, try shim.output("first\r\n"))
        try await stage.reached(still, try still.output("said once\r\n"))
        stage.server.kill9()
        // So long that those who were cut off try again a second or two apart.
        try await Task.sleep(for: .seconds(4))
        let last = try shim.output("last words\r\n", publish: false)
        try await stage.server.restart()
        try await shim.store(last, by: try await stage.server.connect(name: "early"))
        try await eventually("what was said meanwhile is missing") {
            guard let attached = try? await stage.attach(shim) else { return false }
            return try attached.meta.seq == last && stage.snapshot(attached) == shim.snapshot.bytes
        }
        // Its newest output is kept: nobody had to fetch it.
        #expect(stage.relay.held(still.pod)?.frames(after: 0)?.count == 2)
        #expect(try stage.snapshot(try await stage.attach(still)) == still.snapshot.bytes)
    }

    @Test("says not_found for a pod nobody knows, at once")
    func unknown() async throws {
        let stage = try await RelayStage()
        let error = await #expect(throws: ErrorBody.self) {
            try await stage.client.attach(Attach(pod: .random(), format: .ansi))
        }
        #expect(error?.code == .notFound)
    }

    @Test("does not die of garbled frames, and keeps every pod right")
    func garbled() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try shim.output("before\r\n")
        let subject = Subjects.pty(shim.pod, .out)
        try stage.bus.publish(subject, payload: Array("no headers".utf8))
        try stage.bus.publish(subject, payload: Array("bad id".utf8), headers: [(Headers.messageID, "x.y"), (Headers.time, "1")])
        try stage.bus.publish(
            subject, payload: Array("far".utf8), headers: [(Headers.messageID, "\(shim.pod).\(UInt64.max)"), (Headers.time, "1")])
        try stage.bus.publish(
            subject, payload: Array("far".utf8), headers: [(Headers.messageID, "\(shim.pod).9999"), (Headers.time, "1")])
        try stage.bus.publish(Subjects.pty(shim.pod, .ctl), payload: Array("{".utf8), headers: [(Headers.messageID, "\(shim.pod).0")])
        try stage.bus.publish(Subjects.pty(shim.pod, .key), payload: [1, 2, 3], headers: [(Headers.messageID, "\(shim.pod).3"), (Headers.time, "-1")])
        try stage.bus.publish("pty.99.nobody.out", payload: [1])
        for verb in ["attach", "write", "resize", "watch", "take", "release", "frames", "nonsense"] {
            let reply = try await stage.bus.request(Subjects.relay(shim.pod.shard, verb), payload: Array("{\"pod\":7".utf8))
            #expect(Reply.error(in: reply.payload) != nil)
        }
        let last = try shim.output("after\r\n")
        try await stage.reached(shim, last)
        try await eventually("the screen did not recover") {
            try stage.snapshot(try await stage.attach(shim)) == shim.snapshot.bytes
        }
    }

    @Test("keeps a message larger than the ring, and serves what the ring holds")
    func ring() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try shim.output(Array(repeating: UInt8(ascii: "y"), count: 300_000))
        let last = try shim.output("after")
        try await stage.reached(shim, last)
        #expect(try stage.snapshot(try await stage.attach(shim)) == shim.snapshot.bytes)
    }

    @Test("gives a late joiner the whole screen where its keyframe alone is larger than the ring")
    func largeKeyframe() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus, columns: 500, rows: 260)
        var generator = SplitMix(state: 7)
        for row in 1...260 {
            var line = "\u{1b}[\(row);1H"
            for _ in 0..<500 {
                let bits = generator.next()
                // Of a few thousand colours, as many as the engine tells apart at once.
                line += "\u{1b}[38;2;\(bits & 15);\(bits >> 8 & 15);\(bits >> 16 & 15)m" + String(UnicodeScalar(UInt8(0x21 + bits >> 32 % 90)))
            }
            try shim.output(line)
        }
        let last = try shim.output("\u{1b}[Hhere")
        try await stage.reached(shim, last)
        let attached = try await stage.attach(shim)
        #expect(attached.payload.count > 262_144)
        #expect(try stage.snapshot(attached) == shim.snapshot.bytes)
    }

    @Test("refuses the second writer by name, takes over, and releases when the writer leaves")
    func writers() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        let alice = Author(kind: .person, id: "alice")
        let bob = Author(kind: .person, id: "bob")
        func type(_ author: Author, _ viewer: String, _ text: String) async throws -> Applied {
            try await stage.client.write(
                Write(pod: shim.pod, author: author, role: .operator, viewer: viewer, via: "attach"), bytes: Array(text.utf8))
        }
        #expect(try await type(alice, "a", "one").result == .applied)
        let refused = try await type(bob, "b", "two")
        #expect(refused.result == .busy)
        #expect(refused.message?.contains("person:alice") == true)
        let taken = try await stage.client.take(ViewerRequest(pod: shim.pod, viewer: "b", author: bob, role: .operator))
        #expect(taken.result == .applied)
        #expect(try await type(bob, "b", "three").result == .applied)
        #expect(try await type(alice, "a", "four").result == .busy)
        try await stage.client.release(ViewerRequest(pod: shim.pod, viewer: "b", author: bob))
        #expect(try await type(alice, "a", "five").result == .applied)
        #expect(shim.typed.map { String(decoding: $0.bytes, as: UTF8.self) } == ["one", "three", "five"])
        #expect(shim.typed.map(\.author) == ["person:alice", "person:bob", "person:alice"])
    }

    @Test("passes if_seq to the shim, which refuses what was decided on an older screen")
    func ifSeq() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        let seen = try shim.output("question?")
        let changed = try shim.output("another question?")
        var write = Write(pod: shim.pod, author: Author(kind: .person, id: "a"), role: .operator, ifSeq: seen)
        #expect(try await stage.client.write(write, bytes: [0x79]).result == .screenChanged)
        #expect(shim.typed.isEmpty)
        write.ifSeq = changed
        #expect(try await stage.client.write(write, bytes: [0x79]).result == .applied)
    }

    @Test("types a prompt as text and Enter apart, and says when nothing came of it")
    func submit() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try await stage.reached(shim, try shim.output("\u{1b}[?2004h> "))
        let write = Write(pod: shim.pod, author: Author(kind: .person, id: "a"), role: .operator, submit: true)
        let applied = try await stage.client.write(write, bytes: Array("do\nit".utf8))
        #expect(applied.result == .applied)
        #expect(applied.message != nil)
        #expect(shim.typed.map { String(decoding: $0.bytes, as: UTF8.self) } == ["\u{1b}[200~do\rit\u{1b}[201~", "\r"])
    }

    @Test("says gone after the pod's end, and keeps the last screen")
    func exit() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try shim.output("bye")
        try await stage.reached(shim, try shim.control(.exit(.code(0))))
        let write = Write(pod: shim.pod, author: Author(kind: .person, id: "a"), role: .operator)
        try await eventually("it was still typed into") { try await stage.client.write(write, bytes: [1]).result == .gone }
        #expect(try stage.snapshot(try await stage.attach(shim)) == shim.snapshot.bytes)
    }

    // MARK: - Views

    /// A viewer that follows `view.<pod>.delta` as any viewer does.
    final class Viewer: Sendable {
        struct State {
            var image = ScreenImage()
            var at: UInt64 = 0
            var count = 0
            var waiting: [(UInt64, UInt64, [UInt8])] = []
            var isJoined = false
            var gaps = 0
        }
        let state = Mutex(State())
        let pod: PodID

        init(_ stage: RelayStage, _ pod: PodID) async throws {
            self.pod = pod
            try stage.bus.subscribe(Subjects.viewDelta(pod)) { [self] message in
                let base = UInt64(message.header(ViewHeaders.base) ?? "") ?? 0
                let seq = UInt64(message.header(ViewHeaders.seq) ?? "") ?? 0
                state.withLock { state in
                    state.count += 1
                    state.waiting.append((base, seq, message.payload))
                    if state.isJoined { state.drain() }
                }
            }
            try await stage.client.watch(ViewerRequest(pod: pod, viewer: "v", author: Author(kind: .system, id: "v")))
            let keyframe = try await stage.client.attach(Attach(pod: pod, format: .view))
            guard case .keyframe(let screen, let seq, _, _) = try ViewMessage(keyframe.payload) else {
                throw TestSupportError("not a keyframe")
            }
            state.withLock { state in
                state.image.apply(screen)
                state.at = seq
                state.isJoined = true
                state.drain()
            }
        }
    }

    @Test("sends changes that lead exactly to the engine's screen, and fewer than frames")
    func deltas() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus, columns: 40, rows: 10)
        try shim.output("hello\r\n")
        let viewer = try await Viewer(stage, shim.pod)
        for index in 0..<400 {
            try shim.output("line \(index) \u{1b}[3\(index % 8)mcolour\u{1b}[m 漢\r\n")
            if index % 50 == 0 { try shim.output("\u{1b}[2J\u{1b}[H") }
        }
        try await finish(stage, shim, viewer)
        let count = viewer.state.withLock { $0.count }
        #expect(count < 400)
        #expect(viewer.state.withLock { $0.gaps } == 0)
    }

    private func finish(_ stage: RelayStage, _ shim: ScriptedShim, _ viewer: Viewer) async throws {
        let (seq, bytes) = shim.snapshot
        let terminal = try Terminal(snapshot: bytes)
        var whole = ScreenImage()
        whole.apply(terminal.fullDelta())
        try await eventually("the view did not reach frame \(seq)") { viewer.state.withLock { $0.at } >= seq }
        viewer.state.withLock { state in
            #expect(state.image == whole)
        }
    }

    @Test("sends nothing while nobody watches")
    func unwatched() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        let count = Mutex(0)
        try stage.bus.subscribe(Subjects.viewDelta(shim.pod)) { _ in count.withLock { $0 += 1 } }
        try await stage.bus.flush()
        for _ in 0..<20 { try shim.output("x") }
        try await stage.reached(shim, shim.seq)
        try await stage.bus.flush()
        #expect(count.withLock { $0 } == 0)
    }

    @Test("never shows the middle of a synchronized update, but releases one that does not end after 150 ms")
    func synchronized() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus, columns: 20, rows: 4)
        try shim.output("old")
        let viewer = try await Viewer(stage, shim.pod)
        let began = ContinuousClock.now
        try shim.output("\u{1b}[?2026h\u{1b}[2J")
        let last = try shim.output("half")
        try await stage.reached(shim, last)
        #expect(viewer.state.withLock { $0.image.rows[0].map(\.text).joined() } == "old")
        try await eventually("the open update was not released") { viewer.state.withLock { $0.at } >= last }
        #expect(ContinuousClock.now - began >= .milliseconds(140))
        #expect(viewer.state.withLock { $0.image.rows[0].map(\.text).joined() }.hasSuffix("half"))
        try await finish(stage, shim, viewer)
    }

    @Test("gives a keyframe on request to the asker alone")
    func keyframeOnRequest() async throws {
        let stage = try await RelayStage()
        let shim = try ScriptedShim(stage.bus)
        try await stage.reached(shim, try shim.output("hello"))
        let viewer = try await Viewer(stage, shim.pod)
        let before = viewer.state.withLock { $0.count }
        let reply = try await stage.bus.request(Subjects.viewKeyframe(shim.pod), payload: [UInt8]())
        guard case .keyframe(let screen, let seq, _, _) = try ViewMessage(reply.payload) else {
            Issue.record("not a keyframe")
            return
        }
        #expect(seq == shim.seq)
        #expect(screen.changed.first?.runs.first?.text == "hello")
        try await stage.bus.flush()
        #expect(viewer.state.withLock { $0.count } == before)
    }
}

extension RelayTests.Viewer.State {
    mutating func drain() {
        for (base, seq, payload) in waiting where seq > at {
            guard base == at, case .delta(let delta, _, _, _)? = try? ViewMessage(payload) else {
                gaps += 1
                continue
            }
            if let delta { image.apply(delta) }
            at = seq
        }
        waiting = []
    }
}
