internal import Agents
internal import Contract
internal import Pattern
internal import Terminal

/// From bytes to a screen taken apart.
extension Detector {
    /// Whether what came asks to be looked at at once.
    mutating func feed(_ bytes: [UInt8]) -> Bool {
        terminal.feed(bytes)
        isUnread = true
        var mustLook = false
        for event in terminal.takeEvents() {
            switch event {
            case .bell, .notification: mustLook = true
            case .title(let text):
                mustLook = note(title: text) || mustLook
            case .progress(let state, _):
                memory.progress = Int(state.rawValue)
                mustLook = true
            case .mark(let mark):
                switch mark {
                case .promptStart: memory.mark = 0
                case .commandStart: memory.mark = 1
                case .outputStart: memory.mark = 2
                case .commandEnd: memory.mark = 3
                }
                mustLook = true
            case .clipboard, .workingDirectory: break
            }
        }
        // Nobody answers here: the shim's own terminal does.
        _ = terminal.takeReplies()
        if terminal.modes.bracketedPaste, !terminal.isAlternateScreen { memory.hasLineEditor = true }
        return mustLook
    }

    private mutating func note(title text: String) -> Bool {
        guard text != title else { return false }
        title = text
        memory.lastMove = clock
        titleMatches = rules.patterns.matches(text)
        return true
    }

    mutating func replaceScreen(_ text: String) {
        isTextScreen = true
        isUnread = false
        bringBackDraft()
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var new: [ScreenRow] = []
        for (index, line) in lines.prefix(400).enumerated() {
            if index < rows.count, rows[index].text == line {
                new.append(rows[index])
            } else {
                new.append(row(line.prefix(1000).unicodeScalars.map(\.value), faintFrom: nil))
            }
        }
        rows = new
        finishReading(cursor: nil)
    }

    /// Reads the screen, unless it is too early or an update is open. `now`: not too early.
    mutating func read(now mustLook: Bool) {
        if !mustLook, let lastRead, clock < lastRead + Self.readInterval { return }
        if rows.count != terminal.rows && !isTextScreen { rows = [] }
        if terminal.modes.synchronizedUpdate {
            if let since = updateSince {
                guard clock >= since + Self.longestUpdate else { return }
            } else {
                updateSince = clock
                return
            }
        }
        updateSince = nil
        isUnread = false
        lastRead = clock
        didRead = true
        if terminal.title != title { _ = note(title: terminal.title) }
        let changes = terminal.takeChanges(force: true)
        if isTextScreen {
            // A title alone does not bring the terminal's screen back.
            guard (rows.isEmpty ? Array(0..<terminal.rows) : changes?.rows ?? []).contains(where: { !terminal.runs($0).isEmpty }) else { return }
            isTextScreen = false
            rows = []
        }
        if rows.isEmpty {
            rows = Array(repeating: ScreenRow(), count: terminal.rows)
            apply(Array(rows.indices), scroll: 0, isNew: true)
        } else if let changes {
            apply(changes.rows, scroll: changes.scroll, isNew: false)
        }
    }

    private mutating func apply(_ changed: [Int], scroll: Int, isNew: Bool) {
        var changedAt: Int?
        var isDifferent = bringBackDraft() || isNew || scroll > 0
        if scroll > 0 {
            let gone = min(scroll, rows.count)
            rows.removeFirst(gone)
            rows += Array(repeating: ScreenRow(), count: gone)
            changedAt = 0
            memory.lastMove = clock
        }
        var text = RowText()
        for index in changed {
            terminal.read(index, into: &text)
            let faintFrom = Self.faintFrom(text)
            guard !Scalars.areEqual(rows[index].scalars, text.scalars) || (faintFrom != nil) != rows[index].isFaint && rows[index].promptLength != nil else { continue }
            rows[index] = row(text.scalars, faintFrom: faintFrom)
            isDifferent = true
            if reading.composer?.rows.contains(index) != true { memory.lastMove = clock }
            if changedAt == nil { changedAt = index }
        }
        // What happens above the composer is the agent's; what happens in it is a person's.
        if let changedAt, !wasResized, !isNew, changedAt < (reading.composer?.rows.lowerBound ?? (reading.last ?? 0) + 1) - 1 { memory.lastChange = clock }
        wasResized = false
        let cursor = terminal.cursor
        guard isDifferent || cursor.row != cursorRow || cursor.column != cursorColumn else { return }
        cursorRow = cursor.row
        cursorColumn = cursor.column
        finishReading(cursor: (cursor.row, cursor.column))
    }

