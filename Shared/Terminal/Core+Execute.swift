extension Core {
    @inline(__always)
    mutating func execute(_ byte: UInt8) {
        joinable = false
        switch byte {
        case 0x0A, 0x0B, 0x0C:
            if modes.newline { carriageReturn() }
            pendingWrap = false
            lineFeed()
        case 0x0D: carriageReturn()
        case 0x08: moveLeft(1)
        case 0x09: tabForward(1)
        case 0x07: bell()
        case 0x0E: lock(1)
        case 0x0F: lock(0)
        case 0x05: break  // ENQ: the answerback is empty
        default: break
        }
    }

    mutating func bell() {
        bells = min(bells + 1, 1_000_000)
        note(.bell)
    }

    mutating func note(_ event: TerminalEvent) {
        if events.count < Core.maximumEvents { events.append(event) }
    }

    mutating func lock(_ slot: UInt8) {
        locked = slot
        updatePlainPrinting()
    }

    /// Eight-bit controls, as their two-byte forms.
    mutating func executeC1(_ byte: UInt8) {
        joinable = false
        switch byte {
        case 0x90: enterParameters(.dcsEntry)
        case 0x9B: enterParameters(.csiEntry)
        case 0x9D: enterString(.oscString)
        case 0x98, 0x9E, 0x9F: enterString(.otherString)
        case 0x84, 0x85, 0x88, 0x8D, 0x8E, 0x8F, 0x96, 0x97:
            intermediate = 0
            dispatchEscape(byte - 0x40)
        default: break
        }
    }

    mutating func dispatchEscape(_ final: UInt8) {
        joinable = false
        if secondIntermediate != 0 { return }  // 96-character sets of the second kind: none is known
        switch intermediate {
        case 0: dispatchPlainEscape(final)
        case UInt8(ascii: "("): designate(0, final)
        case UInt8(ascii: ")"), UInt8(ascii: "-"): designate(1, final)
        case UInt8(ascii: "*"), UInt8(ascii: "."): designate(2, final)
        case UInt8(ascii: "+"), UInt8(ascii: "/"): designate(3, final)
        case UInt8(ascii: "#"): lineAttribute(final)
        default: break  // ESC % (coding system), ESC SP (7 or 8 bit controls): UTF-8 stays
        }
    }

    private mutating func designate(_ slot: UInt8, _ final: UInt8) {
        if let charset = Charset(final: final) { designate(slot, charset) }
    }

    private mutating func dispatchPlainEscape(_ final: UInt8) {
        switch final {
        case UInt8(ascii: "7"): saveCursor()
        case UInt8(ascii: "8"): restoreCursor()
        case UInt8(ascii: "D"):
            pendingWrap = false
            lineFeed()
        case UInt8(ascii: "E"):
            carriageReturn()
            lineFeed()
        case UInt8(ascii: "H"): if column < columns { tabs[column] = true }
        case UInt8(ascii: "M"):
            pendingWrap = false
            reverseLineFeed()
        case UInt8(ascii: "N"): shiftOnce(2)
        case UInt8(ascii: "O"): shiftOnce(3)
        case UInt8(ascii: "V"): setProtected(true)
        case UInt8(ascii: "W"): setProtected(false)
        case UInt8(ascii: "Z"): reply("\u{1B}[?64;1;2;6;9;15;16;17;18;21;22;28c")
        case UInt8(ascii: "c"): reset()
        case UInt8(ascii: "n"): lock(2)
        case UInt8(ascii: "o"): lock(3)
        case UInt8(ascii: "="): modes.applicationKeypad = true
        case UInt8(ascii: ">"): modes.applicationKeypad = false
        case UInt8(ascii: "6"): backIndex()
        case UInt8(ascii: "9"): forwardIndex()
        default: break
        }
    }

    private mutating func shiftOnce(_ slot: UInt8) {
        singleShift = slot
        updatePlainPrinting()
    }

    mutating func setProtected(_ on: Bool) {
        protected = on
        penIsStale = true
    }

    /// DECBI.
    private mutating func backIndex() {
        pendingWrap = false
        if column == left && row >= top && row <= bottom {
            for line in top...bottom { insertColumns(line, left, 1) }
        } else if column > 0 {
            column -= 1
        }
    }

    /// DECFI.
    private mutating func forwardIndex() {
        if column == right && row >= top && row <= bottom {
            for line in top...bottom { deleteColumns(line, left, 1) }
        } else if column < columns - 1 {
            column += 1
            pendingWrap = false
        }
    }

    /// ESC #: double-size lines and DECALN.
    private mutating func lineAttribute(_ final: UInt8) {
        switch final {
        case UInt8(ascii: "3"): setLineSize(RowFlags.doubleWidth | RowFlags.doubleTop)
        case UInt8(ascii: "4"): setLineSize(RowFlags.doubleWidth | RowFlags.doubleBottom)
        case UInt8(ascii: "5"): setLineSize(0)
        case UInt8(ascii: "6"): setLineSize(RowFlags.doubleWidth)
        case UInt8(ascii: "8"):
            top = 0
            bottom = rows - 1
            left = 0
            right = columns - 1
            originMode = false
            moveTo(row: 0, column: 0)
            for row in 0..<rows {
                grid.fill(row, 0, columns, UInt64(UInt8(ascii: "E")))
                grid.setContentFlags(row, 0)
            }
        default: break
        }
    }

    private mutating func setLineSize(_ flags: UInt8) {
        // With left and right margins lines have one size (VT510: DECLRMM).
        if modes.leftRightMargins && flags != 0 { return }
        if flags != 0 { hasDoubleRows = true }
        grid.setContentFlags(row, grid.rowFlags(row) & RowFlags.wrapped | flags)
        if flags != 0 { erase(row, lastColumn(row) + 1, columns) }
        grid.touch(row)
        column = min(column, lastColumn(row))
    }
}
