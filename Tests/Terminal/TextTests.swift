internal import Terminal
internal import Testing

@Suite("Text and its widths")
struct TextTests {
    @Test(
        "Characters take the cells a terminal gives them",
        arguments: [
            ("a", 1), ("é", 1), ("e\u{301}", 1), ("漢", 2), ("한", 2), ("\u{1112}\u{1161}\u{11AB}", 2), ("ｱ", 1), ("Ａ", 2), ("😀", 2), ("❤", 1), ("❤\u{FE0F}", 2), ("⌚", 2),
            ("⌚\u{FE0E}", 1),
            ("👩‍👩‍👧‍👦", 2), ("🏳️‍🌈", 2), ("👍🏽", 2), ("☝🏽", 2), ("🇩🇪", 2), ("🇩", 1), ("🇩🇪🇫🇷", 4), ("─", 1), ("█", 1), ("\u{AD}", 1), ("\u{200B}", 0), ("ไ", 1), ("กำ", 2), ("1\u{FE0F}\u{20E3}", 2),
            ("🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}", 2), ("\u{E0B0}", 1),
        ])
    func widths(text: String, cells: Int) {
        let terminal = Terminal.fed(text)
        #expect(terminal.cursor.column == cells)
        #expect(terminal.rowText(0) == (cells == 0 ? "" : text))
    }

    @Test("A wide character that does not fit goes to the next line")
    func wideAtTheEdge() {
        let terminal = Terminal.fed("abc漢d", columns: 4, rows: 3)
        #expect(terminal.lines == ["abc", "漢d"])
        #expect(terminal.isWrapped(0))
    }

    @Test("Half a wide character is never left over")
    func halves() {
        #expect(Terminal.fed("漢字\u{1B}[1;2Hx").lines == [" x字"])
        #expect(Terminal.fed("漢字\u{1B}[1;3Hx").lines == ["漢x"])
        #expect(Terminal.fed("a漢b\u{1B}[1;3H\u{1B}[K").lines == ["a"])
        #expect(Terminal.fed("漢字\u{1B}[1;2H\u{1B}[P").lines == [" 字"])
        #expect(Terminal.fed("a漢b\u{1B}[1;3H\u{1B}[@").lines == ["a   b"])
    }

    @Test("Marks join the character before the cursor, and nothing where there is none")
    func marks() {
        #expect(Terminal.fed("\u{301}a").lines == ["a"])
        #expect(Terminal.fed("ab\u{1B}[1;2H\u{301}").lines == ["a\u{301}b"])
        #expect(Terminal.fed("abcd\u{301}", columns: 4).lines == ["abcd\u{301}"])
    }

    @Test("DEC graphics, national sets and single shifts")
    func characterSets() {
        #expect(Terminal.fed("\u{1B}(0lqk\u{1B}(Bq").lines == ["┌─┐q"])
        #expect(Terminal.fed("\u{1B})0a\u{E}x\u{F}x").lines == ["a│x"])
        #expect(Terminal.fed("\u{1B}(A#\u{1B}(K[").lines == ["£Ä"])
        #expect(Terminal.fed("\u{1B}*0\u{1B}Nqq\u{1B}+0\u{1B}Oxx").lines == ["─q│x"])
        #expect(Terminal.fed("\u{1B}(0\u{1B}7\u{1B}(B\u{1B}8q").lines == ["─"])
    }

    @Test("REP repeats the character directly before it")
    func repeating() {
        #expect(Terminal.fed("ab\u{1B}[3bc").lines == ["abbbbc"])
        #expect(Terminal.fed("漢\u{1B}[2b").lines == ["漢漢漢"])
        #expect(Terminal.fed("a\r\n\u{1B}[3b").lines == ["a"])
        #expect(Terminal.fed("a\u{1B}[2000000000b", columns: 5, rows: 2).lines.first == "aaaaa")
        // However many, the last line ends where they end.
        #expect(Terminal.fed("a\u{1B}[13b", columns: 5, rows: 2).lines == ["aaaaa", "aaaa"])
        #expect(Terminal.fed("漢\u{1B}[13b", columns: 5, rows: 2).lines == ["漢漢", "漢漢"])
        #expect(Terminal.fed("漢\u{1B}[16b", columns: 5, rows: 2).lines == ["漢漢", "漢"])
        #expect(Terminal.fed("\u{1B}[?69h\u{1B}[2;4s\u{1B}[1;2Ha\u{1B}[121b", rows: 2).lines == [" aaa", " aa"])
    }

    @Test("Wrapping can be turned off, and inserting on")
    func wrapAndInsert() {
        #expect(Terminal.fed("\u{1B}[?7labcdefg", columns: 4).lines == ["abcg"])
        #expect(Terminal.fed("\u{1B}[?7labcd\u{1B}[?7he", columns: 4).lines == ["abcd", "e"])
        #expect(Terminal.fed("\u{1B}[?7labcdefg\u{1B}[?7hh", columns: 4).lines == ["abcg", "h"])
        #expect(Terminal.fed("\u{1B}[?7lab漢\u{1B}[?7he", columns: 4).lines == ["ab漢", "e"])
        #expect(Terminal.fed("abc\r\u{1B}[4hX\u{1B}[4lY").lines == ["XYbc"])
        let terminal = Terminal.fed("abcd", columns: 4)
        #expect(terminal.cursor.pendingWrap && terminal.cursor.column == 3)
        terminal.feed("\u{8}x")
        #expect(terminal.lines == ["abxd"])
    }
}
