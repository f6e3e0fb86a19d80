extension Core {
    /// OSC.
    mutating func operatingSystemCommand(bell: Bool) {
        var at = 0
        var number = 0
        while at < string.count, string[at] >= 0x30, string[at] <= 0x39 {
            number = min(number * 10 + Int(string[at] & 0x0F), 99_999)
            at += 1
        }
        let complete = stringLength <= Core.maximumString
        guard at > 0 else {
            // OSC l and L are titles in dtterm's way.
            if complete, let first = string.first, first == UInt8(ascii: "l") || first == UInt8(ascii: "L") {
                let text = String(decoding: string.dropFirst(), as: UTF8.self)
                if first == UInt8(ascii: "l") { setTitle(text) } else { iconTitle = text }
            }
            return
        }
        guard at == string.count || string[at] == UInt8(ascii: ";") else { return }
        let body = string.dropFirst(min(at + 1, string.count))
        if number == 52 {
            noteClipboard(body)
            return
        }
        guard complete else { return }
        let end = bell ? "\u{07}" : "\u{1B}\\"
        switch number {
        case 0:
            iconTitle = Core.clean(body)
            setTitle(iconTitle)
        case 1: iconTitle = Core.clean(body)
        case 2: setTitle(Core.clean(body))
        case 4: paletteCommand(body, end)
        case 104: resetPalette(body)
        case 10, 11, 12: dynamicColor(number, body, end)
        case 110, 111, 112: dynamicColors[number - 110] = nil
        case 7: note(.workingDirectory(Core.clean(body)))
        case 8: hyperlink(body)
        case 9: notification(body)
        case 777: extendedNotification(body)
        case 99: kittyNotification(body)
        case 133, 633: mark(body)
        default: break  // 1337, 50, 51 …: consumed
        }
    }

    /// Text of a program without controls, so that no title can carry an escape into another terminal.
    static func clean(_ bytes: ArraySlice<UInt8>) -> String {
        if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return String(decoding: bytes, as: UTF8.self) }
        var scalars = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars where scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value) {
            scalars.append(scalar)
        }
        return String(scalars)
    }

    mutating func setTitle(_ text: String) {
        if title == text { return }
        title = text
        titleChanged = true
        note(.title(text))
    }

    private func fields(_ body: ArraySlice<UInt8>, limit: Int = .max) -> [ArraySlice<UInt8>] {
        body.split(separator: UInt8(ascii: ";"), maxSplits: limit, omittingEmptySubsequences: false)
    }

    private func number(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard !bytes.isEmpty, bytes.count <= 9, bytes.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return bytes.reduce(0) { $0 * 10 + Int($1 & 0x0F) }
    }

    // MARK: - Colours

    private mutating func paletteCommand(_ body: ArraySlice<UInt8>, _ end: String) {
        let parts = fields(body)
        var index = 0
        while index + 1 < parts.count {
            if let entry = number(parts[index]), entry < 256 {
                if parts[index + 1].elementsEqual([UInt8(ascii: "?")]) {
                    reply("\u{1B}]4;\(entry);\(Palette.specification(palette[UInt8(entry)] ?? Palette.standard(UInt8(entry))))\(end)")
                } else if let color = Palette.parse(parts[index + 1]) {
                    palette[UInt8(entry)] = color
                }
            }
            index += 2
        }
    }

    private mutating func resetPalette(_ body: ArraySlice<UInt8>) {
        if body.isEmpty { palette = [:] }
        for part in fields(body) { if let entry = number(part), entry < 256 { palette[UInt8(entry)] = nil } }
    }

    /// OSC 10;colour;colour… sets 10, 11 and 12 in turn.
    private mutating func dynamicColor(_ first: Int, _ body: ArraySlice<UInt8>, _ end: String) {
        for (offset, part) in fields(body).enumerated() where first + offset <= 12 {
            let slot = first + offset - 10
            if part.elementsEqual([UInt8(ascii: "?")]) {
                let color = dynamicColors[slot] ?? (slot == 1 ? 0x000000 : 0xE5E5E5)
                reply("\u{1B}]\(first + offset);\(Palette.specification(color))\(end)")
            } else if let color = Palette.parse(part) {
                dynamicColors[slot] = color
            }
        }
    }

    // MARK: - Links, clipboard, notifications, marks

    private mutating func hyperlink(_ body: ArraySlice<UInt8>) {
        let parts = fields(body, limit: 1)
        guard parts.count == 2 else { return }
        penIsStale = true
        let uri = Core.clean(parts[1])
        if uri.isEmpty {
            link = 0
            return
        }
        var id = ""
        for pair in parts[0].split(separator: UInt8(ascii: ":")) where pair.starts(with: Array("id=".utf8)) {
            id = Core.clean(pair.dropFirst(3))
        }
        link = linkNumber(TextLink(uri: uri, id: id))
    }

    private mutating func noteClipboard(_ body: ArraySlice<UInt8>) {
        let parts = fields(body, limit: 1)
        guard parts.count == 2, !parts[1].elementsEqual([UInt8(ascii: "?")]) else { return }
        let header = string.count - parts[1].count
        note(.clipboard(selection: Core.clean(parts[0].prefix(16)), bytes: stringLength - header))
    }

    private mutating func notification(_ body: ArraySlice<UInt8>) {
        let parts = fields(body)
        if parts.first?.elementsEqual([UInt8(ascii: "4")]) == true, parts.count >= 2, let state = number(parts[1]), state <= 4 {
            let percent = parts.count > 2 ? number(parts[2]) : nil
            let kind = ProgressState(rawValue: UInt8(state)) ?? .none
            note(.progress(kind, percent: kind == .none || kind == .indeterminate ? nil : min(percent ?? 0, 100)))
            return
        }
        // ConEmu's 9;1 … 9;12 are commands, not texts.
        if parts.count >= 2, let command = number(parts[0]), (1...12).contains(command) {
            if command == 9 { note(.workingDirectory(Core.clean(parts[1]))) }
            return
        }
        note(.notification(title: "", body: Core.clean(body)))
    }

    private mutating func extendedNotification(_ body: ArraySlice<UInt8>) {
        let parts = fields(body, limit: 2)
        guard parts.count >= 2, parts[0].elementsEqual("notify".utf8) else { return }
        note(.notification(title: Core.clean(parts[1]), body: parts.count > 2 ? Core.clean(parts[2]) : ""))
    }

    /// OSC 99 (kitty): the plain form; chunks and encodings are consumed.
    private mutating func kittyNotification(_ body: ArraySlice<UInt8>) {
        let parts = fields(body, limit: 1)
        guard parts.count == 2, !parts[1].isEmpty else { return }
        let metadata = String(decoding: parts[0], as: UTF8.self)
        if metadata.contains("e=1") || metadata.contains("p=close") || metadata.contains("p=?") { return }
        let isBody = metadata.contains("p=body")
        note(.notification(title: isBody ? "" : Core.clean(parts[1]), body: isBody ? Core.clean(parts[1]) : ""))
    }

    private mutating func mark(_ body: ArraySlice<UInt8>) {
        let parts = fields(body)
        guard let kind = parts.first, kind.count == 1 else { return }
        switch kind.first {
        case UInt8(ascii: "A"): note(.mark(.promptStart))
        case UInt8(ascii: "B"): note(.mark(.commandStart))
        case UInt8(ascii: "C"): note(.mark(.outputStart))
        case UInt8(ascii: "D"): note(.mark(.commandEnd(exitCode: parts.count > 1 ? number(parts[1]) : nil)))
        default: break
        }
    }
}

