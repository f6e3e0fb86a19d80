internal import Terminal
internal import Testing

@Suite("Pages of history as columns")
struct PageColumnsTests {
    /// Pages with everything that a line can hold.
    private func pages() -> [[UInt8]] {
        let terminal = Terminal(columns: 40, rows: 5, scrollback: 2000)
        var generator = SeededGenerator(state: 3)
        var pages: [[UInt8]] = []
        for _ in 0..<6 {
            for stream in SampleStreams.bytes { terminal.feed(stream.bytes) }
            for _ in 0..<20 { terminal.feed(SampleStreams.random(&generator)) }
            terminal.feed("\u{18}\u{1B}[!p\u{1B}[?1049l\u{1B}[?69l\u{1B}[r\u{1B}[5;1H")
            for line in 0..<140 {
                terminal.feed("\u{1B}[38;5;\(line)m漢字 e\u{301}👩‍👩‍👧 \u{1B}]8;;http://x/\(line)\u{7}link\u{1B}]8;;\u{7} \u{1B}[1\"qkept\u{1B}[0\"q ======== \u{1B}[m\r\n")
            }
            // What follows may clear the history.
            for page in terminal.historyPages.map({ $0.encoded() }) where !pages.contains(page) { pages.append(page) }
        }
        return pages
    }

    @Test("Pages come back byte by byte, alone and together")
    func roundTrip() throws {
        let pages = pages()
        #expect(pages.count > 3)
        #expect(try PageColumns.joined(PageColumns.split(pages)) == pages)
        for page in pages { #expect(try PageColumns.joined(PageColumns.split([page])) == [page]) }
        #expect(try PageColumns.joined(PageColumns.split([])) == [])
    }

    @Test("Bytes that are no page are kept as they are, between pages as well")
    func others() throws {
        let pages = pages()
        let mixed = [[], pages[0], [1], Array(pages[1].dropLast()), [7, 7, 7], pages[1], pages[0] + [0]]
        #expect(try PageColumns.joined(PageColumns.split(mixed)) == mixed)
    }

    @Test("Damaged columns are an error or other pages, never a trap")
    func damage() {
        let columns = PageColumns.split(Array(pages().prefix(2)))
        for length in stride(from: 0, to: columns.count, by: 37) { #expect(throws: SnapshotError.self) { try PageColumns.joined(Array(columns[..<length])) } }
        var generator = SeededGenerator(state: 5)
        for _ in 0..<2000 {
            var damaged = columns
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? PageColumns.joined(damaged)
        }
    }
}