    private mutating func finishReading(cursor: (row: Int, column: Int)?) {
        didRead = true
        let asked = reading.dialog != nil || reading.hint != nil
        leaveOutDraft(cursor: cursor)
        reading = ScreenReader(rows: rows, columns: terminal.columns, cursor: cursor, kind: kind, isUnmarked: rules.prompts.contains("")).read()
        reading.matches = matchRules()
        if reading.composer != nil { memory.hasHadComposer = true }
        if reading.dialog == nil && reading.hint == nil {
            isOverlay = false
        } else if !asked {
            // What opens under a person's fingers while nothing runs was opened by that person.
            isOverlay =
                memory.status.status == Status.idle.rawValue && memory.lastInput.map { clock < $0 + .milliseconds(2000) } ?? false
                && memory.lastWorking.map { working in memory.lastInput.map { working < $0 } ?? true } ?? true && manifest != nil
        }
    }

    /// What a person typed behind a question and has not sent answers nothing: the row is read without it.
    private mutating func leaveOutDraft(cursor: (row: Int, column: Int)?) {
        guard memory.status.status == Status.waiting.rawValue, let input = memory.lastInput, input >= memory.status.since, memory.status.options == nil,
            let question = memory.status.question?.unicodeScalars.map(\.value), let cursor, cursor.row == rows.lastIndex(where: { !$0.isBlank })
        else { return }
        let whole = rows[cursor.row]
        guard !whole.isBoxed, cursor.column + 1 >= whole.length, whole.content.count > question.count, whole.content.starts(with: question) else { return }
        draft = (cursor.row, whole)
        rows[cursor.row] = row(Array(whole.scalars[..<(whole.column + question.count)]), faintFrom: nil)
    }

    /// Whether there was one.
    @discardableResult
    private mutating func bringBackDraft() -> Bool {
        guard let (index, whole) = draft else { return false }
        draft = nil
        if index < rows.count { rows[index] = whole }
        return true
    }

    private mutating func row(_ text: [UInt32], faintFrom: Int?) -> ScreenRow {
        generation &+= 1
        return ScreenRow(
            text, faintFrom: faintFrom, patterns: rules.patterns, generation: generation, prompts: prompts, spinners: spinners)
    }

    /// From which scalar on all of the row is faint.
    private static func faintFrom(_ text: RowText) -> Int? {
        var faintFrom: Int?
        // One inverse cell is the cursor as the program draws it, often on a hint's first letter.
        var cursor: Int?
        var begin = 0
        for run in text.runs {
            let isBlank = text.scalars[begin..<run.end].allSatisfy { $0 == 0x20 }
            if !isBlank {
                if run.end - begin == 1 && run.style.attributes.contains(.inverse) {
                    cursor = begin
                } else {
                    faintFrom = isFaint(run.style) ? faintFrom ?? cursor ?? begin : nil
                    cursor = nil
                }
            }
            begin = run.end
        }
        return faintFrom
    }

    private static func isFaint(_ style: TextStyle) -> Bool {
        if style.attributes.contains(.dim) { return true }
        if let index = style.foreground.index { return index == 8 || (236...248).contains(index) }
        guard let (red, green, blue) = style.foreground.components else { return false }
        let low = min(red, green, blue), high = max(red, green, blue)
        return high - low <= 24 && (0x30...0xa8).contains(high)
    }

