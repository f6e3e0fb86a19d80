import Asciicast
import Contract
import Terminal
import Testing

@testable import APIServer

@Suite("Playing a recording")
struct PlaybackTests {
    private static let pod = PodID("paaaaaaaaaaaa")!

    /// Frame n at n seconds, printing its number; a resize at 5.
    private static let frames: [Frame] = (1...30).map { seq in
        let time = Timestamp(microseconds: Int64(seq) * 1_000_000)
        let control: Control? =
            seq == 1
            ? .start(.init(argv: ["x"], columns: 30, rows: 5)) : seq == 5 ? .resize(columns: 20, rows: 6, author: nil) : nil
        if let control {
            return Frame(pod: pod, seq: UInt64(seq), time: time, kind: .ctl, bytes: (try? JSON.encode(control)) ?? [])
        }
        return Frame(pod: pod, seq: UInt64(seq), time: time, kind: .out, bytes: Array("frame \(seq) \u{1b}[3\(seq % 8)mx\u{1b}[m\r\n".utf8))
    }

    private static func slice(_ index: Int) -> RecordedSlice {
        let part = Array(frames[(index * 10)..<(index * 10 + 10)])
        return RecordedSlice(
            meta: SliceMeta(
                firstSeq: part[0].seq, lastSeq: part[9].seq, from: part[0].time, to: part[9].time, keyframeBytes: 0, open: false,
                hasEarlier: index > 0, hasLater: index < 2, first: frames[0].time, last: frames[29].time, live: false),
            keyframe: replay(Array(frames[..<(index * 10)])).snapshot(), frames: part)
    }

    private func screen(_ terminal: Terminal) -> ScreenImage {
        var image = ScreenImage()
        image.apply(terminal.fullDelta())
        return image
    }

    @Test("shows at every time what a fresh engine shows that was fed up to then, forward and back")
    func everyTime() throws {
        var playback = try Playback(Self.slice(1))
        for second in Array(11...19) + Array((11...19).reversed()) + [15, 12, 18] {
            let reach = try playback.move(to: Timestamp(microseconds: Int64(second) * 1_000_000 + 500_000))
            #expect(reach == .there)
            #expect(playback.seq == UInt64(second))
            #expect(screen(playback.terminal) == screen(replay(Array(Self.frames[..<second]))))
        }
    }

    @Test("says which segment is needed beyond its own")
    func beyond() throws {
        var playback = try Playback(Self.slice(1))
        #expect(try playback.move(to: Timestamp(microseconds: 25_000_000)) == .elsewhere(seq: 21))
        #expect(try playback.move(to: Timestamp(microseconds: 3_000_000)) == .elsewhere(seq: 10))
        #expect(try playback.move(toSeq: 29) == .elsewhere(seq: 29))
        var first = try Playback(Self.slice(0))
        #expect(try first.move(to: Timestamp(microseconds: 1)) == .beginning)
        var last = try Playback(Self.slice(2))
        #expect(try last.move(to: Timestamp(microseconds: 99_000_000)) == .end)
        #expect(screen(last.terminal) == screen(replay(Self.frames)))
    }

    @Test("steps by output frames and not by others")
    func steps() throws {
        var playback = try Playback(Self.slice(0))
        #expect(playback.target(step: 1) == .seq(2))
        #expect(playback.target(step: 4) == .seq(6))
        #expect(playback.target(step: 9) == .beyond(seq: 11, left: 1))
        _ = try playback.move(toSeq: 6)
        #expect(playback.target(step: -1) == .seq(5))
        #expect(playback.target(step: -2) == .seq(3))
        #expect(playback.target(step: -9) == .seq(1))
        let middle = try Playback(Self.slice(1))
        #expect(middle.target(step: -2) == .beyond(seq: 10, left: -2))
    }

    @Test("runs at its rate, backwards too, and skips pauses longer than the limit")
    func clock() {
        let now = ContinuousClock.now
        let start = Timestamp(microseconds: 100_000_000)
        var forward = PlaybackClock(rate: 2, idleLimit: nil, from: start, now: now)
        #expect(forward.time(now: now + .seconds(3), at: start, next: nil) == start + .seconds(6))
        var back = PlaybackClock(rate: -1, idleLimit: .seconds(1), from: start, now: now)
        #expect(back.time(now: now + .seconds(3), at: start, next: nil) == start - .seconds(3))
        var skipping = PlaybackClock(rate: 1, idleLimit: .seconds(2), from: start, now: now)
        let next = start + .seconds(600)
        #expect(skipping.time(now: now + .seconds(1), at: start, next: next) == start + .seconds(1))
        #expect(skipping.time(now: now + .milliseconds(2100), at: start, next: next) == next)
        #expect(skipping.time(now: now + .milliseconds(2600), at: next, next: nil) == next + .milliseconds(500))
    }

