internal import Agents
internal import Pattern

/// The screen taken apart.
struct Reading {
    /// An open question with its options.
    struct Dialog: Equatable {
        /// From the question to the last option or hint.
        var rows: ClosedRange<Int>
        var question: String
        /// What stands above the question in the same dialog: a command, a file.
        var about: String
        var options: [String]
        /// It says which keys answer, or asks a question right above its options.
        var isSure: Bool
        /// One of the options allows or refuses something.
        var isConsent: Bool
        /// Stays the same while the same thing is asked.
        var fingerprint: String
        /// What the fingerprint is made of.
        var words: [String]
    }

    /// Where a person writes.
    struct Composer: Equatable {
        enum Shape: Equatable { case ruled, boxed, bare }
        var rows: ClosedRange<Int>
        var shape: Shape
        var text: String
        /// What stands in it is a hint of the program's.
        var isHint: Bool
        var isEmpty: Bool { text.isEmpty }
    }

    /// A rule of the manifest that matched.
    struct Match: Equatable {
        var rule: Int
        var row: Int?
    }

    var dialog: Dialog?
    var composer: Composer?
    /// The block above the composer.
    var live: ClosedRange<Int>?
    var footer: ClosedRange<Int>?
    /// The last row that is not blank.
    var last: Int?
    /// A row that turns.
    var spinner: Int?
    var spinnerCounts = false
    /// A row like "Worked for 5s".
    var done: Int?
    var matches: [Match] = []
    /// The last rows only say which keys answer.
    var hint: ClosedRange<Int>?
    /// The cursor stands behind the last row's words: nothing was written since they were.
    var endsAtCursor = false
    /// The last row asks for a line: yes or no, a password, a choice.
    var prompt: Prompt?

    /// A question as the last row of lines.
    enum Prompt: Equatable { case yesNo, password, question, shell, input }

    var isBlank: Bool { last == nil }
}

/// Takes a screen apart: what was said, what is going on, what is asked, where one writes, and what stands below.
struct ScreenReader {
    let rows: [ScreenRow]
    let columns: Int
    /// nil when the screen came without one.
    let cursor: (row: Int, column: Int)?
    let kind: AgentRules.Kind
    /// Its composer opens with no glyph.
    let isUnmarked: Bool

    func read() -> Reading {
        var reading = Reading()
        reading.last = rows.lastIndex { !$0.isBlank }
        guard let last = reading.last else { return reading }
        let composer = kind == .shell ? nil : findComposer(last)
        if kind == .tui || kind == .any, let dialog = findDialog(last, composer) {
            reading.dialog = dialog
            if let composer, composer.rows.lowerBound > dialog.rows.upperBound { reading.composer = composer }
            readLive(&reading, above: dialog.rows.lowerBound)
            return reading
        }
        reading.composer = composer
        reading.endsAtCursor = endsAtCursor(last)
        reading.prompt = reading.endsAtCursor ? findPrompt(last) : nil
        if let composer {
            if composer.rows.upperBound < last { reading.footer = (composer.rows.upperBound + 1)...last }
            readLive(&reading, above: composer.rows.lowerBound)
        } else {
            readLive(&reading, above: last + 1)
            if kind == .tui || kind == .any, reading.spinner == nil { reading.hint = findHint(last) }
        }
        return reading
    }

    // MARK: - The live block

    /// Rows from a widget on the right edge: they belong to no block.
    private func isAside(_ row: ScreenRow) -> Bool { !row.isBlank && columns >= 40 && row.column * 2 > columns }

