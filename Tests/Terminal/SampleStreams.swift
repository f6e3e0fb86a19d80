internal import Terminal

/// Reproducible randomness.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

/// Output as programs make it, with everything that can be cut in two.
enum SampleStreams {
    static let all: [(name: String, text: String)] = [
        ("text in many scripts", "plain é ü 漢字 한국어 ไทย 👩‍👩‍👧‍👦 🇩🇪🇫🇷 ❤️ ☝🏽 e\u{301}\u{302} \u{1100}\u{1161}\u{11A8}\r\nnext\tline\u{8}\u{8}xx\r\n"),
        ("colours and underlines", "\u{1B}[1;31mred\u{1B}[0m \u{1B}[38;2;1;2;3mrgb\u{1B}[48:5:99mx\u{1B}[4:3;58:2::9:8:7mcurly\u{1B}[0m\u{1B}[7;9;53mz\u{1B}[m\r\n"),
        ("a synchronized update", "\u{1B}[?2026h\u{1B}[H\u{1B}[2Jframe \u{1B}[3;4Hmiddle\u{1B}[?2026lafter"),
        ("links and titles", "\u{1B}]0;a title ü\u{7}\u{1B}]8;id=1;https://example.org/\u{1B}\\link\u{1B}]8;;\u{1B}\\ no \u{1B}]133;D;3\u{7}\u{1B}]52;c;aGVsbG8=\u{7}"),
        ("the alternate screen", "main\u{1B}7\u{1B}[?1049h\u{1B}[2J\u{1B}[5;5Halt\u{1B}[>1u\u{1B}[?25l\u{1B}[?1049lback\u{1B}[?1049h\u{1B}[1;1Hagain"),
        ("margins and scrolling", "\u{1B}[2;5ra\nb\nc\nd\ne\n\u{1B}[3;3H\u{1B}[L\u{1B}[M\u{1B}[?69h\u{1B}[3;8sxyz\u{1B}[2S\u{1B}[T\u{1B}[?6h\u{1B}[1;1Ho\u{1B}[?69l\u{1B}[r"),
        ("character sets", "\u{1B}(0lqqk\u{1B}(B\u{1B})0\u{E}x\u{F}y\u{1B}*A\u{1B}N#\u{1B}n#\u{F}#"),
        ("device controls", "\u{1B}P$qm\u{1B}\\\u{1B}P1;2|abc\u{1B}\\\u{1B}_apc\u{1B}\\\u{1B}^pm\u{1B}\\\u{1B}Xsos\u{1B}\\ok\u{1B}[6n\u{1B}[c\u{1B}[?2026$p"),
        (
            "protected cells and repeats",
            "\u{1B}[1\"qkeep\u{1B}[0\"qdrop\u{1B}[?2K\r=\u{1B}[9b\r\n\u{1B}#6double\r\n\u{1B}[?5h\u{1B}[3 q\u{1B}[?7lxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\u{1B}[?7h"
        ),
        ("wide characters at the edge", String(repeating: "漢", count: 23) + "a" + String(repeating: "字", count: 23) + "\u{1B}[10D\u{1B}[P\u{1B}[@\u{1B}[3X"),
        (
            "broken sequences",
            "\u{1B}[1;2\u{18}x\u{1B}[\u{1B}[1mz\u{1B}]2;half\u{1B}[32my\u{1B}[99999999999999999999Az\u{1B}[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;22;23;24;25;26;27;28;29;30;31;32;33;34;35m."
        ),
        (
            "a line that is typed",
            "\u{1B}[?2026h\r\r\n\u{1B}[3B\u{1B}[mab\u{1B}[6A\u{1B}[07C\u{1B}[7mx\u{1B}[27m\u{A0}\u{A0}é\u{85}\u{1B}[90m\u{1B}[00D\u{1B}[4m\u{1B}[38m\u{1B}[3Cy\u{1B}[10000m\u{1B}[9999m\u{1B}[?2026l\u{1B}[?h\u{1B}[?7l\u{1B}[H"
        ),
        (
            "lines up to the edge and across wide characters",
            String(repeating: "─", count: 50) + "\r\n漢字漢字漢\r ──── \r──────\u{1B}[44G───\u{1B}[?7l────\u{1B}[40G░░▒▒▒▓▓▓▓▓▓\u{1B}[?7h│■■─"
        ),
        ("many lines", (0..<150).map { "line \($0) \u{1B}[3\($0 % 8)m" + String(repeating: "x", count: $0 % 60) + "\u{1B}[m\r\n" }.joined()),
    ]

