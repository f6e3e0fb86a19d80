public import Terminal

/// A screen for programs that ask once: as rows of text or of cells, JSON.
public enum ScreenDump {
    /// `{"rows":["…",…],"cursor":[row,column],"visible":…,"title":"…","alternate":…,"history":["…",…]}`; `history` when lines were asked for.
    public static func text(_ terminal: Terminal, scrollback: Int = 0) -> [UInt8] {
        dump(terminal, cells: false, scrollback: scrollback, extra: [])
    }

    /// As `text`, and `"cells"`: per row, runs of `[text, width, foreground, background, flags, link, underline colour]`.
    public static func cells(_ terminal: Terminal, scrollback: Int = 0) -> [UInt8] {
        dump(terminal, cells: true, scrollback: scrollback, extra: [])
    }

    /// As `cells`, with members of its own first: names with their JSON.
    public static func dump(
        _ terminal: Terminal, cells: Bool, scrollback: Int, extra: [(name: String, json: String)]
    ) -> [UInt8] {
        dump(terminal, cells: cells, history: scrollback > 0 ? terminal.history(lines: scrollback) : nil, extra: extra)
    }

    /// The same with lines of history that are at hand; nil: none were asked for.
    public static func dump(
        _ terminal: Terminal, cells: Bool, history: [String]?, extra: [(name: String, json: String)]
    ) -> [UInt8] {
        var json = JSONWriter()
        json.raw("{")
        for (name, value) in extra {
            json.string(name)
            json.raw(":")
            json.raw(value)
            json.raw(",")
        }
        json.raw(#""columns":"#)
        json.number(terminal.columns)
        json.raw(#","screen":"#)
        json.strings(terminal.text())
        json.raw(#","cursor":["#)
        json.number(terminal.cursor.row)
        json.raw(",")
        json.number(terminal.cursor.column)
        json.raw(#"],"visible":"#)
        json.bool(terminal.cursor.isVisible)
        json.raw(#","title":"#)
        json.string(terminal.title)
        json.raw(#","alternate":"#)
        json.bool(terminal.isAlternateScreen)
        if let history {
            json.raw(#","history":"#)
            json.strings(history)
        }
        if cells {
            json.raw(#","cells":["#)
            for row in 0..<terminal.rows {
                if row > 0 { json.raw(",") }
                json.runs(terminal.runs(row))
            }
            json.raw("]")
        }
        json.raw("}")
        return json.bytes
    }
}

extension JSONWriter {
    mutating func strings(_ texts: [String]) {
        raw("[")
        for (index, text) in texts.enumerated() {
            if index > 0 { raw(",") }
            string(text)
        }
        raw("]")
    }
}
