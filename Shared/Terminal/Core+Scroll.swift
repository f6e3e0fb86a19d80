extension Core {
    var hasFullWidthMargins: Bool { left == 0 && right == columns - 1 }

    /// IND: down a line, scrolling at the bottom margin.
    @inline(__always)
    mutating func lineFeed() {
        if row == bottom {
            if hasFullWidthMargins {
                scrollUp(1, keep: true)
            } else if column >= left && column <= right {
                scrollUp(1, keep: true)
            }
        } else if row < rows - 1 {
            row += 1
        }
    }

    /// RI.
    mutating func reverseLineFeed() {
        if row == top {
            if column >= left && column <= right { scrollDown(1) }
        } else if row > 0 {
            row -= 1
        }
    }

    /// Scrolls the margins' area up. `keep` puts lines that leave the main screen's top into the history.
    mutating func scrollUp(_ count: Int, keep: Bool) {
        scrollUp(top: top, count, keep: keep)
    }

    mutating func scrollUp(top: Int, _ count: Int, keep: Bool) {
        let blank = self.blank
        guard top <= bottom else { return }
        let count = min(count, bottom - top + 1)
        guard count > 0 else { return }
        if hasFullWidthMargins {
            if keep && top == 0 { leave(count) }
            if top > 0 { grid.setWrapped(top - 1, false) }
            grid.scrollUp(top: top, bottom: bottom, count: count, value: blank)
            if bottom < rows - 1 && bottom - count >= 0 { grid.setWrapped(bottom - count, false) }
        } else {
            for row in top...bottom {
                if row + count <= bottom { copyMargins(from: row + count, to: row) } else { fillMargins(row, blank) }
            }
        }
    }

    /// The first lines leave the screen: into the history, and to whoever indexes.
    @inline(__always)
    private mutating func leave(_ count: Int) {
        for row in 0..<count {
            if tracksIndex { appendLine(row) }
            if !isAlternate && scrollback > 0 { push(row) }
        }
    }

    @inline(__always)
    private mutating func appendLine(_ row: Int) {
        // Taken out while it grows: `appendText` reads the rest of us.
        var text: [UInt8] = []
        swap(&text, &scrolledText)
        appendText(UnsafeBufferPointer(start: grid.row(row), count: grid.usedColumns(row)), to: &text)
        text.append(0x0a)
        swap(&text, &scrolledText)
    }

    @inline(__always)
    mutating func push(_ row: Int) {
        let used = grid.usedColumns(row)
        if history.append(UnsafeBufferPointer(start: grid.row(row), count: used), flags: grid.rowFlags(row) & RowFlags.content) {
            sealHistory()
        }
    }

    mutating func scrollDown(_ count: Int) { scrollDown(top: top, count) }

    mutating func scrollDown(top: Int, _ count: Int) {
        let blank = self.blank
        guard top <= bottom else { return }
        let count = min(count, bottom - top + 1)
        guard count > 0 else { return }
        if hasFullWidthMargins {
            if top > 0 { grid.setWrapped(top - 1, false) }
            grid.setWrapped(bottom, false)
            grid.scrollDown(top: top, bottom: bottom, count: count, value: blank)
            grid.setWrapped(bottom, false)
        } else {
            for row in stride(from: bottom, through: top, by: -1) {
                if row - count >= top { copyMargins(from: row - count, to: row) } else { fillMargins(row, blank) }
            }
        }
    }

    private mutating func copyMargins(from: Int, to: Int) {
        cutMargins(to)
        cutMargins(from)
        (grid.row(to) + left).update(from: grid.row(from) + left, count: right - left + 1)
        grid.setWrapped(to, false)
        grid.touch(to)
    }

    private mutating func fillMargins(_ row: Int, _ blank: UInt64) {
        cutMargins(row)
        grid.fill(row, left, right + 1, blank)
        grid.setWrapped(row, false)
    }

    /// Wide characters across the margins become blanks.
    private mutating func cutMargins(_ row: Int) {
        splitWide(row, left)
        splitWide(row, right + 1)
    }

    // MARK: - Inside a line

    /// ICH: blanks at the cursor push the rest of the line to the right margin.
    mutating func insertBlanks(_ count: Int) {
        // As xterm does it: beside the left and right margins nothing moves, above and below the others it does.
        guard column >= left && column <= right else { return }
        insertColumns(row, column, count)
        pendingWrap = false
    }

    /// `column` is within the left and right margins.
    mutating func insertColumns(_ row: Int, _ column: Int, _ count: Int) {
        let blank = self.blank
        let limit = right
        guard column <= limit, count > 0 else { return }
        let count = min(count, limit - column + 1)
        splitWide(row, column)
        splitWide(row, limit + 1)
        splitWide(row, limit + 1 - count)
        let cells = grid.row(row)
        let kept = limit - column + 1 - count
        if kept > 0 { memmoveCells(cells + column + count, cells + column, kept) }
        for index in column..<(column + count) { cells[index] = blank }
        repairEdge(row, limit)
        grid.setWrapped(row, false)
        grid.touch(row)
    }

    /// DCH.
    mutating func deleteCharacters(_ count: Int) {
        guard column >= left && column <= right else { return }
        deleteColumns(row, column, count)
        pendingWrap = false
    }

    /// `column` is within the left and right margins.
    mutating func deleteColumns(_ row: Int, _ column: Int, _ count: Int) {
        let blank = self.blank
        let limit = right
        guard column <= limit, count > 0 else { return }
        let count = min(count, limit - column + 1)
        splitWide(row, column)
        splitWide(row, column + count)
        splitWide(row, limit + 1)
        let cells = grid.row(row)
        let kept = limit - column + 1 - count
        if kept > 0 { memmoveCells(cells + column, cells + column + count, kept) }
        for index in (limit + 1 - count)...limit { cells[index] = blank }
        grid.setWrapped(row, false)
        grid.touch(row)
    }

    private func memmoveCells(_ to: UnsafeMutablePointer<UInt64>, _ from: UnsafeMutablePointer<UInt64>, _ count: Int) {
        to.update(from: from, count: count)
    }

    /// A wide head that was pushed onto the last column has lost its tail.
    private func repairEdge(_ row: Int, _ limit: Int) {
        let cell = grid[row, limit]
        if cell.isHead { grid[row, limit] = Cell(raw: cell.pen) }
    }

    // MARK: - Erasing

    /// Erases columns `from..<to`; a selective erase leaves protected cells and changes no attributes.
    mutating func erase(_ row: Int, _ from: Int, _ to: Int, selective: Bool = false) {
        let blank = self.blank
        let from = max(from, 0), to = min(to, columns)
        guard from < to else { return }
        if to == columns { grid.setWrapped(row, false) }
        if (blank == 0 || selective) && grid.isBlank(row) { return }
        if blank == 0 && !selective && from == 0 && to == columns {
            grid.clear(row)
            return
        }
        splitWide(row, from)
        splitWide(row, to)
        if selective {
            let cells = grid.row(row)
            for column in from..<to where cells[column] & Cell.protectedBit == 0 {
                let value = Cell(raw: cells[column]).pen
                if cells[column] != value {
                    cells[column] = value
                    grid.touch(row)
                }
            }
        } else {
            grid.fill(row, from, to, blank)
        }
    }

    mutating func eraseLine(_ row: Int, selective: Bool) {
        erase(row, 0, columns, selective: selective)
        if hasDoubleRows && !selective { grid.setContentFlags(row, 0) }
    }

    mutating func eraseInDisplay(_ what: Int, selective: Bool) {
        switch what {
        case 0:
            erase(row, column, columns, selective: selective)
            for row in (row + 1)..<max(rows, row + 1) { eraseLine(row, selective: selective) }
        case 1:
            for row in 0..<row { eraseLine(row, selective: selective) }
            erase(row, 0, column + 1, selective: selective)
        case 2:
            if !selective && !isAlternate { keepScreen() }
            for row in 0..<rows { eraseLine(row, selective: selective) }
        case 3:
            if !selective && !isAlternate { history.removeAll() }
        default: break
        }
    }

    /// Before the whole screen is erased its lines go to the history, so that clearing loses nothing.
    private mutating func keepScreen() {
        guard scrollback > 0 || tracksIndex else { return }
        var used = rows
        while used > 0 && grid.usedColumns(used - 1) == 0 { used -= 1 }
        for row in 0..<used where scrollback > 0 { push(row) }
    }
}
