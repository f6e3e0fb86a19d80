import Asciicast
import Contract
import Foundation
import Terminal
import TestSupport

/// Makes a pod's frames.
struct Script {
    let pod: PodID
    let start: Timestamp
    private(set) var frames: [Frame] = []
    private(set) var now: Timestamp

    init(pod: PodID = .random(), columns: Int = 80, rows: Int = 24, start: Timestamp = Timestamp(microseconds: 1_750_000_000_000_000)) {
        self.pod = pod
        self.start = start
        now = start
        control(.start(.init(argv: ["test"], columns: columns, rows: rows)))
    }

    var last: UInt64 { UInt64(frames.count) }

    mutating func wait(_ duration: Duration) { now = now + duration }

    mutating func output(_ text: String) { output(Array(text.utf8)) }

    mutating func output(_ bytes: [UInt8]) { append(.out, bytes) }

    mutating func input(_ text: String, author: Author = Author(kind: .person, id: "alice")) {
        append(.in, Array(text.utf8))
        frames[frames.count - 1].author = author
        frames[frames.count - 1].via = "attach"
    }

    mutating func control(_ control: Control) { append(.ctl, (try? JSON.encode(control)) ?? []) }

    private mutating func append(_ kind: FrameKind, _ bytes: [UInt8]) {
        frames.append(Frame(pod: pod, seq: UInt64(frames.count + 1), time: now, kind: kind, bytes: bytes))
    }

    /// A fresh engine fed with everything up to and including a time.
    static func replay(_ frames: some Sequence<Frame>, until time: Timestamp) -> Terminal {
        var engine = Terminal(columns: 80, rows: 24)
        var isFirst = true
        for frame in frames where frame.time <= time {
            if isFirst, case .start(let start)? = try? JSON.decode(Control.self, from: frame.bytes) {
                engine = Terminal(columns: start.columns, rows: start.rows)
            }
            isFirst = false
            apply(frame, to: engine)
        }
        return engine
    }

    static func apply(_ frame: Frame, to engine: Terminal) {
        switch frame.kind {
        case .out: engine.feed(frame.bytes)
        case .ctl:
            switch try? JSON.decode(Control.self, from: frame.bytes) {
            case .start(let start)?: engine.resize(columns: start.columns, rows: start.rows)
            case .resize(let columns, let rows, _)?: engine.resize(columns: columns, rows: rows)
            default: break
            }
        case .in, .key: break
        }
        _ = engine.takeReplies()
        _ = engine.takeEvents()
    }

    /// A recording's frames, as an import makes them.
    static func importing(cast: [UInt8], repeating count: Int = 1) throws -> Script {
        var decoder = AsciicastDecoder()
        var events = try decoder.feed(cast)
        events += try decoder.finish()
        guard let header = decoder.header else { throw TestSupportError("no header") }
        var script = Script(columns: header.columns, rows: header.rows)
        for round in 0..<count {
            let offset = Int64(round) * ((events.last?.time ?? 0) + 1_000_000)
            for event in events {
                script.now = Timestamp(microseconds: script.start.microseconds + offset + event.time)
                switch event.content {
                case .output(let bytes):
                    for start in stride(from: 0, to: bytes.count, by: 16_384) {
                        script.output(Array(bytes[start..<min(bytes.count, start + 16_384)]))
                    }
                case .input(let bytes): script.input(String(decoding: bytes, as: UTF8.self))
                case .resize(let columns, let rows): script.control(.resize(columns: columns, rows: rows, author: nil))
                case .marker(let text): script.control(.marker(text: text, author: nil))
                case .exit, .other: break
                }
            }
        }
        script.control(.exit(.code(0)))
        return script
    }

    /// Everything a full-screen program does, at random.
    static func random(frames count: Int, seed: UInt64, columns: Int = 100, rows: Int = 30) -> Script {
        var generator = SplitMix(state: seed)
        var script = Script(columns: columns, rows: rows)
        for index in 0..<count {
            script.wait(.microseconds(Int64.random(in: 0...40_000, using: &generator)))
            var text = ""
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                switch Int.random(in: 0..<14, using: &generator) {
                case 0: text += "\u{1b}[\(Int.random(in: 1...rows, using: &generator));\(Int.random(in: 1...columns, using: &generator))H"
                case 1: text += "\u{1b}[\(Int.random(in: 30...37, using: &generator));\(Int.random(in: 40...47, using: &generator))m"
                case 2: text += "line \(index) of it all\r\n"
                case 3: text += "\u{1b}[2J"
                case 4: text += "\u{1b}[?1049h"
                case 5: text += "\u{1b}[?1049l"
                case 6: text += "漢字 😀 é\u{301}"
                case 7: text += "\u{1b}[\(Int.random(in: 1...5, using: &generator))L"
                case 8: text += "\u{1b}[?2026h partly \u{1b}[?2026l"
                case 9: text += "\u{1b}]0;title \(index)\u{7}"
                case 10: text += "\u{1b}[?25\(Bool.random(using: &generator) ? "h" : "l")"
                case 11: text += String(repeating: "word ", count: 40)
                case 12: text += "\u{1b}[K\u{1b}[0m"
                default: text += "\n\n\n"
                }
            }
            var bytes = Array(text.utf8)
            // Cut anywhere: inside characters and sequences.
            if bytes.count > 4, Bool.random(using: &generator) {
                let cut = Int.random(in: 1..<bytes.count, using: &generator)
                script.output(Array(bytes[..<cut]))
                script.wait(.microseconds(100))
                bytes = Array(bytes[cut...])
            }
            script.output(bytes)
            if index % 97 == 96 {
                let columns = Int.random(in: 40...140, using: &generator), rows = Int.random(in: 10...50, using: &generator)
                script.control(.resize(columns: columns, rows: rows, author: nil))
            }
            if index % 53 == 52 { script.input("k\(index)\r") }
        }
        return script
    }
}

/// The bytes of a recording, unpacked where its name says it is packed.
func castBytes(_ path: String) throws -> [UInt8] {
    if !path.hasSuffix(".zst") { return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["zstd", "-dc", path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    return [UInt8](pipe.fileHandleForReading.readDataToEndOfFile())
}
