import Contract
import Foundation
import RecorderClient
import Terminal
import TestSupport
import Testing

private let casesFolder = ProcessInfo.processInfo.environment["SWITCHBACK_CASES"].flatMap { $0.isEmpty ? nil : $0 }

@Suite("Seeking and playing")
struct SeekTests {
    /// Seeks to random instants and compares whole engine states with a fresh engine's.
    private func check(_ harness: RecordingHarness, _ script: Script, instants: Int, seed: UInt64) async throws {
        var generator = SplitMix(state: seed)
        let last = try #require(script.frames.last)
        for index in 0..<instants {
            var time = Timestamp(microseconds: Int64.random(in: script.start.microseconds...last.time.microseconds, using: &generator))
            if index == 0 { time = script.start }
            if index == 1 { time = last.time }
            let (terminal, meta) = try await harness.terminal(Seek(pod: script.pod, at: time, format: .snapshot))
            let expected = Script.replay(script.frames, until: time)
            #expect(meta.seq == script.frames.last { $0.time <= time }?.seq)
            #expect(meta.time <= time)
            #expect(meta.decodedBytes <= (64 << 10) + 64_000)
            guard terminal.snapshot() == expected.snapshot() else {
                let row = zip(terminal.text(), expected.text()).enumerated().first { $0.element.0 != $0.element.1 }
                Issue.record(
                    "\(time), frame \(meta.seq): \(row.map { "row \($0.offset): \($0.element)" } ?? "text alike"), \(terminal.cursor) \(expected.cursor), history \(terminal.historyCount) \(expected.historyCount)"
                )
                return
            }
        }
    }

    @Test("Any instant of a random session is exactly what a fresh engine shows, while it runs and when all is stored", arguments: [1, 2, 3] as [UInt64])
    func randomSessions(seed: UInt64) async throws {
        let harness = try await RecordingHarness()
        var script = Script.random(frames: 1500, seed: seed)
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        try await check(harness, script, instants: 30, seed: seed &+ 10)
        let soFar = script.frames.count
        script.control(.exit(.code(0)))
        try await harness.publish(Array(script.frames[soFar...]))
        try await harness.recorded(script.pod, through: script.last)
        try await check(harness, script, instants: 15, seed: seed &+ 20)
        // All from the database.
        await harness.stopRecorder()
        try await harness.startRecorder()
        try await harness.recorded(script.pod, through: script.last)
        try await check(harness, script, instants: 30, seed: seed &+ 30)
        let verified = try await harness.client.verify(script.pod)
        #expect(verified.ok, "\(verified)")
        #expect(try await harness.allFrames(script.pod) == script.frames)
    }

    @Test("Every recording among the cases is exact at random instants", .enabled(if: casesFolder != nil, "SWITCHBACK_CASES names no folder of recordings"))
    func cases() async throws {
        let folder = (casesFolder ?? "") + "/casts"
        let harness = try await RecordingHarness()
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        #expect(!files.isEmpty)
        for file in files {
            let script = try Script.importing(cast: try castBytes(folder + "/" + file))
            try await harness.publish(script.frames)
            try await harness.recorded(script.pod, through: script.last)
            try await check(harness, script, instants: 12, seed: 7)
            let verified = try await harness.client.verify(script.pod)
            #expect(verified.ok, "\(file): \(verified)")
            let usage = try await harness.client.usage(script.pod)
            print(
                "\(file): \(usage.outputBytes) bytes in \(usage.storedBytes), 1/\(usage.outputBytes / max(1, usage.storedBytes)), \(usage.segments) segments, \(verified.frames) frames"
            )
        }
    }

    @Test("Before the start is an error that says so, beyond the end is the last screen, an unknown pod is not found")
    func bounds() async throws {
        let harness = try await RecordingHarness()
        var script = Script()
        script.wait(.seconds(1))
        script.output("hello")
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: 2)
        let before = await #expect(throws: ErrorBody.self) {
            try await harness.client.seek(Seek(pod: script.pod, at: script.start - .seconds(1), format: .text))
        }
        #expect(before?.code.rawValue == "before_start")
        let (late, meta) = try await harness.terminal(Seek(pod: script.pod, at: .now() + .seconds(1_000_000), format: .snapshot))
        #expect(late.rowText(0) == "hello")
        #expect(meta.live)
        #expect(meta.first == script.start)
        let (empty, _) = try await harness.terminal(Seek(pod: script.pod, at: script.start, format: .snapshot))
        #expect(empty.rowText(0) == "")
        let unknown = await #expect(throws: ErrorBody.self) { try await harness.client.seek(Seek(pod: .random(), format: .text)) }
        #expect(unknown?.code == .notFound)
        let text = try await harness.client.seek(Seek(pod: script.pod, format: .text)).payload
        #expect(String(decoding: text, as: UTF8.self).contains("hello"))
        for format in [Attach.Format.ansi, .view, .cells] {
            #expect(try await !harness.client.seek(Seek(pod: script.pod, format: format, scrollback: 10)).payload.isEmpty)
        }
    }

    @Test("Scrollback of long ago comes with the screen")
    func scrollback() async throws {
        let harness = try await RecordingHarness()
        var script = Script()
        for line in 0..<15_000 {
            script.wait(.milliseconds(1))
            script.output("number \(line)\r\n")
        }
        script.control(.exit(.code(0)))
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        await harness.stopRecorder()
        try await harness.startRecorder()
        try await harness.recorded(script.pod, through: script.last)
        let time = script.start + .milliseconds(10_000)
        let (terminal, _) = try await harness.terminal(Seek(pod: script.pod, at: time, format: .snapshot))
        let expected = Script.replay(script.frames, until: time)
        #expect(terminal.history(lines: 1000) == expected.history(lines: 1000))
        #expect(terminal.history(lines: 1000).count == 1000)
    }

    @Test("Playing slice after slice gives every frame once, and the keyframe of each is the state before it")
    func slices() async throws {
        let harness = try await RecordingHarness()
        let script = Script.random(frames: 3000, seed: 99)
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        var seq: UInt64 = 1
        var count = 0
        var engine: Terminal?
        while true {
            let (meta, keyframe, frames) = try await harness.client.play(Play(pod: script.pod, seq: seq))
            #expect(meta.firstSeq == seq)
            #expect(frames == Array(script.frames[Int(meta.firstSeq - 1)..<Int(meta.lastSeq)]))
            let restored = try Terminal(snapshot: keyframe)
            if let engine { #expect(engine.snapshot() == restored.snapshot()) }
            for frame in frames { Script.apply(frame, to: restored) }
            engine = restored
            count += 1
            #expect(meta.hasEarlier == (count > 1))
            guard meta.hasLater else {
                #expect(meta.open)
                #expect(meta.lastSeq == script.last)
                break
            }
            seq = meta.lastSeq + 1
        }
        #expect(count > 2)
    }
}
