internal import Terminal
internal import Testing

@Suite("Keyframes")
struct SnapshotTests {
    @Test("Garbage is refused and never traps")
    func garbage() throws {
        #expect(throws: SnapshotError.self) { try Terminal(snapshot: []) }
        #expect(throws: SnapshotError.self) { try Terminal(snapshot: Array("SBK".utf8)) }
        let keyframe = Terminal.fed("hello \u{1B}[31mworld\u{1B}]8;;http://x\u{7}link").snapshot()
        for length in 0..<keyframe.count { #expect(throws: SnapshotError.self) { try Terminal(snapshot: Array(keyframe[..<length])) } }
        for index in keyframe.indices {
            var changed = keyframe
            changed[index] ^= 0x41
            #expect(throws: SnapshotError.self) { try Terminal(snapshot: changed) }
        }
    }

    @Test("Bytes with a right checksum but wrong content neither trap nor take much memory", arguments: 0..<8)
    func forged(seed: Int) throws {
        var generator = SeededGenerator(state: UInt64(seed))
        let source = Terminal(columns: 30, rows: 6)
        for text in SampleStreams.bytes { source.feed(text.bytes) }
        source.feed("\u{1B}]2;unfinished")
        let keyframe = source.snapshot()
        for _ in 0..<300 {
            var changed = keyframe
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                changed[Int.random(in: 4..<(changed.count - 4), using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            var sum: UInt32 = 0x811C_9DC5
            for byte in changed.dropLast(4) { sum = (sum ^ UInt32(byte)) &* 0x0100_0193 }
            for shift in 0..<4 { changed[changed.count - 4 + shift] = UInt8(truncatingIfNeeded: sum >> UInt32(shift * 8)) }
            guard let terminal = try? Terminal(snapshot: changed) else { continue }
            for text in SampleStreams.bytes { terminal.feed(text.bytes) }
            terminal.resize(columns: 17, rows: 9)
            _ = terminal.snapshot()
            _ = terminal.ansi(history: 10)
            _ = terminal.history(lines: .max)
        }
    }

    @Test("Sealed pages are stored once by reference and come back")
    func pages() throws {
        let terminal = Terminal(columns: 60, rows: 10, scrollback: 500)
        for line in 0..<400 { terminal.feed("line \(line) of the log\r\n") }
        var stored: [[UInt8]: [UInt8]] = [:]
        var calls = 0
        func keep(_ page: HistoryPage) -> [UInt8] {
            calls += 1
            if let reference = page.reference { return reference }
            let reference = Array("page\(stored.count)".utf8)
            stored[reference] = page.encoded()
            page.reference = reference
            return reference
        }
        let small = terminal.snapshot(page: keep)
        #expect(calls == stored.count && calls > 3)
        #expect(small.count < terminal.snapshot().count / 2)
        let back = try Terminal(snapshot: small) { stored[$0] }
        #expect(back.history(lines: 1000) == terminal.history(lines: 1000))
        #expect(back.snapshot() == terminal.snapshot())
        #expect(back.snapshot(page: keep) == small)

        // Nobody gives the pages: counted, blank, and named again in the next keyframe.
        let bare = try Terminal(snapshot: small) { _ in nil }
        #expect(bare.historyCount == terminal.historyCount)
        #expect(bare.text() == terminal.text())
        #expect(bare.history(lines: 1000).first == "")
        #expect(bare.snapshot(page: keep) == small)
    }

    @Test("A page is the same bytes for the same lines")
    func deterministicPages() {
        func pages(_ noise: String) -> [[UInt8]] {
            let terminal = Terminal(columns: 60, rows: 10, scrollback: 500)
            terminal.feed(noise + "\u{1B}[m\u{1B}[2J\u{1B}[3J\u{1B}[H")
            for line in 0..<200 { terminal.feed("\u{1B}[3\(line % 7)mline \(line)\u{1B}[m\r\n") }
            return terminal.historyPages.map { $0.encoded() }
        }
        #expect(pages("") == pages("\u{1B}[48;5;77;3;4mother styles came first\u{1B}[38;2;1;2;3mx"))
        #expect(pages("").count == 2)
    }

    @Test("The keyframe of a busy 160 × 40 screen is small")
    func size() {
        let terminal = Terminal(columns: 160, rows: 40)
        terminal.feed("\u{1B}[?1049h")
        for row in 1...40 {
            terminal.feed("\u{1B}[\(row);1H\u{1B}[38;5;45m│\u{1B}[0m \u{1B}[1mrow \(row)\u{1B}[0m some text that a program shows here \u{1B}[\(row);160H\u{1B}[38;5;45m│\u{1B}[0m")
        }
        #expect(terminal.snapshot().count < 5000)
    }
}
