internal import Terminal
internal import Testing

@Suite("Styles, links, colours")
struct StyleTests {
    private func style(_ sequence: String) -> TextStyle { Terminal.fed(sequence + "x").runs(0)[0].style }

    @Test("SGR attributes and their ends")
    func attributes() {
        #expect(style("\u{1B}[1;2;3;5;7;8;9;53m").attributes == [.bold, .dim, .italic, .blink, .inverse, .hidden, .strike, .overline])
        #expect(style("\u{1B}[1;2;3;5;7;8;9;53;22;23;25;27;28;29;55m").attributes == [])
        #expect(style("\u{1B}[1;31m\u{1B}[m") == .plain)
        // A variant that no attribute has, and a colour in a space that is not known.
        #expect(style("\u{1B}[1:2m") == .plain)
        #expect(style("\u{1B}[38;7;1m").attributes == .bold)
    }

    @Test("Underlines have styles and colours")
    func underlines() {
        #expect(style("\u{1B}[4m").underline == .single)
        #expect(style("\u{1B}[21m").underline == .double)
        #expect(style("\u{1B}[4:3m").underline == .curly)
        #expect(style("\u{1B}[4:4m").underline == .dotted)
        #expect(style("\u{1B}[4:5m").underline == .dashed)
        #expect(style("\u{1B}[4:0m").underline == .none)
        #expect(style("\u{1B}[4;58:2::1:2:3m").underlineColor == .rgb(1, 2, 3))
        #expect(style("\u{1B}[4;58;5;9m").underlineColor == .indexed(9))
        #expect(style("\u{1B}[4;58;5;9;59m").underlineColor == .standard)
    }

    @Test("Colours in every notation")
    func colors() {
        #expect(style("\u{1B}[31;42m").foreground == .indexed(1))
        #expect(style("\u{1B}[31;42m").background == .indexed(2))
        #expect(style("\u{1B}[97;104m").foreground == .indexed(15))
        #expect(style("\u{1B}[97;104m").background == .indexed(12))
        #expect(style("\u{1B}[38;5;200m").foreground == .indexed(200))
        #expect(style("\u{1B}[38:5:200m").foreground == .indexed(200))
        #expect(style("\u{1B}[38;2;1;2;3;1m").foreground == .rgb(1, 2, 3))
        #expect(style("\u{1B}[38;2;1;2;3;1m").attributes == .bold)
        #expect(style("\u{1B}[48:2:1:2:3m").background == .rgb(1, 2, 3))
        #expect(style("\u{1B}[48:2::1:2:3m").background == .rgb(1, 2, 3))
        #expect(style("\u{1B}[38;5;300m").foreground == .standard)
        #expect(style("\u{1B}[38;2;1m").foreground == .standard)
    }

    @Test("A link belongs to the cells it was on for")
    func links() {
        let terminal = Terminal.fed("a\u{1B}]8;id=7;https://example.org/?a=b;c\u{1B}\\bc\u{1B}]8;;\u{1B}\\d")
        #expect(terminal.runs(0).map(\.text) == ["a", "bc", "d"])
        #expect(terminal.runs(0)[1].link == TextLink(uri: "https://example.org/?a=b;c", id: "7"))
        #expect(terminal.runs(0)[2].link == nil)
    }

    @Test("More styles than the table holds before it is cleaned change no cell on the screen")
    func manyStyles() {
        let terminal = Terminal(columns: 10, rows: 3)
        terminal.feed("\u{1B}[38;2;9;9;9mfirst")
        for index in 0..<9000 { terminal.feed("\u{1B}[2;1H\u{1B}[38;2;\(index % 256);\(index / 256);7mx") }
        #expect(terminal.runs(0)[0].style.foreground == .rgb(9, 9, 9))
        #expect(terminal.runs(1)[0].style.foreground == .rgb(UInt8(8999 % 256), UInt8(8999 / 256), 7))
    }

    @Test("Runs are narrow, wide or one cluster, so that a viewer can place them")
    func runs() {
        #expect(
            Terminal.fed("ab漢字c👩‍👩‍👧e\u{301}f").runs(0).map { [$0.text, String($0.width)] } == [
                ["ab", "2"], ["漢字", "4"], ["c", "1"], ["👩‍👩‍👧", "2"], ["e\u{301}", "1"], ["f", "1"],
            ])
    }
}
