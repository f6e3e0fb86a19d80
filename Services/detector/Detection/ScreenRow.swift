internal import Pattern
internal import Terminal

/// One row of the screen and what can be said of it alone; worked out once, when the row changes.
struct ScreenRow {
    enum Kind: Sendable, Equatable {
        case blank
        /// A horizontal line, with or without words in it; also the top and bottom of a box.
        case rule
        case text
    }

    /// What a row that turns says.
    enum Spinner: Sendable, Equatable {
        /// A glyph and words that end in dots.
        case turning
        /// With a running clock, or saying how to stop it.
        case counting
    }

    /// A choice: perhaps marked, perhaps numbered.
    struct Option: Sendable, Equatable {
        var isSelected: Bool
        var number: Int?
        /// Where its words begin.
        var column: Int
        /// The words begin at this place of `content`.
        var labelAt: Int
    }

    var kind = Kind.blank
    /// The row's characters without blanks at its end.
    var scalars: [UInt32] = []
    /// How many characters that is.
    var length = 0
    /// The row without the sides of a box and the blanks at both ends.
    var content: [UInt32] = []
    /// Where `content` begins.
    var column = 0
    var isBoxed = false
    var spinner: Spinner?
    /// Words like "Worked for 5s": a turn that ended.
    var isDone = false
    var option: Option?
    /// The composer's glyph begins the row; where the words behind it begin in `content`.
    var promptLength: Int?
    /// Everything behind the glyph is faint: a hint, not a draft.
    var isFaint = false
    var beginsWithBullet = false
    /// Keys are named: how to answer, or what can be done.
    var namesKeys: Bool { Words.namesKeys(content) }
    var matches = PatternMatches()
    /// Changes whenever the row does.
    var generation: UInt64 = 0

    var isBlank: Bool { kind == .blank }
    var text: String { ScreenRow.string(scalars[...]) }
    var contentText: String { ScreenRow.string(content[...]) }
    /// As texts begin with characters, not with the code points that they are made of.
    var beginsWithBlank: Bool { scalars.first == 0x20 && (scalars.count == 1 || scalars[1] < Scalars.firstMark || text.hasPrefix(" ")) }

