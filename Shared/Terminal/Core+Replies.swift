extension Core {
    mutating func reply(_ text: String) {
        // A program that asks and never reads does not fill our memory.
        guard replies.count + text.utf8.count <= Core.maximumReplies else { return }
        replies.append(contentsOf: text.utf8)
    }

    /// DSR.
    mutating func reportStatus(_ what: Int) {
        switch what {
        case 5: reply("\u{1B}[0n")
        case 6: reply("\u{1B}[\(reportedRow);\(reportedColumn)R")
        default: break
        }
    }

    private var reportedRow: Int { (originMode ? row - top : row) + 1 }
    private var reportedColumn: Int { (originMode ? column - left : column) + 1 }

    mutating func reportPrivateStatus(_ what: Int) {
        switch what {
        case 6: reply("\u{1B}[?\(reportedRow);\(reportedColumn);1R")
        case 15: reply("\u{1B}[?13n")  // no printer
        case 25: reply("\u{1B}[?20n")  // user keys unlocked
        case 26: reply("\u{1B}[?27;1;0;0n")  // keyboard: North American
        case 53, 55: reply("\u{1B}[?50n")  // no locator
        case 56: reply("\u{1B}[?57;0n")
        case 62: reply("\u{1B}[0000*{")
        case 63: reply("\u{1B}P\(parameter(1, 0))!~0000\u{1B}\\")
        case 75: reply("\u{1B}[?70n")
        case 85: reply("\u{1B}[?83n")
        case 996: reply("\u{1B}[?997;1n")  // dark
        default: break
        }
    }

    /// DECRQM: 1 set, 2 reset, 3 always set, 4 always reset, 0 not known.
    mutating func reportMode(_ mode: Int, isPrivate: Bool) {
        var value = 0
        if isPrivate {
            if let on = privateMode(mode) { value = on ? 1 : 2 } else if mode == 2027 { value = 3 } else if [1048].contains(mode) { value = 1 }
            reply("\u{1B}[?\(mode);\(value)$y")
        } else {
            switch mode {
            case 2: value = modes.keyboardLocked ? 1 : 2
            case 4: value = modes.insert ? 1 : 2
            case 12: value = modes.localEchoOff ? 1 : 2
            case 20: value = modes.newline ? 1 : 2
            case 1, 5, 7, 10, 11, 13...19: value = 4
            default: break
            }
            reply("\u{1B}[\(mode);\(value)$y")
        }
    }

    /// In-band size report (mode 2048); pixels are not known.
    mutating func reportSize() { reply("\u{1B}[48;\(rows);\(columns);0;0t") }

    /// XTWINOPS: what can be answered without a window.
    mutating func windowOperation() {
        switch parameter(0, 0) {
        case 11: reply("\u{1B}[1t")
        case 13: reply("\u{1B}[3;0;0t")
        case 14: reply("\u{1B}[4;\(rows * 16);\(columns * 8)t")
        case 15: reply("\u{1B}[5;\(rows * 16);\(columns * 8)t")
        case 16: reply("\u{1B}[6;16;8t")
        case 18: reply("\u{1B}[8;\(rows);\(columns)t")
        case 19: reply("\u{1B}[9;\(rows);\(columns)t")
        // 20 and 21 (title reports) put a program's text into its own input: refused with an empty title.
        case 20: reply("\u{1B}]L\u{1B}\\")
        case 21: reply("\u{1B}]l\u{1B}\\")
        case 22: if titleStack.count < Core.maximumTitles { titleStack.append(title) }
        case 23: if let old = titleStack.popLast() { setTitle(old) }
        default: break
        }
    }

    // MARK: - DCS

    /// DECRQSS and XTGETTCAP are answered, the rest is consumed.
    mutating func deviceControlString() {
        guard let final = string.first, stringLength + 1 <= Core.maximumString else { return }
        let body = string.dropFirst()
        if prefix == 0 && intermediate == UInt8(ascii: "$") && final == UInt8(ascii: "q") {
            reportSetting(String(decoding: body, as: UTF8.self))
        } else if prefix == 0 && intermediate == UInt8(ascii: "+") && final == UInt8(ascii: "q") {
            for name in body.split(separator: UInt8(ascii: ";")) { reportCapability(String(decoding: name, as: UTF8.self)) }
        }
    }

    private mutating func reportSetting(_ name: String) {
        let value: String
        switch name {
        case "m": value = Core.graphicsParameters(style) + "m"
        case "r": value = "\(top + 1);\(bottom + 1)r"
        case "s": value = "\(left + 1);\(right + 1)s"
        case "t": value = "\(rows)t"
        case "$|": value = "\(columns)$|"
        case "*|": value = "\(rows)*|"
        case "\"p": value = "64;1\"p"
        case "\"q": value = "\(protected ? 1 : 0)\"q"
        case " q":
            let base = cursorShape == .block ? 2 : cursorShape == .underline ? 4 : 6
            value = "\(cursorBlinks ? base - 1 : base) q"
        default:
            reply("\u{1B}P0$r\u{1B}\\")
            return
        }
        reply("\u{1B}P1$r\(value)\u{1B}\\")
    }

    private mutating func reportCapability(_ name: String) {
        let known = [
            "544E": "787465726D2D323536636F6C6F72",  // TN: xterm-256color
            "436F": "323536", "636F6C6F7273": "323536",  // Co, colors: 256
            "524742": "38",  // RGB: 8
        ]
        if let value = known[name.uppercased()] {
            reply("\u{1B}P1+r\(name)=\(value)\u{1B}\\")
        } else if name.utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || ($0 & 0xDF >= 0x41 && $0 & 0xDF <= 0x46) }) {
            reply("\u{1B}P0+r\(name)\u{1B}\\")
        }
    }
}
