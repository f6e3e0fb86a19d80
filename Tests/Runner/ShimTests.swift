import Bus
import Compression
import Contract
import Foundation
import RunnerClient
import Synchronization
import Terminal
import TestSupport
import Testing

@Suite struct ShimTests {
    static func start() async throws -> (NATSServer, BusConnection) {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        try await JetStream(bus).ensureStreams(StreamPlan(bytes: 2 << 30))
        return (server, bus)
    }

    static func lines(_ text: String) -> [String] {
        text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init).filter { !$0.isEmpty }
    }

    @Test("output, start and exit reach the stream whole, in order, the last output before the exit, and the shim leaves")
    func wholeRun() async throws {
        let (server, bus) = try await Self.start()
        let pod = try await ShimPod(["bash", "-c", "seq 1 20000; echo last; exit 3"], server: server)
        #expect(pod.reply.started != nil)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.exit != nil }
        #expect(reader.isWhole)
        #expect(Self.lines(reader.text) == (1...20000).map(String.init) + ["last"])
        #expect(reader.exit == .code(3))
        #expect(reader.frames.last?.kind == .ctl)
        guard case .start(let start)? = reader.controls.first else { throw TestSupportError("no start frame first") }
        #expect(start.argv.first == "bash" && start.columns == 80 && start.pid == pod.reply.started?.pid)
        #expect(reader.frames.allSatisfy { $0.kind != .out || $0.bytes.count <= 16 << 10 })
        try await pod.waitUntilDone()
        #expect(pod.state?.exit == .code(3))
        try await eventually { !pod.isAlive }
        #expect(!FileManager.default.fileExists(atPath: pod.path + "/spool"))
        await bus.close()
    }

    @Test("a program killed by a signal is told apart from one that ended itself")
    func signalExit() async throws {
        let (server, bus) = try await Self.start()
        let killed = try await ShimPod(["bash", "-c", "kill -KILL $$"], server: server)
        let ended = try await ShimPod(["bash", "-c", "exit 137"], server: server)
        let first = try await FrameReader.start(bus, killed.pod)
        let second = try await FrameReader.start(bus, ended.pod)
        try await eventually { first.exit != nil && second.exit != nil }
        #expect(first.exit == .signal(9))
        #expect(second.exit == .code(137))
        await bus.close()
    }

    @Test("a command or directory that does not exist is an error before anything starts")
    func badCommand() async throws {
        let (server, bus) = try await Self.start()
        let missing = try await ShimPod(["no-such-command-at-all"], server: server)
        #expect(missing.reply.error?.code == .notFound)
        #expect(missing.reply.error?.message.contains("no-such-command-at-all") == true)
        let directory = try await ShimPod(["bash"], server: server, cwd: "/no/such/directory")
        #expect(directory.reply.error?.message.contains("/no/such/directory") == true)
        let file = FileManager.default.temporaryDirectory.path + "/switchback-not-a-program-\(missing.pod)"
        _ = FileManager.default.createFile(atPath: file, contents: Data(), attributes: [.posixPermissions: 0o600])
        defer { try? FileManager.default.removeItem(atPath: file) }
        let denied = try await ShimPod([file], server: server)
        #expect(denied.reply.error?.code == .denied)
        #expect(try await JetStream(bus).streamInfo(Streams.terminals).messages == 0)
        await bus.close()
    }

    @Test("the program is leader of a session with the terminal as its controlling one, and inherits nothing of the shim")
    func surroundings() async throws {
        let (server, bus) = try await Self.start()
        let script = "tty; ps -o pid=,sid=,tpgid= -p $$ | tr -s ' '; ls /proc/self/fd | tr '\\n' ' '; echo; grep -E 'Sig(Blk|Ign)' /proc/self/status; stty size"
        let pod = try await ShimPod(["sh", "-c", script], server: server, columns: 101, rows: 37)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.exit != nil }
        let lines = Self.lines(reader.text)
        let pid = try #require(pod.reply.started?.pid)
        #expect(lines.first?.hasPrefix("/dev/pts/") == true)
        #expect(lines[1].split(separator: " ").map(String.init) == ["\(pid)", "\(pid)", "\(pid)"])
        #expect(lines[2].split(separator: " ").allSatisfy { ["0", "1", "2", "3"].contains($0) }, "\(lines[2])")
        #expect(lines.contains("SigBlk:\t0000000000000000") && lines.contains("SigIgn:\t0000000000000000"), "\(lines)")
        #expect(lines.last == "37 101")
        await bus.close()
    }

    @Test("the same three-byte key sent ten times arrives ten times, recorded with its author")
    func keys() async throws {
        let (server, bus) = try await Self.start()
        let pod = try await ShimPod(["bash", "-c", "stty raw -echo; echo ready; head -c 30 | od -An -tx1 -v -w30"], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("ready") }
        for _ in 0..<10 { #expect(try await pod.write("\u{1b}[A", bus).result == .applied) }
        try await eventually { reader.exit != nil }
        let typed = reader.text.components(separatedBy: "1b 5b 41").count - 1
        #expect(typed == 10)
        let inputs = reader.frames.filter { $0.kind == .in }
        #expect(inputs.count == 10)
        #expect(inputs.allSatisfy { $0.bytes == Array("\u{1b}[A".utf8) && $0.author == Author("person:test") && $0.via == "send" })
        #expect(reader.isWhole)
        await bus.close()
    }

    @Test("a write decided on an older screen is refused and nothing is written; on the newest it is applied")
    func ifSeq() async throws {
        let (server, bus) = try await Self.start()
        let pod = try await ShimPod(["bash", "-c", "stty -echo; echo one; read a; echo two; read b; echo \"got:$a:$b\""], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("one") }
        let first = try #require(reader.frames.last { $0.kind == .out }).seq
        #expect(try await pod.write("x\n", bus, ifSeq: first).result == .applied)
        try await eventually { reader.text.contains("two") }
        let second = try #require(reader.frames.last { $0.kind == .out }).seq
        let refused = try await pod.write("WRONG\n", bus, ifSeq: first)
        #expect(refused.result == .screenChanged && refused.seq == second)
        #expect(try await pod.write("y\n", bus, ifSeq: second).result == .applied)
        try await eventually { reader.exit != nil }
        #expect(reader.text.contains("got:x:y"))
        #expect(!reader.frames.contains { $0.kind == .in && $0.bytes.starts(with: Array("WRONG".utf8)) })
        await bus.close()
    }

    @Test("an input with a name is typed once, however often it is asked for; a refused one can be asked for again")
    func once() async throws {
        let (server, bus) = try await Self.start()
        let pod = try await ShimPod(["bash", "-c", "stty -echo; echo one; read a; echo two; read b; echo \"got:$a:$b\""], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("one") }
        func write(_ text: String, _ once: String, ifSeq: UInt64? = nil) async throws -> Applied {
            var headers = [(Headers.author, "pod:a"), (Headers.via, "channel:M-1"), (Headers.once, once)]
            if let ifSeq { headers.append((Headers.ifSeq, "\(ifSeq)")) }
            return try Reply.decode(Applied.self, from: try await bus.request(Subjects.shimWrite(pod.pod), payload: text.utf8, headers: headers).payload)
        }
        func written() async throws -> Written {
            try await bus.ask(Subjects.shimWritten(pod.pod), AskWritten(names: ["M-1.text", "M-1.enter"]))
        }
        #expect(try await written() == Written(frames: [0, 0], newestInput: 0))
        #expect(try await write("x\n", "M-1.text", ifSeq: 0).result == .screenChanged)
        let first = try await write("x\n", "M-1.text")
        #expect(first.result == .applied)
        let again = try await write("x\n", "M-1.text", ifSeq: 0)
        #expect(again.result == .applied && again.seq == first.seq)
        let seq = try #require(first.seq)
        #expect(try await written() == Written(frames: [seq, 0], newestInput: seq))
        try await eventually { reader.text.contains("two") }
        _ = try await write("y\n", "M-1.enter")
        try await eventually { reader.exit != nil }
        #expect(reader.text.contains("got:x:y"))
        #expect(reader.frames.filter { $0.kind == .in }.map(\.via) == ["channel:M-1", "channel:M-1"])
        await bus.close()
    }

    @Test("writes without an author, of garbage, too large, or to an ended program are refused with the reason")
    func badWrites() async throws {
        let (server, bus) = try await Self.start()
        let pod = try await ShimPod(["bash", "-c", "stty raw -echo; echo ready; sleep 60"], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("ready") }
        let anonymous = try await bus.request(Subjects.shimWrite(pod.pod), payload: "x".utf8)
        #expect(Reply.error(in: anonymous.payload)?.code == .badRequest)
        let garbled = try await bus.request(
            Subjects.shimWrite(pod.pod), payload: "x".utf8, headers: [(Headers.author, "person:a"), (Headers.ifSeq, "nine")])
        #expect(Reply.error(in: garbled.payload)?.code == .badRequest)
        let unknown = try await bus.request("shim.\(pod.pod).dance", payload: [])
        #expect(Reply.error(in: unknown.payload)?.code == .badRequest)
        let json = try await bus.request(Subjects.shimResize(pod.pod), payload: "{".utf8)
        #expect(Reply.error(in: json.payload)?.code == .badRequest)
        await #expect(throws: ErrorBody.self) { try await pod.resize(0, 0, bus) }
        // A program that does not read its input makes us say so, and does not make us grow.
        var last = Applied.Result.applied
        for _ in 0..<10 where last == .applied { last = try await pod.write([UInt8](repeating: 120, count: 200 << 10), bus).result }
        #expect(last == .busy)
        let _: Done = try await bus.ask(Subjects.shimSignal(pod.pod), SendSignal(name: "KILL", author: Author(kind: .person, id: "t")))
        try await eventually { reader.exit != nil }
        await bus.close()
    }

    @Test("a resize reaches the program and the record; one to the same size changes nothing")
    func resize() async throws {
        let (server, bus) = try await Self.start()
        let pod = try await ShimPod(["bash", "-c", "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done"], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("ready") }
        #expect(try await pod.resize(80, 24, bus).result == .applied)
        #expect(try await pod.resize(100, 30, bus).result == .applied)
        try await eventually { reader.text.contains("30 100") }
        let resizes = reader.controls.filter { if case .resize = $0 { true } else { false } }
        #expect(resizes.count == 1)
        #expect(!reader.text.contains("24 80"))
        guard case .resize(100, 30, let author)? = resizes.last else { throw TestSupportError("no resize frame") }
        #expect(author == Author(kind: .person, id: "test"))
        let _: Done = try await bus.ask(
            Subjects.shimStop(pod.pod), StopPod(pod: pod.pod, graceMs: 200, author: Author(kind: .person, id: "t")))
        try await eventually { reader.exit != nil }
        await bus.close()
    }

    @Test("the shim answers the program's questions to its terminal")
    func terminalReplies() async throws {
        let (server, bus) = try await Self.start()
        let script = #"stty raw -echo; printf '\033[6n'; head -c 6 | od -An -tx1"#
        let pod = try await ShimPod(["bash", "-c", script], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.exit != nil }
        #expect(reader.text.contains("1b 5b 31 3b 31 52"))
        await bus.close()
    }

    @Test("a keyframe, asked for or in the log, restores to the screen that all output before it gives")
    func keyframes() async throws {
        let (server, bus) = try await Self.start()
        let script = #"for i in $(seq 1 400); do printf '\033[3%dmline %d é世界 %0200d\n' $((i%8)) $i $i; done; printf '\033[31mhalf \xc3'; sleep 60"#
        let pod = try await ShimPod(["bash", "-c", script], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("half") && reader.frames.contains { $0.kind == .key } }
        let answer = try await bus.request(Subjects.shimKeyframe(pod.pod), payload: [])
        let meta = try JSON.decode(KeyframeMeta.self, from: Array(try #require(answer.header(Headers.meta)).utf8))
        func check(_ packed: [UInt8], upTo seq: UInt64) throws {
            let restored = try Terminal(snapshot: try Zstd.decompress(packed, limit: 64 << 20))
            let fresh = Terminal(columns: 80, rows: 24)
            for frame in reader.frames where frame.kind == .out && frame.seq <= seq { fresh.feed(frame.bytes) }
            #expect(restored.snapshot() == fresh.snapshot())
        }
        try await eventually { reader.frames.count >= Int(meta.seq) }
        try check(answer.payload, upTo: meta.seq)
        for frame in reader.frames where frame.kind == .key { try check(frame.bytes, upTo: frame.seq) }
        let _: Done = try await bus.ask(Subjects.shimSignal(pod.pod), SendSignal(name: "KILL", author: Author(kind: .person, id: "t")))
        try await eventually { reader.exit != nil }
        await bus.close()
    }

    @Test("a UTF-8 character whose bytes come apart is recorded as it came")
    func splitCharacter() async throws {
        let (server, bus) = try await Self.start()
        let script = #"stty -echo; printf '\xe4\xb8'; read x; printf '\x96!\n'"#
        let pod = try await ShimPod(["bash", "-c", script], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.output.count == 2 }
        #expect(try await pod.write("\n", bus).result == .applied)
        try await eventually { reader.exit != nil }
        #expect(reader.output == [0xe4, 0xb8, 0x96, 0x21, 0x0d, 0x0a])
        #expect(reader.frames.filter { $0.kind == .out }.count >= 2)
        await bus.close()
    }

    @Test("a stop asks politely first; a program that does not listen is killed after the grace")
    func stop() async throws {
        let (server, bus) = try await Self.start()
        let polite = try await ShimPod(["bash", "-c", "trap 'echo bye; exit 7' TERM; trap '' HUP; echo ready; while :; do sleep 0.05; done"], server: server)
        let deaf = try await ShimPod(["bash", "-c", "trap '' TERM HUP; echo ready; while :; do sleep 0.05; done"], server: server)
        let first = try await FrameReader.start(bus, polite.pod)
        let second = try await FrameReader.start(bus, deaf.pod)
        try await eventually { first.text.contains("ready") && second.text.contains("ready") }
        let author = Author(kind: .person, id: "t")
        let _: Done = try await bus.ask(Subjects.shimStop(polite.pod), StopPod(pod: polite.pod, graceMs: 5000, author: author))
        let _: Done = try await bus.ask(Subjects.shimStop(deaf.pod), StopPod(pod: deaf.pod, graceMs: 300, author: author))
        try await eventually { first.exit != nil && second.exit != nil }
        #expect(first.exit == .code(7) && first.text.contains("bye"))
        #expect(second.exit == .signal(9))
        // Who ended it, and that force was needed, is on the record.
        #expect(second.controls.filter { $0.kind == "signal" } == [.signal(name: "TERM", author: author), .signal(name: "KILL", author: author)])
        #expect(first.controls.filter { $0.kind == "signal" } == [.signal(name: "TERM", author: author)])
        await bus.close()
    }
}
