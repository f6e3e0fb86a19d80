extension Terminal {
    /// Output that rebuilds this terminal's screen in any terminal of the same size: cells, cursor, modes, margins, title,
    /// and the beginning of a character or sequence that is not complete.
    ///
    /// `history` lines of scrollback are printed first, so that they end up in the other terminal's scrollback.
    public func ansi(history: Int = 0) -> [UInt8] { core.ansi(printing: core.historyTexts(history)) }

    /// The same with these lines in place of the scrollback.
    public func ansi(historyLines: [String]) -> [UInt8] { core.ansi(printing: historyLines) }
}

extension Core {
    func ansi(printing lines: [String]) -> [UInt8] {
        var out = ""
        // Soft reset, margins and modes that would disturb the painting off, colours plain.
        out += "\u{1B}[!p\u{1B}[?69l\u{1B}[?6l\u{1B}[4l\u{1B}[20l\u{1B}[?7h\u{1B}[r\u{1B}(B\u{0F}\u{1B}[0m\u{1B}]8;;\u{1B}\\"
        out += "\u{1B}[?1049l\u{1B}[?2026l\u{1B}[H\u{1B}[2J\u{1B}[3J"
        for line in lines { out += line + "\r\n" }
        if !lines.isEmpty {
            // The printed lines must leave the screen.
            out += "\u{1B}[\(rows);1H" + String(repeating: "\n", count: rows) + "\u{1B}[H"
        }
        if isAlternate {
            paint(other, &out)
            let main = otherSaved
            out += "\u{1B}[\(main.row + 1);\(main.column + 1)H"
            out += "\u{1B}[\(Core.graphicsParameters(main.style))m\u{1B}[?1049h\u{1B}[0m\u{1B}[H\u{1B}[2J"
        }
        paint(grid, &out)
        if titleStack.isEmpty || !title.isEmpty { out += "\u{1B}]2;\(title)\u{1B}\\" }
        for (index, color) in palette.sorted(by: { $0.key < $1.key }) { out += "\u{1B}]4;\(index);\(Palette.specification(color))\u{1B}\\" }
        for slot in 0..<3 {
            if let color = dynamicColors[slot] { out += "\u{1B}]\(10 + slot);\(Palette.specification(color))\u{1B}\\" }
        }
        tabStops(&out)
        modeSettings(&out)
        if top != 0 || bottom != rows - 1 { out += "\u{1B}[\(top + 1);\(bottom + 1)r" }
        if modes.leftRightMargins { out += "\u{1B}[?69h\u{1B}[\(left + 1);\(right + 1)s" }
        savedCursor(&out)
        if originMode { out += "\u{1B}[?6h" }
        let (r, c) = originMode ? (row - top, column - left) : (row, column)
        out += "\u{1B}[\(max(r, 0) + 1);\(max(c, 0) + 1)H"
        if pendingWrap && isAtLineEnd { pendingCharacter(&out) }
        pen(&out)
        out += "\u{1B}[?25\(cursorVisible ? "h" : "l")"
        let shape = cursorShape == .block ? 2 : cursorShape == .underline ? 4 : 6
        out += "\u{1B}[\(cursorBlinks ? shape - 1 : shape) q"
        if modes.synchronizedUpdate { out += "\u{1B}[?2026h" }
        return Array(out.utf8) + unfinished()
    }

