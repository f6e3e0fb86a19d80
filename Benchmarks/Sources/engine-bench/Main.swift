// engine-bench [--ours] [--files] [FILE.cast[.zst]…]: MB per second of processor time of the engine and of libvterm on the same bytes, one after the other in one run.
internal import CVTerm
internal import Foundation
internal import Terminal

@main enum Main {
    static func main() throws {
        // For profiling: without libvterm.
        let oursOnly = CommandLine.arguments.contains("--ours")
        let files = CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("--") }
        var streams = CommandLine.arguments.contains("--files") ? [] : [Streams.plainLog(), Streams.colorLog(), Streams.repaint()]
        for file in files {
            // So that each repetition begins as the first did, for both, whatever the recording left behind.
            var stream = try Streams.cast(file)
            stream.bytes.insert(contentsOf: "\u{1B}c".utf8, at: 0)
            streams.append(stream)
        }
        print(pad("stream", 40), pad("KB", 8), pad("ours MB/s", 10), pad("libvterm", 10), "ratio")
        for stream in streams where stream.bytes.count > 2 {
            // By turns, so that what else the machine does meets both.
            var ours = 0.0, theirs = 0.0
            for _ in 0..<7 {
                ours = max(ours, measure(stream) { engine(stream, $0) })
                if !oursOnly { theirs = max(theirs, measure(stream) { libvterm(stream, $0) }) }
            }
            print(
                pad(stream.name, 40), pad("\(stream.bytes.count / 1000)", 8), pad(String(format: "%.0f", ours), 10),
                pad(String(format: "%.1f", theirs), 10), String(format: "%.1f×", ours / theirs))
        }
    }

    static func pad(_ text: String, _ width: Int) -> String { text.padding(toLength: width, withPad: " ", startingAt: 0) }

    /// Megabytes per second of processor time, so that a busy machine changes the answer little; callers take the best of several runs.
    static func measure(_ stream: Stream, _ run: (Int) -> Void) -> Double {
        let times = max(1, 4_000_000 / stream.bytes.count)
        let start = processorSeconds()
        run(times)
        return Double(times * stream.bytes.count) / (processorSeconds() - start) / 1e6
    }

    static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func engine(_ stream: Stream, _ times: Int) {
        let terminal = Terminal(columns: stream.columns, rows: stream.rows)
        stream.bytes.withUnsafeBytes { bytes in
            for _ in 0..<times {
                // In pieces as a PTY gives them.
                var at = 0
                while at < bytes.count {
                    let end = min(at + 16_384, bytes.count)
                    terminal.feed(UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
                    at = end
                }
                _ = terminal.takeReplies()
                _ = terminal.takeEvents()
            }
        }
    }

    static func libvterm(_ stream: Stream, _ times: Int) {
        guard let terminal = vterm_new(Int32(stream.rows), Int32(stream.columns)) else { return }
        defer { vterm_free(terminal) }
        vterm_set_utf8(terminal, 1)
        let screen = vterm_obtain_screen(terminal)
        vterm_screen_enable_altscreen(screen, 1)
        vterm_screen_reset(screen, 1)
        stream.bytes.withUnsafeBytes { bytes in
            for _ in 0..<times {
                var at = 0
                while at < bytes.count {
                    let count = min(16_384, bytes.count - at)
                    vterm_input_write(terminal, bytes.baseAddress?.advanced(by: at).assumingMemoryBound(to: CChar.self), count)
                    at += count
                }
            }
        }
    }
}
