/// The characters that terminal programs draw with, by what they are for: one table look-up each.
struct Glyphs: OptionSet {
    let rawValue: UInt16

    /// Rules and the edges of boxes.
    static let rule = Glyphs(rawValue: 1)
    static let asciiRule = Glyphs(rawValue: 2)
    static let corner = Glyphs(rawValue: 4)
    static let side = Glyphs(rawValue: 8)
    /// What stands before the chosen one of several options.
    static let selector = Glyphs(rawValue: 16)
    /// What opens a composer.
    static let prompt = Glyphs(rawValue: 32)
    /// Begins a row of the transcript: something that was said or done.
    static let bullet = Glyphs(rawValue: 64)
    /// Only spinners begin rows with these.
    static let spinner = Glyphs(rawValue: 128)
    /// Spinners and bullets begin rows with these.
    static let ambiguousSpinner = Glyphs(rawValue: 256)
    /// One frame of the usual braille spinners.
    static let brailleFrame = Glyphs(rawValue: 512)

    private static let sets: [(Glyphs, String)] = [
        (.rule, "─━═╌┄┈╍┅┉▔▁▂▄▀—╶╴╸╺"), (.asciiRule, "-=_~"), (.corner, "╭╮╰╯┌┐└┘╔╗╚╝├┤┬┴┼╞╡┏┓┗┛┠┨┣┫╓╖╙╜╹╻"), (.side, "│┃▌▐|║▏▕┊┆╎"),
        (.selector, "❯›>→▸▶➜➤►❱»❭◉◆●"), (.prompt, prompts), (.bullet, "●⏺•✦⎿└■✓✔✗✘↳▪◦⚡✕⚠├"), (.spinner, "✢✳✶✻✽∗✺✹✸✷✵✴✱✲◐◑◒◓◴◵◶◷◜◝◞◟⬡⬢◔◕"),
        (.ambiguousSpinner, "·*●•◉◎○◦∙◌◇◆■□▪▌+"), (.brailleFrame, "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏⠁⠂⠄⡀⢀⠠⠐⠈⠉⠃⠆⠤⠒⠖⠓⠚⠞⣾⣽⣻⢿⡿⣟⣯⣷"),
    ]
    static let prompts = "❯›>→❭⟩»➜"

    private static let table: [UInt16] = {
        var table = [UInt16](repeating: 0, count: 0x3000)
        for (kind, text) in sets { for scalar in text.unicodeScalars { table[Int(scalar.value)] |= kind.rawValue } }
        return table
    }()

    /// What a character is for.
    @inline(__always)
    static func of(_ scalar: UInt32) -> Glyphs { scalar < 0x3000 ? Glyphs(rawValue: table[Int(scalar)]) : [] }

    static func isBraille(_ scalar: UInt32) -> Bool { (0x2801...0x28ff).contains(scalar) }
    static func isBrailleOrBlank(_ scalar: UInt32) -> Bool { (0x2800...0x28ff).contains(scalar) }
    @inline(__always)
    static func isDigit(_ scalar: UInt32) -> Bool { scalar &- 0x30 < 10 }
    @inline(__always)
    static func isBlank(_ scalar: UInt32) -> Bool { scalar == 0x20 || scalar == 0xa0 || scalar == 0x3000 || scalar == 0x2800 || scalar == 0x09 }
    static func isLetter(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return (scalar | 0x20) &- 0x61 < 26 }
        if scalar < 0xc0 || (0x2000..<0x2c00).contains(scalar) { return false }
        return Unicode.Scalar(scalar)?.properties.isAlphabetic ?? false
    }

    static let ellipsis: UInt32 = 0x2026
}

/// Looking for words in rows of scalars.
enum Words {
    /// Whether the text, in small ASCII letters, is somewhere in the row.
    static func contains(_ row: [UInt32], _ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard row.count >= count else { return false }
        return row.withUnsafeBufferPointer { row in
            let first = UInt32(text.utf8Start[0])
            for start in 0...(row.count - count) where row[start] == first || lower(row[start]) == first {
                var index = 1
                while index < count, lower(row[start + index]) == UInt32(text.utf8Start[index]) { index += 1 }
                if index == count { return true }
            }
            return false
        }
    }

    private static func isWord(_ word: ArraySlice<UInt32>, _ text: StaticString) -> Bool {
        guard word.count == text.utf8CodeUnitCount else { return false }
        for (offset, scalar) in word.enumerated() where lower(scalar) != UInt32(text.utf8Start[offset]) { return false }
        return true
    }

    @inline(__always)
    static func lower(_ scalar: UInt32) -> UInt32 { scalar &- 0x41 < 26 ? scalar | 0x20 : scalar }

    private static let keys: [StaticString] = ["enter", "esc", "tab", "ctrl", "return", "space", "arrow"]

    /// Whether a word may be there that names the key that takes, as `ScreenReader.namesAnswerKeys` looks for it; never false where it is.
    static func mayNameEnter(_ row: [UInt32]) -> Bool {
        row.contains { $0 == 0x21b5 || $0 == 0x23ce } || contains(row, "ent") || contains(row, "return") || contains(row, "eingabe")
    }

    /// Whether keys are named, at the edges of words.
    static func namesKeys(_ row: [UInt32]) -> Bool {
        var index = 0
        while index < row.count {
            let scalar = lower(row[index])
            switch scalar {
            case 0x2190...0x2193, 0x21b5, 0x23ce: return true
            case 0x61, 0x63, 0x65, 0x72, 0x73, 0x74:
                // a c e r s t: what the names begin with.
                var end = index
                while end < row.count, Glyphs.isLetter(row[end]) || Glyphs.isDigit(row[end]) { end += 1 }
                if (3...6).contains(end - index), keys.contains(where: { isWord(row[index..<end], $0) }) { return true }
                index = max(end, index + 1)
            default:
                if Glyphs.isLetter(scalar) {
                    while index < row.count, Glyphs.isLetter(row[index]) || Glyphs.isDigit(row[index]) { index += 1 }
                } else {
                    index += 1
                }
            }
        }
        return false
    }
}
