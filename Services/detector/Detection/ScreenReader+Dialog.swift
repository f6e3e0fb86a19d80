/// Finding open questions: options one of which is marked, a question above, keys named below, and nothing to write in beneath.
extension ScreenReader {
    /// Whether the row and its neighbours are several options.
    func isPartOfChoice(_ index: Int) -> Bool {
        guard let option = rows[index].option, option.isSelected else { return false }
        if option.number != nil {
            return sibling(of: index, from: index + 1, step: 1) != nil || sibling(of: index, from: index - 1, step: -1) != nil
        }
        return false
    }

    /// The next option of the same group in one direction.
    private func sibling(of index: Int, from start: Int, step: Int) -> Int? {
        guard let own = rows[index].option else { return nil }
        var at = start
        var between = 0
        while at >= 0, at < rows.count, between <= 8 {
            let row = rows[at]
            if let option = row.option, row.kind == .text {
                if let number = own.number, let other = option.number {
                    // Numbers may jump, where rows were cut; at narrow widths the words' column moves.
                    if step > 0 ? (number < other && other <= number + 3) : (other < number && number <= other + 3) {
                        if abs(option.column - own.column) <= 3 { return at }
                    } else if other == number {
                        return nil
                    }
                } else if own.number == nil, option.number == nil, option.column == own.column, !row.beginsWithBullet || option.isSelected, between == 0 {
                    return at
                }
            }
            if row.beginsWithBullet && !(row.option?.isSelected ?? false) && own.number == nil { return nil }
            between += row.isBlank ? 2 : 1
            at += step
        }
        return nil
    }

    /// The group of options around the marked row.
    private func group(_ selected: Int) -> [Int] {
        var group = [selected]
        var at = selected
        while let next = sibling(of: at, from: at + 1, step: 1), group.count < 30 {
            group.append(next)
            at = next
        }
        at = selected
        while let next = sibling(of: at, from: at - 1, step: -1), group.count < 60 {
            group.insert(next, at: 0)
            at = next
        }
        return group
    }

    func findDialog(_ last: Int, _ composer: Reading.Composer?) -> Reading.Dialog? {
        var index = last
        var passed = 0
        while index >= 0, passed < 30 {
            let row = rows[index]
            if row.isBlank || row.kind == .rule {
                index -= 1
                continue
            }
            // What goes on below a question says that it is over.
            if row.spinner != nil, row.option?.isSelected != true { return nil }
            if let option = row.option, option.isSelected, let dialog = dialog(selected: index, last, composer) {
                _ = option
                return dialog
            }
            passed += 1
            index -= 1
        }
        return nil
    }

    private func dialog(selected: Int, _ last: Int, _ composer: Reading.Composer?) -> Reading.Dialog? {
        let group = group(selected)
        guard group.count >= 2, let first = group.first, let end = group.last else { return nil }
        let isNumbered = rows[selected].option?.number != nil
        var composer = composer
        var mustNameKeys = false
        var mustChoose = false
        if let found = composer, found.rows.contains(selected) {
            // A draft may list things as well: the keys that answer tell them apart.
            mustChoose = found.shape != .bare
            mustNameKeys = !isNumbered || mustChoose
            composer = nil
        }
        if let composer {
            if composer.rows.lowerBound > end {
                // Above a composer only what touches it is not something that was said.
                guard isTouching(end, composer, last) else { return nil }
            }
        }
        // The last option's further rows, then only hints.
        var bottom = end
        var hint = -1
        var strangers = 0
        // What stands in the same box belongs to the question.
        var isInBox = rows[selected].isBoxed
        for index in (end + 1)..<max(end + 1, last + 1) {
            let row = rows[index]
            if row.kind == .rule || !row.isBoxed && !row.isBlank { isInBox = false }
            if row.isBlank || row.kind == .rule { continue }
            if let composer, composer.rows.contains(index) || index > composer.rows.upperBound { break }
            if row.namesKeys || hint >= 0 && index == hint + 1 && !row.beginsWithBullet && row.promptLength == nil {
                hint = index
                bottom = index
            } else if let option = rows[end].option, index == bottom + 1, row.column >= min(option.column, rows[end].column + 2) || rows[bottom].length >= columns {
                bottom = index
            } else if isInBox, !row.beginsWithBullet {
                bottom = index
            } else {
                strangers += 1
                if row.beginsWithBullet { return nil }
            }
        }
        guard strangers <= 4 else { return nil }
        let question = question(above: first)
        let labels = group.map { rows[$0].optionLabel }
        if mustNameKeys {
            let isNamedBelow =
                hint > end && namesAnswerKeys((end + 1)...hint)
                && (!mustChoose || choosesByKeys((end + 1)...hint) && labels.contains(where: Self.answers))
            // "Build (enter)", "Edit (e)": each says its own key.
            let isNamedBeside = !mustChoose && labels.count { $0.hasSuffix(")") && Self.endsWithKey($0) } >= 2 && question?.text.hasSuffix("?") == true
            guard strangers == 0, isNamedBelow || isNamedBeside else { return nil }
        }
        let labelsNameKeys = group.contains {
            rows[$0].namesKeys || rows[$0].text.hasSuffix(")") && rows[$0].text.contains("(") && rows[$0].content.count < 80 && Self.endsWithKey(rows[$0].text)
        }
        let asks = question.map { $0.text.hasSuffix("?") || $0.text.hasSuffix(":") || $0.text.hasSuffix("？") } ?? false
        let isSure = hint >= 0 || labelsNameKeys || (asks && isNumbered)
        if !isNumbered {
            // A marked word and one below it are a choice only where something says so.
            guard hint >= 0 || labelsNameKeys || (asks && labels.contains(where: Self.answers)) else { return nil }
            // A hint that stands far below belongs to something else.
            guard group.count <= 25 else { return nil }
        } else if !isSure, strangers > 1 {
            return nil
        }
        let top = question?.rows.lowerBound ?? first
        let asked = fingerprint(top, group)
        return Reading.Dialog(
            rows: top...bottom, question: question?.text ?? "", about: asked.about, options: labels.map { String($0.prefix(200)) }, isSure: isSure,
            isConsent: labels.contains(where: Self.answers), fingerprint: asked.hash, words: asked.words)
    }

