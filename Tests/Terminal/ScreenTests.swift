internal import Terminal
internal import Testing

@Suite("The screen")
struct ScreenTests {
    @Test("Erasing in line and display, with the background of the pen")
    func erasing() {
        #expect(Terminal.fed("abcdef\u{1B}[3D\u{1B}[K").lines == ["abc"])
        #expect(Terminal.fed("abcdef\u{1B}[3D\u{1B}[1K").lines == ["    ef"])
        #expect(Terminal.fed("a\r\nb\r\nc\u{1B}[2;1H\u{1B}[J").lines == ["a"])
        #expect(Terminal.fed("a\r\nb\r\nc\u{1B}[2;1H\u{1B}[1J").lines == ["", "", "c"])
        #expect(Terminal.fed("abc\u{1B}[1;2H\u{1B}[X").lines == ["a c"])
        let terminal = Terminal.fed("\u{1B}[41m\u{1B}[K")
        #expect(terminal.runs(0).map(\.width) == [40])
        #expect(terminal.runs(0)[0].style.background == .indexed(1))
    }

    @Test(
        "What was erased is erased again after anything wrote to it",
        arguments: [
            "x", "text", "text up to the end of the line, and then more of it", "漢", "──", "e\u{301}", "❤\u{FE0F}", "⌚\u{FE0E}", "\u{1B}#8",
            "x\u{1B}[5b", "\u{1B}[41m\u{1B}[K\u{1B}[m", "\u{1B}[41m\u{1B}[2J\u{1B}[m", "\u{1B}[41m\u{1B}[3@\u{1B}[m", "\u{1B}[41m\u{1B}[2P\u{1B}[m",
            "\u{1B}[41m\u{1B}[L\u{1B}[m", "\u{1B}[41m\u{1B}[M\u{1B}[m", "\u{1B}[41m\u{1B}[T\u{1B}[m", "\u{1B}[41m\u{1B}[2S\u{1B}[m",
            "\u{1B}[41m\u{1B}[12S\u{1B}[m", "\u{1B}[65;1;1;3;9$x", "a\u{1B}[1;1;1;1;1;4;5;1$v", "\u{1B}[41m\u{1B}[3X\u{1B}[m", "\u{1B}#6",
            "\u{1B}[?69h\u{1B}[3;9sx\u{1B}[41m\u{1B}[2T\u{1B}[m\u{1B}[?69l", "\u{1B}[1\"qx\u{1B}[0\"q\u{1B}[1\"q\u{1B}[2K\u{1B}[0\"q",
            "\u{1B}[?1049hx\u{1B}[?1049l", "\n\n\n\n\n\n\n\n\n\n\n\nx",
        ])
    func erasedAgain(change: String) {
        for erase in ["\u{1B}[2J", "\u{1B}[1;1H\u{1B}[J", "\u{1B}[9;40H\u{1B}[1J\u{1B}[10;1H\u{1B}[K"] {
            let place = "\u{1B}[2;1H" + change
            let terminal = Terminal.fed("filled\r\n漢字" + erase + place)
            // Of a new terminal no line was erased yet.
            #expect(terminal.fullDelta().changed == Terminal.fed(place).fullDelta().changed)
            terminal.feed(erase)
            #expect(terminal.fullDelta().changed.allSatisfy { $0.runs.isEmpty })
        }
    }

    @Test("Selective erasing leaves protected cells")
    func selective() {
        #expect(Terminal.fed("ab\u{1B}[1\"qcd\u{1B}[0\"qef\u{1B}[?2K").lines == ["  cd"])
        #expect(Terminal.fed("ab\u{1B}[1\"qcd\u{1B}[2\"qef\u{1B}[?2J").lines == ["  cd"])
        #expect(Terminal.fed("\u{1B}[1\"qcd\u{1B}[2K").lines == [])
    }

    @Test("Inserting and deleting lines and characters")
    func insertDelete() {
        #expect(Terminal.fed("a\r\nb\r\nc\u{1B}[2;1H\u{1B}[L").lines == ["a", "", "b", "c"])
        #expect(Terminal.fed("a\r\nb\r\nc\u{1B}[1;1H\u{1B}[M").lines == ["b", "c"])
        #expect(Terminal.fed("abcd\u{1B}[1;2H\u{1B}[2P").lines == ["ad"])
        #expect(Terminal.fed("abcd\u{1B}[1;2H\u{1B}[2@").lines == ["a  bcd"])
        #expect(Terminal.fed("a\r\nb\u{1B}[99999L", rows: 3).lines == ["a"])
    }