    static func string(_ scalars: ArraySlice<UInt32>) -> String {
        String(unsafeUninitializedCapacity: scalars.count * 4) { bytes in
            var count = 0
            for scalar in scalars {
                if scalar < 0x80 {
                    bytes[count] = UInt8(truncatingIfNeeded: scalar)
                    count += 1
                } else if scalar < 0x800 {
                    bytes[count] = UInt8(truncatingIfNeeded: 0xc0 | scalar >> 6)
                    bytes[count + 1] = UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3f)
                    count += 2
                } else if scalar < 0x10000 {
                    bytes[count] = UInt8(truncatingIfNeeded: 0xe0 | scalar >> 12)
                    bytes[count + 1] = UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3f)
                    bytes[count + 2] = UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3f)
                    count += 3
                } else {
                    bytes[count] = UInt8(truncatingIfNeeded: 0xf0 | scalar >> 18)
                    bytes[count + 1] = UInt8(truncatingIfNeeded: 0x80 | scalar >> 12 & 0x3f)
                    bytes[count + 2] = UInt8(truncatingIfNeeded: 0x80 | scalar >> 6 & 0x3f)
                    bytes[count + 3] = UInt8(truncatingIfNeeded: 0x80 | scalar & 0x3f)
                    count += 4
                }
            }
            return count
        }
    }

    /// The words of the option.
    var optionLabel: String { option.map { ScreenRow.string(content[min($0.labelAt, content.count)...]) } ?? "" }

    init() {}

    init(_ written: [UInt32], faintFrom: Int?, patterns: PatternSet, generation: UInt64, prompts: Set<UInt32>, spinners: Set<UInt32>) {
        var scalars = written
        for index in scalars.indices where scalars[index] == 0xa0 { scalars[index] = 0x20 }
        while let last = scalars.last, Glyphs.isBlank(last) { scalars.removeLast() }
        self.scalars = scalars.count == written.count ? written : scalars
        length = scalars.count
        self.generation = generation
        guard !scalars.isEmpty else { return }
        var first = 0, last = scalars.count
        while first < last, scalars[first] == 0x20 || scalars[first] == 0x09 { first += 1 }
        kind = ScreenRow.isRule(scalars[first..<last]) ? .rule : .text
        if kind == .text, Glyphs.of(scalars[first]).contains(.side) {
            isBoxed = true
            first += 1
            if last > first, Glyphs.of(scalars[last - 1]).contains(.side) { last -= 1 }
            while first < last, Glyphs.isBlank(scalars[first]) { first += 1 }
            while last > first, Glyphs.isBlank(scalars[last - 1]) { last -= 1 }
            if first == last { kind = .blank }
        }
        column = first
        content = first == 0 && last == scalars.count ? scalars : Array(scalars[first..<last])
        matches = patterns.matches(content[...])
        guard kind == .text else { return }
        readPrompt(prompts)
        readOption()
        readSpinner(spinners)
        beginsWithBullet = Glyphs.of(content[0]).contains(.bullet)
        if let faintFrom, let promptLength { isFaint = promptLength < content.count && faintFrom <= column + promptLength }
    }

    // MARK: - Parts

    private static func isRule(_ scalars: ArraySlice<UInt32>) -> Bool {
        guard let head = scalars.first else { return false }
        let first = Glyphs.of(head)
        guard !first.isDisjoint(with: [.rule, .corner, .asciiRule]) else { return false }
        var lines = 0, asciiLines = 0, blanks = 0
        for scalar in scalars {
            let kind = Glyphs.of(scalar)
            if !kind.isDisjoint(with: [.rule, .corner]) { lines += 1 }
            if kind.contains(.asciiRule) { asciiLines += 1 }
            if scalar == 0x20 { blanks += 1 }
        }
        if asciiLines >= 20 && asciiLines == scalars.count { return true }
        guard !first.contains(.asciiRule) else { return false }
        // "─ Worked for 5s ─" is a sentence with ornaments; a rule with a label is mostly rule.
        return lines >= 4 && lines * 2 >= scalars.count - blanks / 2
    }

    private mutating func readPrompt(_ prompts: Set<UInt32>) {
        guard let head = content.first else { return }
        if prompts.contains(head), content.count == 1 || Glyphs.isBlank(content[1]) {
            var length = 1
            while length < content.count, Glyphs.isBlank(content[length]) { length += 1 }
            promptLength = length
            return
        }
        // "ada@shop✨ ": a name, and a glyph that only opens this agent's composer.
        if let glyph = content.prefix(40).firstIndex(where: { $0 > 0x2700 && prompts.contains($0) && Glyphs.of($0).isEmpty }), glyph > 0,
            glyph + 1 == content.count || Glyphs.isBlank(content[glyph + 1]), !content[..<glyph].contains(0x20)
        {
            var length = glyph + 1
            while length < content.count, Glyphs.isBlank(content[length]) { length += 1 }
            promptLength = length
            return
        }
        // "diff> ", "( O)> ", "!> ": a few words and a ">" at their end.
        guard let arrow = content.prefix(26).firstIndex(of: 0x3e), arrow > 0, arrow + 1 == content.count || content[arrow + 1] == 0x20 else { return }
        let name = content[..<arrow]
        guard name.last != 0x20, name.last != 0x2d, name.last != 0x3d,
            name.allSatisfy({ Glyphs.isLetter($0) || Glyphs.isDigit($0) || [0x20, 0x21, 0x28, 0x29, 0x2d, 0x2e, 0x2f, 0x5f].contains($0) }),
            name.filter({ $0 == 0x20 }).count <= 2
        else { return }
        var length = arrow + 1
        while length < content.count, content[length] == 0x20 { length += 1 }
        promptLength = length
    }

    private mutating func readOption() {
        var at = 0
        var isSelected = false
        if Glyphs.of(content[0]).contains(.selector), content.count > 1, Glyphs.isBlank(content[1]) {
            isSelected = true
            at = 1
            while at < content.count, Glyphs.isBlank(content[at]) { at += 1 }
        } else if content[0] == 0xb7 || content[0] == 0x25cb || content[0] == 0x25ef, content.count > 1, Glyphs.isBlank(content[1]) {
            // "· 2 Yes", "○ No": marks of what is not chosen.
            at = 1
            while at < content.count, Glyphs.isBlank(content[at]) { at += 1 }
        }
        guard at < content.count else { return }
        // "[1] Yes"
        let isBracketed = content[at] == 0x5b
        var digits = isBracketed ? at + 1 : at
        let firstDigit = digits
        while digits < content.count, digits - firstDigit < 3, Glyphs.isDigit(content[digits]) { digits += 1 }
        var number: Int?
        var label = at
        if digits > firstDigit, digits < content.count {
            let mark = content[digits]
            let isMarked = isBracketed ? mark == 0x5d : mark == 0x2e || mark == 0x29 || mark == 0x3a
            if isMarked ? digits + 1 == content.count || content[digits + 1] == 0x20 : mark == 0x20 && at > 0 && !isBracketed {
                number = Int(ScreenRow.string(content[firstDigit..<digits]))
                label = isMarked ? digits + 1 : digits
                while label < content.count, content[label] == 0x20 { label += 1 }
            }
        }
        option = Option(isSelected: isSelected, number: number, column: column + at, labelAt: label)
    }

    private mutating func readSpinner(_ spinners: Set<UInt32>) {
        let head = content[0]
        let count = content.count
        // A braille frame or two, then words.
        var cells = 0
        while cells < count, Glyphs.isBrailleOrBlank(content[cells]) { cells += 1 }
        if cells > 0 {
            let isFrame = cells <= 3 && content[..<cells].contains(where: Glyphs.isBraille)
            if isFrame, cells == count { spinner = .turning }
            if isFrame, cells + 1 < count, content[cells] == 0x20, Glyphs.isLetter(content[cells...].first { $0 != 0x20 } ?? 0) {
                spinner = hasClock || endsWithClock || namesInterrupt ? .counting : .turning
            }
            return
        }
        // Or at the end of a few words.
        if count > 2, count <= 60, Glyphs.of(content[count - 1]).contains(.brailleFrame), Glyphs.isBlank(content[count - 2]), Glyphs.isLetter(head) {
            spinner = .turning
            return
        }
        isDone = readDone()
        guard !isDone else { return }
        let isOwn = spinners.contains(head)
        let isSure = Glyphs.of(head).contains(.spinner) || isOwn
        guard isSure || Glyphs.of(head).contains(.ambiguousSpinner), count > 2, Glyphs.isBlank(content[1]) else {
            // Legacy: no glyph, but words with dots, a clock and a way to stop.
            if content.contains(0x28), hasClock, namesInterrupt { spinner = .counting }
            return
        }
        let hasDots = hasEllipsis
        if hasClock && (hasDots || namesInterrupt || isSure) {
            spinner = .counting
        } else if namesInterrupt && (hasDots || isSure || [0x25c9, 0x25ce, 0x2219].contains(head)) {
            spinner = .counting
        } else if hasOpenClock, column <= 2 {
            // Narrow terminals cut off what follows the clock.
            spinner = .counting
        } else if hasDots, isSure || (column <= 1 && [0xb7, 0x2a, 0x25c9, 0x25ce, 0x2219].contains(head) && endsWithDots) {
            spinner = .turning
        }
    }

    private var hasEllipsis: Bool {
        if content.contains(Glyphs.ellipsis) { return true }
        var dots = 0
        for scalar in content {
            dots = scalar == 0x2e ? dots + 1 : 0
            if dots == 3 { return true }
        }
        return content.suffix(2).allSatisfy { $0 == 0x2e } && content.count > 4
    }

    private var endsWithDots: Bool { content.last == Glyphs.ellipsis || content.suffix(3).allSatisfy { $0 == 0x2e } }

    /// "(12s", "(1m 38s", "· 4s": a clock that may run.
    private var hasClock: Bool {
        var index = 0
        while index < content.count {
            guard Glyphs.isDigit(content[index]) else {
                index += 1
                continue
            }
            let start = index
            while index < content.count, Glyphs.isDigit(content[index]) { index += 1 }
            guard index < content.count, [0x73, 0x6d, 0x68].contains(content[index]), index + 1 == content.count || !Glyphs.isLetter(content[index + 1]) else { continue }
            var before = start - 1
            while before >= 0, content[before] == 0x20 { before -= 1 }
            if before >= 0, [0x28, 0xb7, 0x2022, 0x2c, 0x7c].contains(content[before]) { return true }
        }
        return false
    }

    /// "Thinking... 12s", behind a glyph that only turns.
    private var endsWithClock: Bool {
        guard let blank = content.lastIndex(of: 0x20), let unit = content.last, [0x73, 0x6d, 0x68].contains(unit) else { return false }
        let digits = content[(blank + 1)...].dropLast()
        return !digits.isEmpty && digits.count <= 4 && digits.allSatisfy { Glyphs.isDigit($0) || $0 == 0x2e }
    }

    /// "(4s •": the parenthesis goes on behind the clock.
    private var hasOpenClock: Bool {
        guard let open = content.lastIndex(of: 0x28), open > 2, !content[open...].contains(0x29) else { return false }
        var index = open + 1
        let start = index
        while index < content.count, Glyphs.isDigit(content[index]) { index += 1 }
        guard index > start, index < content.count, [0x73, 0x6d, 0x68].contains(content[index]) else { return false }
        return index + 1 == content.count || content[index + 1] == 0x20
    }

    private var namesInterrupt: Bool {
        Words.contains(content, "to interrupt") || Words.contains(content, "to cancel") || Words.contains(content, "to stop")
            || Words.contains(content, "esc interrupt")
    }

    /// "Worked for 1m 26s": words, "for" and a length of time, but nothing that goes on.
    private func readDone() -> Bool {
        guard content.count < 160, Words.contains(content, " for "), !hasEllipsis else { return false }
        var words = ScreenRow.string(content[...]).split(separator: " ")
        while let first = words.first, first.unicodeScalars.count <= 2, !first.unicodeScalars.contains(where: { $0.properties.isAlphabetic }) { words.removeFirst() }
        guard words.count >= 3, let at = words.prefix(5).firstIndex(of: "for"), at >= 1, at + 1 < words.count else { return false }
        return ScreenRow.isLength(words[at + 1])
    }

    /// "5s", "1m", "2h".
    private static func isLength(_ word: Substring) -> Bool {
        let word = word.utf8
        guard let last = word.last, [0x73, 0x6d, 0x68].contains(last), word.count >= 2 else { return false }
        return word.dropLast().allSatisfy { (0x30...0x39).contains($0) }
    }
}