    /// Rows that say which keys answer: one that takes, and one that leaves or those that choose.
    func namesAnswerKeys(_ range: ClosedRange<Int>) -> Bool {
        // Most rows name no key that takes, and where no row is cut no word goes on in the next.
        guard range.contains(where: { isCutBefore($0, in: range) || rows[$0].kind == .text && Words.mayNameEnter(rows[$0].content) }) else { return false }
        // Wrapped between words, or cut within one.
        var wrapped = "", cut = ""
        for index in range where rows[index].kind == .text {
            let isFull = isCutBefore(index, in: range)
            wrapped += " " + rows[index].contentText
            cut += (isFull ? "" : " ") + rows[index].contentText
        }
        guard wrapped.utf8.count <= 400 else { return false }
        return [wrapped, cut].contains { text in
            let words = text.lowercased().split { !($0.isLetter || $0.isNumber || "↑↓↵⏎".contains($0)) }
            return words.contains { ["enter", "return", "↵", "⏎", "entrée", "eingabe"].contains($0) }
                && (words.contains { ["esc", "escape", "échap"].contains($0) } || choosesByKeys(range))
        }
    }

    /// The row before, in the range, is full to its end.
    private func isCutBefore(_ index: Int, in range: ClosedRange<Int>) -> Bool { index > range.lowerBound && rows[index - 1].length >= columns }

    /// Rows that say by which keys one chooses among several.
    func choosesByKeys(_ range: ClosedRange<Int>) -> Bool {
        let text = range.map { rows[$0].contentText }.joined(separator: " ").lowercased()
        let words = text.split { !$0.isLetter }
        return words.contains { ["select", "choose", "navigate", "move", "switch"].contains($0) } && text.unicodeScalars.contains { "↑↓←→⇆▲▼".unicodeScalars.contains($0) }
            || text.contains("arrow")
    }

    /// The last rows, when they only say which keys answer: what they answer may be cut off.
    func findHint(_ end: Int) -> ClosedRange<Int>? {
        // Below them at most the end of their box.
        var last = end
        while last > 0, end - last < 2, rows[last].kind == .rule || rows[last].isBlank { last -= 1 }
        guard rows[last].kind == .text else { return nil }
        var first = last
        while first > 0, last - first < 4, rows[first - 1].kind == .text, rows[first - 1].namesKeys, !rows[first - 1].beginsWithBullet { first -= 1 }
        guard rows[last].namesKeys || rows[last].content.count < 30, rows[last].spinner == nil, namesAnswerKeys(first...last) else { return nil }
        // Each is a list of keys, not a sentence.
        let text = (first...last).map { rows[$0].contentText }.joined(separator: " ")
        guard text.contains(" · ") || text.contains(" | ") || text.contains(" • ") || text.contains("  "), !text.hasSuffix(".") else { return nil }
        return first...last
    }

    /// "Yes (y)", "No (esc)": a key in parentheses at the end.
    private static func endsWithKey(_ text: String) -> Bool {
        guard let open = text.lastIndex(of: "(") else { return false }
        let inside = text[text.index(after: open)...].dropLast()
        return inside.count <= 2 || Words.namesKeys(inside.unicodeScalars.map(\.value))
    }

    private static let answerWords: Set<String> = [
        "yes", "no", "allow", "deny", "reject", "approve", "accept", "skip", "cancel", "run", "proceed", "keep", "always", "once", "continue", "trust", "exit",
        "quit", "decline", "never", "don", "ja", "nein", "oui", "non", "sí", "si",
    ]

