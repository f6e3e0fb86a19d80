@testable import RecorderServer
import Compression
import Contract
import Foundation
import Synchronization
import Terminal
import TestSupport
import Testing

@Suite("The recorder's pure parts")
struct PureTests {
    @Test("A signature never denies a text that was put in, and denies most that were not")
    func signature() {
        var signature = TrigramSignature()
        let lines = (0..<300).map { "the \($0 * 7919) quick brown fox number \($0) jumps over dog\($0)" }
        for line in lines { signature.insert(line) }
        let bytes = signature.encoded()
        #expect(bytes.count <= 512)
        for line in lines {
            for start in stride(from: 0, to: line.count - 3, by: 5) {
                #expect(TrigramSignature.mayHold(bytes, TrigramSignature.required(String(line.dropFirst(start)), ignoringCase: false)))
            }
            #expect(TrigramSignature.mayHold(bytes, TrigramSignature.required(line.uppercased(), ignoringCase: true)))
        }
        var generator = SplitMix(state: 1)
        let wrong = (0..<1000).filter { _ in
            let text = String((0..<12).map { _ in Character(Unicode.Scalar(UInt8.random(in: 97...122, using: &generator))) })
            return TrigramSignature.mayHold(bytes, TrigramSignature.required(text, ignoringCase: false))
        }
        #expect(wrong.count < 50)
        #expect(TrigramSignature.mayHold([], []))
        #expect(!TrigramSignature.mayHold([], TrigramSignature.required("abc", ignoringCase: false)))
    }

