/// Columns of text that fit the terminal: in a narrow one those that say nothing and those that can be spared go, then the widest are cut.
public struct Table {
    private var rows: [[String]]
    private let whole: Set<Int>
    private let spare: [Int]

    /// - Parameters:
    ///   - whole: columns that are never cut, because half of what stands there is of no use: ids, times, commands to copy.
    ///   - spare: columns that a narrow terminal does without, the first one first.
    public init(_ header: [String], whole: Set<String> = [], spare: [String] = []) {
        rows = [header]
        self.whole = Set(header.indices.filter { whole.contains(header[$0]) })
        self.spare = spare.compactMap { header.firstIndex(of: $0) }
    }

    public mutating func add(_ row: [String]) { rows.append(row.map(Self.line)) }

    public var isEmpty: Bool { rows.count == 1 }

    /// Prints it, cut to the terminal where there is one.
    public func print() {
        for line in lines(columns: Out.columns, style: Style.forOutput) { Out.print(line) }
    }

    /// The lines of the table; cut to `columns` where that is given. Without a terminal nothing is cut.
    public func lines(columns: Int?, style: Style) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        var widths = (0..<count).map { column in rows.map { column < $0.count ? Self.width($0[column]) : 0 }.max() ?? 0 }
        var shown = Array(0..<count)
        if let columns {
            // A column that would be cut a little is kept all the same.
            let comfortable = 24
            for column in saysNothing(count) + spare {
                let wanted = shown.reduce(0) { $0 + (whole.contains($1) ? widths[$1] : min(widths[$1], comfortable)) } + 2 * max(0, shown.count - 1)
                guard wanted > columns else { break }
                shown.removeAll { $0 == column }
            }
            cut(&widths, of: shown, to: columns)
        }
        return rows.enumerated().map { index, row in
            var line = ""
            for column in shown where column < row.count {
                var text = Self.width(row[column]) > widths[column] ? Self.cut(row[column], to: widths[column]) : row[column]
                if index == 0 { text = style.dim(text) }
                line += text
                if column != shown.last { line += String(repeating: " ", count: max(0, widths[column] - Self.width(text)) + 2) }
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }

    /// Columns in which no row has anything; never the first.
    private func saysNothing(_ count: Int) -> [Int] {
        guard rows.count > 1, count > 1 else { return [] }
        return (1..<count).filter { column in rows.dropFirst().allSatisfy { column >= $0.count || $0[column].isEmpty || $0[column] == "-" } }
    }

    private func cut(_ widths: inout [Int], of shown: [Int], to columns: Int) {
        let mayBeCut = shown.filter { !whole.contains($0) }
        var excess = shown.reduce(0) { $0 + widths[$1] } + 2 * max(0, shown.count - 1) - columns
        while excess > 0, let widest = mayBeCut.max(by: { widths[$0] < widths[$1] }), widths[widest] > 4 {
            let least = max(4, widths[widest] - excess)
            // Only down to the next widest, so that several wide columns share the loss.
            let next = mayBeCut.filter { $0 != widest }.map { widths[$0] }.max() ?? 0
            let new = max(least, min(next, widths[widest] - 1))
            excess -= widths[widest] - new
            widths[widest] = new
        }
    }

    /// A cell as one line. What agents and programs wrote may hold anything; only colours reach the terminal, as `Style` gives them.
    static func line(_ cell: String) -> String {
        guard cell.unicodeScalars.contains(where: isControl) else { return cell }
        var result = ""
        var rest = cell.unicodeScalars[...]
        var isColoured = false
        while let scalar = rest.popFirst() {
            if scalar == "\u{1b}", let colour = colour(rest) {
                result += "\u{1b}" + String(String.UnicodeScalarView(colour))
                rest = rest[colour.endIndex...]
                isColoured = !colour.elementsEqual("[0m".unicodeScalars)
            } else if scalar == "\n" || scalar == "\r" || scalar == "\t" {
                if result.last != " " { result += " " }
            } else {
                result.unicodeScalars.append(isControl(scalar) ? "\u{fffd}" : scalar)
            }
        }
        return isColoured ? result + "\u{1b}[0m" : result
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) }

    /// One of `Style`'s colours at the beginning of what stands behind an escape; others may hide text.
    private static func colour(_ rest: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView? {
        for code in Style.codes {
            let colour = rest.prefix(code.unicodeScalars.count + 2)
            if colour.elementsEqual("[\(code)m".unicodeScalars) { return colour }
        }
        return nil
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
