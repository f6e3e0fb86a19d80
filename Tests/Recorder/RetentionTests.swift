@testable import RecorderServer
import Contract
import Database
import Foundation
import RecorderClient
import TestSupport
import Testing

@Suite("Keeping, verifying and removing")
struct RetentionTests {
    private func recording(_ harness: RecordingHarness, start: Timestamp, frames: Int = 400) async throws -> Script {
        var script = Script(start: start)
        var generator = SplitMix(state: 3)
        for index in 0..<frames {
            script.wait(.milliseconds(10))
            script.output("\(index) " + (0..<60).map { _ in String(UInt64.random(in: 0 ... .max, using: &generator), radix: 36) }.joined(separator: " ") + "\r\n")
        }
        script.control(.exit(.code(0)))
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        try await eventually("it was not stored") { try await harness.client.usage(script.pod).segments >= 3 ? true : nil }
        return script
    }

    private func store(_ harness: RecordingHarness) -> RecorderStore {
        RecorderStore(pool: DatabasePool(DatabaseConfiguration(address: harness.databaseURL, connections: 2), logger: quiet))
    }

    @Test("Age removes old segments, a hold keeps them, and what is left verifies")
    func age() async throws {
        let harness = try await RecordingHarness()
        let old = Timestamp.now() - .seconds(86_400)
        let removed = try await recording(harness, start: old)
        let held = try await recording(harness, start: old)
        let fresh = try await recording(harness, start: .now())
        try await harness.client.hold(held.pod, true)
        let store = store(harness)
        defer { store.pool.close() }
        let gone = try await store.applyRetention(RetentionPolicy(age: .seconds(3600)), now: .now())
        #expect(gone.map(\.pod) == [removed.pod])
        #expect(try await store.segments(removed.pod, from: 0, limit: 100).isEmpty)
        for script in [held, fresh] {
            #expect(try await harness.client.verify(script.pod).ok)
            #expect(try await harness.allFrames(script.pod) == script.frames)
        }
        #expect(try await harness.client.verify(removed.pod).ok)
        try await harness.client.hold(held.pod, false)
        #expect(try await store.applyRetention(RetentionPolicy(age: .seconds(3600)), now: .now()).map(\.pod) == [held.pod])
        let unknown = await #expect(throws: ErrorBody.self) { try await harness.client.hold(.random(), true) }
        #expect(unknown?.code == .notFound)
    }

    @Test("A bound on bytes removes the oldest whole segments first, and the rest verifies and plays")
    func bytes() async throws {
        let harness = try await RecordingHarness()
        let first = try await recording(harness, start: .now() - .seconds(7200))
        let second = try await recording(harness, start: .now() - .seconds(3600))
        let total = try await harness.client.usage().storedBytes
        let store = store(harness)
        defer { store.pool.close() }
        let mine = try await harness.client.usage(first.pod).storedBytes
        let gone = try await store.applyRetention(RetentionPolicy(bytes: total - mine / 2), now: .now())
        #expect(Set(gone.map(\.pod)) == [first.pod])
        #expect(try await harness.client.usage().storedBytes <= total - mine / 2)
        let left = try await harness.client.verify(first.pod)
        #expect(left.ok, "\(left)")
        #expect(left.segments > 0)
        #expect(left.firstSeq > 1)
        #expect(try await harness.client.verify(second.pod).ok)
        // Restarted, the recorder knows where it begins now.
        await harness.stopRecorder()
        try await harness.startRecorder()
        try await harness.recorded(first.pod, through: first.last)
        let early = await #expect(throws: ErrorBody.self) { try await harness.client.seek(Seek(pod: first.pod, seq: 1, format: .text)) }
        #expect(early?.code.rawValue == "before_start")
        let (meta, _, frames) = try await harness.client.play(Play(pod: first.pod, seq: 1))
        #expect(meta.firstSeq == left.firstSeq)
        #expect(!meta.hasEarlier)
        #expect(frames.first == first.frames[Int(left.firstSeq) - 1])
        // Everything, when there is room for nothing.
        _ = try await store.applyRetention(RetentionPolicy(bytes: 0), now: .now())
        #expect(try await harness.client.usage().segments == 0)
    }

