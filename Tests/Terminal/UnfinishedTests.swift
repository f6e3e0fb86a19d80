import Testing

@testable import Terminal

@Suite("A dump inside a sequence")
struct UnfinishedTests {
    private static let sessions = [
        "a\u{1B}[1;38;2;10;20;30mb\u{1B}[4:3;58:5:9mc\u{1B}[?25l\u{1B}[>4;1m\u{1B}[!p\u{1B}[2 qd\u{1B}[;5He\u{1B}[1;2?3mf",
        "ü漢🙂 \u{1B}(0lqk\u{1B}(B \u{1B}]0;title\u{7}\u{1B}]2;other\u{1B}\\g\u{1B}P1;2$qm\u{1B}\\h\u{1B}_apc\u{1B}\\i\u{1B}^pm\u{1B}\\",
        "\u{1B}]8;id=x;http://e.example\u{1B}\\link\u{1B}]8;;\u{1B}\\ \u{1B}N~\u{1B}#8\u{1B}[3;3r\u{1B}[?1049hz\u{1B}[?1049l\u{1B}[38;5;1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;22;23;24;25;26;27;28;29;30;31;32;33;34mq",
    ]

    @Test("goes on with the next byte as the terminal it was made of, at every byte", arguments: sessions)
    func everyByte(session: String) {
        let bytes = Array(session.utf8)
        for cut in 0...bytes.count {
            let original = Terminal(columns: 20, rows: 5)
            original.feed(Array(bytes[..<cut]))
            let copy = Terminal(columns: 20, rows: 5)
            copy.feed(original.ansi())
            let rest = Array(bytes[cut...]) + Array("\u{1B}[mafter".utf8)
            original.feed(rest)
            copy.feed(rest)
            #expect(copy.fullDelta() == original.fullDelta(), "cut at \(cut)")
        }
    }
}
