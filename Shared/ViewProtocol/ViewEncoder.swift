public import Contract
public import Terminal

/// Screens and changes of screens as JSON (see `docs/view-protocol.md`), written by hand: they travel sixty times a second.
public enum ViewEncoder {
    /// The whole screen: `{"type":"keyframe","seq":…,"time":…,"columns":…,"rows":…,"lines":[[run,…],…],"cursor":…,…}`.
    public static func keyframe(_ terminal: Terminal, seq: UInt64, time: Timestamp, writer: Author? = nil) -> [UInt8] {
        keyframe(terminal.fullDelta(), seq: seq, time: time, writer: writer)
    }

    /// The same of a screen that is at hand.
    public static func keyframe(_ screen: ScreenDelta, seq: UInt64, time: Timestamp, writer: Author? = nil) -> [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"type":"keyframe","seq":"#)
        json.number(seq)
        json.raw(#","time":""#)
        json.raw(time.description)
        json.raw(#"","columns":"#)
        json.number(screen.columns)
        json.raw(#","rows":"#)
        json.number(screen.rows)
        json.raw(#","lines":["#)
        for (index, row) in screen.changed.enumerated() {
            if index > 0 { json.raw(",") }
            json.runs(row.runs)
        }
        json.raw("]")
        json.state(screen)
        if let writer {
            json.raw(#","writer":"#)
            json.string(writer.description)
        }
        json.raw("}")
        return json.bytes
    }

    /// A change: `{"type":"delta","base":…,"seq":…,"time":…,"columns":…,"rows":…,"scroll":…,"lines":[[row,[run,…]],…],…}`.
    ///
    /// Without a change of the screen only the place in the log moves: `columns` and what follows are missing then.
    public static func delta(_ delta: ScreenDelta?, base: UInt64, seq: UInt64, time: Timestamp) -> [UInt8] {
        var json = JSONWriter()
        json.raw(#"{"type":"delta","base":"#)
        json.number(base)
        json.raw(#","seq":"#)
        json.number(seq)
        json.raw(#","time":""#)
        json.raw(time.description)
        json.raw("\"")
        if let delta {
            json.raw(#","columns":"#)
            json.number(delta.columns)
            json.raw(#","rows":"#)
            json.number(delta.rows)
            if delta.scroll > 0 {
                json.raw(#","scroll":"#)
                json.number(delta.scroll)
            }
            json.raw(#","lines":["#)
            for (index, row) in delta.changed.enumerated() {
                json.raw(index > 0 ? ",[" : "[")
                json.number(row.row)
                json.raw(",")
                json.runs(row.runs)
                json.raw("]")
            }
            json.raw("]")
            json.state(delta)
        }
        json.raw("}")
        return json.bytes
    }
}

/// Appends JSON to bytes.
struct JSONWriter {
    var bytes: [UInt8] = []

    mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func raw(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    mutating func number(_ number: some BinaryInteger) {
        bytes.append(contentsOf: String(number).utf8)
    }

    mutating func bool(_ value: Bool) {
        raw(value ? "true" : "false")
    }

    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                raw("\\u00")
                bytes.append(contentsOf: [Self.hex(byte >> 4), Self.hex(byte & 15)])
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func hex(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }

    // MARK: - Screens

    /// `[text, width, foreground, background, flags, link, underline colour]`; what is default at the end is left out.
    mutating func runs(_ runs: [StyledRun]) {
        raw("[")
        for (index, run) in runs.enumerated() {
            raw(index > 0 ? ",[" : "[")
            string(run.text)
            raw(",")
            number(run.width)
            let style = run.style
            let count =
                !style.underlineColor.isStandard
                ? 5 : run.link != nil ? 4 : !style.attributes.isEmpty ? 3 : !style.background.isStandard ? 2 : style.foreground.isStandard ? 0 : 1
            if count > 0 { raw(","); color(style.foreground) }
            if count > 1 { raw(","); color(style.background) }
            if count > 2 { raw(","); number(style.attributes.rawValue) }
            if count > 3 {
                raw(",")
                if let link = run.link { string(link.uri) } else { raw("null") }
            }
            if count > 4 { raw(","); color(style.underlineColor) }
            raw("]")
        }
        raw("]")
    }

    /// `null` for the default, a palette index, or `"#rrggbb"`.
    mutating func color(_ color: TextColor) {
        if let index = color.index {
            number(index)
        } else if let (red, green, blue) = color.components {
            bytes.append(contentsOf: [UInt8(ascii: "\""), UInt8(ascii: "#")])
            for part in [red, green, blue] { bytes.append(contentsOf: [Self.hex(part >> 4), Self.hex(part & 15)]) }
            bytes.append(UInt8(ascii: "\""))
        } else {
            raw("null")
        }
    }

    /// Cursor, title, screen, modes, bells.
    mutating func state(_ screen: ScreenDelta) {
        raw(#","cursor":{"row":"#)
        number(screen.cursor.row)
        raw(#","column":"#)
        number(screen.cursor.column)
        raw(#","visible":"#)
        bool(screen.cursor.isVisible)
        raw(#","shape":"#)
        number(screen.cursor.shape.rawValue)
        raw(#","blinks":"#)
        bool(screen.cursor.blinks)
        if screen.cursor.pendingWrap { raw(#","pending_wrap":true"#) }
        raw("}")
        if let title = screen.title {
            raw(#","title":"#)
            string(title)
        }
        raw(#","alternate":"#)
        bool(screen.isAlternateScreen)
        raw(#","modes":"#)
        modes(screen.modes)
        if screen.bells > 0 {
            raw(#","bells":"#)
            number(screen.bells)
        }
    }

    /// Only what is not as in a fresh terminal.
    private mutating func modes(_ modes: ViewerModes) {
        raw("{")
        var isFirst = true
        func key(_ name: StaticString, _ json: inout JSONWriter) {
            json.raw(isFirst ? "\"" : ",\"")
            json.raw(name)
            json.raw("\":")
            isFirst = false
        }
        if modes.bracketedPaste { key("bracketed_paste", &self); bool(true) }
        if modes.applicationCursorKeys { key("application_cursor_keys", &self); bool(true) }
        if modes.applicationKeypad { key("application_keypad", &self); bool(true) }
        if modes.focusEvents { key("focus_events", &self); bool(true) }
        if modes.reverseScreen { key("reverse_screen", &self); bool(true) }
        if modes.mouse != .off { key("mouse", &self); number(modes.mouse.rawValue) }
        if modes.mouseEncoding != .standard { key("mouse_encoding", &self); number(modes.mouseEncoding.rawValue) }
        if modes.kittyKeyboard != 0 { key("kitty_keyboard", &self); number(modes.kittyKeyboard) }
        raw("}")
    }
}
