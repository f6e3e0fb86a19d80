public import Agents
public import Contract

/// Puts our reporting commands into an agent's settings and takes them out again. Values in, values out: no file is touched here.
///
/// Everything of ours carries the marker; whatever else is in the file keeps every byte.
public struct HookFile: Sendable {
    /// In every command of ours, so that it is found again.
    public static let marker = "switchback-hook"

    let installation: HookInstallation
    let agent: String
    /// The path of the `switchback` command.
    let program: String

    public init(_ installation: HookInstallation, agent: String, program: String) {
        self.installation = installation
        self.agent = agent
        self.program = program
    }

    /// The shell command of one hook: nothing outside a pod.
    var command: String {
        "[ -z \"$SWITCHBACK_POD_SOCKET\" ] || \(Self.quoted(program)) hook \(agent) report # \(Self.marker)"
    }

    private static func quoted(_ path: String) -> String {
        let isPlain = path.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || "/._-+".utf8.contains(byte)
        }
        return isPlain ? path : "'" + path.replacing("'", with: "'\\''") + "'"
    }

    /// The file with our hooks; `before` is nil where there is none. What is there of ours already is replaced.
    public func installed(_ before: [UInt8]?) throws(ErrorBody) -> [UInt8] {
        var text = try removed(before ?? []) ?? []
        if !text.contains(where: { $0 > 0x20 }) { text = Array("{}\n".utf8) }
        for event in installation.events { text = try insert(event, into: text) }
        return text
    }

    /// The file without our hooks; nil if nothing but them was in it.
    public func removed(_ bytes: [UInt8]) throws(ErrorBody) -> [UInt8]? {
        guard bytes.contains(where: { $0 > 0x20 }) else { return bytes.isEmpty ? nil : bytes }
        var text = bytes
        while let place = try ours(text) { text.removeSubrange(place) }
        return text
    }

    /// Whether our hooks are in the file.
    public func isInstalled(_ bytes: [UInt8]) -> Bool {
        String(decoding: bytes, as: UTF8.self).contains(Self.marker)
    }

    /// Whether exactly our hooks, as they would be written now, are in the file.
    func isCurrent(_ bytes: [UInt8]) throws(ErrorBody) -> Bool {
        guard case .object(let members, _) = try parsed(bytes), case .object(let events, _)? = members.first(where: { $0.key == "hooks" })?.value
        else { return false }
        var found: [String] = []
        for event in events {
            guard case .array(let entries, _) = event.value else { continue }
            for entry in entries where isOurs(entry.value) {
                guard Self.command(of: entry.value) == command else { return false }
                found.append(event.key)
            }
        }
        return found.sorted() == installation.events.sorted()
    }

    // MARK: - JSON

    private func parsed(_ text: [UInt8]) throws(ErrorBody) -> JSONText.Value {
        do throws(JSONText.Problem) {
            let value = try JSONText.parse(text).value
            guard case .object = value else { throw JSONText.Problem(line: 1) }
            return value
        } catch {
            throw ErrorBody(.badRequest, "\(installation.file) is not a JSON object (line \(error.line)); it was left as it is")
        }
    }

    private func insert(_ event: String, into text: [UInt8]) throws(ErrorBody) -> [UInt8] {
        let escaped = command.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        let matcher = installation.matcher.map { "\"matcher\": \"\($0)\", " } ?? ""
        let entry = "{ \(matcher)\"hooks\": [{ \"type\": \"command\", \"command\": \"\(escaped)\" }] }"
        guard case .object(let members, let whole) = try parsed(text) else { return text }
        guard let hooks = members.first(where: { $0.key == "hooks" }) else {
            return Self.put("\"hooks\": {\n    \"\(event)\": [\n      \(entry)\n    ]\n  }", into: text, members.map(\.place), whole, indent: 2)
        }
        guard case .object(let events, let hooksPlace) = hooks.value else {
            throw ErrorBody(.badRequest, "\"hooks\" in \(installation.file) is not an object; it was left as it is")
        }
        guard let list = events.first(where: { $0.key == event }) else {
            return Self.put("\"\(event)\": [\n      \(entry)\n    ]", into: text, events.map(\.place), hooksPlace, indent: 4)
        }
        guard case .array(let entries, let listPlace) = list.value else {
            throw ErrorBody(.badRequest, "\"hooks.\(event)\" in \(installation.file) is not a list; it was left as it is")
        }
        return Self.put(entry, into: text, entries.map(\.place), listPlace, indent: 6)
    }

    /// Adds an element behind the last one of a container.
    private static func put(_ element: String, into text: [UInt8], _ elements: [JSONText.Place], _ whole: JSONText.Place, indent: Int) -> [UInt8] {
        let space = String(repeating: " ", count: indent)
        var text = text
        if let last = elements.last {
            text.insert(contentsOf: Array(",\n\(space)\(element)".utf8), at: last.upperBound)
        } else {
            let inside = text[(whole.lowerBound + 1)..<(whole.upperBound - 1)]
            let closes = inside.contains(0x0a) ? "" : "\n" + String(repeating: " ", count: indent - 2)
            text.insert(contentsOf: Array("\n\(space)\(element)\(closes)".utf8), at: whole.lowerBound + 1)
        }
        return text
    }

    /// The bytes of the first thing of ours: a list's element, or the list or object that holds nothing else.
    private func ours(_ text: [UInt8]) throws(ErrorBody) -> JSONText.Place? {
        guard case .object(let members, let whole) = try parsed(text), let index = members.firstIndex(where: { $0.key == "hooks" }),
            case .object(let events, let hooksPlace) = members[index].value
        else { return nil }
        for (number, event) in events.enumerated() {
            guard case .array(let entries, let listPlace) = event.value else { continue }
            for (position, entry) in entries.enumerated() where isOurs(entry.value) {
                if entries.count > 1 { return Self.cut(text, entries.map(\.place), position, listPlace) }
                if events.count > 1 { return Self.cut(text, events.map(\.place), number, hooksPlace) }
                return Self.cut(text, members.map(\.place), index, whole)
            }
        }
        return nil
    }

    private func isOurs(_ value: JSONText.Value) -> Bool { Self.command(of: value)?.hasSuffix("# " + Self.marker) == true }

    /// The command of an entry that has only one.
    private static func command(of value: JSONText.Value) -> String? {
        guard case .object(let members, _) = value, case .array(let commands, _)? = members.first(where: { $0.key == "hooks" })?.value,
            commands.count == 1, case .object(let fields, _)? = commands.first?.value,
            case .string(let command)? = fields.first(where: { $0.key == "command" })?.value
        else { return nil }
        return command
    }

    /// An element with the comma that it needed.
    private static func cut(_ text: [UInt8], _ elements: [JSONText.Place], _ index: Int, _ whole: JSONText.Place) -> JSONText.Place {
        if index > 0 { return elements[index - 1].upperBound..<elements[index].upperBound }
        if elements.count > 1 { return elements[0].lowerBound..<elements[1].lowerBound }
        return (whole.lowerBound + 1)..<(whole.upperBound - 1)
    }
}
