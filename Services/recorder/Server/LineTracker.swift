internal import Contract
internal import Redaction
internal import Terminal

/// Follows which lines stand on a screen from when to when, for the lines that matter.
struct LineTracker {
    struct Interval: Equatable, Sendable {
        var line: String
        /// The row where it stood first; nil for a line that only passed through.
        var row: Int?
        var from: Timestamp
        /// Nil while it still stands there.
        var to: Timestamp?
        /// The frame after which it was first seen.
        var seq: UInt64
    }

    private let matches: (String) -> Bool
    /// Hides secrets before anything is looked at; none: lines as they are.
    private let redactor: Redactor?
    /// With it: the rows as they are, and the last lines that left.
    private var plain: [String] = []
    private var left: [String] = []
    private static let context = 16
    /// What each row shows: its text, and its interval if the text matters.
    private var rows: [(text: String, interval: Interval?)] = []
    private var verdicts: [String: Bool] = [:]
    private(set) var ended: [Interval] = []

    init(redactor: Redactor? = nil, matches: @escaping (String) -> Bool) {
        self.redactor = redactor
        self.matches = matches
    }

    /// Intervals that are not at their end.
    var standing: [Interval] { rows.compactMap(\.interval) }

    /// Begins at an engine's state, at the beginning of a segment. Lines that stood there at the end of the one before, if that
    /// was followed, go on.
    mutating func begin(_ engine: Terminal, seq: UInt64, time: Timestamp) {
        _ = engine.takeChangedRows()
        if redactor != nil { plain = engine.text() }
        let texts = redactor.map { ScreenRedaction(engine, $0).texts(engine) } ?? engine.text()
        move(to: texts, scrolled: 0, seq: seq, time: time)
    }

    /// What followed is not known: everything ends here.
    mutating func interrupt(at time: Timestamp) {
        move(to: [], scrolled: 0, seq: 0, time: time)
    }

    /// A frame was applied to the engine.
    mutating func applied(_ frame: Frame, to engine: Terminal) {
        let changes = engine.takeChangedRows()
        if changes.rows.isEmpty, changes.scrollCount == 0, changes.scrolledText.isEmpty, engine.rows == rows.count { return }
        var texts = rows.map(\.text)
        texts.removeFirst(min(changes.scrollCount, texts.count))
        if texts.count > engine.rows { texts.removeLast(texts.count - engine.rows) }
        let known = texts.count
        while texts.count < engine.rows { texts.append(engine.rowText(texts.count)) }
        if let redactor {
            for (row, text) in ScreenRedaction.texts(of: changes.rows + Array(known..<max(known, engine.rows)), scrolled: changes.scrollCount > 0, in: engine, redactor) {
                texts[row] = text
            }
        } else {
            for row in changes.rows where row < texts.count { texts[row] = engine.rowText(row) }
        }
        var before = Set<String>()
        if !changes.scrolledText.isEmpty { before = redactor == nil ? Set(rows.map(\.text)) : Set(plain) }
        move(to: texts, scrolled: changes.scrollCount, seq: frame.seq, time: frame.time)
        let gone = changes.scrolledOff
        let shown = redactor.map { hidden(gone, engine, $0) } ?? gone
        for (line, plain) in zip(shown, gone) where !before.contains(plain) && matters(line) {
            ended.append(Interval(line: line, row: nil, from: frame.time, to: frame.time, seq: frame.seq))
        }
    }

    /// Lines that left the screen, seen with what went before them and what follows, so that a secret that was wrapped is known in each part.
    private mutating func hidden(_ gone: [String], _ engine: Terminal, _ redactor: Redactor) -> [String] {
        plain = engine.text()
        guard !gone.isEmpty else { return gone }
        let all = left + gone + plain.prefix(Self.context)
        let hidden = redactor.redacted(rows: all, columns: engine.columns)
        let result = Array(hidden[left.count..<(left.count + gone.count)])
        left = (left + gone).suffix(Self.context)
        return result
    }

    mutating func takeEnded() -> [Interval] {
        defer { ended = [] }
        return ended
    }

    private mutating func move(to texts: [String], scrolled: Int, seq: UInt64, time: Timestamp) {
        var old = rows
        var leaving = old.prefix(scrolled).compactMap(\.interval)
        old.removeFirst(min(scrolled, old.count))
        var new: [(text: String, interval: Interval?)] = []
        new.reserveCapacity(texts.count)
        var arriving: [Int] = []
        for (row, text) in texts.enumerated() {
            if row < old.count, old[row].text == text {
                new.append(old[row])
                continue
            }
            if row < old.count, let interval = old[row].interval { leaving.append(interval) }
            new.append((text, nil))
            if matters(text) { arriving.append(row) }
        }
        if old.count > texts.count { leaving += old[texts.count...].compactMap(\.interval) }
        for row in arriving {
            // A line that moved or was painted again is the same line.
            if let same = leaving.firstIndex(where: { $0.line == texts[row] }) {
                new[row].interval = leaving.remove(at: same)
            } else {
                new[row].interval = Interval(line: texts[row], row: row, from: time, to: nil, seq: seq)
            }
        }
        for var interval in leaving {
            interval.to = time
            ended.append(interval)
        }
        rows = new
    }

    private mutating func matters(_ text: String) -> Bool {
        if let verdict = verdicts[text] { return verdict }
        let verdict = matches(text)
        if verdicts.count > 20_000 { verdicts.removeAll(keepingCapacity: true) }
        verdicts[text] = verdict
        return verdict
    }
}
