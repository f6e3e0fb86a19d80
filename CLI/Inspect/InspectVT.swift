internal import Terminal

/// `switchback inspect vt`: the engine on a script of JSON Lines (docs/contract.md, section 8).
public enum InspectVT {
    /// Reads one JSON object a line until `input` gives nil; a line that cannot be obeyed is answered with `{"error":…}`.
    public static func run(columns: Int, rows: Int, scrollback: Int, input: () throws -> String?, output: (String) -> Void) rethrows {
        var session = Session(terminal: Terminal(columns: columns, rows: rows, scrollback: scrollback))
        while let line = try input() {
            if line.allSatisfy(\.isWhitespace) { continue }
            do throws(InspectError) {
                for answer in try session.obey(line) { output(answer) }
            } catch {
                output(JSON.object([("error", .string(error.message))]).text)
            }
        }
    }
}

struct InspectError: Error {
    var message: String
}

/// One terminal and what the script does with it.
struct Session {
    var terminal: Terminal

    mutating func obey(_ line: String) throws(InspectError) -> [String] {
        guard case .object(let members) = try JSON.parse(line) else { throw InspectError(message: "a line must be a JSON object") }
        guard !members.isEmpty else { throw InspectError(message: "nothing to do: feed_b64, resize, reset, dump, snapshot or restore_b64") }
        var answers: [String] = []
        for (name, value) in members {
            switch name {
            case "feed_b64": terminal.feed(try bytes(value, name))
            case "feed":
                guard case .string(let text) = value else { throw InspectError(message: "feed takes a string") }
                terminal.feed(text)
            case "resize":
                guard case .array(let sides) = value, sides.count == 2, case .number(let columns) = sides[0], case .number(let rows) = sides[1],
                    columns >= 1, rows >= 1, columns <= 1_000_000, rows <= 1_000_000
                else { throw InspectError(message: "resize takes [columns, rows]") }
                terminal.resize(columns: columns, rows: rows)
            case "reset": if try flag(value, name) { terminal.reset() }
            case "dump":
                if case .string("cells") = value {
                    answers.append(dump(cells: true).text)
                } else if try flag(value, name) {
                    answers.append(dump(cells: false).text)
                }
            case "snapshot":
                if try flag(value, name) { answers.append(JSON.object([("keyframe_b64", .string(Base64.encode(terminal.snapshot())))]).text) }
            case "restore_b64":
                let keyframe = try bytes(value, name)
                do throws(SnapshotError) {
                    terminal = try Terminal(snapshot: keyframe)
                } catch {
                    throw InspectError(message: error.description)
                }
            default: throw InspectError(message: "unknown: \(name)")
            }
        }
        return answers
    }

    private func bytes(_ value: JSON, _ name: String) throws(InspectError) -> [UInt8] {
        guard case .string(let text) = value, let bytes = Base64.decode(text) else { throw InspectError(message: "\(name) takes base64") }
        return bytes
    }

    private func flag(_ value: JSON, _ name: String) throws(InspectError) -> Bool {
        guard case .bool(let on) = value else { throw InspectError(message: "\(name) takes true") }
        return on
    }

    private func dump(cells: Bool) -> JSON {
        let cursor = terminal.cursor
        var members: [(String, JSON)] = [
            ("screen", .array(terminal.text().map(JSON.string))),
            ("cursor", .array([.number(cursor.row), .number(cursor.column)])),
            ("visible", .bool(cursor.isVisible)),
            ("title", .string(terminal.title)),
            ("alt", .bool(terminal.isAlternateScreen)),
            ("history", .array(terminal.history(lines: terminal.historyCount).map(JSON.string))),
            ("replies_b64", .string(Base64.encode(terminal.takeReplies()))),
        ]
        if cells { members.append(("cells", .array((0..<terminal.rows).map { row in .array(terminal.runs(row).map(Session.run)) }))) }
        return .object(members)
    }

    /// [text, width, fg, bg, flags, link]
    private static func run(_ run: StyledRun) -> JSON {
        .array([
            .string(run.text), .number(run.width), .string(color(run.style.foreground)), .string(color(run.style.background)),
            .string(flags(run.style)), run.link.map { .string($0.uri) } ?? .null,
        ])
    }

    private static func color(_ color: TextColor) -> String {
        if let index = color.index { return String(index) }
        guard let (red, green, blue) = color.components else { return "default" }
        return "#" + [red, green, blue].map { String(Int($0) | 0x100, radix: 16).dropFirst() }.joined()
    }

    /// Names joined by commas, in a fixed order.
    private static func flags(_ style: TextStyle) -> String {
        let attributes = style.attributes
        var names: [String] = []
        if attributes.contains(.bold) { names.append("bold") }
        if attributes.contains(.dim) { names.append("dim") }
        if attributes.contains(.italic) { names.append("italic") }
        switch style.underline {
        case .none: break
        case .single: names.append("underline")
        case let other: names.append("underline-\(other)")
        }
        if attributes.contains(.blink) { names.append("blink") }
        if attributes.contains(.inverse) { names.append("inverse") }
        if attributes.contains(.hidden) { names.append("hidden") }
        if attributes.contains(.strike) { names.append("strike") }
        if attributes.contains(.overline) { names.append("overline") }
        if !style.underlineColor.isStandard { names.append("underline-color:\(color(style.underlineColor))") }
        return names.joined(separator: ",")
    }
}
