/// Cells next to one another that look alike: all narrow, all wide, or one character of several scalars.
public struct StyledRun: Hashable, Sendable {
    public var text: String
    /// Cells, not characters.
    public var width: Int
    public var style: TextStyle
    public var link: TextLink?

    public init(text: String, width: Int, style: TextStyle = .plain, link: TextLink? = nil) {
        self.text = text
        self.width = width
        self.style = style
        self.link = link
    }
}

/// Where the cursor is and how it looks.
public struct Cursor: Hashable, Sendable {
    /// From 0.
    public var row = 0
    /// From 0.
    public var column = 0
    public var isVisible = true
    public var shape = CursorShape.block
    public var blinks = true
    /// The last column is written: the next character goes to the next line.
    public var pendingWrap = false
    public init() {}
}

/// The modes that decide what a viewer sends for a key, a paste or a click.
public struct ViewerModes: Hashable, Sendable {
    public var bracketedPaste = false
    public var applicationCursorKeys = false
    public var applicationKeypad = false
    public var focusEvents = false
    public var mouse = MouseTracking.off
    public var mouseEncoding = MouseEncoding.standard
    public var kittyKeyboard: UInt8 = 0
    public var reverseScreen = false
    public init() {}
}

/// What changed between two states of a screen.
public struct ScreenDelta: Hashable, Sendable {
    public struct Row: Hashable, Sendable {
        public var row: Int
        /// From column 0, without the plain blanks at the end.
        public var runs: [StyledRun]
        public init(row: Int, runs: [StyledRun]) { self.row = row; self.runs = runs }
    }

    public var columns: Int
    public var rows: Int
    /// Lines the whole screen moved up before `changed` applies; the rows that come in at the bottom are blank.
    public var scroll: Int
    /// Rows in ascending order.
    public var changed: [Row]
    public var cursor: Cursor
    /// nil when it is what it was.
    public var title: String?
    public var isAlternateScreen: Bool
    public var modes: ViewerModes
    /// Bells since the last delta.
    public var bells: Int

    public init(
        columns: Int, rows: Int, scroll: Int = 0, changed: [Row], cursor: Cursor, title: String? = nil, isAlternateScreen: Bool = false,
        modes: ViewerModes = ViewerModes(), bells: Int = 0
    ) {
        self.columns = columns
        self.rows = rows
        self.scroll = scroll
        self.changed = changed
        self.cursor = cursor
        self.title = title
        self.isAlternateScreen = isAlternateScreen
        self.modes = modes
        self.bells = bells
    }
}

/// A screen as a viewer holds it.
public struct ScreenImage: Hashable, Sendable {
    public var columns = 0
    public var rows: [[StyledRun]] = []
    public var cursor = Cursor()
    public var title = ""
    public var isAlternateScreen = false
    public var modes = ViewerModes()

    public init() {}

    /// The image after a delta; rows beyond the screen are ignored.
    public mutating func apply(_ delta: ScreenDelta) {
        if delta.columns != columns || delta.rows != rows.count {
            columns = delta.columns
            rows = Array(repeating: [], count: max(0, delta.rows))
        }
        if delta.scroll > 0 {
            let gone = min(delta.scroll, rows.count)
            rows.removeFirst(gone)
            rows += Array(repeating: [], count: gone)
        }
        for row in delta.changed where rows.indices.contains(row.row) { rows[row.row] = row.runs }
        cursor = delta.cursor
        if let title = delta.title { self.title = title }
        isAlternateScreen = delta.isAlternateScreen
        modes = delta.modes
    }
}

/// What changed for the text index.
public struct IndexChanges: Hashable, Sendable {
    /// Screen rows whose text may have changed.
    public var rows: [Int]
    /// Lines that left the screen at the top, oldest first: UTF-8, a line feed behind each.
    public var scrolledText: [UInt8]
    /// Lines the whole screen moved up, before `rows` applies; the number of rows when everything is new.
    public var scrollCount: Int

    public init(rows: [Int], scrolledText: [UInt8], scrollCount: Int) {
        self.rows = rows
        self.scrolledText = scrolledText
        self.scrollCount = scrollCount
    }

    public init(rows: [Int], scrolledOff: [String], scrollCount: Int) {
        self.init(rows: rows, scrolledText: scrolledOff.flatMap { Array($0.utf8) + [0x0a] }, scrollCount: scrollCount)
    }

    /// The lines that left, each a text.
    public var scrolledOff: [String] {
        scrolledText.split(separator: 0x0a, omittingEmptySubsequences: false).dropLast().map { String(decoding: $0, as: UTF8.self) }
    }
}

extension Core {
    var cursor: Cursor {
        var cursor = Cursor()
        cursor.row = row
        cursor.column = column
        cursor.isVisible = cursorVisible
        cursor.shape = cursorShape
        cursor.blinks = cursorBlinks
        cursor.pendingWrap = pendingWrap
        return cursor
    }

    var viewerModes: ViewerModes {
        var viewer = ViewerModes()
        viewer.bracketedPaste = modes.bracketedPaste
        viewer.applicationCursorKeys = modes.applicationCursorKeys
        viewer.applicationKeypad = modes.applicationKeypad
        viewer.focusEvents = modes.focusEvents
        viewer.mouse = modes.mouse
        viewer.mouseEncoding = modes.mouseEncoding
        viewer.kittyKeyboard = modes.kittyKeyboard
        viewer.reverseScreen = modes.reverseScreen
        return viewer
    }

