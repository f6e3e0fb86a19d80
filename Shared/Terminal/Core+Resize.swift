extension Core {
    mutating func resize(columns newColumns: Int, rows newRows: Int) {
        let newColumns = min(max(newColumns, 1), Core.maximumColumns), newRows = min(max(newRows, 1), Core.maximumRows)
        guard newColumns != columns || newRows != rows else { return }
        if pendingWrap && column < newColumns - 1 && newColumns > columns && isAlternate {
            pendingWrap = false
            column += 1
        }
        joinable = false
        // Lines that come back from sealed pages bring links: whether they find room must not depend on forgotten ones.
        collectLinks()
        if isAlternate {
            // The main screen waits behind: its cursor is the one that was saved on the way in.
            var row = min(otherSaved.row, rows - 1), column = min(otherSaved.column, columns - 1), wrap = otherSaved.pendingWrap
            var main = Grid(columns: 0, rows: 0)
            swap(&main, &other)
            refit(&main, newColumns, newRows, &row, &column, &wrap)
            swap(&main, &other)
            otherSaved.row = row
            otherSaved.column = column
            otherSaved.pendingWrap = wrap
            clip(newColumns, newRows)
        } else {
            var row = self.row, column = self.column, wrap = pendingWrap
            let (oldRow, oldColumn) = (row, column)
            var main = Grid(columns: 0, rows: 0)
            swap(&main, &grid)
            refit(&main, newColumns, newRows, &row, &column, &wrap)
            swap(&main, &grid)
            // A saved cursor keeps its distance from the cursor's line.
            saved.row = min(max(saved.row + row - oldRow, 0), newRows - 1)
            saved.column = min(saved.column, newColumns - 1)
            if saved.pendingWrap && oldColumn != column { saved.pendingWrap = false }
            self.row = row
            self.column = column
            pendingWrap = wrap
            if other.rows > 0 { other = Grid(columns: newColumns, rows: newRows) }
        }
        if newColumns != columns {
            let defaults = Core.defaultTabs(newColumns)
            tabs = (0..<newColumns).map { $0 < tabs.count ? tabs[$0] : defaults[$0] }
        }
        columns = newColumns
        rows = newRows
        top = 0
        bottom = rows - 1
        left = 0
        right = columns - 1
        row = min(row, rows - 1)
        column = min(column, lastColumn(row))
        if pendingWrap && column < lastColumn(row) { pendingWrap = false }
        cursorVersion &+= 1
        grid.scrolled = 0
        grid.indexScrolled = 0
        grid.touchAll()
        if modes.sizeReports { reportSize() }
    }

    /// The alternate screen: programs repaint it, so it is cut or grows, and the cursor's line stays.
    private mutating func clip(_ newColumns: Int, _ newRows: Int) {
        let shift = max(0, row - (newRows - 1))
        var fresh = Grid(columns: newColumns, rows: newRows)
        for line in 0..<min(newRows, rows - shift) {
            Core.copy(grid, line + shift, to: fresh, line)
        }
        fresh.adoptVersion(&grid)
        grid = fresh
        row -= shift
        saved.row = min(max(saved.row - shift, 0), newRows - 1)
        saved.column = min(saved.column, newColumns - 1)
    }

    private static func copy(_ source: borrowing Grid, _ from: Int, to target: borrowing Grid, _ to: Int) {
        let width = min(source.columns, target.columns)
        let (old, new) = (source.row(from), target.row(to))
        for column in 0..<width { new[column] = old[column] }
        if width < source.columns && Cell(raw: new[width - 1]).isHead { new[width - 1] = Cell(raw: new[width - 1]).pen }
        target.setContentFlags(to, source.rowFlags(from) & (width < source.columns ? RowFlags.doubleMask : RowFlags.content))
    }

    /// The main screen: wrapped lines are wrapped again, rows go to and come from the history, nothing written is lost.
    private mutating func refit(
        _ grid: inout Grid, _ newColumns: Int, _ newRows: Int, _ row: inout Int, _ column: inout Int, _ wrap: inout Bool
    ) {
        var lines: [DecodedRows.Row] = []
        for line in 0..<grid.rows {
            let used = grid.usedColumns(line)
            lines.append(
                DecodedRows.Row(
                    cells: Array(UnsafeBufferPointer(start: grid.row(line), count: used)), flags: grid.rowFlags(line) & RowFlags.content))
        }
        let oldColumns = grid.columns
        if newColumns != oldColumns {
            // A line that began in the history is wrapped again from its beginning.
            while let last = history.newestFlags, last & RowFlags.wrapped != 0, let line = popHistory() {
                lines.insert(line, at: 0)
                row += 1
                if lines.count > 4 * Core.maximumRows { break }
            }
            Reflow.rewrap(&lines, from: oldColumns, to: newColumns, row: &row, column: &column, pendingWrap: &wrap)
        }
        // Blank lines below the cursor go first, then the top goes to the history.
        while lines.count > newRows, lines.count - 1 > row, let last = lines.last, last.cells.isEmpty { lines.removeLast() }
        if lines.count > newRows {
            let surplus = lines.count - newRows
            for line in 0..<surplus where scrollback > 0 {
                let full = lines[line].cells.withUnsafeBufferPointer { history.append($0, flags: lines[line].flags) }
                if full { sealHistory() }
            }
            lines.removeFirst(surplus)
            row = max(0, row - surplus)
        } else {
            while lines.count < newRows, history.count > 0 {
                var paragraph: [DecodedRows.Row] = []
                while let line = popHistory() {
                    paragraph.insert(line, at: 0)
                    guard let before = history.newestFlags, before & RowFlags.wrapped != 0, paragraph.count < 4 * Core.maximumRows else { break }
                }
                if newColumns != oldColumns || paragraph.contains(where: { $0.cells.count > newColumns }) {
                    var (ignoredRow, ignoredColumn, ignoredWrap) = (0, 0, false)
                    Reflow.rewrap(
                        &paragraph, from: max(oldColumns, paragraph.map(\.cells.count).max() ?? 0), to: newColumns, row: &ignoredRow,
                        column: &ignoredColumn, pendingWrap: &ignoredWrap)
                }
                let room = newRows - lines.count
                let back = max(0, paragraph.count - room)
                for line in paragraph.prefix(back) {
                    let full = line.cells.withUnsafeBufferPointer { history.append($0, flags: line.flags) }
                    if full { sealHistory() }
                }
                lines.insert(contentsOf: paragraph.dropFirst(back), at: 0)
                row += paragraph.count - back
                if paragraph.isEmpty { break }
            }
        }
        var fresh = Grid(columns: newColumns, rows: newRows)
        for (index, line) in lines.prefix(newRows).enumerated() {
            let target = fresh.row(index)
            for column in 0..<min(newColumns, line.cells.count) { target[column] = line.cells[column] }
            fresh.setContentFlags(index, line.flags)
        }
        row = min(max(row, 0), newRows - 1)
        column = min(max(column, 0), newColumns - 1)
        fresh.adoptVersion(&grid)
        grid = fresh
    }
}

