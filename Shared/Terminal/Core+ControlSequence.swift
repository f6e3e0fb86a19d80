extension Core {
    mutating func dispatchControlSequence(_ final: UInt8) {
        let repeatable = joinable
        joinable = false
        if prefix | intermediate | secondIntermediate == 0 {
            plainSequence(final, repeatable: repeatable)
            return
        }
        if secondIntermediate != 0 { return }
        switch (prefix, intermediate) {
        case (UInt8(ascii: "?"), 0): privateSequence(final)
        case (UInt8(ascii: ">"), 0): greaterSequence(final)
        case (UInt8(ascii: "="), 0):
            if final == UInt8(ascii: "c") && parameter(0, 0) == 0 { reply("\u{1B}P!|53574254\u{1B}\\") }
            if final == UInt8(ascii: "u") { setKittyFlags(parameter(0, 0), how: parameter(1)) }
        case (UInt8(ascii: "<"), 0):
            if final == UInt8(ascii: "u") { popKittyFlags(parameter(0)) }
        case (0, UInt8(ascii: " ")):
            switch final {
            case UInt8(ascii: "q"): setCursorStyle(parameter(0, 0))
            case UInt8(ascii: "@"): shiftColumns(parameter(0), left: true)
            case UInt8(ascii: "A"): shiftColumns(parameter(0), left: false)
            default: break
            }
        case (0, UInt8(ascii: "!")):
            if final == UInt8(ascii: "p") {
                softReset()
                cursorVersion &+= 1
            }
        case (0, UInt8(ascii: "\"")):
            if final == UInt8(ascii: "q") { setProtected(parameter(0, 0) == 1) }
        case (0, UInt8(ascii: "'")):
            if final == UInt8(ascii: "}") { insertMarginColumns(parameter(0)) }
            if final == UInt8(ascii: "~") { deleteMarginColumns(parameter(0)) }
        case (0, UInt8(ascii: "$")): rectangleSequence(final)
        case (UInt8(ascii: "?"), UInt8(ascii: "$")):
            if final == UInt8(ascii: "p") { reportMode(parameter(0, 0), isPrivate: true) }
        case (0, UInt8(ascii: "*")): break  // DECSACE, DECRQCRA: consumed
        default: break
        }
    }

    mutating func plainSequence(_ final: UInt8, repeatable: Bool) {
        switch final {
        case UInt8(ascii: "m"): selectGraphics()
        case UInt8(ascii: "H"), UInt8(ascii: "f"): moveTo(row: parameter(0) - 1, column: parameter(1) - 1)
        case UInt8(ascii: "K"): eraseInLine(parameter(0, 0), selective: false)
        case UInt8(ascii: "J"):
            eraseInDisplay(parameter(0, 0), selective: false)
            if parameter(0, 0) != 3 { pendingWrap = false }
        case UInt8(ascii: "A"): moveUp(parameter(0))
        case UInt8(ascii: "B"): moveDown(parameter(0))
        case UInt8(ascii: "C"): moveRight(parameter(0))
        case UInt8(ascii: "D"): moveLeft(parameter(0))
        case UInt8(ascii: "E"):
            moveDown(parameter(0))
            carriageReturn()
        case UInt8(ascii: "F"):
            moveUp(parameter(0))
            carriageReturn()
        case UInt8(ascii: "G"), UInt8(ascii: "`"):
            moveTo(row: originMode ? row - top : row, column: parameter(0) - 1)
        case UInt8(ascii: "d"):
            moveTo(row: parameter(0) - 1, column: originMode ? column - left : column)
        // HPR and VPR know the screen's edges, not the margins. ECMA-48's HPB (j) and VPB (k) are consumed, as in xterm.
        case UInt8(ascii: "a"): place(row: row, column: column + parameter(0))
        case UInt8(ascii: "e"): place(row: row + parameter(0), column: column)
        case UInt8(ascii: "@"): insertBlanks(parameter(0))
        case UInt8(ascii: "P"): deleteCharacters(parameter(0))
        case UInt8(ascii: "X"):
            erase(row, column, column + min(parameter(0), columns))
            pendingWrap = false
        case UInt8(ascii: "L"): insertLines(parameter(0))
        case UInt8(ascii: "M"): deleteLines(parameter(0))
        case UInt8(ascii: "S"): scrollUp(min(parameter(0), rows), keep: true)
        case UInt8(ascii: "T"): if parameterCount <= 1 { scrollDown(min(parameter(0), rows)) }
        case UInt8(ascii: "^"): scrollDown(min(parameter(0), rows))
        case UInt8(ascii: "I"): tabForward(parameter(0))
        case UInt8(ascii: "Z"): tabBackward(parameter(0))
        case UInt8(ascii: "W"): cursorTabControl(parameter(0, 0))
        case UInt8(ascii: "b"): if repeatable { repeatLast(parameter(0)) }
        case UInt8(ascii: "g"): clearTabs(parameter(0, 0))
        case UInt8(ascii: "h"): for index in 0..<min(parameterCount, Core.maximumParameters) { setMode(Int(parameters[index]), true) }
        case UInt8(ascii: "l"): for index in 0..<min(parameterCount, Core.maximumParameters) { setMode(Int(parameters[index]), false) }
        case UInt8(ascii: "r"): setTopBottom()
        case UInt8(ascii: "s"):
            if modes.leftRightMargins { setLeftRight() } else if parameterCount == 0 { saveCursor() }
        case UInt8(ascii: "u"):
            restoreCursor()
            pendingWrap = false
        case UInt8(ascii: "c"): if parameter(0, 0) == 0 { reply("\u{1B}[?64;1;2;6;9;15;16;17;18;21;22;28c") }
        case UInt8(ascii: "n"): reportStatus(parameter(0, 0))
        case UInt8(ascii: "t"): windowOperation()
        case UInt8(ascii: "x"):
            let what = parameter(0, 0)
            if what < 2 { reply("\u{1B}[\(what + 2);1;1;128;128;1;0x") }
        default: break
        }
    }

    private mutating func privateSequence(_ final: UInt8) {
        let count = min(parameterCount, Core.maximumParameters)
        switch final {
        case UInt8(ascii: "h"): for index in 0..<count { setPrivateMode(Int(parameters[index]), true) }
        case UInt8(ascii: "l"): for index in 0..<count { setPrivateMode(Int(parameters[index]), false) }
        case UInt8(ascii: "s"):
            for index in 0..<count {
                if let value = privateMode(Int(parameters[index])), savedModes.count < 128 { savedModes[UInt32(parameters[index])] = value }
            }
        case UInt8(ascii: "r"):
            for index in 0..<count {
                if let value = savedModes[UInt32(parameters[index])] { setPrivateMode(Int(parameters[index]), value) }
            }
        case UInt8(ascii: "J"):
            eraseInDisplay(parameter(0, 0), selective: true)
            pendingWrap = false
        case UInt8(ascii: "K"): eraseInLine(parameter(0, 0), selective: true)
        case UInt8(ascii: "n"): reportPrivateStatus(parameter(0, 0))
        case UInt8(ascii: "u"): reply("\u{1B}[?\(modes.kittyKeyboard)u")
        case UInt8(ascii: "W"):
            if parameter(0, 0) == 5 { tabs = Core.defaultTabs(columns) }
        case UInt8(ascii: "S"):
            if parameter(1, 0) == 1 { reply("\u{1B}[?\(parameter(0, 0));3;0S") }  // graphics: not available
        default: break
        }
    }

    private mutating func greaterSequence(_ final: UInt8) {
        switch final {
        case UInt8(ascii: "c"): if parameter(0, 0) == 0 { reply("\u{1B}[>41;100;0c") }
        case UInt8(ascii: "q"): if parameter(0, 0) == 0 { reply("\u{1B}P>|switchback(1)\u{1B}\\") }
        case UInt8(ascii: "u"): pushKittyFlags(parameter(0, 0))
        case UInt8(ascii: "m"): if parameter(0, 0) == 4 { modes.modifyOtherKeys = UInt8(min(parameter(1, 0), 2)) }
        case UInt8(ascii: "n"): if parameter(0, 0) == 4 { modes.modifyOtherKeys = 0 }
        default: break
        }
    }

    // MARK: - Erase, insert, delete

    mutating func eraseInLine(_ what: Int, selective: Bool) {
        pendingWrap = false
        switch what {
        case 0: erase(row, column, columns, selective: selective)
        case 1: erase(row, 0, column + 1, selective: selective)
        case 2: erase(row, 0, columns, selective: selective)
        default: break
        }
    }

    private var isInsideMargins: Bool { row >= top && row <= bottom && column >= left && column <= right }

    private mutating func insertLines(_ count: Int) {
        guard isInsideMargins else { return }
        scrollDown(top: row, min(count, rows))
        column = left
        pendingWrap = false
    }

    private mutating func deleteLines(_ count: Int) {
        guard isInsideMargins else { return }
        scrollUp(top: row, min(count, rows), keep: false)
        column = left
        pendingWrap = false
    }

    /// SL and SR.
    private mutating func shiftColumns(_ count: Int, left toLeft: Bool) {
        guard isInsideMargins else { return }
        for line in top...bottom {
            if toLeft { deleteColumns(line, left, count) } else { insertColumns(line, left, count) }
        }
    }

    /// DECIC.
    private mutating func insertMarginColumns(_ count: Int) {
        guard isInsideMargins else { return }
        for line in top...bottom { insertColumns(line, column, count) }
    }

    /// DECDC.
    private mutating func deleteMarginColumns(_ count: Int) {
        guard isInsideMargins else { return }
        for line in top...bottom { deleteColumns(line, column, count) }
    }

    // MARK: - Margins, tabs

    private mutating func setTopBottom() {
        let from = parameter(0) - 1, to = min(parameter(1, rows), rows) - 1
        guard from < to else { return }
        top = from
        bottom = to
        moveTo(row: 0, column: 0)
    }

    private mutating func setLeftRight() {
        let from = parameter(0) - 1, to = min(parameter(1, columns), columns) - 1
        guard from < to else { return }
        left = from
        right = to
        moveTo(row: 0, column: 0)
    }

    private mutating func clearTabs(_ what: Int) {
        if what == 0 { tabs[column] = false }
        if what == 3 { tabs = Array(repeating: false, count: columns) }
    }

    /// CTC.
    private mutating func cursorTabControl(_ what: Int) {
        switch what {
        case 0: tabs[column] = true
        case 2: tabs[column] = false
        case 4, 5: tabs = Array(repeating: false, count: columns)
        default: break
        }
    }

    private mutating func setCursorStyle(_ what: Int) {
        guard what <= 6 else { return }
        cursorShape = what <= 2 ? .block : what <= 4 ? .underline : .bar
        cursorBlinks = what == 0 || what % 2 == 1
        cursorVersion &+= 1
    }

    // MARK: - Kitty keyboard (https://sw.kovidgoyal.net/kitty/keyboard-protocol/)

    private mutating func setKittyFlags(_ flags: Int, how: Int) {
        let flags = UInt8(truncatingIfNeeded: flags & 31)
        switch how {
        case 1: modes.kittyKeyboard = flags
        case 2: modes.kittyKeyboard |= flags
        case 3: modes.kittyKeyboard &= ~flags
        default: break
        }
    }

    private mutating func pushKittyFlags(_ flags: Int) {
        if kittyStack.count >= Core.maximumKittyStack { kittyStack.removeFirst() }
        kittyStack.append(modes.kittyKeyboard)
        modes.kittyKeyboard = UInt8(truncatingIfNeeded: flags & 31)
    }

    private mutating func popKittyFlags(_ count: Int) {
        for _ in 0..<min(count, Core.maximumKittyStack + 1) {
            modes.kittyKeyboard = kittyStack.popLast() ?? 0
        }
    }

    // MARK: - Rectangles

    private mutating func rectangleSequence(_ final: UInt8) {
        switch final {
        case UInt8(ascii: "p"): reportMode(parameter(0, 0), isPrivate: false)
        case UInt8(ascii: "z"): if let area = rectangle(0) { fillRectangle(area, nil, selective: false) }  // DECERA
        case UInt8(ascii: "{"): if let area = rectangle(0) { fillRectangle(area, nil, selective: true) }  // DECSERA
        case UInt8(ascii: "x"):  // DECFRA
            let scalar = parameter(0, 0x20)
            guard (0x20...0x7E).contains(scalar) || (0xA0...0xFF).contains(scalar), let area = rectangle(1) else { return }
            fillRectangle(area, UInt32(scalar), selective: false)
        case UInt8(ascii: "v"): copyRectangle()  // DECCRA
        default: break
        }
    }

    private struct Rectangle { var top, left, bottom, right: Int }

    private func rectangle(_ first: Int) -> Rectangle? {
        let rowBase = originMode ? top : 0, columnBase = originMode ? left : 0
        let lowest = originMode ? bottom : rows - 1, rightmost = originMode ? right : columns - 1
        let area = Rectangle(
            top: rowBase + parameter(first) - 1, left: columnBase + parameter(first + 1) - 1,
            bottom: min(rowBase + parameter(first + 2, rows) - 1, lowest), right: min(columnBase + parameter(first + 3, columns) - 1, rightmost))
        return area.top <= area.bottom && area.left <= area.right ? area : nil
    }

    private mutating func fillRectangle(_ area: Rectangle, _ scalar: UInt32?, selective: Bool) {
        if penIsStale { refreshPen() }
        for row in area.top...area.bottom {
            if let scalar {
                splitWide(row, area.left)
                splitWide(row, area.right + 1)
                grid.fill(row, area.left, area.right + 1, pen | UInt64(scalar))
            } else {
                erase(row, area.left, area.right + 1, selective: selective)
            }
        }
    }

    private mutating func copyRectangle() {
        guard let area = rectangle(0) else { return }
        let rowBase = originMode ? top : 0, columnBase = originMode ? left : 0
        let lowest = originMode ? bottom : rows - 1, rightmost = originMode ? right : columns - 1
        let toRow = rowBase + parameter(5) - 1, toColumn = columnBase + parameter(6) - 1
        guard toRow <= lowest, toColumn <= rightmost else { return }
        let height = min(area.bottom - area.top, lowest - toRow) + 1, width = min(area.right - area.left, rightmost - toColumn) + 1
        var copy: [UInt64] = []
        for line in 0..<height {
            let source = grid.row(area.top + line)
            for offset in 0..<width {
                var value = source[area.left + offset]
                // A wide character counts only when both halves are copied.
                if (offset == 0 && Cell(raw: value).isTail) || (offset == width - 1 && Cell(raw: value).isHead) { value = Cell(raw: value).pen }
                copy.append(value)
            }
        }
        for line in 0..<height {
            splitWide(toRow + line, toColumn)
            splitWide(toRow + line, toColumn + width)
            let target = grid.row(toRow + line)
            for offset in 0..<width { target[toColumn + offset] = copy[line * width + offset] }
            grid.touch(toRow + line)
        }
    }
}