    @Test("Any change to what is stored is found, and the first bad segment is named", arguments: ["content", "summary", "time", "missing", "head", "tail"])
    func tampering(_ what: String) async throws {
        let harness = try await RecordingHarness()
        let script = try await recording(harness, start: .now() - .seconds(100))
        #expect(try await harness.client.verify(script.pod).ok)
        let store = store(harness)
        defer { store.pool.close() }
        let segments = try await store.segments(script.pod, from: 0, limit: 100)
        #expect(segments.count >= 3)
        let second = Int64(segments[1].header.firstSeq)
        let statement =
            switch what {
            case "content": "UPDATE recorder.segments SET content = set_byte(content, 50, (get_byte(content, 50) + 1) % 256) WHERE first_seq = \(second)"
            case "summary": "UPDATE recorder.segments SET signature = set_byte(signature, 0, (get_byte(signature, 0) + 1) % 256) WHERE first_seq = \(second)"
            case "time": "UPDATE recorder.segments SET to_us = to_us + 1 WHERE first_seq = \(second)"
            case "missing": "DELETE FROM recorder.segments WHERE first_seq = \(second)"
            case "head": "UPDATE recorder.pods SET head = set_byte(head, 0, (get_byte(head, 0) + 1) % 256)"
            default: "DELETE FROM recorder.segments WHERE first_seq = \(segments[segments.count - 1].header.firstSeq)"
            }
        try await store.pool.withConnection { try $0.execute(statement) }
        let verified = try await harness.client.verify(script.pod)
        #expect(!verified.ok)
        switch what {
        case "head": #expect(verified.problem != nil)
        case "tail": #expect(verified.problem?.hasPrefix("segment \(segments[segments.count - 1].header.firstSeq)") == true, "\(verified)")
        case "missing": #expect(verified.problem?.hasPrefix("segment \(segments[2].header.firstSeq)") == true, "\(verified)")
        default: #expect(verified.problem?.hasPrefix("segment \(second)") == true, "\(verified)")
        }
    }

    @Test("A repetitive full-screen recording takes at most a twentieth of its bytes, a keyframe of 160x40 at most 2 kB")
    func storage() async throws {
        let harness = try await RecordingHarness()
        var script = Script(columns: 160, rows: 40)
        var generator = SplitMix(state: 11)
        let words = ["kernel", "worker", "python3", "postgres", "systemd", "nats-server", "bash", "chrome", "swift-build", "node"]
        script.output("\u{1b}[?1049h")
        for _ in 0..<300 {
            script.wait(.seconds(1))
            // As a process list paints itself each second.
            var text = "\u{1b}[H"
            for row in 0..<40 {
                let load = Int.random(in: 0...99, using: &generator)
                text +=
                    "\u{1b}[\(row + 1);1H\u{1b}[32m\(1000 + row * 7)\u{1b}[0m root 20 0 \(row * 1000) \u{1b}[1m\(load)\u{1b}[0m 0:0\(row % 10) \(words[row % 10]) --option=\(row) --config /etc/\(words[(row + 3) % 10]).conf\u{1b}[K"
            }
            script.output(text)
        }
        script.control(.exit(.code(0)))
        // In parts, as a program paints: the recorder packs less tightly when much waits to be stored.
        var published: UInt64 = 0
        for start in stride(from: 0, to: script.frames.count, by: 50) {
            let part = Array(script.frames.dropFirst(start).prefix(50))
            try await harness.publish(part)
            published += part.filter { $0.kind == .out }.reduce(0) { $0 + UInt64($1.bytes.count) }
            try await eventually("it was not stored") { try await harness.client.usage(script.pod).outputBytes >= published ? true : nil }
        }
        try await harness.recorded(script.pod, through: script.last)
        let usage = try await harness.client.usage(script.pod)
        #expect(usage.segments >= 3)
        #expect(usage.storedBytes * 20 <= usage.outputBytes, "\(usage)")
        let store = store(harness)
        defer { store.pool.close() }
        for segment in try await store.segments(script.pod, from: 0, limit: 100) {
            let content = try SegmentContent(packed: segment.content)
            #expect(try ZstdSize.of(content.keyframe) <= 2048)
        }
    }
}