    @Test("turns a recording into a pod's frames: start first, exit last, times within the past", arguments: [nil, 1_700_000_000, Int64.max, -5])
    func importing(timestamp: Int64?) throws {
        let now = Timestamp(microseconds: 1_800_000_000_000_000)
        let header = AsciicastHeader(version: .v2, columns: 90, rows: 20, timestamp: timestamp, command: "bash")
        var run = ImportRun(pod: Self.pod, header: header, duration: 5_000_000, now: now, frameBytes: 4)
        var frames = run.begin(header, name: "x")
        frames += run.frames(.init(time: 1_000_000, content: .output(Array("123456789".utf8))))
        frames += run.frames(.init(time: 5_000_000, content: .resize(columns: 100, rows: 30)))
        frames += run.finish()
        #expect(frames.map(\.seq) == Array(1...6))
        #expect(frames.map(\.kind) == [.ctl, .out, .out, .out, .ctl, .ctl])
        #expect(frames.flatMap { $0.kind == .out ? $0.bytes : [] } == Array("123456789".utf8))
        #expect(zip(frames, frames.dropFirst()).allSatisfy { $0.time <= $1.time })
        #expect(frames.allSatisfy { $0.time <= now })
        guard case .start(let start) = try JSON.decode(Control.self, from: frames[0].bytes),
            case .exit = try JSON.decode(Control.self, from: frames[5].bytes)
        else {
            Issue.record("start and exit do not enclose the frames")
            return
        }
        #expect(start.imported == true)
        if timestamp == 1_700_000_000 { #expect(frames[0].time.microseconds == 1_700_000_000_000_000) }
    }

    @Test("exports as text every line that was printed, once")
    func text() throws {
        var run = ExportRun(format: TextFormat(), from: nil, to: nil)
        var bytes: [UInt8] = []
        for index in 0..<3 { bytes += try run.take(Self.slice(index)) }
        bytes += try run.finish()
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        let wanted = (1...30).filter { $0 != 1 && $0 != 5 }.map { "frame \($0) x" }
        #expect(lines == wanted)
    }

    @Test("what is exported from before the start begins with the start, not with a wait for it")
    func early() throws {
        let first = Self.frames[0].time
        let pod = Pod(pod: Self.pod, name: "x", spec: PodSpec(command: ["x"]), lifecycle: .ended, created: first)
        func export(from: Timestamp?) throws -> [UInt8] {
            var run = ExportRun(format: CastFormat(pod: pod, version: .v2), from: from, to: nil)
            var bytes: [UInt8] = []
            for index in 0..<3 { bytes += try run.take(Self.slice(index)) }
            return try bytes + run.finish()
        }
        #expect(try export(from: first - .seconds(3600)) == export(from: nil))
    }

    @Test("exports a cast from the middle with the screen that stood there, and ends where it is told")
    func cast() throws {
        var pod = Pod(pod: Self.pod, name: "x", spec: PodSpec(command: ["x"]), lifecycle: .ended, created: Self.frames[0].time)
        pod.started = Self.frames[0].time
        for version in [AsciicastVersion.v2, .v3] {
            var run = ExportRun(
                format: CastFormat(pod: pod, version: version), from: Timestamp(microseconds: 12_500_000), to: Timestamp(microseconds: 15_500_000))
            var bytes = try run.take(Self.slice(1))
            #expect(run.isAtEnd)
            bytes += try run.finish()
            var decoder = AsciicastDecoder()
            let events = try decoder.feed(bytes) + decoder.finish()
            #expect(decoder.header?.columns == 20)
            let terminal = Terminal(columns: 20, rows: 6, scrollback: 100)
            for event in events {
                if case .output(let bytes) = event.content { terminal.feed(bytes) }
            }
            #expect(terminal.text() == replay(Array(Self.frames[..<15])).text())
        }
    }
}