    private func readLive(_ reading: inout Reading, above top: Int) {
        var end = top - 1
        var skipped = 0
        while end >= 0, skipped < rows.count, rows[end].isBlank || rows[end].kind == .rule || isAside(rows[end]) {
            end -= 1
            skipped += 1
        }
        guard end >= 0 else { return }
        var start = end
        // One letter a row: a terminal of one column.
        let isUpright = rows[end].content.count <= 2
        while start > 0, end - start < (isUpright ? 40 : 11), !rows[start - 1].isBlank, rows[start - 1].kind != .rule { start -= 1 }
        reading.live = start...end
        for index in stride(from: end, through: start, by: -1) {
            let row = rows[index]
            if row.isDone, reading.done == nil, reading.spinner == nil { reading.done = index }
            if let spinner = row.spinner, reading.spinner == nil, isCurrent(index, end) {
                reading.spinner = index
                reading.spinnerCounts = spinner == .counting
            }
        }
        guard reading.spinner == nil, reading.done == nil, isBeside(start...end) else { return }
        var below = start - 1
        while below >= 0, start - below <= 3, rows[below].isBlank { below -= 1 }
        guard below >= 0, start - below <= 3 else { return }
        // What runs may be wrapped.
        for above in stride(from: below, through: max(0, below - 3), by: -1) {
            if rows[above].kind != .text { return }
            let isWrapped = above < below && namesInterrupt(above...below)
            guard let spinner = isWrapped ? .counting : rows[above].spinner else { continue }
            // Then only what counts is current; where nothing is written in meanwhile, also what nobody but a program writes.
            let isPlain = kind == .tui && reading.composer == nil && reading.dialog == nil && rows[above].content.first.map(Glyphs.isBraille) ?? false
            guard spinner == .counting || isPlain, isCurrent(above, below) else { return }
            reading.spinner = above
            reading.spinnerCounts = spinner == .counting
            return
        }
    }

    /// Behind a glyph that turns, over several rows: how to stop it.
    private func namesInterrupt(_ range: ClosedRange<Int>) -> Bool {
        guard let head = rows[range.lowerBound].content.first,
            Glyphs.isBraille(head) || !Glyphs.of(head).isDisjoint(with: [.spinner, .ambiguousSpinner])
        else { return false }
        let joined = range.map { rows[$0].contentText }.joined(separator: " ").lowercased()
        return ["(esc to ", "(press esc to ", "(ctrl+c to "].contains { joined.contains($0) }
    }

    /// Between what runs and the composer may stand a few words about the place, which are no sentence, or what a person has queued.
    private func isBeside(_ range: ClosedRange<Int>) -> Bool {
        if range.count <= 8, range.dropFirst().contains(where: { rows[$0].content.first == 0x21b3 }) { return true }
        guard range.count <= 4, !range.contains(where: { rows[$0].beginsWithBullet }), let end = rows[range.upperBound].content.last else { return false }
        return range.count <= 2 || range.allSatisfy { rows[$0].length <= 60 } && ![0x2e, 0x21, 0x3f, 0x3a, 0x3002, 0xff1f].contains(end)
    }

    /// A row that turns has only what belongs to it below: deeper, or marked as a detail.
    private func isCurrent(_ index: Int, _ end: Int) -> Bool {
        guard index < end else { return true }
        let own = rows[index]
        for below in rows[(index + 1)...end] where !below.isBlank {
            if below.beginsWithBullet, let head = below.content.first, head != 0x23bf, head != 0x2514, head != 0x21b3, below.column <= own.column, below.spinner == nil {
                return false
            }
        }
        return true
    }

    // MARK: - The composer

    private func findComposer(_ last: Int) -> Reading.Composer? {
        if kind != .lines, let ruled = findBarredComposer(last) ?? findRuledComposer(last) { return ruled }
        return findBareComposer(last) ?? (isUnmarked ? findUnmarkedComposer(last) : nil)
    }

    /// Behind a bar on the left that ends in a corner: "┃ …", "╹▀▀▀". Its last row names the mode and the model.
    private func findBarredComposer(_ last: Int) -> Reading.Composer? {
        var bottom = last
        while bottom > 0, last - bottom <= 6, rows[bottom].kind != .rule || rows[bottom].content.first != 0x2579 { bottom -= 1 }
        guard bottom > 0, rows[bottom].kind == .rule, rows[bottom].content.first == 0x2579 else { return nil }
        var top = bottom
        while top > 0, rows[top - 1].isBoxed, rows[top - 1].kind != .rule { top -= 1 }
        guard bottom - top >= 2 else { return nil }
        var end = bottom - 2
        while end > top, rows[end].isBlank { end -= 1 }
        let first = (top...end).first { !rows[$0].isBlank } ?? end
        return composer(first...end, 0, .boxed)
    }