    private func paint(_ grid: borrowing Grid, _ out: inout String) {
        for row in 0..<rows {
            let cells = grid.row(row)
            var used = grid.usedColumns(row)
            let wraps = flows(grid, row)
            var painted = Painted()
            let flags = grid.rowFlags(row)
            if flags & RowFlags.doubleMask != 0 {
                out += "\u{1B}[\(row + 1);1H\u{1B}#\(flags & RowFlags.doubleTop != 0 ? "3" : flags & RowFlags.doubleBottom != 0 ? "4" : "6")"
                used = min(used, max(columns / 2, 1))
            }
            guard used > 0 else { continue }
            // After a wrapped row the cursor is already where this one begins.
            if row == 0 || !flows(grid, row - 1) { out += "\u{1B}[\(row + 1);1H" }
            var column = 0
            while column < used {
                let cell = Cell(raw: cells[column])
                // The next row's first character does not fit here and leaves this place by itself.
                if cell.isSpacer && wraps { break }
                painted.set(cell, self, &out)
                if cell.isTail || cell.isSpacer || (cell.isEmpty && !wraps && isErased(cell)) {
                    // A cell never written to is erased, not printed.
                    var end = column + 1
                    while end < used && Cell(raw: cells[end]).isEmpty && Cell(raw: cells[end]).pen == cell.pen { end += 1 }
                    out += "\u{1B}[\(row + 1);\(column + 1)H\u{1B}[\(end - column)X"
                    if end < columns { out += "\u{1B}[\(row + 1);\(end + 1)H" }
                    column = end
                    continue
                }
                out += characters(cell)
                column += cell.isHead ? 2 : 1
            }
            painted.finish(&out)
            // A wide character that a selector made narrow took the cell behind it while it was printed.
            let last = Cell(raw: cells[used - 1])
            if used < columns, last.isNarrow, last.isCluster, ScalarClass(scalars(last)[0]).width == 2 { out += "\u{1B}[\(row + 1);\(used + 1)H\u{1B}[X" }
        }
    }

    /// Looks as ECH leaves a cell: a background and nothing else.
    private func isErased(_ cell: Cell) -> Bool {
        var background = TextStyle.plain
        background.background = styles[cell.style].background
        return cell.link == 0 && !cell.isProtected && styles[cell.style] == background
    }

    /// The scalars of a cell; a control between them where they would otherwise change the width they have here.
    private func characters(_ cell: Cell) -> String {
        var text = String.UnicodeScalarView()
        appendText(cell, to: &text)
        let scalars = self.scalars(cell)
        guard cell.isCluster, scalars.count > 1, cell.isNarrow == (ScalarClass(scalars[0]).width != 2),
            scalars[1] == Scalars.emojiPresentation || scalars[1] == Scalars.textPresentation
        else { return String(text) }
        let base = text.removeFirst()
        return String(base) + "\u{1B}[\(Core.graphicsParameters(styles[cell.style]))m" + String(text)
    }

    /// Whether printing the row to its end and going on lands in the next row.
    private func flows(_ grid: borrowing Grid, _ row: Int) -> Bool {
        guard row < rows - 1, grid.isWrapped(row), grid.rowFlags(row) & RowFlags.doubleMask == 0, grid.usedColumns(row) == columns,
            grid.usedColumns(row + 1) > 0
        else { return false }
        return !grid[row, columns - 1].isSpacer || grid[row + 1, 0].isHead
    }

    /// What the other terminal's pen is.
    private struct Painted {
        var style = 0
        var link = 0
        var protected = false

        mutating func set(_ cell: Cell, _ core: borrowing Core, _ out: inout String) {
            if cell.style != style {
                style = cell.style
                out += "\u{1B}[\(Core.graphicsParameters(core.styles[style]))m"
            }
            if cell.link != link {
                link = cell.link
                out += Core.linkSequence(link == 0 ? nil : core.links[link])
            }
            if cell.isProtected != protected {
                protected = cell.isProtected
                out += "\u{1B}[\(protected ? 1 : 0)\"q"
            }
        }

        mutating func finish(_ out: inout String) {
            if style != 0 { out += "\u{1B}[0m" }
            if link != 0 { out += Core.linkSequence(nil) }
            if protected { out += "\u{1B}[0\"q" }
            self = Painted()
        }
    }

    static func linkSequence(_ link: TextLink?) -> String {
        guard let link else { return "\u{1B}]8;;\u{1B}\\" }
        return "\u{1B}]8;\(link.id.isEmpty ? "" : "id=\(link.id)");\(link.uri)\u{1B}\\"
    }