    private static func answers(_ label: String) -> Bool {
        guard let word = label.lowercased().split(whereSeparator: { !$0.isLetter }).first else { return false }
        return answerWords.contains(String(word))
    }

    /// Options whose last row stands on the composer's rule, with nothing written there and nothing below.
    private func isTouching(_ end: Int, _ composer: Reading.Composer, _ last: Int) -> Bool {
        guard composer.shape == .ruled, composer.isEmpty, composer.rows.upperBound + 1 >= last else { return false }
        let edge = composer.rows.lowerBound - 1
        // The last option may go on in further rows.
        return end < edge && edge - end <= 4 && rows[edge].kind == .rule && rows[end].column <= 3
            && (end + 1..<edge).allSatisfy { rows[$0].kind == .text && !rows[$0].beginsWithBullet && rows[$0].promptLength == nil }
    }

    /// The words above the options: the nearest block, its last sentence.
    private func question(above first: Int) -> (rows: ClosedRange<Int>, text: String)? {
        var end = first - 1
        var gap = 0
        while end >= 0, rows[end].isBlank || rows[end].kind == .rule, gap < 3 {
            end -= 1
            gap += 1
        }
        guard end >= 0, !rows[end].isBlank, rows[end].kind == .text else { return nil }
        var start = end
        var joined = rows[end].contentText
        // Wrapped over several rows: until a sentence ends or the block does.
        while start > 0, end - start < 8, rows[start - 1].kind == .text, !rows[start - 1].isBlank, rows[start - 1].column == rows[end].column,
            !rows[start - 1].beginsWithBullet, let stop = rows[start - 1].content.last, ![0x2e, 0x3f, 0x3a, 0x21].contains(stop),
            columns <= 60 || rows[start - 1].length * 4 > columns * 3
        {
            start -= 1
            joined = rows[start].contentText + " " + joined
        }
        return (start...end, joined)
    }

    /// FNV-1a over letters and digits of the question and its options, and of what stands between the rules above: what is asked,
    /// without how it is drawn.
    private func fingerprint(_ top: Int, _ group: [Int]) -> (hash: String, words: [String], about: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var words: [String] = []
        func add(_ scalars: ArraySlice<UInt32>) {
            words += scalars.split { !Glyphs.isLetter($0) && !Glyphs.isDigit($0) }.map { ScreenRow.string($0) }
            for scalar in scalars where Glyphs.isLetter(scalar) || Glyphs.isDigit(scalar) {
                hash = (hash ^ UInt64(scalar)) &* 0x100_0000_01b3
            }
        }
        var start = top
        var rules = 0
        while start > 0, top - start < 14 {
            let row = rows[start - 1]
            if row.kind == .rule {
                rules += 1
                if rules > 2 { break }
            }
            if row.beginsWithBullet { break }
            start -= 1
        }
        for index in start..<(group.first ?? top) where rows[index].kind == .text { add(rows[index].content[...]) }
        for (place, index) in group.enumerated() {
            guard let option = rows[index].option else { continue }
            add(rows[index].content[min(option.labelAt, rows[index].content.count)...])
            // Its further rows, where it is wrapped.
            let end = place + 1 < group.count ? group[place + 1] : min(rows.count, index + 7)
            for further in (index + 1)..<max(index + 1, end) {
                if rows[further].kind != .text || place + 1 == group.count && rows[further].namesKeys { break }
                add(rows[further].content[...])
            }
        }
        let hex = String(hash, radix: 16)
        // Without an edge above it nobody knows where a dialog begins.
        let about = rules > 0 ? lines((edge(of: start..<top) ?? start)..<top) : ""
        return (String(repeating: "0", count: 16 - hex.count) + hex, Array(words.prefix(400)), about)
    }

    /// The row below the last unbroken rule in a range: broken ones divide a dialog, and unbroken ones begin it.
    private func edge(of range: Range<Int>) -> Int? {
        range.last { rows[$0].kind == .rule && rows[$0].content.first.map { !Self.brokenRules.contains($0) } ?? true }.map { $0 + 1 }
    }

    private static let brokenRules = Set("╌┄┈╍┅┉".unicodeScalars.map(\.value))

    /// The words of rows, a line for each, 400 characters at most. A program's advice on itself is no part of what it asks.
    func lines(_ range: Range<Int>) -> String {
        var lines: [String] = []
        var isAdvice = false
        for index in range where rows[index].kind == .text {
            let text = rows[index].contentText
            // It goes on in the next row where it reached the end of this one.
            let goesOn = isAdvice && rows[index - 1].length * 4 > columns * 3
            isAdvice = text.hasPrefix("Tip: ") || goesOn
            if !isAdvice { lines.append(text) }
        }
        return String(lines.joined(separator: "\n").prefix(400))
    }

    /// What stands right above the last row, up to a blank one: what a question on that row is about.
    func paragraph(above last: Int) -> Range<Int> {
        var start = last
        while start > 0, last - start < 40, rows[start - 1].kind == .text { start -= 1 }
        return start..<last
    }
}