    @Test("Segments pack and unpack to the same frames and keyframe; damage is an error, never a trap")
    func segments() throws {
        let script = Script.random(frames: 200, seed: 4)
        let content = SegmentContent(keyframe: Terminal(columns: 80, rows: 24).snapshot(), frames: FrameCodec.encode(script.frames))
        let packed = try content.packed(ZstdCompressor()).packed
        #expect(try SegmentContent(packed: packed) == content)
        var generator = SplitMix(state: 9)
        for _ in 0..<2000 {
            var damaged = packed
            damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            if let content = try? SegmentContent(packed: damaged) { _ = try? FrameCodec.decode(content.frames[...], pod: script.pod) }
            _ = try? SegmentContent(packed: Array(packed.prefix(Int.random(in: 0..<packed.count, using: &generator))))
        }
        // Below the compression as well, where zstd finds no damage.
        let columns = try FrameColumns(content.frames)
        #expect(try columns.run() == content.frames)
        for _ in 0..<2000 {
            var damaged = columns
            damaged.facts[Int.random(in: 0..<damaged.facts.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            if Bool.random(using: &generator) { damaged.facts.removeLast(Int.random(in: 0..<damaged.facts.count, using: &generator)) }
            if let run = try? damaged.run() { _ = try? FrameCodec.decode(run[...], pod: script.pod) }
        }
    }

    @Test("Steps of time of any length, and none, come back from their columns")
    func numbers() throws {
        let edges: [UInt64] = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 1 << 24, 1 << 32 - 1, 1 << 40, 1 << 56, .max]
        for count in 0...edges.count {
            let numbers = Array(edges.prefix(count).reversed() + edges.prefix(count))
            let bytes = NumberPlanes.split(numbers)
            #expect(try NumberPlanes.joined(bytes[...], count: numbers.count) == numbers)
            for length in 0..<bytes.count { #expect(throws: ErrorBody.self) { try NumberPlanes.joined(bytes.prefix(length), count: numbers.count) } }
        }
        #expect(throws: ErrorBody.self) { try NumberPlanes.joined([9, 0, 0, 0, 0, 0, 0, 0, 0, 0], count: 1) }
    }

    @Test("What an older version stored is still read: screen, history, times")
    func olderVersion() throws {
        let content = try SegmentContent(packed: OlderSegment.content)
        let frames = try FrameCodec.decode(content.frames[...], pod: .random())
        #expect(frames.map(\.kind) == [.ctl, .out, .ctl, .key, .ctl])
        #expect(frames.map(\.seq) == [1, 2, 3, 4, 5])
        #expect(zip(frames, frames.dropFirst()).allSatisfy { $0.time <= $1.time } && frames[4].time - frames[0].time < .seconds(60))
        let engine = try Terminal(snapshot: content.keyframe)
        for frame in frames { Script.apply(frame, to: engine) }
        #expect(engine.text().filter { !$0.isEmpty }.last == "step 300" && engine.title == "title")
        let history = (1...150).map { "line \($0) of an older version, 漢字 bold" } + (1...277).map { "step \($0)" }
        #expect(engine.history(lines: 10_000) == history)
        // The pages are those that the frames fill again.
        let pages = try HistoryPages.unpacked(OlderSegment.pages, content: OlderSegment.content)
        #expect(pages == engine.historyPages.map { $0.encoded() } && pages.count == 6)
        // Stored again it is what it was, in less.
        let compressor = try ZstdCompressor(level: 19)
        let (packed, text) = try content.packed(compressor)
        let packedPages = try HistoryPages.packed(pages, dictionary: text, compressor)
        #expect(try SegmentContent(packed: packed) == content)
        #expect(try HistoryPages.unpacked(packedPages, content: packed) == pages)
        #expect(packedPages.count < OlderSegment.pages.count)
    }

    @Test("A question that many ask at once is put once, and again for who asks later")
    func sharedQuestion() async throws {
        let (answers, give) = AsyncStream<Int>.makeStream()
        let asked = Mutex(0)
        let question = SharedQuestion {
            asked.withLock { $0 += 1 }
            for await answer in answers { return answer }
            throw ErrorBody(.internal, "no answer")
        }
        let tasks = (0..<64).map { _ in question.put() }
        give.yield(7)
        for task in tasks { #expect(try await task.value == 7) }
        #expect(asked.withLock { $0 } == 1)
        give.yield(8)
        #expect(try await question.put().value == 8)
        #expect(asked.withLock { $0 } == 2)
    }

    @Test("After output was dropped, the next keyframe puts the record's screen right")
    func gapThenKeyframe() throws {
        let pod = PodID.random()
        let recorder = PodRecorder(pod: pod, limits: .init(), now: .now)
        let truth = Terminal(columns: 80, rows: 24)
        truth.feed("what the program really shows")
        let frames: [(FrameKind, [UInt8])] = [
            (.ctl, try JSON.encode(Control.start(.init(argv: ["x"], columns: 80, rows: 24)))), (.out, Array("before".utf8)),
            (.ctl, try JSON.encode(Control.gap(bytes: 5000, reason: "spool_full"))), (.key, try Zstd.compress(truth.snapshot())),
            (.out, Array(", and after".utf8)),
        ]
        for (index, (kind, bytes)) in frames.enumerated() {
            recorder.take(
                Frame(pod: pod, seq: UInt64(index + 1), time: Timestamp(microseconds: Int64(index)), kind: kind, bytes: bytes),
                stream: UInt64(index + 1), now: .now)
        }
        #expect(recorder.lastSeq == 5)
        #expect(recorder.closed.count == 1)
        #expect(recorder.open?.engine.rowText(0) == "what the program really shows, and after")
    }

    @Test("Summaries come back as they were, small or packed")
    func summaries() throws {
        let start = Timestamp(microseconds: 1_700_000_000_000_000)
        for count in [0, 1, 50] {
            var summary = SegmentSummary()
            for index in 0..<count {
                summary.entries.append(
                    Timeline.Entry(
                        seq: UInt64(10 + index * 3), time: start + .milliseconds(index * 1500), what: "input", author: Author(kind: .person, id: "bob"), text: "key \(index)"))
                let from = start + .milliseconds(index * 10_000)
                summary.activity.append(.init(from: from, to: from + .milliseconds(250)))
            }
            let bytes = summary.encoded(start: start, firstSeq: 10)
            #expect(SegmentSummary(bytes, start: start, firstSeq: 10) == summary)
            for length in 1..<max(2, bytes.count) where length < bytes.count { _ = SegmentSummary(Array(bytes.prefix(length)), start: start, firstSeq: 10) }
        }
    }

    @Test("A long text on the timeline is cut between characters", arguments: 52...62)
    func shortened(count: Int) throws {
        let text = String(repeating: "x", count: count) + "🙂🙂🙂🙂"
        let time = Timestamp(microseconds: 1_700_000_000_000_000)
        var summary = SegmentSummary()
        summary.note(Frame(pod: .random(), seq: 1, time: time, kind: .ctl, bytes: []), .marker(text: text, author: nil))
        summary.note(Frame(pod: .random(), seq: 2, time: time, kind: .in, bytes: Array(text.utf8), author: Author(kind: .person, id: "bob")), nil)
        #expect(summary.entries.count == 2)
        for entry in summary.entries {
            let shown = try #require(entry.text)
            #expect(shown.hasSuffix("…") && shown.utf8.count <= 64 && !shown.contains("\u{fffd}"), "\(shown)")
        }
    }

    @Test("Lag is a risk only when the stream is filling and mostly not handled")
    func lag() {
        #expect(LagRisk(handled: 100, first: 1, last: 1000, bytes: 60, maxBytes: 100).isNear)
        #expect(!LagRisk(handled: 900, first: 1, last: 1000, bytes: 60, maxBytes: 100).isNear)
        #expect(!LagRisk(handled: 100, first: 1, last: 1000, bytes: 40, maxBytes: 100).isNear)
        #expect(!LagRisk(handled: 100, first: 1, last: 1000, bytes: 60, maxBytes: -1).isNear)
        #expect(!LagRisk(handled: 0, first: 0, last: 0, bytes: 0, maxBytes: 100).isNear)
    }

    @Test("Spinners, clocks and bars are one shape; words are not")
    func shapes() {
        #expect(ActivityTracker.shape(of: "⠋ working 12s") == ActivityTracker.shape(of: "⠹ working 9s"))
        #expect(ActivityTracker.shape(of: "[####    ] 40%") == ActivityTracker.shape(of: "[#####   ] 52%"))
        #expect(ActivityTracker.shape(of: "12:04:09 up") == ActivityTracker.shape(of: "9:1:20 up"))
        #expect(ActivityTracker.shape(of: "error: one") != ActivityTracker.shape(of: "error: two"))
        #expect(ActivityTracker.shape(of: "漢") != ActivityTracker.shape(of: "字"))
    }
}
