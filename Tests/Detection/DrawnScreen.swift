import Foundation

/// A screen of an agent as we draw it ourselves, at any width: `Benchmarks/status/screens.jsonl`. `Benchmarks/status/screens.py` draws the same.
struct DrawnScreen: Decodable {
    var id: String
    var agent: String
    var expected: String
    /// Where the screen says it.
    var reason: String?
    var title: String?
    var rows: [Row]

    /// Programs wrap their text between words; some rows they shorten, and line-mode programs leave the cutting to the terminal.
    enum Row: Decodable {
        case text(String)
        case rule(String, begin: String)
        case box([Row])
        case bar([Row])
        /// Ends in an ellipsis where it is too long.
        case short(String)
        /// Cut in pieces at the width.
        case cut(String)
        /// At both ends of a row, or one below the other.
        case ends(String, String)

        private enum Key: CodingKey { case rule, begin, box, bar, short, cut, ends }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self = .text(text)
                return
            }
            let values = try decoder.container(keyedBy: Key.self)
            if let glyph = try values.decodeIfPresent(String.self, forKey: .rule) {
                self = .rule(glyph, begin: try values.decodeIfPresent(String.self, forKey: .begin) ?? "")
            } else if let rows = try values.decodeIfPresent([Row].self, forKey: .box) {
                self = .box(rows)
            } else if let rows = try values.decodeIfPresent([Row].self, forKey: .bar) {
                self = .bar(rows)
            } else if let text = try values.decodeIfPresent(String.self, forKey: .short) {
                self = .short(text)
            } else if let text = try values.decodeIfPresent(String.self, forKey: .cut) {
                self = .cut(text)
            } else {
                let ends = try values.decode([String].self, forKey: .ends)
                self = .ends(ends[0], ends[1])
            }
        }
    }

    static let all: [DrawnScreen] = {
        let file =
            URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path + "/Benchmarks/status/screens.jsonl"
        let lines = ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n")
        return lines.compactMap { try? JSONDecoder().decode(DrawnScreen.self, from: Data($0.utf8)) }
    }()

    /// The rows at a width. `«` and `»` enclose what is faint, `▮` is where the cursor stands.
    func laidOut(_ columns: Int) -> [String] { Self.layOut(rows, columns) }

    /// What the program writes: the other screen, its title, its rows, the cursor.
    func bytes(_ rows: [String]) -> String {
        var text = "\u{1b}[?1049h" + (title.map { "\u{1b}]0;\($0)\u{7}" } ?? "") + "\u{1b}[2J"
        var cursor = "\u{1b}[?25l\u{1b}[\(rows.count + 1);1H"
        for (index, row) in rows.enumerated() {
            if let mark = row.firstIndex(of: "▮") { cursor = "\u{1b}[\(index + 1);\(Self.width(String(row[..<mark])) + 1)H" }
            // A hint that is wrapped goes on faint.
            let isOpen = row.contains("»") && !row.contains("«")
            text +=
                "\u{1b}[\(index + 1);1H" + (isOpen ? "\u{1b}[2m" : "")
                + row.replacing("▮", with: "").replacing("«", with: "\u{1b}[2m").replacing("»", with: "\u{1b}[0m") + "\u{1b}[0m"
        }
        return text + cursor
    }

    // MARK: - Laying out

    private static func layOut(_ rows: [Row], _ columns: Int) -> [String] {
        rows.flatMap { row -> [String] in
            switch row {
            case .text(let text): return wrap(text, columns)
            case .rule(let glyph, let begin): return [begin + String(repeating: glyph, count: columns - begin.count)]
            case .box(let rows):
                let inner = layOut(rows, columns - 4).map { "│ " + $0 + String(repeating: " ", count: max(0, columns - 4 - width($0))) + " │" }
                let line = String(repeating: "─", count: columns - 2)
                return ["╭" + line + "╮"] + inner + ["╰" + line + "╯"]
            case .bar(let rows): return layOut(rows, columns - 4).map { "  ┃ " + $0 }
            case .short(let text): return [width(text) <= columns ? text : text.prefix(columns - 1) + "…"]
            case .cut(let text):
                var parts: [String] = []
                var rest = Substring(text.replacing("▮", with: ""))
                while !rest.isEmpty {
                    parts.append(String(rest.prefix(columns)))
                    rest = rest.dropFirst(columns)
                }
                if text.contains("▮"), !parts.isEmpty { parts[parts.count - 1] += "▮" }
                return parts
            case .ends(let left, let right):
                let gap = columns - width(left) - width(right)
                return gap >= 2 ? [left + String(repeating: " ", count: gap) + right] : wrap(left, columns) + wrap(right, columns)
            }
        }
    }

    /// Between words; what goes on stands below the words above it.
    private static func wrap(_ row: String, _ columns: Int) -> [String] {
        guard width(row) > columns, row.contains(where: { $0 != " " }) else { return [row] }
        var lead = row.prefix { $0 == " " }
        var rest = row.dropFirst(lead.count)
        if let glyph = rest.first, "❯›>→●○◉▸│".contains(glyph), rest.dropFirst().first == " " {
            let blanks = rest.dropFirst().prefix { $0 == " " }
            lead = row.prefix(lead.count + 1 + blanks.count)
            rest = row.dropFirst(lead.count)
        }
        let digits = rest.prefix { $0.isNumber }
        if !digits.isEmpty, let mark = rest.dropFirst(digits.count).first, mark == "." || mark == ")", rest.dropFirst(digits.count + 1).first == " " {
            lead = row.prefix(lead.count + digits.count + 2)
            rest = row.dropFirst(lead.count)
        }
        let indent = String(repeating: " ", count: lead.count > columns / 2 ? columns / 4 : lead.count)
        var rows: [String] = []
        var line = String(lead)
        var isFresh = true
        for word in rest.split(separator: " ", omittingEmptySubsequences: false) {
            var word = word
            while width(String(word)) > columns - indent.count {
                let room = columns - width(line) - (isFresh ? 0 : 1)
                if room >= 4 {
                    line += (isFresh ? "" : " ") + word.prefix(room)
                    word = word.dropFirst(room)
                }
                rows.append(line)
                line = indent
                isFresh = true
            }
            if width(line) + (isFresh ? 0 : 1) + width(String(word)) > columns {
                rows.append(line)
                line = indent
                isFresh = true
            }
            line += (isFresh ? "" : " ") + word
            isFresh = false
        }
        return line.contains(where: { $0 != " " }) ? rows + [line] : rows
    }

    private static func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { sum, scalar in
            if "«»▮\u{fe0f}".unicodeScalars.contains(scalar) { return sum }
            return sum + (scalar.value >= 0x1f300 || scalar == "✨" ? 2 : 1)
        }
    }
}
