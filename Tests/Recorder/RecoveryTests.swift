import Bus
import Contract
import Database
import Foundation
import RecorderClient
import Synchronization
import Terminal
import TestSupport
import Testing

@Suite("Recording through trouble")
struct RecoveryTests {
    private func numbered(_ count: Int, perFrame: Int = 20) -> Script {
        var script = Script()
        for start in stride(from: 0, to: count, by: perFrame) {
            script.wait(.milliseconds(3))
            script.output((start..<min(count, start + perFrame)).map { "line \($0)\r\n" }.joined())
        }
        script.control(.exit(.code(0)))
        return script
    }

    private func lines(_ frames: [Frame]) -> [Substring] {
        let bytes = frames.filter { $0.kind == .out }.flatMap(\.bytes)
        return String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
    }

    @Test("A recorder killed again and again at any moment loses no line and doubles none")
    func killed() async throws {
        let harness = try await RecordingHarness(tailAge: .milliseconds(30))
        let script = numbered(60_000)
        var generator = SplitMix(state: 5)
        var sent = 0
        while sent < script.frames.count {
            let count = min(Int.random(in: 50...500, using: &generator), script.frames.count - sent)
            for frame in script.frames[sent..<(sent + count)] { try await harness.publish(frame) }
            sent += count
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...60, using: &generator)))
            await harness.killRecorder()
            try await harness.startRecorder(tailAge: .milliseconds(Int.random(in: 0...100, using: &generator)))
        }
        try await harness.recorded(script.pod, through: script.last)
        let frames = try await harness.allFrames(script.pod)
        #expect(frames == script.frames)
        #expect(lines(frames) == (0..<60_000).map { "line \($0)" })
        let verified = try await harness.client.verify(script.pod)
        #expect(verified.ok, "\(verified)")
        #expect(verified.frames == script.last)
        let (terminal, _) = try await harness.terminal(Seek(pod: script.pod, format: .snapshot))
        #expect(terminal.snapshot() == Script.replay(script.frames, until: script.now).snapshot())
    }

    @Test("With PostgreSQL down frames wait, an alarm is raised, and nothing is lost when it comes back")
    func databaseDown() async throws {
        let server = try await TestPostgres.start()
        let harness = try await RecordingHarness(database: try await server.makeDatabase())
        let alarms = Mutex<[Alarm]>([])
        try harness.bus.subscribe("event.alarm.recorder.*") { message in
            if let alarm = try? JSON.decode(Alarm.self, from: message.payload) { alarms.withLock { $0.append(alarm) } }
        }
        let script = numbered(80_000)
        let half = script.frames.count / 2
        try await harness.publish(Array(script.frames[..<100]))
        try await harness.recorded(script.pod, through: 100)
        try await server.kill9()
        try await harness.publish(Array(script.frames[100..<half]))
        try await eventually("no alarm was raised") { alarms.withLock { $0.contains { $0.what == "storage" && $0.active } } ? true : nil }
        // The newest screen is answered from memory meanwhile.
        try await harness.recorded(script.pod, through: UInt64(half))
        try await server.restart()
        try await harness.publish(Array(script.frames[half...]))
        try await eventually("the alarm was not taken back") { alarms.withLock { $0.contains { $0.what == "storage" && !$0.active } } ? true : nil }
        try await harness.recorded(script.pod, through: script.last)
        #expect(try await harness.allFrames(script.pod) == script.frames)
        #expect(try await harness.client.verify(script.pod).ok)
    }

    @Test(
        "A full disk of the database stands in /readyz in one line, and nothing is lost when there is room again",
        .enabled(if: SmallDisk.isAvailable, "mounting a small disk needs root")
    )
    func diskFull() async throws {
        let disk = try SmallDisk(megabytes: 96)
        let server = try await TestPostgres.start()
        let harness = try await RecordingHarness(database: try await server.makeDatabase(on: disk))
        // Random letters: nothing packs them.
        var generator = SplitMix(state: 9)
        var script = Script()
        for _ in 0..<1500 {
            script.wait(.milliseconds(3))
            script.output(String(decoding: (0..<4000).map { _ in UInt8.random(in: 0x21...0x7e, using: &generator) }, as: UTF8.self))
        }
        script.control(.exit(.code(0)))
        try await harness.publish(Array(script.frames[..<100]))
        try await harness.recorded(script.pod, through: 100)
        #expect(harness.problem == nil)
        try disk.fill()
        try await harness.publish(Array(script.frames[100...]))
        try await eventually(within: .seconds(60), "the full disk was not said: \(harness.problem ?? "nothing")") {
            harness.problem?.contains("No space left on device") == true ? true : nil
        }
        #expect(harness.problem?.contains("nothing can be stored; the stream holds what comes: 53100") == true && harness.problem?.contains("\n") == false)
        try disk.empty()
        try await eventually(within: .seconds(60), "it did not recover: \(harness.problem ?? "")") { harness.problem == nil ? true : nil }
        try await harness.recorded(script.pod, through: script.last)
        await harness.killRecorder()
        try await harness.startRecorder()
        #expect(try await harness.allFrames(script.pod) == script.frames)
        #expect(try await harness.client.verify(script.pod).ok)
    }

    @Test("A schema that a newer version wrote is left alone, and the start says which version and what to do")
    func newerSchema() async throws {
        let harness = try await RecordingHarness()
        await harness.stopRecorder()
        let pool = DatabasePool(.init(address: harness.databaseURL, connections: 1), logger: quiet)
        try await pool.withConnection { try $0.execute("INSERT INTO recorder.schema_version (version, name) VALUES (999, 'of tomorrow')") }
        let error = await #expect(throws: DatabaseError.self) { try await harness.startRecorder() }
        #expect(error?.code == .newerSchema && error?.message.contains("at version 999") == true && error?.message.contains("use the newer Switchback") == true)
        try await pool.withConnection { try $0.execute("DELETE FROM recorder.schema_version WHERE version = 999") }
        try await harness.startRecorder()
        pool.close()
    }

    @Test("With another stream than before (a restored backup, a lost disk) everything that comes is recorded, and nothing twice", arguments: [false, true])
    func anotherStream(whileRunning: Bool) async throws {
        let harness = try await RecordingHarness()
        let before = numbered(20_000), after = numbered(400)
        try await harness.publish(before.frames)
        try await harness.recorded(before.pod, through: before.last)
        if !whileRunning { await harness.stopRecorder() }
        try await harness.nats.restart(empty: true)
        try await eventually(within: .seconds(60), "no connection") { (try? await harness.bus.flush()) != nil }
        try await JetStream(harness.bus).ensureStreams()
        // Its sequences lie far below where the recorder was; what stands there before it looks is easily missed.
        try await harness.publish(Array(before.frames.suffix(50)) + after.frames)
        if !whileRunning { try await harness.startRecorder() }
        try await harness.recorded(after.pod, through: after.last, within: .seconds(120))
        #expect(try await harness.allFrames(after.pod) == after.frames)
        #expect(try await harness.allFrames(before.pod) == before.frames)
        #expect(try await harness.client.verify(before.pod).ok)
        #expect(try await harness.client.verify(after.pod).ok)
    }

    @Test("With PostgreSQL down and memory full the stream holds the rest")
    func memoryFull() async throws {
        let server = try await TestPostgres.start()
        let harness = try await RecordingHarness(database: try await server.makeDatabase(), start: false)
        try await harness.startRecorder(memoryBytes: 1 << 20)
        var script = Script()
        for index in 0..<1000 {
            script.wait(.milliseconds(2))
            script.output("\(index) " + String(repeating: "x", count: 16_000) + "\r\n")
        }
        try await harness.publish(Array(script.frames[..<10]))
        try await harness.recorded(script.pod, through: 10)
        try await server.kill9()
        try await harness.publish(Array(script.frames[10...]))
        try await server.restart()
        try await harness.recorded(script.pod, through: script.last)
        #expect(try await harness.allFrames(script.pod) == script.frames)
        #expect(try await harness.client.verify(script.pod).ok)
    }

    @Test("A restarted nats-server is followed on, without a gap")
    func busRestarted() async throws {
        let harness = try await RecordingHarness()
        let script = numbered(20_000)
        let half = script.frames.count / 2
        try await harness.publish(Array(script.frames[..<half]))
        harness.nats.kill9()
        try await harness.nats.restart()
        try await harness.publish(Array(script.frames[half...]))
        try await harness.recorded(script.pod, through: script.last)
        #expect(try await harness.allFrames(script.pod) == script.frames)
        #expect(try await harness.client.verify(script.pod).ok)
    }

    @Test("Frames out of order and twice are put right; garbled messages are passed over")
    func disorder() async throws {
        let harness = try await RecordingHarness()
        let script = numbered(2000, perFrame: 2)
        var shuffled: [Frame] = []
        for start in stride(from: 0, to: script.frames.count, by: 50) {
            let part = Array(script.frames[start..<min(start + 50, script.frames.count)])
            shuffled += part.shuffled() + [part[0]]
        }
        for frame in shuffled {
            // No message id of the stream's own: the doubles must reach the recorder.
            try await harness.publish(frame)
            if frame.seq % 100 == 0 {
                try harness.bus.publish(frame.subject, payload: Array("garbled".utf8), headers: [(Headers.messageID, "nonsense-\(frame.seq)")])
            }
        }
        try await harness.recorded(script.pod, through: script.last)
        #expect(try await harness.allFrames(script.pod) == script.frames)
        #expect(try await harness.client.verify(script.pod).ok)
    }

    @Test("Frames that are gone for good are recorded as a gap, with an alarm, and the recording goes on")
    func gap() async throws {
        let harness = try await RecordingHarness(patience: .milliseconds(300))
        let alarms = Mutex<[Alarm]>([])
        try harness.bus.subscribe("event.alarm.recorder.gap") { message in
            if let alarm = try? JSON.decode(Alarm.self, from: message.payload) { alarms.withLock { $0.append(alarm) } }
        }
        let script = numbered(400, perFrame: 2)
        try await harness.publish(script.frames.filter { !(50...59).contains($0.seq) })
        try await harness.recorded(script.pod, through: script.last)
        let frames = try await harness.allFrames(script.pod)
        #expect(frames.map(\.seq) == Array(1...49) + [59] + Array(60...script.last))
        #expect(frames.filter { $0.seq != 59 } == script.frames.filter { !(50...59).contains($0.seq) })
        guard case .gap(_, let reason)? = try frames.first(where: { $0.seq == 59 }).map({ try JSON.decode(Control.self, from: $0.bytes) }) else {
            Issue.record("no gap was recorded")
            return
        }
        #expect(reason.contains("50 to 59"))
        try await eventually("no alarm") { alarms.withLock { $0.isEmpty ? nil : true } }
        #expect(try await harness.client.verify(script.pod).ok)
    }

    @Test("A complete recording is told once it is stored")
    func complete() async throws {
        let harness = try await RecordingHarness()
        let told = Mutex<[RecordingComplete]>([])
        try harness.bus.subscribe("event.recording.*.complete") { message in
            if let event = try? JSON.decode(RecordingComplete.self, from: message.payload) { told.withLock { $0.append(event) } }
        }
        let script = numbered(100)
        try await harness.publish(script.frames.dropLast())
        try await harness.recorded(script.pod, through: script.last - 1)
        #expect(told.withLock { $0.isEmpty })
        try await harness.publish(try #require(script.frames.last))
        try await eventually("it was not told") { told.withLock { $0.isEmpty ? nil : true } }
        #expect(told.withLock { $0.map(\.pod) } == [script.pod])
        let pool = DatabasePool(DatabaseConfiguration(address: harness.databaseURL, connections: 1), logger: quiet)
        defer { pool.close() }
        let sealed = try await pool.withConnection { try $0.query("SELECT bool_and(sealed) FROM recorder.segments")[0].decode(0, as: Bool.self) }
        #expect(sealed)
        #expect(try await !harness.client.seek(Seek(pod: script.pod, format: .text)).meta.live)
    }

    @Test("Two recorders that overlap record every frame once")
    func overlap() async throws {
        let harness = try await RecordingHarness(tailAge: .milliseconds(20))
        let script = numbered(20_000)
        let second = try await RecordingHarness.Second(harness, instance: "second", tailAge: .milliseconds(20))
        for frame in script.frames { try await harness.publish(frame) }
        try await harness.recorded(script.pod, through: script.last)
        await second.stop()
        try await harness.recorded(script.pod, through: script.last)
        #expect(try await harness.allFrames(script.pod) == script.frames)
        #expect(try await harness.client.verify(script.pod).ok)
    }
}