    /// A box, or two rules, with nothing in between or with the cursor in it, and no glyph.
    private func findUnmarkedComposer(_ last: Int) -> Reading.Composer? {
        var bottom = last
        var below = 0
        while bottom > 0, rows[bottom].kind != .rule {
            if !rows[bottom].isBlank { below += 1 }
            if below > 6 { return nil }
            bottom -= 1
        }
        guard bottom > 1, rows[bottom].kind == .rule else { return nil }
        var top = bottom - 1
        while top >= 0, bottom - top <= 12, rows[top].kind != .rule { top -= 1 }
        guard top >= 0, rows[top].kind == .rule, top + 1 < bottom, rows[top].column == rows[bottom].column else { return nil }
        let inner = (top + 1)...(bottom - 1)
        guard inner.allSatisfy({ rows[$0].isBlank }) || cursor.map({ inner.contains($0.row) }) ?? true else { return nil }
        guard !inner.contains(where: { rows[$0].option?.isSelected == true || rows[$0].beginsWithBullet }), !namesAnswerKeys(inner) else { return nil }
        return composer(inner, 0, rows[top + 1].isBoxed ? .boxed : .ruled)
    }

    /// Between two rules, or in a box; the newest from below that opens with the glyph.
    private func findRuledComposer(_ last: Int) -> Reading.Composer? {
        var bottom = last
        var below = 0
        while bottom > 0 {
            if rows[bottom].kind == .rule { break }
            if !rows[bottom].isBlank { below += 1 }
            if below > 8 { return nil }
            bottom -= 1
        }
        guard bottom > 0, rows[bottom].kind == .rule else { return nil }
        for _ in 0..<2 {
            var top = bottom - 1
            while top >= 0, rows[top].kind != .rule { top -= 1 }
            guard top >= 0 else { return nil }
            if top + 1 < bottom {
                let inner = (top + 1)...(bottom - 1)
                if let first = inner.first(where: { !rows[$0].isBlank }), let length = rows[first].promptLength {
                    let shape: Reading.Composer.Shape = rows[first].isBoxed ? .boxed : .ruled
                    return composer(first...(bottom - 1), length, shape)
                }
            }
            // The lower rule may belong to what stands below the composer.
            let between = rows[(top + 1)..<bottom].count { !$0.isBlank }
            below += between
            if below > 8 { return nil }
            bottom = top
        }
        return nil
    }

    /// A row that opens with the glyph and has nothing but a footer below.
    private func findBareComposer(_ last: Int) -> Reading.Composer? {
        var index = last
        var below = 0
        while index >= 0, below <= 7 {
            let row = rows[index]
            if row.isBlank {
                index -= 1
                continue
            }
            if let length = row.promptLength, row.column <= 4, !isPartOfChoice(index) {
                let isArrow = row.content.first == 0x3e || row.content.prefix(length).contains(0x3e)
                // Quotations and tables begin with ">" as well: who can write there has the cursor there.
                if isArrow, let cursor, cursor.row != index, kind != .tui || length < row.content.count { return nil }
                if isArrow, cursor == nil, below > 0, length < row.content.count { return nil }
                // Below a draft its own further rows, then a gap, then a footer.
                return composer(index...draftEnd(index, last), length, .bare)
            }
            if row.beginsWithBullet || row.spinner != nil || row.kind == .rule && below > 0 { return nil }
            below += 1
            index -= 1
        }
        return nil
    }

    private func draftEnd(_ first: Int, _ last: Int) -> Int {
        var end = first
        while end < last, !rows[end + 1].isBlank, rows[end + 1].kind == .text, rows[end + 1].column >= rows[first].column + 2, rows[first].promptLength != rows[first].content.count
        {
            end += 1
        }
        return end
    }