    private func pen(_ out: inout String) {
        out += "\u{1B}[\(Core.graphicsParameters(style))m"
        if link != 0 { out += Core.linkSequence(links[link]) }
        if protected { out += "\u{1B}[1\"q" }
        for slot in UInt8(0)..<4 where charset(slot) != .ascii {
            out += "\u{1B}\(["(", ")", "*", "+"][Int(slot)])\(charset(slot).designator)"
        }
        switch locked {
        case 1: out += "\u{0E}"
        case 2: out += "\u{1B}n"
        case 3: out += "\u{1B}o"
        default: break
        }
    }

    /// Prints the last character of the row again, so that the other cursor waits behind it too.
    private func pendingCharacter(_ out: inout String) {
        var at = column
        if grid[row, at].isTail && at > 0 { at -= 1 }
        let cell = grid[row, at]
        let (r, c) = originMode ? (row - top, at - left) : (row, at)
        out += "\u{1B}[\(max(r, 0) + 1);\(max(c, 0) + 1)H"
        var painted = Painted()
        painted.set(cell, self, &out)
        out += characters(cell)
        painted.finish(&out)
    }

    private func savedCursor(_ out: inout String) {
        out += "\u{1B}[0m"
        if saved.origin { out += "\u{1B}[?6h" }
        let (r, c) = saved.origin ? (saved.row - top, saved.column - left) : (saved.row, saved.column)
        out += "\u{1B}[\(max(r, 0) + 1);\(max(c, 0) + 1)H\u{1B}[\(Core.graphicsParameters(saved.style))m"
        if saved.protected { out += "\u{1B}[1\"q" }
        out += "\u{1B}7\u{1B}[0m\u{1B}[0\"q\u{1B}[?6l"
    }

    private func tabStops(_ out: inout String) {
        guard tabs != Core.defaultTabs(columns) else { return }
        out += "\u{1B}[3g"
        for column in 0..<columns where tabs[column] { out += "\u{1B}[1;\(column + 1)H\u{1B}H" }
    }

    private func modeSettings(_ out: inout String) {
        func set(_ mode: Int, _ on: Bool) { out += "\u{1B}[?\(mode)\(on ? "h" : "l")" }
        set(1, modes.applicationCursorKeys)
        set(5, modes.reverseScreen)
        set(45, modes.reverseWrap)
        set(1045, modes.extendedReverseWrap)
        for mode in [9, 1000, 1002, 1003, 1005, 1006, 1015, 1016] where privateMode(mode) != true { set(mode, false) }
        for mode in [9, 1000, 1002, 1003, 1005, 1006, 1015, 1016] where privateMode(mode) == true { set(mode, true) }
        set(1004, modes.focusEvents)
        set(1007, modes.alternateScroll)
        set(2004, modes.bracketedPaste)
        set(2031, modes.colorSchemeReports)
        if !modes.autorepeat { set(8, false) }
        if modes.backarrowSendsBackspace { set(67, true) }
        if !modes.autowrap { set(7, false) }
        out += modes.applicationKeypad ? "\u{1B}=" : "\u{1B}>"
        if modes.insert { out += "\u{1B}[4h" }
        if modes.newline { out += "\u{1B}[20h" }
        out += "\u{1B}[=\(modes.kittyKeyboard);1u"
        if modes.modifyOtherKeys > 0 { out += "\u{1B}[>4;\(modes.modifyOtherKeys)m" }
    }
}

extension Charset {
    /// The final byte that designates it.
    var designator: String {
        switch self {
        case .ascii: "B"
        case .decGraphics: "0"
        case .british: "A"
        case .dutch: "4"
        case .finnish: "C"
        case .french: "R"
        case .frenchCanadian: "Q"
        case .german: "K"
        case .italian: "Y"
        case .norwegian: "E"
        case .portuguese: "%6"
        case .spanish: "Z"
        case .swedish: "H"
        case .swiss: "="
        }
    }
}