    /// Bytes that are not UTF-8, besides.
    static let broken: [UInt8] = [0x41, 0xC3, 0x41, 0xE2, 0x82, 0x1B, 0x5B, 0x31, 0x6D, 0xF0, 0x9F, 0x98, 0xFF, 0xED, 0xA0, 0x80, 0xC2, 0x9B, 0x31, 0x6D, 0x80, 0xF4, 0x90, 0x42]

    static var bytes: [(name: String, bytes: [UInt8])] { all.map { ($0.name, Array($0.text.utf8)) } + [("not UTF-8", broken)] }

    private static let pieces: [[UInt8]] = [
        "\u{1B}", "\u{1B}[", "\u{1B}]", "\u{1B}P", "\u{1B}\\", "\u{1B}(0", "\u{1B}(B", "\u{1B}7", "\u{1B}8", "\u{1B}M", "\u{1B}D", "\u{1B}E", "\u{1B}H", "\u{1B}#8", "\u{1B}#6",
        "\u{1B}[?1049h", "\u{1B}[?1049l", "\u{1B}[?47h", "\u{1B}[?1047l", "\u{1B}[?69h", "\u{1B}[?69l", "\u{1B}[?6h", "\u{1B}[?6l", "\u{1B}[?7l", "\u{1B}[?7h", "\u{1B}[?45h",
        "\u{1B}[4h", "\u{1B}[4l", "\u{1B}[20h", "\u{1B}[20l", "\u{1B}[?2026h", "\u{1B}[?2026l", "\u{1B}[!p", "\u{1B}[1\"q", "\u{1B}[0\"q", "\u{1B}[?3h", "\u{1B}[?40h", "\u{1B}c",
        "\u{1B}[>1u", "\u{1B}[<u", "\u{1B}[=5;2u", "\u{1B}[s", "\u{1B}[u", "\u{1B}[3g", "\u{1B}[?5W", "\u{1B}]8;;http://a\u{7}", "\u{1B}]8;;\u{7}", "\u{1B}]2;t\u{7}",
        "\u{1B}]4;1;rgb:1/2/3\u{7}",
        "漢", "字", "é", "e\u{301}", "👩‍👩‍👧", "🇩🇪", "❤️", "⌚\u{FE0E}", "\u{200D}", "\u{FE0F}", "한", "─", "│", "\r", "\n", "\r\n", "\t", "\u{8}", "\u{E}", "\u{F}", "hello world", "x", " ",
        "\u{1B}[999C",
        "\u{1B}[22;0t", "\u{1B}[23;0t", "\u{1B}[6n", "\u{1B}P$qr\u{1B}\\", "\u{1B}[?1s", "\u{1B}[?1r", "\u{9B}31m", "\u{1B}[2J", "\u{1B}[3J", "\u{1B}[J", "\u{1B}[1J", "\u{1B}[K",
    ].map { Array($0.utf8) }

    /// A piece of likely or unlikely output.
    static func random(_ generator: inout SeededGenerator) -> [UInt8] {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0...4: return pieces.randomElement(using: &generator) ?? []
        case 5, 6:
            // Any control sequence.
            var text = "\u{1B}["
            for index in 0..<Int.random(in: 0..<5, using: &generator) {
                if index > 0 { text += Bool.random(using: &generator) ? ";" : ":" }
                text += ["", "0", "1", "2", "3", "5", "8", "20", "38", "99", "100000", "4294967296"].randomElement(using: &generator) ?? ""
            }
            text += ["", "", "", "", " ", "$", "\"", "'", "?", "!"].randomElement(using: &generator) ?? ""
            return Array(text.utf8) + [UInt8.random(in: 0x40...0x7E, using: &generator)]
        case 7: return Array("\u{1B}[\(Int.random(in: 0..<30, using: &generator));\(Int.random(in: 0..<60, using: &generator))H".utf8)
        case 8: return (0..<Int.random(in: 1..<90, using: &generator)).map { _ in UInt8.random(in: 0x20...0x7E, using: &generator) }
        default: return (0..<Int.random(in: 1..<6, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
    }
}

extension Terminal {
    /// A terminal of 40 × 10 that was fed a text.
    static func fed(_ text: String, columns: Int = 40, rows: Int = 10, scrollback: Int = 1000) -> Terminal {
        let terminal = Terminal(columns: columns, rows: rows, scrollback: scrollback)
        terminal.feed(text)
        return terminal
    }

    /// The rows without the blank ones at the end.
    var lines: [String] {
        var lines = text()
        while lines.last == "" { lines.removeLast() }
        return lines
    }

    var place: [Int] { [cursor.row, cursor.column] }

    func takeReplyText() -> String { String(decoding: takeReplies(), as: UTF8.self) }
}
