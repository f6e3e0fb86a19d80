extension Core {
    /// The last column text can go to from where the cursor is.
    @inline(__always)
    var printLimit: Int {
        let edge = hasDoubleRows && grid.isDoubleWidth(row) ? max(columns / 2, 1) - 1 : columns - 1
        return column <= right ? min(right, edge) : edge
    }

    /// Bytes 0x20…0x7E with GL = ASCII, replacing.
    @inline(__always)
    mutating func printASCII(_ start: UnsafePointer<UInt8>, _ count: Int) {
        if penIsStale { refreshPen() }
        if count == 1 && !pendingWrap && column < printLimit {
            // Programs that draw what changed send many single characters.
            put(UInt64(start.pointee), width: 1)
            lastScalar = UInt32(start.pointee)
            column += 1
            return
        }
        if !pendingWrap && column + count <= printLimit {
            // No line ends here.
            write(start, count, pen)
            lastRow = row
            lastColumn = column + count - 1
            column += count
            lastScalar = UInt32(start[count - 1])
            joinable = true
            return
        }
        printLines(start, count)
    }

    /// Text that reaches the end of the line.
    @inline(never)
    private mutating func printLines(_ start: UnsafePointer<UInt8>, _ count: Int) {
        let pen = self.pen
        var source = start
        var left = count
        while left > 0 {
            if pendingWrap { wrap() }
            let limit = printLimit
            // From a line of ordinary width the cursor can come to beyond the end of a double-width one.
            if column > limit { column = limit }
            let room = limit - column + 1
            if left >= room && !modes.autowrap {
                // Without wrapping the last column takes what is left, one after the other.
                let first = max(room - 1, 0)
                if first > 0 { write(source, first, pen) }
                column = limit
                var last = source[left - 1]
                write(&last, 1, pen)
                lastRow = row
                lastColumn = limit
                pendingWrap = true
                left = 0
                break
            }
            let length = min(left, room)
            write(source, length, pen)
            source += length
            left -= length
            lastRow = row
            lastColumn = column + length - 1
            if length == room {
                column = limit
                pendingWrap = true
                if limit == columns - 1 { grid.setWrapped(row, false) }
            } else {
                column += length
            }
        }
        lastScalar = UInt32(start[count - 1])
        joinable = true
    }

    @inline(__always)
    private mutating func write(_ source: UnsafePointer<UInt8>, _ length: Int, _ pen: UInt64) {
        let cells = grid.row(row) + column
        if cells[0] & Cell.kindMask != 0 { splitWide(row, column) }
        if column + length < columns && cells[length] & Cell.kindMask == Cell.wideTail { splitWide(row, column + length) }
        var difference: UInt64 = 0
        for index in 0..<length {
            let value = pen | UInt64(source[index])
            difference |= cells[index] ^ value
            cells[index] = value
        }
        if difference != 0 { grid.touch(row) }
    }

    /// Before cells from `column` on change: a wide character that begins before it becomes blanks.
    mutating func splitWide(_ row: Int, _ column: Int) {
        guard column > 0, column < columns else { return }
        let cells = grid.row(row)
        guard Cell(raw: cells[column]).isTail else { return }
        cells[column - 1] = Cell(raw: cells[column - 1]).pen
        cells[column] = Cell(raw: cells[column]).pen
        grid.touch(row)
    }

    mutating func printMapped(_ start: UnsafePointer<UInt8>, _ count: Int) {
        for index in 0..<count {
            let slot = singleShift == 0 ? locked : singleShift
            if singleShift != 0 {
                singleShift = 0
                updatePlainPrinting()
            }
            printScalar(charset(slot).scalar(start[index]))
        }
    }

    /// Goes to the next line because the text does.
    @inline(never)
    mutating func wrap() {
        pendingWrap = false
        guard modes.autowrap else { return }
        let limit = printLimit
        if column == limit && (limit == columns - 1 || (hasDoubleRows && left == 0)) { grid.setWrapped(row, true) }
        column = column >= left ? left : 0
        lineFeed()
    }

    /// Lines, blocks and Braille (U+2500 to U+259F, U+2800 to U+28FF), which are narrow and join nothing, up to the last column but one.
    ///
    /// Gives the end of the run; `start` if there is none, or printing it takes more than writing cells.
    @inline(__always)
    mutating func printDrawing(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        guard plainPrinting, !pendingWrap else { return start }
        if penIsStale { refreshPen() }
        let pen = self.pen
        let limit = printLimit
        let cells = grid.row(row)
        let first = column
        var column = first
        var at = start
        var scalar: UInt32 = 0
        var difference: UInt64 = 0
        while column < limit, end - at >= 3, at[0] == 0xE2 {
            let second = at[1], third = at[2]
            guard third & 0xC0 == 0x80, second &- 0x94 <= 2 || second & 0xFC == 0xA0, second != 0x96 || third < 0xA0 else { break }
            scalar = 0x2000 | UInt32(second & 0x3F) << 6 | UInt32(third & 0x3F)
            if column == first && cells[column] & Cell.kindMask == Cell.wideTail { splitWide(row, column) }
            let value = pen | UInt64(scalar)
            difference |= cells[column] ^ value
            cells[column] = value
            column += 1
            at += 3
            // Lines and bars are one character again and again.
            let bytes = UInt32(second) << 8 | UInt32(third) << 16 | 0xE2
            var repeats = 0
            while end - at >= 4, UInt32(littleEndian: UnsafeRawPointer(at).loadUnaligned(as: UInt32.self)) & 0xFF_FFFF == bytes, repeats < limit - column {
                repeats += 1
                at += 3
            }
            for index in column..<(column + repeats) {
                difference |= cells[index] ^ value
                cells[index] = value
            }
            column += repeats
        }
        guard column > first else { return start }
        // Wide characters within the run were written over; the one at its end is cut.
        if column < columns && cells[column] & Cell.kindMask == Cell.wideTail { cells[column] = Cell(raw: cells[column]).pen }
        if difference != 0 { grid.touch(row) }
        lastScalar = scalar
        lastRow = row
        lastColumn = column - 1
        joinable = true
        self.column = column
        return at
    }

    mutating func printScalar(_ scalar: UInt32) {
        let kind = ScalarClass(scalar)
        if kind.width == 0 {
            combine(scalar)
            return
        }
        if joinable && scalar > 0xFF && joins(scalar, kind) { return }
        if singleShift != 0 {
            singleShift = 0
            updatePlainPrinting()
        }
        if penIsStale { refreshPen() }
        if pendingWrap { wrap() }
        var limit = printLimit
        if column > limit { column = limit }
        let width = kind.width
        if width == 2 && column + 1 > limit {
            guard modes.autowrap, limit - left >= 1 else { return }
            if column <= limit {
                splitWide(row, column)
                grid.fill(row, column, column + 1, erasePen | Cell.wideSpacer)
            }
            wrap()
            limit = printLimit
            guard column + 1 <= limit else { return }
        }
        if modes.insert { insertBlanks(width) }
        put(UInt64(scalar), width: width)
        lastScalar = scalar
        advance(width, limit)
    }

    /// Writes one character at the cursor.
    @inline(__always)
    private mutating func put(_ content: UInt64, width: Int) {
        let cells = grid.row(row) + column
        if cells[0] & Cell.kindMask != 0 { splitWide(row, column) }
        if column + width < columns && cells[width] & Cell.kindMask == Cell.wideTail { splitWide(row, column + width) }
        let head = pen | content | (width == 2 ? Cell.wideHead : 0)
        var difference = cells[0] ^ head
        cells[0] = head
        if width == 2 {
            let tail = pen | Cell.wideTail
            difference |= cells[1] ^ tail
            cells[1] = tail
        }
        if difference != 0 { grid.touch(row) }
        lastRow = row
        lastColumn = column
        joinable = true
    }

    @inline(__always)
    private mutating func advance(_ width: Int, _ limit: Int) {
        if column + width > limit {
            column = limit
            // Noted without autowrap too, as in xterm: a wrap that is allowed later is made up for.
            pendingWrap = true
            if limit == columns - 1 { grid.setWrapped(row, false) }
        } else {
            column += width
        }
    }

    // MARK: - Clusters

    /// Whether a scalar that has a width belongs to the character before it; then it has been put there.
    private mutating func joins(_ scalar: UInt32, _ kind: ScalarClass) -> Bool {
        guard kind.isPictograph || kind.isRegionalIndicator || Scalars.isSkinTone(scalar) else { return false }
        let scalars = self.scalars(grid[lastRow, lastColumn])
        guard let first = scalars.first, let last = scalars.last else { return false }
        if kind.isRegionalIndicator {
            // A flag takes two cells: without room for the second, the letters stay apart.
            guard scalars.count == 1, ScalarClass(first).isRegionalIndicator, !pendingWrap, lastRow == row, column == lastColumn + 1,
                column <= printLimit
            else { return false }
        } else if Scalars.isSkinTone(scalar) {
            guard ScalarClass(first).isPictograph, last != Scalars.zeroWidthJoiner else { return false }
        } else {
            guard last == Scalars.zeroWidthJoiner, ScalarClass(first).isPictograph else { return false }
        }
        guard scalars.count < Core.maximumClusterScalars else { return true }
        replaceLast(scalars + [scalar])
        widenLast()
        return true
    }

    /// A scalar without width joins the character before the cursor; where there is none, it is dropped.
    private mutating func combine(_ scalar: UInt32) {
        if !joinable {
            lastRow = row
            lastColumn = pendingWrap ? column : column - 1
            guard lastColumn >= 0 else { return }
            if grid[lastRow, lastColumn].isTail { lastColumn -= 1 }
            guard lastColumn >= 0 else { return }
        }
        let scalars = self.scalars(grid[lastRow, lastColumn])
        guard let first = scalars.first, scalars.count < Core.maximumClusterScalars else { return }
        replaceLast(scalars + [scalar])
        guard joinable, scalars.count == 1 else { return }
        let kind = ScalarClass(first)
        if scalar == Scalars.emojiPresentation && kind.widensWithVS16 { widenLast() }
        if scalar == Scalars.textPresentation && kind.narrowsWithVS15 { narrowLast() }
    }

    private mutating func replaceLast(_ scalars: [UInt32]) {
        let number = clusterNumber(scalars)
        guard number > 0 else { return }
        let old = grid[lastRow, lastColumn].raw
        grid[lastRow, lastColumn] = Cell(raw: old & ~Cell.scalarMask | Cell.clusterBit | UInt64(number))
        grid.touch(lastRow)
    }

    /// Makes the last character two cells wide where there is room.
    private mutating func widenLast() {
        let cell = grid[lastRow, lastColumn]
        guard cell.isNarrow, lastRow == row, !pendingWrap, column == lastColumn + 1, column <= printLimit else { return }
        if modes.insert { insertBlanks(1) }
        let cells = grid.row(row)
        if column + 1 < columns { splitWide(row, column + 1) }
        cells[lastColumn] = cell.raw | Cell.wideHead
        cells[column] = cell.raw & ~(Cell.contentMask & ~Cell.protectedBit) | Cell.wideTail
        grid.touch(row)
        advance(1, printLimit)
    }

    private mutating func narrowLast() {
        let cell = grid[lastRow, lastColumn]
        guard cell.isHead, lastRow == row, lastColumn + 1 < columns else { return }
        grid[row, lastColumn] = Cell(raw: cell.raw & ~Cell.kindMask)
        grid[row, lastColumn + 1] = Cell(raw: cell.pen)
        grid.touch(row)
        pendingWrap = false
        column = lastColumn + 1
    }

    /// REP.
    mutating func repeatLast(_ count: Int) {
        guard lastScalar != 0 else { return }
        // More than a screen of the same character looks like a screen of it, but for where the last line ends.
        let screen = columns * rows, line = max(1, (right - left + 1) / max(1, ScalarClass(lastScalar).width))
        for _ in 0..<(count <= screen ? count : screen + (count - screen) % line) {
            joinable = false
            printScalar(lastScalar)
        }
        // A character is repeated only directly behind it.
        joinable = false
    }
}
