internal import Terminal
internal import Testing

@Suite("The parser")
struct ParserTests {
    @Test(
        "Unknown sequences and strings print nothing",
        arguments: [
            "\u{1B}(B", "\u{1B})0\u{1B}(B", "\u{1B}%G", "\u{1B} F", "\u{1B}[99z", "\u{1B}[?9999h", "\u{1B}[1;2;3$~", "\u{1B}[<1;2M", "\u{1B}_Gi=1;AAAA\u{1B}\\",
            "\u{1B}^private\u{1B}\\", "\u{1B}Xsos\u{1B}\\", "\u{1B}P1$tabc\u{1B}\\", "\u{1B}]1337;File=:AAAA\u{7}", "\u{1B}]99999;x\u{1B}\\", "\u{1B}]4242\u{7}", "\u{1B}[1:2:3:4x",
            "\u{1B}[>4;1m", "\u{1B}[?2031h", "\u{1B}[14;2t", "\u{9B}5~", "\u{9F}apc\u{1B}\\",
        ])
    func unknown(sequence: String) {
        #expect(Terminal.fed("a" + sequence + "b").lines == ["ab"])
    }

    @Test("CAN and SUB give a sequence up, ESC begins another")
    func aborted() {
        #expect(Terminal.fed("\u{1B}[31\u{18}ab\u{1B}[5\u{1A}c\u{1B}[3\u{1B}[1Cd").lines == ["abc d"])
    }

    @Test("Controls inside a sequence act at once")
    func controlsInside() {
        #expect(Terminal.fed("ab\u{1B}[1\u{8}Cx").lines == ["abx"])
        #expect(Terminal.fed("ab\u{1B}[\r\n2Cx").lines == ["ab", "  x"])
    }

    @Test("Broken UTF-8 becomes one replacement character per broken part")
    func brokenText() {
        let terminal = Terminal(columns: 40, rows: 3)
        terminal.feed([0x61, 0xE2, 0x82, 0x62, 0xFF, 0xC0, 0xAF, 0xED, 0xA0, 0x80, 0xF4, 0x90, 0x80, 0x80, 0x63])
        #expect(terminal.lines == ["a\u{FFFD}b" + String(repeating: "\u{FFFD}", count: 10) + "c"])
    }

    @Test("Eight-bit controls come as UTF-8, never as bare bytes")
    func eightBitControls() {
        #expect(Terminal.fed("a\u{9B}3Cb\u{85}c").lines == ["a   b", "c"])
        let terminal = Terminal(columns: 10, rows: 2)
        terminal.feed([0x9B, 0x33, 0x43])
        #expect(terminal.lines == ["\u{FFFD}3C"])
    }

    @Test("Endless strings, parameters and marks take no memory")
    func bounded() {
        let terminal = Terminal(columns: 20, rows: 4)
        for opening in ["\u{1B}]2;", "\u{1B}P", "\u{1B}_", "\u{1B}]52;c;", "\u{1B}["] {
            terminal.feed(opening)
            for _ in 0..<200 { terminal.feed(String(repeating: "12;", count: 200)) }
            #expect(terminal.snapshot().count < 8000)
            terminal.feed("\u{18}")
        }
        terminal.feed("e" + String(repeating: "\u{301}", count: 10_000))
        #expect(terminal.rowText(0).unicodeScalars.count < 40)
        for link in 0..<6000 { terminal.feed("\u{1B}]8;;http://example.org/\(link)\u{7}x\r\n") }
        for bell in 0..<5000 { terminal.feed("\u{7}\u{1B}[6n\u{1B}]2;\(bell)\u{7}") }
        #expect(terminal.takeEvents().count <= 1024)
        #expect(terminal.takeReplies().count <= 65_536)
    }

    @Test("A clipboard write is noted with its length and never kept")
    func clipboard() {
        let terminal = Terminal.fed("\u{1B}]52;c;" + String(repeating: "A", count: 100_000) + "\u{7}")
        #expect(terminal.takeEvents() == [.clipboard(selection: "c", bytes: 100_000)])
        #expect(terminal.takeReplies().isEmpty)
    }

    @Test(
        "A keyframe within a string does not depend on how what came before it was cut",
        arguments: ["\u{1B}]", "\u{1B}]2;a", "\u{1B}X", "\u{1B}_b", "\u{9D}0", "\u{1B}P", "\u{1B}P1$q"])
    func cutBefore(string: String) {
        for before in ["\u{1B}[5m", "\u{1B}[?25h", "\u{1B}[1;2;3H", "\u{1B}[4:3m", "\u{1B}[2 q", "\u{1B}(0"] {
            let whole = Terminal.fed(before + string + "\u{1B}[").snapshot()
            let inside = Terminal.fed(before + string).snapshot()
            for cut in 1..<before.utf8.count {
                let terminal = Terminal(columns: 40, rows: 10)
                terminal.feed(Array((before + string).utf8)[..<cut])
                terminal.feed(Array((before + string).utf8)[cut...])
                #expect(terminal.snapshot() == inside, "\(before.debugDescription) cut at \(cut)")
                terminal.feed("\u{1B}[")
                #expect(terminal.snapshot() == whole)
            }
        }
    }
}