    // MARK: - Rules

    private mutating func matchRules() -> [Reading.Match] {
        var matches: [Reading.Match] = []
        var looks: [(region: AgentRules.Region, seen: RegionMatches?)] = []
        for index in rules.rules.indices where rules.rules[index].region != .title {
            let region = rules.rules[index].region
            if !looks.contains(where: { $0.region == region }) { looks.append((region, range(of: region).map { look(region, $0) })) }
            guard let seen = looks.first(where: { $0.region == region })?.seen, rules.rules[index].accepts(seen.found) else { continue }
            let wanted = rules.rules[index].wanted
            matches.append(Reading.Match(rule: index, row: seen.rows.last { !rows[$0].matches.isDisjoint(with: wanted) }))
        }
        return matches
    }

    func range(of region: AgentRules.Region) -> ClosedRange<Int>? {
        guard let last = reading.last else { return nil }
        switch region {
        case .title: return nil
        case .live: return reading.live
        case .footer: return reading.footer
        case .composer: return reading.composer?.rows
        case .dialog:
            guard let dialog = reading.dialog else { return nil }
            return max(0, min(dialog.rows.lowerBound, dialogTop(dialog)))...dialog.rows.upperBound
        case .last:
            guard let composer = reading.composer else { return reading.dialog == nil ? last...last : nil }
            // A question right above an empty prompt is the last thing that was said.
            guard composer.shape == .bare, composer.isEmpty, composer.rows.upperBound == last, let live = reading.live,
                let said = (live.lowerBound..<composer.rows.lowerBound).last(where: { !rows[$0].isBlank })
            else { return nil }
            return said...said
        case .bottom: return max(0, last - 13)...last
        case .screen: return 0...last
        }
    }

    /// A dialog's heading stands above its question.
    private func dialogTop(_ dialog: Reading.Dialog) -> Int {
        var top = dialog.rows.lowerBound
        while top > 0, dialog.rows.lowerBound - top < 14, !rows[top - 1].beginsWithBullet { top -= 1 }
        return top
    }

    private func joined(_ range: ClosedRange<Int>, cut: Bool) -> [UInt32] {
        var joined: [UInt32] = []
        joined.reserveCapacity(range.reduce(0) { $0 + rows[$1].length + 1 })
        for index in range where rows[index].kind == .text {
            let isFull = cut && index > range.lowerBound && rows[index - 1].length >= terminal.columns
            // Where the cut fell between words, the next row begins with the space.
            if !joined.isEmpty && (!isFull || rows[index].beginsWithBlank) { joined.append(0x20) }
            joined += rows[index].content
        }
        return joined
    }

    private func isCutHard(_ range: ClosedRange<Int>) -> Bool {
        range.dropLast().contains { rows[$0].kind == .text && rows[$0].length >= terminal.columns }
    }

    private mutating func look(_ region: AgentRules.Region, _ range: ClosedRange<Int>) -> RegionMatches {
        var generations: UInt64 = 0
        for index in range { generations = generations &* 31 &+ rows[index].generation }
        if let known = regionCache[region], known.rows == range, known.generations == generations { return known }
        var found = PatternMatches()
        for index in range { found.formUnion(rows[index].matches) }
        // Narrow terminals wrap what belongs together.
        if region != .screen, range.count > 1, range.count <= 30, region != .bottom || terminal.columns <= 66 || reading.composer == nil {
            found.formUnion(rules.patterns.matches(joined(range, cut: false)[...]))
            // A row that is full to its end was cut within a word, or not: both are looked for.
            if isCutHard(range) { found.formUnion(rules.patterns.matches(joined(range, cut: true)[...])) }
        }
        let new = RegionMatches(rows: range, generations: generations, found: found)
        regionCache[region] = new
        return new
    }
}