/// Colour specifications as XParseColor takes and xterm gives them.
enum Palette {
    /// xterm's default palette.
    static func standard(_ index: UInt8) -> UInt32 {
        switch index {
        case 0..<16:
            let colors: [UInt32] = [
                0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5,
                0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
            ]
            return colors[Int(index)]
        case 16..<232:
            let cube = UInt32(index) - 16
            func level(_ step: UInt32) -> UInt32 { step == 0 ? 0 : step * 40 + 55 }
            return level(cube / 36) << 16 | level(cube / 6 % 6) << 8 | level(cube % 6)
        default:
            let gray = (UInt32(index) - 232) * 10 + 8
            return gray << 16 | gray << 8 | gray
        }
    }

    static func specification(_ color: UInt32) -> String {
        func part(_ shift: UInt32) -> String {
            let hex = String((color >> shift & 0xFF) | 0x100, radix: 16).dropFirst()
            return "\(hex)\(hex)"
        }
        return "rgb:\(part(16))/\(part(8))/\(part(0))"
    }

    static func parse(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let text = String(decoding: bytes, as: UTF8.self).lowercased()
        func scaled(_ digits: Substring) -> UInt32? {
            guard (1...4).contains(digits.utf8.count), let value = UInt32(digits, radix: 16) else { return nil }
            let full: UInt32 = [0xF, 0xFF, 0xFFF, 0xFFFF][digits.utf8.count - 1]
            return value * 255 / full
        }
        var parts: [Substring] = []
        if text.hasPrefix("rgb:") {
            parts = text.dropFirst(4).split(separator: "/", omittingEmptySubsequences: false)
        } else if text.hasPrefix("#") {
            let digits = text.dropFirst()
            let length = digits.utf8.count / 3
            guard length > 0, length * 3 == digits.utf8.count, digits.allSatisfy(\.isHexDigit), digits.allSatisfy(\.isASCII) else { return nil }
            parts = (0..<3).map { digits.dropFirst($0 * length).prefix(length) }
        }
        guard parts.count == 3, let red = scaled(parts[0]), let green = scaled(parts[1]), let blue = scaled(parts[2]) else { return nil }
        return red << 16 | green << 8 | blue
    }
}
