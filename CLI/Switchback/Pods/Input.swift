internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials

struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Type into a pod.",
        discussion: """
            TEXT is typed as it stands; --submit presses Enter after it, as one operation. - reads the text from standard input.
            --key presses named keys after the text: enter, tab, esc, up, down, left, right, home, end, pgup, pgdn, space, \
            backspace, delete, f1 to f12, ctrl-a to ctrl-z; several with commas.
            """)

    @OptionGroup var output: JSONOption
    @OptionGroup var target: PodArgument

    @Argument(help: "What to type; - reads standard input.")
    var text: String?

    @Flag(help: "Press Enter after the text.")
    var submit = false

    @Flag(help: "Paste the text (bracketed where the program asked for it) instead of typing it.")
    var paste = false

    @Option(help: "Named keys to press after the text.")
    var key: String?

    @Option(help: "Only when the screen has not changed since this frame.")
    var ifSeq: UInt64?

    @Flag(help: "Type although somebody else writes.")
    var take = false

    @Flag(help: "With --submit: keep a half-typed line; it is cut before and put back after.")
    var keepDraft = false

    @Flag(help: "Wait until the pod is idle, for at most --timeout.")
    var whenIdle = false

    @Option(help: ArgumentHelp("With --when-idle: how long; 10m where missing.", valueName: "time"))
    var timeout: String?

    func run() async throws {
        let keys = try key.map { try KeyNames.bytes($0) } ?? []
        let typed = text == "-" ? String(decoding: readAll(), as: UTF8.self) : text ?? ""
        guard !typed.isEmpty || submit || !keys.isEmpty else {
            throw Failure(.usage, "usage", "There is nothing to type: give TEXT, --submit or --key.")
        }
        if !keys.isEmpty && (submit || paste) { throw Failure(.usage, "usage", "--key cannot be used with --submit or --paste.") }
        let backend = try Backend.locate()
        let pod = try await backend.api.pod(target.pod)
        let input = APIClient.Input(
            text: keys.isEmpty ? typed : nil, bytes: keys.isEmpty ? nil : Array(typed.utf8) + keys, submit: submit ? true : nil,
            paste: paste ? true : nil, ifSeq: ifSeq, take: take ? true : nil, keepDraft: keepDraft ? true : nil)
        let applied: Applied
        if whenIdle {
            guard let limit = parseDuration(timeout ?? "10m") else {
                throw Failure(.usage, "bad_time", "\"\(timeout ?? "")\" is not a length of time; give 30s, 10m.")
            }
            do throws(ErrorBody) {
                applied = try await backend.api.inputWhenIdle(pod.pod.text, input, within: limit, idempotencyKey: UUID().uuidString)
            } catch {
                // People know it by its name.
                throw ErrorBody(error.code, error.message.replacing(pod.pod.text, with: pod.name))
            }
        } else {
            applied = try await backend.api.input(pod.pod.text, input, idempotencyKey: UUID().uuidString)
        }
        if !output.json, applied.tookEffect == false, let message = applied.message { Out.complain(message) }
        if output.json { Out.printJSON(applied) }
    }

    private func readAll() -> [UInt8] {
        var content: [UInt8] = []
        while let line = readLine(strippingNewline: false) { content += Array(line.utf8) }
        return content
    }
}

/// Names of keys and what a terminal sends for them.
enum KeyNames {
    private static let plain: [String: String] = [
        "enter": "\r", "return": "\r", "tab": "\t", "esc": "\u{1b}", "escape": "\u{1b}", "space": " ", "backspace": "\u{7f}", "up": "\u{1b}[A",
        "down": "\u{1b}[B", "right": "\u{1b}[C", "left": "\u{1b}[D", "home": "\u{1b}[H", "end": "\u{1b}[F", "pgup": "\u{1b}[5~", "pgdn": "\u{1b}[6~",
        "delete": "\u{1b}[3~", "insert": "\u{1b}[2~", "f1": "\u{1b}OP", "f2": "\u{1b}OQ", "f3": "\u{1b}OR", "f4": "\u{1b}OS", "f5": "\u{1b}[15~",
        "f6": "\u{1b}[17~", "f7": "\u{1b}[18~", "f8": "\u{1b}[19~", "f9": "\u{1b}[20~", "f10": "\u{1b}[21~", "f11": "\u{1b}[23~", "f12": "\u{1b}[24~",
        "shift-tab": "\u{1b}[Z",
    ]

    static func bytes(_ names: String) throws -> [UInt8] {
        var result: [UInt8] = []
        for part in names.split(separator: ",") {
            let name = part.lowercased()
            if let text = plain[name] {
                result += Array(text.utf8)
            } else if name.hasPrefix("ctrl-"), name.utf8.count == 6, let letter = name.utf8.last, (0x61...0x7a).contains(letter) {
                result.append(letter & 0x1f)
            } else {
                throw Failure(
                    .usage, "usage",
                    "\"\(part)\" is not a key's name; use enter, tab, esc, up, down, left, right, home, end, pgup, pgdn, f1…f12, ctrl-a…ctrl-z.")
            }
        }
        return result
    }
}

struct Resize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Give a pod's terminal another size.")

    @OptionGroup var output: JSONOption
    @OptionGroup var target: PodArgument

    @Argument(help: ArgumentHelp("Columns and rows, for example 120x40.", valueName: "size"))
    var size: String

    func run() async throws {
        let (columns, rows) = try Self.parse(size)
        let backend = try Backend.locate()
        let pod = try await backend.api.pod(target.pod)
        let applied = try await backend.api.resize(pod.pod.text, columns: columns, rows: rows)
        if output.json { Out.printJSON(applied) }
    }

    static func parse(_ text: String) throws -> (Int, Int) {
        let parts = text.split { $0 == "x" || $0 == "X" || $0 == "×" }
        guard parts.count == 2, let columns = Int(parts[0]), let rows = Int(parts[1]) else {
            throw Failure(.usage, "usage", "\"\(text)\" is not a size; give COLUMNSxROWS, for example 120x40.")
        }
        if let problem = PodSpec.sizeProblem(columns: columns, rows: rows) { throw Failure(.usage, "usage", problem.message) }
        return (columns, rows)
    }
}
