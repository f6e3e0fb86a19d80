public import Agents
internal import Contract
internal import Detection

/// `switchback inspect status`: the detector on a script of JSON Lines (docs/contract.md, section 8).
public enum InspectStatus {
    /// Reads one JSON object a line until `input` gives nil. Prints a line for each change of the status, or with `final` only what it is
    /// at the end; a line that cannot be obeyed is answered with `{"error":…}`.
    ///
    /// Timers run between the lines as they would have: what becomes true at a moment is said with that moment.
    public static func run(
        agent: String?, catalog: AgentCatalog, columns: Int, rows: Int, final: Bool, explain: Bool = false, input: () throws -> String?,
        output: (String) -> Void
    ) rethrows {
        let manifest = agent.flatMap { catalog.manifest(named: $0) }
        var script = StatusScript(
            detector: Detector(
                manifest: manifest?.name == AgentManifest.fallbackName ? nil : manifest, fallback: catalog.fallback, columns: columns, rows: rows))
        while let line = try input() {
            if line.allSatisfy(\.isWhitespace) { continue }
            do throws(InspectError) {
                for answer in try script.obey(line) where !final { output(answer.text) }
            } catch {
                output(JSON.object([("error", .string(error.message))]).text)
            }
        }
        if final { output(script.answer(script.detector.status).text) }
        if explain, let data = try? Contract.JSON.encode(script.detector.explanation(at: script.time(script.clock))) {
            output(String(decoding: data, as: UTF8.self))
        }
    }
}

/// A detector and how far its script came.
struct StatusScript {
    var detector: Detector
    /// Microseconds of the script's time.
    var clock: Int64 = 0
    private var seq: UInt64 = 0
    /// Any moment will do: statuses only tell spans.
    private static let origin = Timestamp(microseconds: 1_000_000_000_000)

    init(detector: Detector) { self.detector = detector }

    func time(_ microseconds: Int64) -> Timestamp { Self.origin + .microseconds(microseconds) }

    mutating func obey(_ line: String) throws(InspectError) -> [JSON] {
        guard case .object(let members) = try JSON.parse(line) else { throw InspectError(message: "a line must be a JSON object") }
        var answers: [JSON] = []
        if let at = members.first(where: { $0.0 == "at_ms" })?.1 {
            let now = max(clock, try microseconds(at))
            // What only waited for time happens first.
            var turns = 0
            while let due = detector.wakeAt, due <= time(now), turns < 10_000 {
                clock = max(clock, (due - Self.origin).microseconds)
                take(.tick, &answers)
                turns += 1
            }
            clock = now
        }
        for (name, value) in members where name != "at_ms" { take(try signal(name, value), &answers) }
        return answers
    }

    private mutating func take(_ signal: Signal?, _ answers: inout [JSON]) {
        guard let signal else { return }
        seq += 1
        let before = detector.status
        guard let status = detector.take(signal, at: time(clock), seq: seq), status.status != before.status else { return }
        answers.append(answer(status))
    }

    func answer(_ status: PodStatus) -> JSON {
        var members: [(String, JSON)] = [
            ("at_ms", clock % 1000 == 0 ? .number(Int(clock / 1000)) : .decimal("\(clock / 1000).\(String(String(clock % 1000 + 1000).dropFirst()))")),
            ("status", .string(status.status)), ("reason", status.reason.map(JSON.string) ?? .null),
            ("evidence", status.evidence.map(JSON.string) ?? .null),
        ]
        if let question = status.question { members.append(("question", .string(question))) }
        if let about = status.about { members.append(("about", .string(about))) }
        if let options = status.options { members.append(("options", .array(options.map(JSON.string)))) }
        if let fingerprint = status.fingerprint { members.append(("fingerprint", .string(fingerprint))) }
        if let background = status.background { members.append(("background", .number(background))) }
        if status.drift == true { members.append(("drift", .bool(true))) }
        return .object(members)
    }

    private func microseconds(_ value: JSON) throws(InspectError) -> Int64 {
        switch value {
        case .number(let number) where (0...1_000_000_000_000).contains(number): return Int64(number) * 1000
        case .decimal(let text):
            if let number = Double(text), (0...1e12).contains(number) { return Int64((number * 1000).rounded()) }
        default: break
        }
        throw InspectError(message: "at_ms takes milliseconds, from 0")
    }

    private func signal(_ name: String, _ value: JSON) throws(InspectError) -> Signal? {
        switch (name, value) {
        case ("feed_b64", .string(let text)):
            guard let bytes = Base64.decode(text) else { throw InspectError(message: "feed_b64 takes base64") }
            return .output(bytes)
        case ("feed", .string(let text)): return .output(Array(text.utf8))
        case ("input_b64", .string(let text)):
            guard let bytes = Base64.decode(text) else { throw InspectError(message: "input_b64 takes base64") }
            return .input(bytes, author: nil)
        case ("input", .string(let text)): return .input(Array(text.utf8), author: nil)
        case ("screen", .string(let text)): return .screen(text)
        case ("tick", .bool(let on)): return on ? .tick : nil
        case ("assume", .string(let text)):
            guard let status = Status(rawValue: text) else {
                throw InspectError(message: "assume takes \(Status.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return .assume(status)
        case ("resize", .array(let sides)):
            guard sides.count == 2, case .number(let columns) = sides[0], case .number(let rows) = sides[1], (1...1_000_000).contains(columns),
                (1...1_000_000).contains(rows)
            else { throw InspectError(message: "resize takes [columns, rows]") }
            return .resize(columns: columns, rows: rows)
        case ("process", .object): return .process(try decode(ProcessReport.self, value, name))
        case ("hook", .object): return .hook(try decode(HookReport.self, value, name))
        case ("exit", .object): return .exit(try decode(Exit.self, value, name))
        default: throw InspectError(message: "unknown, or not what it takes: \(name)")
        }
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ value: JSON, _ name: String) throws(InspectError) -> Value {
        do {
            return try Contract.JSON.decode(type, from: value.text.utf8)
        } catch {
            throw InspectError(message: "\(name): \(error)")
        }
    }
}
