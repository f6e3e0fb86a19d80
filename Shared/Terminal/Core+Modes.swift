extension Core {
    /// SM and RM.
    mutating func setMode(_ mode: Int, _ on: Bool) {
        switch mode {
        case 2: modes.keyboardLocked = on
        case 4:
            modes.insert = on
            updatePlainPrinting()
        case 12: modes.localEchoOff = on
        case 20: modes.newline = on
        default: break
        }
    }

    /// DECSET and DECRST.
    mutating func setPrivateMode(_ mode: Int, _ on: Bool) {
        switch mode {
        case 1: modes.applicationCursorKeys = on
        case 3:
            modes.columns132 = on
            if modes.allowColumnChange { columnModeChanged() }
        case 5:
            if modes.reverseScreen != on { grid.touchAll() }
            modes.reverseScreen = on
        case 6:
            originMode = on
            moveTo(row: 0, column: 0)
        case 7: modes.autowrap = on
        case 8: modes.autorepeat = on
        case 9: setMouse(.x10, on)
        case 12: cursorBlinks = on
        case 25:
            cursorVisible = on
        case 40: modes.allowColumnChange = on
        case 45: modes.reverseWrap = on
        case 1045: modes.extendedReverseWrap = on
        case 47, 1047, 1049: setAlternate(on, mode: mode)
        case 1048: if on { saveCursor() } else { restoreCursor() }
        case 66: modes.applicationKeypad = on
        case 67: modes.backarrowSendsBackspace = on
        case 69:
            modes.leftRightMargins = on
            if !on {
                left = 0
                right = columns - 1
            } else if hasDoubleRows {
                for row in 0..<rows { grid.setContentFlags(row, grid.rowFlags(row) & RowFlags.wrapped) }
            }
        case 1000: setMouse(.normal, on)
        case 1002: setMouse(.button, on)
        case 1003: setMouse(.any, on)
        case 1004: modes.focusEvents = on
        case 1005: setEncoding(.utf8, on)
        case 1006: setEncoding(.sgr, on)
        case 1015: setEncoding(.urxvt, on)
        case 1016: setEncoding(.sgrPixels, on)
        case 1007: modes.alternateScroll = on
        case 2004: modes.bracketedPaste = on
        case 2026: modes.synchronizedUpdate = on
        case 2031: modes.colorSchemeReports = on
        case 2048:
            modes.sizeReports = on
            if on { reportSize() }
        default: break
        }
    }

    /// Whether a private mode is set; nil when it is not known.
    func privateMode(_ mode: Int) -> Bool? {
        switch mode {
        case 1: modes.applicationCursorKeys
        case 3: modes.columns132
        case 5: modes.reverseScreen
        case 6: originMode
        case 7: modes.autowrap
        case 8: modes.autorepeat
        case 9: modes.mouse == .x10
        case 12: cursorBlinks
        case 25: cursorVisible
        case 40: modes.allowColumnChange
        case 45: modes.reverseWrap
        case 1045: modes.extendedReverseWrap
        case 47, 1047, 1049: isAlternate
        case 66: modes.applicationKeypad
        case 67: modes.backarrowSendsBackspace
        case 69: modes.leftRightMargins
        case 1000: modes.mouse == .normal
        case 1002: modes.mouse == .button
        case 1003: modes.mouse == .any
        case 1004: modes.focusEvents
        case 1005: modes.mouseEncoding == .utf8
        case 1006: modes.mouseEncoding == .sgr
        case 1015: modes.mouseEncoding == .urxvt
        case 1016: modes.mouseEncoding == .sgrPixels
        case 1007: modes.alternateScroll
        case 2004: modes.bracketedPaste
        case 2026: modes.synchronizedUpdate
        case 2031: modes.colorSchemeReports
        case 2048: modes.sizeReports
        default: nil
        }
    }

    private mutating func setMouse(_ tracking: MouseTracking, _ on: Bool) {
        if on { modes.mouse = tracking } else { modes.mouse = .off }
    }

    private mutating func setEncoding(_ encoding: MouseEncoding, _ on: Bool) {
        if on { modes.mouseEncoding = encoding } else if modes.mouseEncoding == encoding { modes.mouseEncoding = .standard }
    }

    /// DECCOLM: the size is the owner's, so the screen is cleared and the margins go, but it keeps its columns.
    private mutating func columnModeChanged() {
        top = 0
        bottom = rows - 1
        left = 0
        right = columns - 1
        modes.leftRightMargins = false
        for row in 0..<rows { eraseLine(row, selective: false) }
        originMode = false
        moveTo(row: 0, column: 0)
    }
}
