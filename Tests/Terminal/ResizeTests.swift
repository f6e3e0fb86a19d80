internal import Terminal
internal import Testing

@Suite("Resizing")
struct ResizeTests {
    @Test("The same size changes nothing at all")
    func same() {
        let terminal = Terminal.fed("abc\u{1B}[2;5r\u{1B}[3;3H", columns: 20, rows: 8)
        _ = terminal.takeDelta()
        let before = terminal.snapshot(), version = terminal.screenVersion
        terminal.resize(columns: 20, rows: 8)
        #expect(terminal.snapshot() == before)
        #expect(terminal.screenVersion == version)
        #expect(terminal.takeDelta() == nil)
    }

    @Test("Lines are wrapped again, there and back", arguments: [5, 7, 13, 40, 79, 81, 200])
    func reflow(columns: Int) {
        let text = "The quick brown fox jumps over the lazy dog and 漢字かな交じり文 goes on and on until the line is wrapped.\r\nsecond\r\n\r\n$ "
        let terminal = Terminal.fed(text, columns: 80, rows: 24)
        let before = terminal.text(), place = terminal.place
        terminal.resize(columns: columns, rows: 24)
        terminal.resize(columns: 80, rows: 24)
        #expect(terminal.text() == before)
        #expect(terminal.place == place)
    }

    @Test("The cursor stays on its character")
    func cursor() {
        let terminal = Terminal.fed("abcdefghij\u{1B}[1;8H", columns: 20, rows: 5)
        terminal.resize(columns: 4, rows: 5)
        #expect(terminal.lines == ["abcd", "efgh", "ij"])
        #expect(terminal.place == [1, 3])
        terminal.feed("H")
        #expect(terminal.lines == ["abcd", "efgH", "ij"])
    }

    @Test("A wrap that was pending is neither lost nor doubled")
    func pendingWrap() {
        let terminal = Terminal.fed("abcd", columns: 4, rows: 3)
        terminal.resize(columns: 8, rows: 3)
        terminal.feed("e")
        #expect(terminal.lines == ["abcde"])
        terminal.resize(columns: 5, rows: 3)
        terminal.feed("f")
        #expect(terminal.lines == ["abcde", "f"])
    }

    @Test("Fewer rows push the top into the history, more rows bring it back")
    func rows() {
        let terminal = Terminal.fed((1...10).map { "l\($0)" }.joined(separator: "\r\n"), rows: 10)
        terminal.resize(columns: 40, rows: 4)
        #expect(terminal.lines == ["l7", "l8", "l9", "l10"])
        #expect(terminal.history(lines: 10) == ["l1", "l2", "l3", "l4", "l5", "l6"])
        terminal.resize(columns: 40, rows: 10)
        #expect(terminal.lines.count == 10)
        #expect(terminal.lines.first == "l1")
        #expect(terminal.historyCount == 0)
        #expect(terminal.place == [9, 3])
    }

    @Test("Blank rows below the cursor go before text does")
    func blanks() {
        let terminal = Terminal.fed("a\r\nb\r\n", rows: 10)
        terminal.resize(columns: 40, rows: 3)
        #expect(terminal.lines == ["a", "b"])
        #expect(terminal.historyCount == 0)
    }

    @Test("History that sealed pages hold is wrapped again when it comes back")
    func sealedHistory() {
        let terminal = Terminal.fed((1...200).map { "line \($0) with some text that is wrapped\r\n" }.joined(), columns: 20, rows: 5)
        let logical = { (lines: [String]) in lines.joined().split(separator: "line ").count }
        let before = logical(terminal.history(lines: 2000) + terminal.text())
        terminal.resize(columns: 60, rows: 40)
        #expect(terminal.lines.last == "line 200 with some text that is wrapped")
        #expect(terminal.lines.count == 39)
        terminal.resize(columns: 20, rows: 5)
        #expect(logical(terminal.history(lines: 2000) + terminal.text()) == before)
    }

    @Test("The alternate screen is cut, the main screen waits and is whole afterwards")
    func alternate() {
        let terminal = Terminal.fed("main text that is long enough\r\n$ \u{1B}[?1049h\u{1B}[5;1Halt", columns: 40, rows: 10)
        terminal.resize(columns: 12, rows: 4)
        terminal.resize(columns: 1, rows: 1)
        terminal.resize(columns: 40, rows: 10)
        terminal.feed("\u{1B}[?1049l")
        #expect(terminal.lines == ["main text that is long enough", "$"])
        #expect(terminal.place == [1, 2])
    }

    @Test("Sizes from outside are clamped")
    func clamped() {
        let terminal = Terminal(columns: 0, rows: -5, scrollback: -1)
        #expect([terminal.columns, terminal.rows, terminal.scrollback] == [1, 1, 0])
        terminal.feed("漢abc\r\n")
        terminal.resize(columns: .max, rows: .max)
        #expect([terminal.columns, terminal.rows] == [1000, 400])
        terminal.resize(columns: .min, rows: .min)
        #expect([terminal.columns, terminal.rows] == [1, 1])
    }
}
