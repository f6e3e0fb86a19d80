internal import Terminal
internal import Testing

@Suite("Deltas")
struct DeltaTests {
    @Test("A delta holds the rows that changed, then nothing")
    func changedRows() throws {
        let terminal = Terminal.fed("a\r\nb\r\nc")
        _ = terminal.takeDelta()
        #expect(terminal.takeDelta() == nil)
        terminal.feed("\u{1B}[2;1HB")
        let delta = try #require(terminal.takeDelta())
        #expect(delta.changed == [ScreenDelta.Row(row: 1, runs: [StyledRun(text: "B", width: 1)])])
        #expect(delta.cursor.column == 1)
        terminal.feed("\u{1B}[2;1HB")
        #expect(terminal.takeDelta() == nil)
    }

    @Test("A scroll is sent as a scroll and the new line")
    func scrolls() throws {
        let terminal = Terminal.fed("1\r\n2\r\n3\r\n4", rows: 4)
        _ = terminal.takeDelta()
        terminal.feed("\r\n5\r\n6")
        let delta = try #require(terminal.takeDelta())
        #expect(delta.scroll == 2)
        #expect(delta.changed.map(\.row) == [2, 3])
    }

    @Test("An open synchronized update is not shown until it ends or the owner forces it")
    func synchronized() throws {
        let terminal = Terminal.fed("old")
        _ = terminal.takeDelta()
        terminal.feed("\u{1B}[?2026h\u{1B}[H\u{1B}[2Jhalf")
        #expect(terminal.takeDelta() == nil)
        #expect(terminal.takeDelta(force: true)?.changed.count == 1)
        terminal.feed(" whole\u{1B}[?2026l")
        let delta = try #require(terminal.takeDelta())
        #expect(delta.changed.first?.runs.first?.text == "half whole")
    }

    @Test("Cursor, modes, titles and bells are changes too")
    func others() {
        let terminal = Terminal.fed("x")
        _ = terminal.takeDelta()
        terminal.feed("\u{1B}[5;5H")
        #expect(terminal.takeDelta()?.cursor.row == 4)
        terminal.feed("\u{1B}[?2004h")
        #expect(terminal.takeDelta()?.modes.bracketedPaste == true)
        terminal.feed("\u{1B}]2;t\u{7}")
        #expect(terminal.takeDelta()?.title == "t")
        terminal.feed("\u{7}\u{7}")
        #expect(terminal.takeDelta()?.bells == 2)
        terminal.feed("\u{1B}[31m\u{1B}[6n")
        #expect(terminal.takeDelta() == nil)
    }

    @Test("Between two terminals a scroll is found")
    func between() {
        let old = Terminal.fed((1...10).map { "line \($0)" }.joined(separator: "\r\n"), rows: 10)
        let new = Terminal.fed((1...13).map { "line \($0)" }.joined(separator: "\r\n"), rows: 10)
        let delta = Terminal.delta(from: old, to: new)
        #expect(delta.scroll == 3)
        #expect(delta.changed.map(\.row) == [7, 8, 9])
    }

    @Test("The index hears of every line, also of those that came and went in one go")
    func index() {
        let terminal = Terminal(columns: 40, rows: 4)
        #expect(terminal.takeChangedRows().rows == [0, 1, 2, 3])
        terminal.feed((1...9).map { "line \($0)\r\n" }.joined())
        let changes = terminal.takeChangedRows()
        #expect(changes.scrolledOff == (1...6).map { "line \($0)" })
        #expect(changes.scrollCount == 4)
        #expect(changes.rows == [0, 1, 2, 3])
        terminal.feed("\u{1B}[2;1HX")
        #expect(terminal.takeChangedRows() == IndexChanges(rows: [1], scrolledOff: [], scrollCount: 0))
    }
}