    private func composer(_ range: ClosedRange<Int>, _ length: Int, _ shape: Reading.Composer.Shape) -> Reading.Composer {
        let first = rows[range.lowerBound]
        var text = ScreenRow.string(first.content.dropFirst(length))
        for index in range.dropFirst() where !rows[index].isBlank { text += " " + rows[index].contentText }
        return Reading.Composer(rows: range, shape: shape, text: text, isHint: first.isFaint)
    }

    // MARK: - Questions as the last row

    private func endsAtCursor(_ last: Int) -> Bool {
        guard let cursor else { return true }
        let length = rows[last].length
        // Behind the words, not somewhere within them.
        return cursor.row == last ? cursor.column + 1 >= length : cursor.row == last + 1 && cursor.column == 0 && length >= columns
    }

    private func findPrompt(_ last: Int) -> Reading.Prompt? {
        let row = rows[last]
        guard row.kind == .text else { return nil }
        let text = row.contentText.lowercased()
        if text.unicodeScalars.count < 200 {
            let end = text.last
            if end == ":" || end == "?" {
                for word in ["password", "passphrase", "passcode", "passwort", "mot de passe", "contraseña", "one-time code", "verification code", "otp", "pin"]
                where text.hasSuffix(word + ":") || text.contains(word + " for ") || text.contains("enter " + word) || text.hasPrefix(word) { return .password }
                if text.hasPrefix("[sudo]") { return .password }
            }
            if Self.asksYesNo(text) || Self.asksYesNo(cutRows(last).lowercased()) { return .yesNo }
        }
        if let end = text.last, "$#%❯➜".contains(end) {
            // A prompt on the right edge may follow what stood in the row before.
            let tail = row.content.dropLast().split(whereSeparator: { $0 == 0x20 }).suffix(4)
            if row.content.count < 120 || tail.count < 4 || row.content.count > 120 && kind == .shell {
                if let before = tail.last?.last, Glyphs.isDigit(before), end == "%" { return nil }
                return .shell
            }
        }
        if text.hasSuffix(">"), row.content.count < 40 { return .input }
        if text.hasSuffix("?") || text.hasSuffix("? ") { return .question }
        if text.hasSuffix(":") && row.content.count < 100 { return .input }
        return nil
    }

    /// The last row with those before it that are full to their end: the terminal cut what belongs together.
    private func cutRows(_ last: Int) -> String {
        // A screen that came as text does not say how wide it was.
        let full = cursor == nil ? min(columns, rows[max(0, last - 12)...last].map(\.length).max() ?? columns) : columns
        var first = last
        // A blank at the cut is not seen.
        while first > 0, last - first < 5, rows[first - 1].kind == .text, rows[first - 1].length >= full - 1 { first -= 1 }
        guard first < last else { return "" }
        return (first...last).map { rows[$0].text }.joined()
    }

    /// "[y/n]", "(Y)es/(N)o", "(yes/no)", "[o/s/a/d]" at the end, with or without a default.
    static func asksYesNo(_ text: String) -> Bool {
        var scalars = Array(text.unicodeScalars.map(\.value))
        while let last = scalars.last, Glyphs.isBlank(last) || last == 0x3a || last == 0x3f || last == 0x3e { scalars.removeLast() }
        guard let close = scalars.last else { return false }
        if text.contains("(y)es/(n)o") && (close == 0x5d || close == 0x6f || close == 0x29) { return true }
        guard close == 0x5d || close == 0x29 else { return false }
        let open: UInt32 = close == 0x5d ? 0x5b : 0x28
        // A default, "[Yes]", may follow the choices.
        guard let start = scalars.lastIndex(of: open) else { return false }
        let inside = scalars[(start + 1)..<(scalars.count - 1)]
        let words = ScreenRow.string(inside).split(separator: "/")
        if words.count >= 2, words.count <= 8, words.allSatisfy({ $0.unicodeScalars.count <= 14 && !$0.contains(" ") && !$0.isEmpty }),
            words.contains(where: { ["y", "n", "yes", "no", "a", "d", "t", "o", "s"].contains($0.filter { $0.isLetter }) || $0.hasPrefix("y") || $0.hasPrefix("n") })
        {
            return true
        }
        return false
    }
}
