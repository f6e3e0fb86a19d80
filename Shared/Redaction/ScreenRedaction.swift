public import Terminal

/// The secrets on a terminal's screen, by rows of cells.
public struct ScreenRedaction: Sendable {
    /// For each row, in their order.
    public private(set) var rows: [[Redaction]]
    /// Whether a row goes on in the next one.
    private var joins: [Bool]
    private let redactor: Redactor

    /// Lines of history that are looked at when the screen begins in the middle of something.
    private static let historyLines = 80

    public init(_ terminal: Terminal, _ redactor: Redactor) {
        self.redactor = redactor
        let lines = (0..<terminal.rows).map { terminal.rowScalars($0) }
        var joins = (0..<terminal.rows).map { terminal.isWrapped($0) }
        // Programs that wrap by themselves fill a row to its end and go on at the beginning of the next.
        for row in 0..<max(0, lines.count - 1) where !joins[row] { joins[row] = Self.flows(lines[row], lines[row + 1]) }
        self.joins = joins
        if Self.mayBegin(inside: lines) || terminal.historyCount > 0 && Self.isFull(terminal.history(lines: 1), terminal.columns) {
            let history = terminal.history(lines: Self.historyLines).map { $0.unicodeScalars.map(\.value) }
            let together = history + lines
            let all = redactor.redactions(in: together) { index in
                index < history.count ? Self.goesOn(together, index, terminal.columns) : joins[index - history.count]
            }
            rows = Array(all.dropFirst(history.count))
        } else {
            rows = redactor.redactions(in: lines) { joins[$0] }
        }
    }

    /// Whether a line of text, of which no more is known, fills its row and goes on in the next.
    static func goesOn(_ lines: [[UInt32]], _ index: Int, _ columns: Int) -> Bool {
        guard lines[index].count >= columns, index + 1 < lines.count, let next = lines[index + 1].first else { return false }
        return !Character7.isBlank(next)
    }

    private static func isFull(_ lines: [String], _ columns: Int) -> Bool { lines.last.map { $0.unicodeScalars.count >= columns } ?? false }

    private static func flows(_ row: [UInt32], _ next: [UInt32]) -> Bool {
        guard let last = row.last, let first = next.first else { return false }
        let token = Character7.base64URL | Character7.base64 | Character7.dot
        return Character7.of(last) & token != 0 && Character7.of(first) & token != 0
    }

    /// The topmost rows may be of a private key whose beginning has scrolled away.
    private static func mayBegin(inside lines: [[UInt32]]) -> Bool { lines.prefix(2).contains { PrivateKeys.longestRun($0) >= 32 } }

    public var isEmpty: Bool { rows.allSatisfy(\.isEmpty) }

    /// How many secrets of which rule, for those who count.
    public var counts: [String: Int] {
        rows.joined().reduce(into: [:]) { $0[$1.rule, default: 0] += 1 }
    }

    // MARK: - Texts

    /// Every row as it may be shown.
    public func texts(_ terminal: Terminal) -> [String] {
        (0..<terminal.rows).map { Self.text(terminal, $0, rows[$0]) }
    }

    /// The same of some rows and of those that go on in them, for one who follows every change: only these are looked at.
    /// - Parameter scrolled: rows have gone into the history, so that the first one may go on what stands there.
    public static func texts(of changed: [Int], scrolled: Bool, in terminal: Terminal, _ redactor: Redactor) -> [(row: Int, text: String)] {
        var result: [(row: Int, text: String)] = []
        var done = -1
        // A row that went on in a changed one, and does no more, means something else by itself.
        let concerned = Set(changed.flatMap { [$0 - 1, $0, $0 + 1] } + (scrolled ? [0] : []))
        for row in concerned.sorted() where row > done && row >= 0 && row < terminal.rows {
            var first = row
            while first > 0, terminal.isWrapped(first - 1) || flows(terminal.rowScalars(first - 1), terminal.rowScalars(first)) { first -= 1 }
            var last = row
            while last + 1 < terminal.rows, terminal.isWrapped(last) || flows(terminal.rowScalars(last), terminal.rowScalars(last + 1)) { last += 1 }
            let lines = (first...last).map { terminal.rowScalars($0) }
            // Parts of private keys are known by what stands around them.
            let comesFromHistory = first == 0 && terminal.historyCount > 0 && isFull(terminal.history(lines: 1), terminal.columns)
            if comesFromHistory || lines.contains(where: { PrivateKeys.longestRun($0) >= 24 || PrivateKeys.place(of: PrivateKeys.dashes, in: $0, from: 0) != nil }) {
                return ScreenRedaction(terminal, redactor).texts(terminal).enumerated().map { ($0.offset, $0.element) }
            }
            let found = redactor.redactions(in: lines) { _ in true }
            for (offset, redactions) in found.enumerated() { result.append((first + offset, text(terminal, first + offset, redactions))) }
            done = last
        }
        return result
    }

    private static func text(_ terminal: Terminal, _ row: Int, _ redactions: [Redaction]) -> String {
        guard !redactions.isEmpty else { return terminal.rowText(row) }
        var scalars = terminal.rowScalars(row)
        for redaction in redactions { for index in redaction.range.clamped(to: 0..<scalars.count) { scalars[index] = Redactor.mark.value } }
        // A wide character's second half is no character.
        while let last = scalars.last, Character7.isBlank(last) { scalars.removeLast() }
        return String(String.UnicodeScalarView(scalars.compactMap { Unicode.Scalar($0) }))
    }