/// Wrapping lines to another width.
enum Reflow {
    /// `row` and `column` follow the character they are at.
    static func rewrap(
        _ lines: inout [DecodedRows.Row], from oldColumns: Int, to newColumns: Int, row: inout Int, column: inout Int, pendingWrap: inout Bool
    ) {
        var result: [DecodedRows.Row] = []
        result.reserveCapacity(lines.count)
        var newRow = row, newColumn = min(column, newColumns - 1), newWrap = false
        var first = 0
        while first < lines.count {
            var last = first
            while last < lines.count - 1 && lines[last].flags & RowFlags.wrapped != 0 { last += 1 }
            var text: [UInt64] = []
            var cursor = -1
            for index in first...last {
                if index == row { cursor = text.count + column + (pendingWrap ? 1 : 0) }
                var cells = lines[index].cells
                if index < last {
                    if cells.count < oldColumns { cells += Array(repeating: 0, count: oldColumns - cells.count) }
                    if let end = cells.last, Cell(raw: end).isSpacer { cells.removeLast() }
                }
                text += cells
            }
            let flags = lines[first].flags & RowFlags.doubleMask
            let continues = lines[last].flags & RowFlags.wrapped
            let start = result.count
            var at = 0
            repeat {
                var end = min(at + newColumns, text.count)
                var cells = Array(text[at..<end])
                if end < text.count, newColumns > 1, let tail = cells.last, Cell(raw: tail).isHead {
                    end -= 1
                    cells[cells.count - 1] = Cell(raw: tail).pen & Cell.styleMask | Cell.wideSpacer
                } else if newColumns == 1 {
                    // A wide character has no place at all here.
                    cells = cells.map { Cell(raw: $0).isNarrow ? $0 : Cell(raw: $0).pen }
                }
                if cursor >= at && (cursor < end || end >= text.count) {
                    newRow = result.count
                    newColumn = cursor - at
                    cursor = -1
                }
                result.append(DecodedRows.Row(cells: cells, flags: flags | (end < text.count ? RowFlags.wrapped : continues)))
                at = end
            } while at < text.count
            if newRow >= start && newRow < result.count && row >= first && row <= last && newColumn >= newColumns {
                // Behind the last character of a full row is where the next one wraps.
                newWrap = pendingWrap || newColumn == newColumns
                newColumn = newColumns - 1
            }
            first = last + 1
        }
        lines = result
        row = newRow
        column = newColumn
        pendingWrap = newWrap
    }
}
