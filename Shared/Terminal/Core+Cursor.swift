extension Core {
    /// The last column of a row; double-width rows have half.
    func lastColumn(_ row: Int) -> Int {
        hasDoubleRows && grid.isDoubleWidth(row) ? max(columns / 2, 1) - 1 : columns - 1
    }

    /// Whether text that goes on here wraps.
    var isAtLineEnd: Bool { column == right || column == lastColumn(row) }

    /// CUP and friends: from 0, relative to the margins in origin mode.
    mutating func moveTo(row newRow: Int, column newColumn: Int) {
        if originMode {
            row = min(max(newRow, 0) + top, bottom)
            column = min(max(newColumn, 0) + left, right)
        } else {
            row = min(max(newRow, 0), rows - 1)
            column = max(newColumn, 0)
        }
        column = min(column, lastColumn(row))
        pendingWrap = false
    }

    /// A place on the screen whatever the margins and the origin.
    mutating func place(row newRow: Int, column newColumn: Int) {
        row = min(max(newRow, 0), rows - 1)
        column = min(max(newColumn, 0), lastColumn(row))
        pendingWrap = false
    }

    @inline(__always)
    mutating func moveUp(_ count: Int) {
        row = max(row - count, row >= top ? top : 0)
        settle()
    }

    @inline(__always)
    mutating func moveDown(_ count: Int) {
        row = min(row + count, row <= bottom ? bottom : rows - 1)
        settle()
    }

    @inline(__always)
    mutating func moveRight(_ count: Int) {
        let limit = printLimit
        column = min(column + count, max(limit, column))
        settle()
    }

    /// CUB; in reverse-wrap mode it goes on at the end of the line before.
    @inline(__always)
    mutating func moveLeft(_ count: Int) {
        if (modes.reverseWrap || modes.extendedReverseWrap) && modes.autowrap {
            moveBack(count)
            return
        }
        column = max(column - count, column >= left ? left : 0)
        pendingWrap = false
    }

    @inline(never)
    private mutating func moveBack(_ count: Int) {
        var count = min(count, columns * rows)
        if pendingWrap {
            // The cursor is behind the last column.
            pendingWrap = false
            count -= 1
        }
        while count > 0 {
            let limit = column >= left ? left : 0
            let step = min(count, column - limit)
            column -= step
            count -= step
            guard count > 0 else { break }
            // xterm up to patch 379 goes on over every line and from the top to the bottom, as its tests want.
            row = row == top ? bottom : row == 0 ? rows - 1 : row - 1
            column = column >= left ? right : columns - 1
            count -= 1
        }
    }

    @inline(__always)
    private mutating func settle() {
        if hasDoubleRows { column = min(column, lastColumn(row)) }
        pendingWrap = false
    }

    mutating func carriageReturn() {
        column = column >= left ? left : 0
        if originMode { column = left }
        pendingWrap = false
    }

    mutating func tabForward(_ count: Int) {
        let limit = column <= right ? min(right, lastColumn(row)) : lastColumn(row)
        for _ in 0..<min(count, columns) where column < limit {
            repeat { column += 1 } while column < limit && !tabs[column]
        }
    }

    mutating func tabBackward(_ count: Int) {
        let limit = originMode ? left : 0
        for _ in 0..<min(count, columns) where column > limit {
            repeat { column -= 1 } while column > limit && !tabs[column]
        }
        pendingWrap = false
    }

    // MARK: - DECSC, DECRC

    mutating func saveCursor() {
        saved = SavedCursor(
            row: row, column: column, pendingWrap: pendingWrap, style: style, protected: protected, origin: originMode,
            charsets: [charsets.0, charsets.1, charsets.2, charsets.3], locked: locked)
    }

    mutating func restoreCursor() {
        style = saved.style
        protected = saved.protected
        originMode = saved.origin
        for slot in 0..<4 { designate(UInt8(slot), saved.charsets[slot]) }
        locked = saved.locked
        singleShift = 0
        penIsStale = true
        updatePlainPrinting()
        row = min(saved.row, rows - 1)
        column = min(saved.column, lastColumn(row))
        if originMode {
            row = min(max(row, top), bottom)
            column = min(max(column, left), right)
        }
        pendingWrap = saved.pendingWrap && isAtLineEnd
        joinable = false
    }

    // MARK: - The two screens

    mutating func swapScreens() {
        if other.rows == 0 { other = Grid(columns: columns, rows: rows) }
        swap(&grid, &other)
        swap(&saved, &otherSaved)
        swap(&kittyStack, &otherKittyStack)
        swap(&modes.kittyKeyboard, &otherKittyFlags)
        isAlternate.toggle()
        // Rows of another screen are all new to a viewer and to the index.
        grid.scrolled = 0
        grid.indexScrolled = 0
        grid.touchAll()
        pendingWrap = pendingWrap && isAtLineEnd
        joinable = false
    }

    /// ?47, ?1047, ?1049.
    mutating func setAlternate(_ on: Bool, mode: Int) {
        if on {
            if mode == 1049 {
                if !isAlternate { saveCursor() }
            }
            if !isAlternate { swapScreens() }
            if mode == 1049 { for row in 0..<rows { eraseLine(row, selective: false) } }
        } else {
            if isAlternate {
                if mode == 1047 { for row in 0..<rows { eraseLine(row, selective: false) } }
                swapScreens()
            }
            if mode == 1049 { restoreCursor() }
        }
    }
}