    /// Reads a row from column 0, without the plain blanks at its end.
    func read(_ row: Int, into text: inout RowText) {
        text.clear()
        let cells = grid.row(row)
        var used = grid.usedColumns(row)
        // Half of a double-width row is out of sight.
        if hasDoubleRows { used = min(used, lastColumn(row) + 1) }
        // What looks like nothing at the end is nothing.
        while used > 0 {
            let cell = Cell(raw: cells[used - 1])
            guard cell.pen == 0, cell.isEmpty || cell.isSpacer || (cell.isNarrow && !cell.isCluster && cell.scalar == 0x20) else { break }
            used -= 1
        }
        text.scalars.reserveCapacity(used)
        var index = 0
        while index < used {
            let first = Cell(raw: cells[index])
            var end = index
            let pen = first.pen
            if first.isHead || first.isCluster {
                let step = first.isHead ? 2 : 1
                repeat {
                    append(Cell(raw: cells[end]), to: &text.scalars)
                    end += step
                } while !first.isCluster && end < used && Cell(raw: cells[end]).isHead && !Cell(raw: cells[end]).isCluster
                    && Cell(raw: cells[end]).pen == pen
                end = min(end, columns)
            } else {
                repeat {
                    // A tail without its head, or the place a wide character had no room in, looks blank.
                    let cell = Cell(raw: cells[end])
                    text.scalars.append(cell.isNarrow && cell.scalar != 0 ? Unicode.Scalar(cell.scalar)?.value ?? 0xFFFD : 0x20)
                    end += 1
                } while end < used && !Cell(raw: cells[end]).isHead && !Cell(raw: cells[end]).isCluster && Cell(raw: cells[end]).pen == pen
            }
            text.runs.append(RowText.Run(end: text.scalars.count, width: end - index, style: styles[first.style], link: first.link))
            index = end
        }
    }

    private func append(_ cell: Cell, to scalars: inout [UInt32]) {
        if cell.isTail { return }
        if cell.isCluster {
            for scalar in clusters[Int(cell.scalar)] { scalars.append(Unicode.Scalar(scalar)?.value ?? 0xFFFD) }
        } else {
            scalars.append(cell.scalar == 0 ? 0x20 : Unicode.Scalar(cell.scalar)?.value ?? 0xFFFD)
        }
    }

    func runs(_ row: Int) -> [StyledRun] {
        var text = RowText()
        read(row, into: &text)
        var begin = 0
        return text.runs.map { run in
            var characters = String.UnicodeScalarView()
            for scalar in text.scalars[begin..<run.end] { characters.append(Unicode.Scalar(scalar) ?? "\u{FFFD}") }
            begin = run.end
            return StyledRun(text: String(characters), width: run.width, style: run.style, link: run.link == 0 ? nil : links[run.link])
        }
    }

    func fullDelta() -> ScreenDelta {
        ScreenDelta(
            columns: columns, rows: rows, changed: (0..<rows).map { ScreenDelta.Row(row: $0, runs: runs($0)) }, cursor: cursor, title: title,
            isAlternateScreen: isAlternate, modes: viewerModes)
    }

    mutating func takeChangedRows() -> IndexChanges {
        tracksIndex = true
        let scroll = min(grid.indexScrolled, rows)
        let rows = (0..<self.rows).filter { grid.isDirty($0, RowFlags.indexDirty) }
        grid.clean(RowFlags.indexDirty)
        grid.indexScrolled = 0
        let text = scrolledText
        scrolledText = []
        return IndexChanges(rows: rows, scrolledText: text, scrollCount: scroll)
    }
}

extension ScreenDelta {
    /// What leads from one image to another.
    static func between(_ from: borrowing Core, _ to: borrowing Core) -> ScreenDelta {
        let new = (0..<to.rows).map { to.runs($0) }
        var delta = ScreenDelta(
            columns: to.columns, rows: to.rows, changed: [], cursor: to.cursor, title: from.title == to.title ? nil : to.title,
            isAlternateScreen: to.isAlternate, modes: to.viewerModes)
        guard from.columns == to.columns, from.rows == to.rows else {
            delta.changed = new.enumerated().map { ScreenDelta.Row(row: $0.offset, runs: $0.element) }
            return delta
        }
        let old = (0..<from.rows).map { from.runs($0) }
        delta.scroll = shift(old, new)
        for row in 0..<to.rows {
            let before = row + delta.scroll < old.count ? old[row + delta.scroll] : []
            if before != new[row] { delta.changed.append(ScreenDelta.Row(row: row, runs: new[row])) }
        }
        return delta
    }

    /// The upward shift that leaves the fewest rows to send; 0 unless it clearly helps.
    private static func shift(_ old: [[StyledRun]], _ new: [[StyledRun]]) -> Int {
        let before = old.map(\.hashValue), after = new.map(\.hashValue)
        func same(_ shift: Int) -> Int {
            (0..<(new.count - shift)).reduce(0) { $0 + (before[$1 + shift] == after[$1] && !new[$1].isEmpty ? 1 : 0) }
        }
        let unmoved = same(0)
        var best = 0, most = unmoved + 1
        for shift in 1..<max(1, new.count) {
            let count = same(shift)
            if count > most {
                best = shift
                most = count
            }
        }
        return best
    }
}
