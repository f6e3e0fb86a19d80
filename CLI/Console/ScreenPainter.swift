public import Terminal

/// Paints a screen image into this terminal, only what changed since the last time. Pure: images in, bytes out.
public struct ScreenPainter: Sendable {
    private var shown: [String] = []
    private var width = 0
    private var height = 0

    public init() {}

    /// Forgets what is shown, so that the next picture is painted whole.
    public mutating func forget() {
        shown = []
        width = 0
    }

    /// The bytes that show `image` in the upper rows, cut to the terminal, and `status` in the last row.
    public mutating func paint(_ image: ScreenImage, status: String, columns: Int, rows: Int) -> [UInt8] {
        var out = "\u{1b}[?2026h\u{1b}[?25l"
        if columns != width || rows != height || shown.count != rows {
            out += "\u{1b}[0m\u{1b}[2J"
            shown = Array(repeating: "", count: rows)
            (width, height) = (columns, rows)
        }
        let room = max(0, rows - 1)
        // A screen taller than the terminal is shown around its cursor.
        let first = max(0, min(image.cursor.row - room + 1, image.rows.count - room))
        for row in 0..<room {
            let line =
                first + row < image.rows.count ? Self.line(image.rows[first + row], columns: columns) : Self.beyond(columns, image, first + row)
            put(line, at: row, &out)
        }
        if rows > 0 { put(status, at: rows - 1, &out) }
        let cursorRow = image.cursor.row - first
        if image.cursor.isVisible, cursorRow >= 0, cursorRow < room, image.cursor.column < columns {
            out += "\u{1b}[\(cursorRow + 1);\(image.cursor.column + 1)H\u{1b}[?25h"
        }
        return Array((out + "\u{1b}[?2026l").utf8)
    }

    private mutating func put(_ line: String, at row: Int, _ out: inout String) {
        guard shown[row] != line else { return }
        shown[row] = line
        out += "\u{1b}[\(row + 1);1H\u{1b}[0m\u{1b}[K" + line + "\u{1b}[0m"
    }

    /// Marks where the pod's screen ends in a taller terminal.
    private static func beyond(_ columns: Int, _ image: ScreenImage, _ row: Int) -> String {
        row == image.rows.count && columns > 2 ? "\u{1b}[2m" + String(repeating: "╌", count: min(columns, max(2, image.columns))) : ""
    }

    static func line(_ runs: [StyledRun], columns: Int) -> String {
        var out = ""
        var used = 0
        for run in runs {
            guard used < columns else { break }
            var text = run.text
            var width = run.width
            if used + width > columns {
                (text, width) = fit(run.text, columns - used)
            }
            out += "\u{1b}[0\(sgr(run.style))m" + text
            used += width
        }
        return out
    }

    private static func fit(_ text: String, _ columns: Int) -> (String, Int) {
        var result = ""
        var used = 0
        for character in text {
            let width = Table.columns(of: character)
            if used + width > columns { break }
            used += width
            result.append(character)
        }
        return (result, used)
    }

    /// SGR parameters, each with a semicolon before it.
    static func sgr(_ style: TextStyle) -> String {
        var out = ""
        let attributes = style.attributes
        if attributes.contains(.bold) { out += ";1" }
        if attributes.contains(.dim) { out += ";2" }
        if attributes.contains(.italic) { out += ";3" }
        if style.underline != .none { out += style.underline == .single ? ";4" : ";4:\(style.underline.rawValue)" }
        if attributes.contains(.blink) { out += ";5" }
        if attributes.contains(.inverse) { out += ";7" }
        if attributes.contains(.hidden) { out += ";8" }
        if attributes.contains(.strike) { out += ";9" }
        if attributes.contains(.overline) { out += ";53" }
        out += color(style.foreground, base: 30, bright: 90, extended: 38)
        out += color(style.background, base: 40, bright: 100, extended: 48)
        if let (red, green, blue) = style.underlineColor.components {
            out += ";58:2::\(red):\(green):\(blue)"
        } else if let index = style.underlineColor.index {
            out += ";58:5:\(index)"
        }
        return out
    }

    private static func color(_ color: TextColor, base: Int, bright: Int, extended: Int) -> String {
        if let index = color.index {
            switch index {
            case 0..<8: return ";\(base + Int(index))"
            case 8..<16: return ";\(bright + Int(index) - 8)"
            default: return ";\(extended);5;\(index)"
            }
        }
        if let (red, green, blue) = color.components { return ";\(extended);2;\(red);\(green);\(blue)" }
        return ""
    }
}