    @Test("Scroll regions keep what is outside")
    func regions() {
        let terminal = Terminal.fed("1\r\n2\r\n3\r\n4\u{1B}[2;3r\u{1B}[3;1H\nx", rows: 4)
        #expect(terminal.lines == ["1", "3", "x", "4"])
        terminal.feed("\u{1B}[2;1H\u{1B}M")
        #expect(terminal.lines == ["1", "", "3", "4"])
        #expect(Terminal.fed("1\r\n2\r\n3\u{1B}[S", rows: 3).lines == ["2", "3"])
        #expect(Terminal.fed("1\r\n2\r\n3\u{1B}[2T", rows: 3).lines == ["", "", "1"])
        #expect(Terminal.fed("\u{1B}[5;2r\u{1B}[9;9H").place == [8, 8])
    }

    @Test("Left and right margins")
    func leftRight() {
        let terminal = Terminal.fed("abcdef\r\nghijkl\u{1B}[?69h\u{1B}[2;4s\u{1B}[1;2H\u{1B}[M", columns: 6, rows: 3)
        #expect(terminal.lines == ["ahijef", "g   kl"])
        terminal.feed("\u{1B}[1;2HXYZW")
        #expect(terminal.lines == ["aXYZef", "gW  kl"])
        terminal.feed("\u{1B}[?6h\u{1B}[1;1H")
        #expect(terminal.place == [0, 1])
        terminal.feed("\u{1B}[?69l\u{1B}[?6l\u{1B}[1;1Ho")
        #expect(terminal.rowText(0) == "oXYZef")
    }