    // MARK: - Showing

    /// The whole screen as it may be shown.
    public func screen(_ terminal: Terminal) -> ScreenDelta { shown(terminal.fullDelta()) }

    /// A change as it may be shown. A row that belongs to one that changed comes with it: what was no secret before may be the beginning of one now.
    public func delta(_ delta: ScreenDelta, of terminal: Terminal) -> ScreenDelta {
        var wanted = Set(delta.changed.map(\.row))
        for row in Set(wanted.flatMap { [$0 - 1, $0, $0 + 1] }) where joins.indices.contains(row) {
            // It went on in the changed one before, perhaps.
            if !rows[row].isEmpty { wanted.insert(row) }
            var first = row
            while first > 0, joins[first - 1] { first -= 1 }
            var last = row
            while last + 1 < joins.count, joins[last] { last += 1 }
            if first < last { wanted.formUnion(first...last) }
        }
        if !delta.changed.isEmpty {
            for row in rows.indices where rows[row].contains(where: { $0.rule == PrivateKeys.rule }) { wanted.insert(row) }
        }
        var delta = delta
        let present = Set(delta.changed.map(\.row))
        delta.changed += wanted.subtracting(present).map { ScreenDelta.Row(row: $0, runs: terminal.runs($0)) }
        delta.changed.sort { $0.row < $1.row }
        return shown(delta)
    }

    private func shown(_ delta: ScreenDelta) -> ScreenDelta {
        var delta = delta
        for index in delta.changed.indices where rows.indices.contains(delta.changed[index].row) {
            delta.changed[index].runs = Self.cover(delta.changed[index].runs, rows[delta.changed[index].row].map(\.range), redactor)
        }
        delta.title = delta.title.map { redactor.redacted($0) }
        return delta
    }

    static func cover(_ runs: [StyledRun], _ ranges: [Range<Int>], _ redactor: Redactor) -> [StyledRun] {
        if ranges.isEmpty, runs.allSatisfy({ $0.link == nil }) { return runs }
        var column = 0
        return runs.map { run in
            defer { column += run.width }
            var run = run
            if let link = run.link, !redactor.redactions(in: link.uri.unicodeScalars.map(\.value)).isEmpty { run.link = nil }
            let place = column..<(column + run.width)
            let parts = ranges.filter { $0.overlaps(place) }
            guard !parts.isEmpty else { return run }
            run.link = nil
            var scalars = run.text.unicodeScalars.map { $0 }
            guard scalars.count == run.width else {
                // Wide characters and clusters go as a whole.
                run.text = String(repeating: String(Redactor.mark), count: run.width)
                return run
            }
            for part in parts { for index in part.clamped(to: place) { scalars[index - column] = Redactor.mark } }
            run.text = String(String.UnicodeScalarView(scalars))
            return run
        }
    }
}

extension Redactor {
    /// Hides the secrets of a terminal that is only shown from now on: screen, the screen behind it, title and links.
    public func cover(_ terminal: Terminal) {
        for (row, redactions) in ScreenRedaction(terminal, self).rows.enumerated() {
            for redaction in redactions { terminal.cover(row: row, columns: redaction.range, with: Self.mark) }
        }
        if terminal.hiddenRows > 0 {
            let lines = (0..<terminal.hiddenRows).map { terminal.hiddenRowScalars($0) }
            for (row, redactions) in self.redactions(in: lines, joins: { terminal.isHiddenRowWrapped($0) }).enumerated() {
                for redaction in redactions { terminal.cover(row: row, columns: redaction.range, with: Self.mark, hidden: true) }
            }
        }
        let title = redacted(terminal.title)
        if title != terminal.title { terminal.replaceTitle(title) }
        terminal.dropLinks { !redactions(in: $0.unicodeScalars.map(\.value)).isEmpty }
    }

    /// Lines of a terminal's history as they may be shown; a line that fills its row goes on in the next, the last one on the screen.
    public func history(of terminal: Terminal, lines count: Int) -> [String] {
        let texts = terminal.history(lines: count)
        guard !texts.isEmpty else { return [] }
        let lines = texts.map { $0.unicodeScalars.map(\.value) }
        let screen = (0..<min(terminal.rows, 4)).map { terminal.rowScalars($0) }
        let all = lines + screen
        let found = redactions(in: all) {
            $0 < lines.count ? ScreenRedaction.goesOn(all, $0, terminal.columns) : terminal.isWrapped($0 - lines.count)
        }
        return zip(zip(texts, lines), found).map { $1.isEmpty ? $0.0 : Self.text($0.1, without: $1) }
    }

    /// Lines of text as they may be shown, one row of a terminal each; one that fills its row goes on in the next.
    public func redacted(rows texts: [String], columns: Int) -> [String] {
        let lines = texts.map { $0.unicodeScalars.map(\.value) }
        let found = redactions(in: lines) { ScreenRedaction.goesOn(lines, $0, columns) }
        return zip(zip(texts, lines), found).map { $1.isEmpty ? $0.0 : Self.text($0.1, without: $1) }
    }
}
