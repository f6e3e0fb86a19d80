/// Columns of text that fit the terminal: the last column gives way first, then the widest ones.
public struct Table {
    private var rows: [[String]]

    public init(_ header: [String]) {
        rows = [header]
    }

    public mutating func add(_ row: [String]) { rows.append(row) }

    public var isEmpty: Bool { rows.count == 1 }

    /// Prints it, cut to the terminal where there is one.
    public func print() {
        for line in lines(columns: Out.columns, style: Style.forOutput) { Out.print(line) }
    }

    /// The lines of the table; cut to `columns` where that is given. Without a terminal nothing is cut.
    public func lines(columns: Int?, style: Style) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        var widths = (0..<count).map { column in rows.map { column < $0.count ? Self.width($0[column]) : 0 }.max() ?? 0 }
        if let columns {
            var excess = widths.reduce(0, +) + 2 * max(0, count - 1) - columns
            while excess > 0, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }), widths[widest] > 4 {
                let least = max(4, widths[widest] - excess)
                // Only down to the next widest, so that several wide columns share the loss.
                let next = widths.enumerated().filter { $0.offset != widest }.map(\.element).max() ?? 0
                let new = max(least, min(next, widths[widest] - 1))
                excess -= widths[widest] - new
                widths[widest] = new
            }
        }
        return rows.enumerated().map { index, row in
            var line = ""
            for (column, cell) in row.enumerated() {
                var text = Self.width(cell) > widths[column] ? Self.cut(cell, to: widths[column]) : cell
                if index == 0 { text = style.dim(text) }
                line += text
                if column < row.count - 1 { line += String(repeating: " ", count: max(0, widths[column] - Self.width(text)) + 2) }
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }

    /// Columns a text takes, without its colours.
    public static func width(_ text: String) -> Int {
        var width = 0
        var isInEscape = false
        for character in text {
            if isInEscape {
                if character == "m" { isInEscape = false }
            } else if character == "\u{1b}" {
                isInEscape = true
            } else {
                width += columns(of: character)
            }
        }
        return width
    }

    static func columns(of character: Character) -> Int {
        guard let first = character.unicodeScalars.first else { return 0 }
        if first.isASCII { return 1 }
        return wideRanges.contains { $0.contains(first.value) } || character.unicodeScalars.contains("\u{fe0f}") ? 2 : 1
    }

    /// East Asian wide and emoji blocks; coarse, for aligning names and lines only.
    private static let wideRanges: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6,
        0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1f9ff, 0x20000...0x3fffd,
    ]

    /// The beginning of the text with an ellipsis, its colours ended.
    public static func cut(_ text: String, to width: Int) -> String {
        var result = ""
        var used = 0
        var isInEscape = false
        var isColoured = false
        for character in text {
            if isInEscape || character == "\u{1b}" {
                isInEscape = character != "m"
                isColoured = true
                result.append(character)
                continue
            }
            let columns = columns(of: character)
            if used + columns > width - 1 { break }
            used += columns
            result.append(character)
        }
        return result + "…" + (isColoured ? "\u{1b}[0m" : "")
    }
}
