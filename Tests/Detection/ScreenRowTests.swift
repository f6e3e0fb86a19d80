import Agents
@testable import Detection
import Pattern
import Testing

/// What rows say is worked out of their code points; here it is worked out of texts, as a person would.
@Suite("Rows as code points")
struct ScreenRowTests {
    private static let pieces = [
        "enter", "Enter", "ENTER", "return", "esc", "Esc", "tab", "ctrl", "space", "arrow", "arrows", "entrée", "entre\u{301}e", "Eingabe", "ent", "er", "re", "turn", "r", "s",
        "\u{212a}",
        "\u{130}", "é", "e\u{301}", "\u{301}", " ", " ", " ", "·", "/", "1", "漢", "\u{a0}", "↵", "⏎", "↑", "─", "\u{2126}", "Ω", "\u{2000}", "\u{2002}", "❯", "…", "•", "x",
    ]

    private static func text(_ generator: inout SystemRandomNumberGenerator, _ most: Int) -> String {
        (0..<Int.random(in: 0...most, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
    }

    private static func scalars(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }

    private static func row(_ text: String) -> ScreenRow {
        ScreenRow(scalars(text), faintFrom: nil, patterns: .none, generation: 1, prompts: [], spinners: [])
    }

    @Test("A row's text is what was written, without the blanks at its end")
    func text() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<3000 {
            let text = Self.text(&generator, 8)
            let row = Self.row(text)
            let ends = ["", " ", "\u{a0}"].contains { !$0.isEmpty && Self.scalars(text).last == Self.scalars($0)[0] }
            // Only where something is cut off are blanks that do not break written as blanks.
            var trimmed = Self.scalars(text).map { $0 == 0xa0 ? 0x20 : $0 }
            while trimmed.last == 0x20 { trimmed.removeLast() }
            #expect(row.scalars == (ends ? trimmed : Self.scalars(text)), "\(text.debugDescription)")
            #expect(row.text == ScreenRow.string(row.scalars[...]))
            #expect(row.length == trimmed.count)
            #expect(row.beginsWithBlank == row.text.hasPrefix(" "), "\(text.debugDescription)")
        }
    }

    @Test("Two texts of code points are the same where two texts are")
    func equality() {
        var generator = SystemRandomNumberGenerator()
        var alike = 0
        for _ in 0..<20_000 {
            let a = Self.text(&generator, 2), b = Self.text(&generator, 2)
            #expect(Scalars.areEqual(Self.scalars(a), Self.scalars(b)) == (a == b), "\(a.debugDescription) \(b.debugDescription)")
            if a == b, Self.scalars(a) != Self.scalars(b) { alike += 1 }
        }
        #expect(alike > 0)
    }

    @Test("Keys are named where a word of a row is one of theirs")
    func keys() {
        var generator = SystemRandomNumberGenerator()
        let names: Set = ["enter", "esc", "tab", "ctrl", "return", "space", "arrow"], glyphs = "←↑→↓↵⏎".unicodeScalars
        for _ in 0..<5000 {
            let text = Self.text(&generator, 8)
            let words = text.unicodeScalars.split { !Glyphs.isLetter($0.value) && !Glyphs.isDigit($0.value) }.map { $0.drop { Glyphs.isDigit($0.value) } }
            let expected = words.contains { names.contains(String($0).lowercased()) } || text.unicodeScalars.contains { glyphs.contains($0) }
            #expect(Words.namesKeys(Self.scalars(text)) == expected, "\(text.debugDescription)")
        }
    }

    @Test("Rows that name the keys that answer are never passed over, wherever a terminal cut them")
    func answerKeys() {
        var generator = SystemRandomNumberGenerator()
        var named = 0
        for _ in 0..<5000 {
            let columns = Int.random(in: 3...12, using: &generator)
            let rows = (0..<Int.random(in: 1...4, using: &generator)).map { _ in Self.row(String(Self.text(&generator, 6).prefix(columns))) }
            let reader = ScreenReader(rows: rows, columns: columns, cursor: nil, kind: .tui, isUnmarked: false)
            let expected = Self.namesAnswerKeys(rows, columns, choosesByKeys: reader.choosesByKeys(0...rows.count - 1))
            #expect(reader.namesAnswerKeys(0...rows.count - 1) == expected, "\(rows.map(\.text)) at \(columns)")
            if expected { named += 1 }
        }
        #expect(named > 0)
    }

    private static func namesAnswerKeys(_ rows: [ScreenRow], _ columns: Int, choosesByKeys: Bool) -> Bool {
        var wrapped = "", cut = ""
        for (index, row) in rows.enumerated() where row.kind == .text {
            wrapped += " " + row.contentText
            cut += (index > 0 && rows[index - 1].length >= columns ? "" : " ") + row.contentText
        }
        guard wrapped.utf8.count <= 400 else { return false }
        return [wrapped, cut].contains { text in
            let words = text.lowercased().split { !($0.isLetter || $0.isNumber || "↑↓↵⏎".contains($0)) }
            return words.contains { ["enter", "return", "↵", "⏎", "entrée", "eingabe"].contains($0) }
                && (words.contains { ["esc", "escape", "échap"].contains($0) } || choosesByKeys)
        }
    }
}