    @Test("Beside the left and right margins ICH and DCH do nothing; above and below the others they work", arguments: ["P", "@"])
    func beside(final: String) {
        let margins = "abcdefgh\u{1B}[?69h\u{1B}[3;5s"
        for column in [1, 2, 6, 8] { #expect(Terminal.fed(margins + "\u{1B}[1;\(column)H\u{1B}[9\(final)").lines == ["abcdefgh"], "column \(column)") }
        for column in 3...5 {
            let kept = "abcde".prefix(column - 1) + String(repeating: " ", count: 6 - column) + "fgh"
            #expect(Terminal.fed(margins + "\u{1B}[1;\(column)H\u{1B}[9\(final)").lines == [String(kept)], "column \(column)")
        }
        #expect(Terminal.fed("abc\u{1B}[3;5r\u{1B}[1;2H\u{1B}[\(final)").lines == [final == "P" ? "ac" : "a bc"])
    }

    @Test(
        "A pending wrap waits through what neither moves the cursor nor changes text at it",
        arguments: [
            ("\u{1B}[3J", "abcd"), ("\u{1B}[?7l\u{1B}[?7h", "abcd"), ("\u{1B}[!p", "abcd"), ("\u{1B}['}", "abc"), ("\u{1B}['~", "abc"), ("\u{1B}9", "bcd"),
            ("\u{1B}[ @", "bcd"), ("\u{1B}[ A", " abc"), ("\u{1B}#6", "ab"),
        ])
    func waitingWrap(sequence: String, first: String) {
        #expect(Terminal.fed("abcd" + sequence + "X", columns: 4).lines == [first, "X"])
    }

    @Test(
        "A pending wrap ends with what moves the cursor or changes text at it",
        arguments: [
            ("\u{1B}[D", ["abXd"]), ("\u{1B}[Z", ["Xbcd"]), ("\u{1B}[J", ["abcX"]), ("\u{1B}[1J", ["   X"]), ("\u{1B}[2J", ["   X"]), ("\u{1B}[K", ["abcX"]),
            ("\u{1B}[1K", ["   X"]), ("\u{1B}[2K", ["   X"]), ("\u{1B}[X", ["abcX"]), ("\u{1B}[@", ["abcX"]), ("\u{1B}[P", ["abcX"]), ("\u{1B}[L", ["X", "abcd"]),
            ("\u{1B}[M", ["X"]), ("\u{1B}[s\u{1B}[u", ["abcX"]),
        ])
    func endedWrap(sequence: String, lines: [String]) {
        #expect(Terminal.fed("abcd" + sequence + "X", columns: 4).lines == lines)
    }

    @Test("A wrap at the right margin outlives DECRC and a change of screens; after DECSTR the line is no wrapped one")
    func waitingWrapAtMargin() {
        let margin = "\u{1B}[?69h\u{1B}[2;4s\u{1B}[1;2Habc"
        #expect(Terminal.fed(margin + "\u{1B}7\u{1B}[H\u{1B}8X", columns: 6).lines == [" abc", " X"])
        #expect(Terminal.fed(margin + "\u{1B}[?47hX", columns: 6).lines == ["", " X"])
        let reset = Terminal.fed(margin + "\u{1B}[!pX", columns: 6)
        #expect(reset.lines == [" abc", "X"])
        #expect(!reset.isWrapped(0))
        // Where no line ends it is over, but for what is printed right behind.
        #expect(Terminal.fed(margin + "\u{1B}7\u{1B}[?69l\u{1B}8X", columns: 6).lines == [" abX"])
        #expect(Terminal.fed(margin + "\u{1B}[!p\u{1B}[?47hX", columns: 6).lines == ["   X"])
        #expect(Terminal.fed(margin + "\u{1B}[!p\u{1B}9X", columns: 6).lines == [" abcX"])
    }

    @Test("Setting the left and right margin mode again keeps the margins")
    func marginModeAgain() {
        #expect(Terminal.fed("\u{1B}[?69h\u{1B}[2;4s\u{1B}[?69h\u{1B}[1;2Habcd", columns: 6).lines == [" abc", " d"])
    }

    @Test("With left and right margins no line is of double width")
    func noDoubleWidthWithMargins() {
        let text = String(repeating: "x", count: 30)
        #expect(Terminal.fed("\u{1B}#6\u{1B}[?69h\u{1B}[H" + text).lines == [text])
        #expect(Terminal.fed("\u{1B}#6\u{1B}[?69l\u{1B}[H" + text).lines == [String(repeating: "x", count: 20), String(repeating: "x", count: 10)])
    }

    @Test(
        "The cursor goes as far as it is told, and no further than the screen or the margins",
        arguments: [
            ("\u{1B}[3A", [2, 7]), ("\u{1B}[A", [4, 7]), ("\u{1B}[0A", [4, 7]), ("\u{1B}[99A", [2, 7]), ("\u{1B}[2B", [7, 7]), ("\u{1B}[99B", [7, 7]), ("\u{1B}[2C", [5, 9]),
            ("\u{1B}[999C", [5, 39]), ("\u{1B}[3D", [5, 4]), ("\u{1B}[99D", [5, 0]), ("\u{1B}[2E", [7, 0]), ("\u{1B}[2F", [3, 0]), ("\u{1B}[20G", [5, 19]), ("\u{1B}[G", [5, 0]),
            ("\u{1B}[20`", [5, 19]), ("\u{1B}[2a", [5, 9]), ("\u{1B}[4d", [3, 7]), ("\u{1B}[d", [0, 7]), ("\u{1B}[99d", [9, 7]), ("\u{1B}[2e", [7, 7]), ("\u{1B}[2;3H", [1, 2]),
            ("\u{1B}[2;3f", [1, 2]), ("\u{1B}[H", [0, 0]), ("\u{1B}[99;999H", [9, 39]), ("\u{1B}[1;1H\u{1B}[99A", [0, 0]), ("\u{1B}[10;1H\u{1B}[99B", [9, 0]), ("\r", [5, 0]),
            ("\n", [6, 7]), ("\u{8}", [5, 6]),
        ])
    func moves(sequence: String, place: [Int]) {
        // Rows 3 to 8 scroll.
        #expect(Terminal.fed("\u{1B}[3;8r\u{1B}[6;8H" + sequence).place == place)
    }

    @Test("SL and SR do nothing beside the margins", arguments: ["@", "A"])
    func shiftBeside(final: String) {
        let margins = "abcdef\u{1B}[?69h\u{1B}[3;5s"
        for column in [1, 6] { #expect(Terminal.fed(margins + "\u{1B}[1;\(column)H\u{1B}[2 \(final)").lines == ["abcdef"]) }
        #expect(Terminal.fed(margins + "\u{1B}[1;3H\u{1B}[2 \(final)").lines == [final == "@" ? "abe  f" : "ab  cf"])
    }

    @Test("A cursor that comes to a double-width line from beyond its end prints at its end, and traps nothing")
    func beyondDoubleWidth() {
        let beyond = "\u{1B}[2;1H\u{1B}#6\u{1B}[1;35H\n"
        #expect(Terminal.fed(beyond + "abc").lines == ["", String(repeating: " ", count: 19) + "a", "bc"])
        #expect(Terminal.fed(beyond + "a").place == [1, 19])
        #expect(Terminal.fed(beyond + "─│").lines == ["", String(repeating: " ", count: 19) + "─", "│"])
        #expect(Terminal.fed(beyond + "\u{1B}[?7labc").lines == ["", String(repeating: " ", count: 19) + "c"])
        #expect(Terminal.fed("\u{1B}[1;31H\u{1B}#6").place == [0, 19])
        #expect(Terminal.fed("\u{1B}[2;1H\u{1B}#6\u{1B}[3;35H\u{1B}Mab").lines == ["", String(repeating: " ", count: 19) + "a", "b"])
    }

    @Test("Lines and blocks over wide characters leave no halves")
    func drawing() {
        // Over the second half, over both halves, and up to the first half; the run goes on to the last column.
        #expect(Terminal.fed("a漢b\u{1B}[1;3H─").lines == ["a ─b"])
        #expect(Terminal.fed("a漢b\u{1B}[1;2H──").lines == ["a──b"])
        #expect(Terminal.fed("ab漢c\u{1B}[1;1H───").lines == ["─── c"])
        #expect(Terminal.fed("a漢字b\u{1B}[1;3H──").lines == ["a ── b"])
        #expect(Terminal.fed(String(repeating: "─", count: 41)).lines == [String(repeating: "─", count: 40), "─"])
        #expect(Terminal.fed("─\u{1B}[3b▟\u{301}").lines == ["────▟\u{301}"])
        #expect(Terminal.fed("\u{1B}[4habc\r││").lines == ["││abc"])
        // U+25A0 and beyond are not of them: some are emoji.
        #expect(Terminal.fed("▟■\u{25B6}\u{FE0F}x").place == [0, 5])
    }

    @Test("Tab stops can be set, cleared and walked in both directions")
    func tabs() {
        #expect(Terminal.fed("\tx").lines == ["        x"])
        #expect(Terminal.fed("\u{1B}[1;4H\u{1B}H\r\tx").lines == ["   x"])
        #expect(Terminal.fed("\u{1B}[3g\tx").place == [0, 39])
        #expect(Terminal.fed("\u{1B}[2I\u{1B}[Zx").place == [0, 9])
    }

    @Test("Origin mode, saved cursors and reports agree on where row 1 is")
    func origin() {
        let terminal = Terminal.fed("\u{1B}[3;6r\u{1B}[?6h\u{1B}[2;2H\u{1B}[6n")
        #expect(terminal.place == [3, 1])
        #expect(terminal.takeReplyText() == "\u{1B}[2;2R")
        terminal.feed("\u{1B}[99;99H\u{1B}7\u{1B}[?6l\u{1B}[1;1H\u{1B}8")
        #expect(terminal.place == [5, 39])
    }

    @Test("The alternate screen leaves the main one and the cursor as they were")
    func alternate() {
        let terminal = Terminal.fed("main\u{1B}[31m\u{1B}[?1049h\u{1B}[Halt\u{1B}[5;5H")
        #expect(terminal.isAlternateScreen)
        #expect(terminal.lines == ["alt"])
        terminal.feed("\u{1B}[?1049l!")
        #expect(terminal.lines == ["main!"])
        #expect(terminal.runs(0).last?.style.foreground == .indexed(1))
        #expect(terminal.historyCount == 0)
        terminal.feed("\u{1B}[?1049h")
        #expect(terminal.lines == [])
    }

    @Test("Lines that scroll off are history, newest last, up to the limit; ED 3 forgets them")
    func history() {
        let terminal = Terminal.fed((1...300).map { "line \($0)\r\n" }.joined(), rows: 5, scrollback: 100)
        #expect(terminal.historyCount == 100)
        #expect(terminal.history(lines: 2) == ["line 295", "line 296"])
        #expect(terminal.history(lines: 1000).first == "line 197")
        terminal.feed("\u{1B}[3J")
        #expect(terminal.historyCount == 0)
        #expect(Terminal.fed((1...99).map { "\($0)\r\n" }.joined(), rows: 5, scrollback: 0).historyCount == 0)
    }

    @Test("Clearing the screen keeps its text in the history")
    func clearing() {
        let terminal = Terminal.fed("one\r\ntwo\u{1B}[H\u{1B}[2J")
        #expect(terminal.lines == [])
        #expect(terminal.history(lines: 10) == ["one", "two"])
    }

    @Test("Clearing the screen and its history leaves the modes, the pen and the margins as they were")
    func modesAfterClearing() {
        let set = "\u{1B}[?1;7;1003;1006;2004h\u{1B}=\u{1B}[>5u\u{1B}[4h\u{1B}[2;5r\u{1B}[?6h\u{1B}[31m\u{1B}[?25l\u{1B}[3 q"
        let before = Terminal.fed(set), after = Terminal.fed(set + "text\u{1B}[2J\u{1B}[3J\u{1B}[H\u{1B}[J")
        #expect(after.modes == before.modes && after.viewerModes == before.viewerModes)
        #expect(after.cursor.shape == before.cursor.shape && !after.cursor.isVisible)
        after.feed("x\u{1B}[9A\ry")
        #expect(after.lines == ["", "yx"] && after.runs(1).map(\.style.foreground) == [.indexed(1)])
    }

    @Test("RIS and DECSTR")
    func resets() {
        let terminal = Terminal.fed("x\u{1B}]2;t\u{7}\u{1B}[?1049h\u{1B}[?2004h\u{1B}[5;9r\u{1B}(0\u{1B}[?25l\u{1B}c")
        let fresh = Terminal(columns: 40, rows: 10)
        #expect(terminal.snapshot() == fresh.snapshot())
        let soft = Terminal.fed("keep\u{1B}[4h\u{1B}[?25l\u{1B}[2;3r\u{1B}[31m\u{1B}[!pX")
        #expect(soft.lines == ["Xeep"])
        #expect(soft.cursor.isVisible)
        #expect(!soft.modes.insert)
    }

    @Test("DECALN fills the screen")
    func alignment() {
        #expect(Terminal.fed("\u{1B}#8", columns: 3, rows: 2).lines == ["EEE", "EEE"])
    }

    @Test("The screen version grows with what can be seen and with nothing else")
    func version() {
        let terminal = Terminal.fed("hello")
        func grows(_ text: String) -> Bool {
            let before = terminal.screenVersion
            terminal.feed(text)
            return terminal.screenVersion != before
        }
        #expect(!grows("\u{1B}]2;title\u{7}\u{7}\u{1B}[?2004h\u{1B}[31m\u{1B}[6n"))
        #expect(!grows("\u{1B}[1;1H\u{1B}[1;6H"))
        #expect(!grows("\u{1B}[?1h"))
        #expect(grows("\u{1B}[1;1H"))
        #expect(grows("X"))
        #expect(grows("\u{1B}[?25l"))
        #expect(!grows("\u{1B}[?25h\u{1B}[?25l"))
        #expect(grows("\u{1B}[2J"))
        #expect(!grows("\u{1B}[2J"))
        #expect(grows("\u{1B}[?1049h"))
    }

    @Test("BS wraps back in reverse-wrap mode only")
    func reverseWrap() {
        #expect(Terminal.fed("abcdef\u{8}\u{8}\u{8}X", columns: 4).lines == ["abcd", "Xf"])
        #expect(Terminal.fed("\u{1B}[?45habcdef\u{8}\u{8}\u{8}X", columns: 4).lines == ["abcX", "ef"])
    }
}
