internal import Agents
internal import Contract
internal import Detection

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// What the detector costs: many pods whose programs paint 6 kB/s each, in simulated time, and the processor seconds that took.
///
/// Numbers and what they mean: docs/status.md.
@main
enum StatusBench {
    static func main() {
        let folder = CommandLine.arguments.dropFirst().first ?? "Agents"
        let pods = CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) } ?? 500
        let catalog = AgentCatalog.load(folders: [folder])
        guard let fallback = catalog.fallback else {
            print("no manifests in \(folder): give the folder Agents")
            exit(2)
        }
        for (name, agent, stream) in [
            ("spinner and text, Claude Code", "claude", Streams.claude), ("spinner and text, Codex", "codex", Streams.codex),
            ("lines that scroll, a shell", "shell", Streams.lines), ("lines that scroll, nobody's program", "none", Streams.lines),
        ] as [(String, String, @Sendable (Int, Int) -> [UInt8])] {
            measure(name, catalog.manifest(named: agent), fallback, pods, stream)
        }
        measureIdle(catalog.manifest(named: "claude"), fallback)
    }

    /// 20 chunks a second and pod, of 300 bytes.
    static func measure(_ name: String, _ manifest: AgentManifest?, _ fallback: AgentManifest, _ pods: Int, _ stream: (Int, Int) -> [UInt8]) {
        let seconds = 4, perSecond = 20
        var detectors = (0..<pods).map { _ in Detector(manifest: manifest, fallback: fallback, columns: 100, rows: 30) }
        var chunks: [[[UInt8]]] = []
        for pod in 0..<min(pods, 50) { chunks.append((0..<(seconds * perSecond)).map { stream($0, pod) }) }
        var changes = 0, takes = 0, bytes = 0
        let begin = Timestamp(microseconds: 1_000_000_000)
        let before = processorSeconds()
        for turn in 0..<(seconds * perSecond) {
            for pod in detectors.indices {
                // Each pod has its own phase within the turn.
                let now = begin + .microseconds(Int64(turn) * 50_000 + Int64(pod % 50) * 1000)
                while let due = detectors[pod].wakeAt, due <= now {
                    takes += 1
                    if detectors[pod].take(.tick, at: due, seq: UInt64(turn)) != nil { changes += 1 }
                }
                let chunk = chunks[pod % chunks.count][turn]
                bytes += chunk.count
                takes += 1
                if detectors[pod].take(.output(chunk), at: now, seq: UInt64(turn)) != nil { changes += 1 }
            }
        }
        let used = processorSeconds() - before
        print(
            "\(name): \(pods) pods, \(bytes / pods / seconds) bytes/s each: \(rounded(used / Double(seconds) * 100)) % of a core, "
                + "\(rounded(used / Double(takes) * 1e6)) µs a take, \(changes) changes said; now \(detectors[0].status.status)")
    }

    /// A pod that rests asks for no timer.
    static func measureIdle(_ manifest: AgentManifest?, _ fallback: AgentManifest) {
        var detector = Detector(manifest: manifest, fallback: fallback, columns: 100, rows: 30)
        let begin = Timestamp(microseconds: 1_000_000_000)
        _ = detector.take(.output(Streams.idle), at: begin, seq: 1)
        var timers = 0
        while let due = detector.wakeAt, timers < 1000 {
            timers += 1
            _ = detector.take(.tick, at: due, seq: 1)
        }
        print("a pod that rests: \(timers) timers, then none; now \(detector.status.status)")
    }

    static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func rounded(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// Output as agents paint it.
enum Streams {
    static let words = ["the", "parser", "reads", "one", "byte", "at", "a", "time", "and", "keeps", "a", "small", "state", "when", "it", "ends"]
    static let rule = String(repeating: "─", count: 100)

    static func text(_ seed: Int, _ count: Int) -> String {
        var text = "", number = seed &* 7919 &+ 13
        while text.utf8.count < count {
            number = (number &* 1_103_515_245 &+ 12345) & 0x7fff_ffff
            text += words[number % words.count] + " "
        }
        return text
    }

    /// Full screen, synchronized updates, a turning title, two rows of new text at a time.
    @Sendable static func claude(_ turn: Int, _ pod: Int) -> [UInt8] {
        var out = ""
        if turn == 0 {
            out = "\u{1b}[?1049h\u{1b}[2J\u{1b}[27;1H\(rule)\r\n❯ \r\n\(rule)\r\n  ⏸ manual mode on · esc to interrupt"
        }
        if turn % 20 == 0 { out += "\u{1b}]0;\(turn % 40 == 0 ? "◐" : "◑") some task\u{7}" }
        let glyph = Array("✢✳✶✻✽")[turn % 5]
        out += "\u{1b}[?2026h\u{1b}[\(5 + turn % 18);1H\u{1b}[K  \(text(turn + pod * 1000, 96))\u{1b}[\(6 + turn % 18);1H\u{1b}[K  \(text(turn + 7 + pod * 1000, 70))"
        out += "\u{1b}[25;1H\u{1b}[38;5;174m\(glyph)\u{1b}[39m Sublimating… (\(turn / 20)s · ↓ \(turn * 3) tokens)\u{1b}[K\u{1b}[28;3H\u{1b}[?2026l"
        return Array(out.utf8)
    }

    @Sendable static func codex(_ turn: Int, _ pod: Int) -> [UInt8] {
        var out = ""
        if turn == 0 { out = "\u{1b}[?1049h\u{1b}[2J\u{1b}[27;1H› \u{1b}[2mAsk Codex to do anything\u{1b}[0m\r\n\r\n  model default · ~/proj" }
        out += "\u{1b}]0;\(Array("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[turn % 10]) proj\u{7}\u{1b}[?2026h\u{1b}[\(5 + turn % 18);1H\u{1b}[K  \(text(turn + pod * 1000, 96))"
        out += "\u{1b}[\(6 + turn % 18);1H\u{1b}[K  \(text(turn + 3 + pod * 1000, 90))\u{1b}[24;1H• Working (\(turn / 20)s • esc to interrupt)\u{1b}[K\u{1b}[?2026l"
        return Array(out.utf8)
    }

    @Sendable static func lines(_ turn: Int, _ pod: Int) -> [UInt8] {
        Array("\(text(turn + pod * 1000, 96))\r\n\(text(turn + 5 + pod * 1000, 90))\r\n\(text(turn + 9 + pod * 1000, 88))\r\n".utf8)
    }

    static let idle = Array("\u{1b}]0;✳ Claude Code\u{7}\u{1b}[27;1H\(rule)\r\n❯ \r\n\(rule)\r\n  ⏸ manual mode on · ? for shortcuts".utf8)
}
