/// Reads a recording piece by piece, in memory that does not grow with the recording.
///
/// Feed it the file's bytes as they come, take `header` once it is there, and call `finish` at the end: only then is it
/// known that nothing was cut off. What was decoded before an error stays good. Rules where the format is silent:
/// an event up to a second earlier than its predecessor happens with the predecessor (recorders that write input and output from
/// two threads make such files), one that is earlier by more is an error; a terminal of zero columns or rows is an error; event codes that are not known are passed on as `other`.
public struct AsciicastDecoder: Sendable {
    private enum Mode {
        /// In the first JSON value: the header of versions 2 and 3, the whole recording of version 1.
        case document
        /// In the lines after the header.
        case lines
    }

    public private(set) var header: AsciicastHeader?
    private let limits: AsciicastLimits
    private var mode = Mode.document
    private var line = 1
    /// The bytes of the line, or the document's part, that is not complete.
    private var pending: [UInt8] = []
    private var splitter = DocumentSplitter()
    private var members: [(key: String, value: JSONReader.Value)] = []
    private var documentBytes = 0
    /// Events of version 1 that stand before the header's fields.
    private var early: [(line: Int, value: JSONReader.Value)] = []
    /// Nanoseconds since the start of the newest event: finer than the microseconds given out, so that intervals do not drift.
    private var clock: Int64 = 0
    private var sawAnything = false
    /// Nanoseconds by which an event of version 2 may be earlier than its predecessor.
    private static let tolerance: Int64 = 1_000_000_000

    public init(limits: AsciicastLimits = AsciicastLimits()) {
        self.limits = limits
    }

    /// Takes the next bytes of the file and gives the events that are complete with them.
    public mutating func feed(_ bytes: some Collection<UInt8>) throws(AsciicastError) -> [AsciicastEvent] {
        var events: [AsciicastEvent] = []
        try feed(bytes) { events.append($0) }
        return events
    }

    /// Takes the next bytes of the file; `receive` gets each event that is complete with them, also those before an error.
    public mutating func feed(_ bytes: some Collection<UInt8>, _ receive: (AsciicastEvent) -> Void) throws(AsciicastError) {
        var rest = bytes[...]
        if case .document = mode {
            while case .document = mode, let byte = rest.popFirst() { try feedDocument(byte, receive) }
        }
        while !rest.isEmpty {
            let newline = rest.firstIndex(of: 0x0a)
            let part = rest[..<(newline ?? rest.endIndex)]
            guard pending.count + part.count <= limits.lineBytes else { throw tooLong() }
            pending.append(contentsOf: part)
            guard let newline else { return }
            rest = rest[rest.index(after: newline)...]
            try takeLine(receive)
            line += 1
        }
    }

    /// Says that the file ends here. Throws `truncated` if it ends in the middle of something, `empty` if there was nothing.
    public mutating func finish() throws(AsciicastError) -> [AsciicastEvent] {
        var events: [AsciicastEvent] = []
        switch mode {
        case .document:
            guard sawAnything else { throw AsciicastError(code: .empty, line: 1, message: "the file is empty") }
            throw AsciicastError(code: .truncated, line: line, message: "the file ends inside its header: it is cut off")
        case .lines:
            try takeLine({ events.append($0) }, isLast: true)
        }
        return events
    }

    // MARK: - Lines of versions 2 and 3

    private mutating func takeLine(_ receive: (AsciicastEvent) -> Void, isLast: Bool = false) throws(AsciicastError) {
        defer { pending.removeAll(keepingCapacity: pending.capacity < 1 << 20) }
        if pending.last == 0x0d { pending.removeLast() }
        guard pending.contains(where: { $0 != 0x20 && $0 != 0x09 }) else { return }
        guard let header else { return }
        // Version 3 allows comments; a version 2 file that has one was edited by hand and is clear all the same.
        if pending.first == UInt8(ascii: "#") { return }
        guard header.version != .v1 else {
            throw AsciicastError(code: .malformed, line: line, message: "something stands after the end of the recording")
        }
        let value = try parse(pending[...], canBeCutOff: isLast)
        if let event = try event(value, of: header) { receive(event) }
    }

    private func parse(_ bytes: ArraySlice<UInt8>, canBeCutOff: Bool) throws(AsciicastError) -> JSONReader.Value {
        guard isUTF8(bytes) else {
            // A character that was cut off is at the very end.
            if canBeCutOff, let cut = incompleteTail(bytes), isUTF8(bytes.dropLast(cut)) { throw cutOff() }
            throw AsciicastError(code: .notUTF8, line: line, message: "the line is not UTF-8, which the format demands")
        }
        var reader = JSONReader(bytes)
        do {
            return try reader.document()
        } catch {
            if error.isTruncated, canBeCutOff { throw cutOff() }
            throw AsciicastError(code: .malformed, line: line, message: "not an asciicast line: \(error.message)")
        }
    }

    private func cutOff() -> AsciicastError {
        AsciicastError(code: .truncated, line: line, message: "the file ends inside an event: it is cut off")
    }

    private func tooLong() -> AsciicastError {
        AsciicastError(code: .tooLarge, line: line, message: "the line is longer than \(limits.lineBytes) bytes")
    }

    // MARK: - Events

    private mutating func event(_ value: JSONReader.Value, of header: AsciicastHeader) throws(AsciicastError) -> AsciicastEvent? {
        guard case .array(let items) = value, items.count >= (header.version == .v1 ? 2 : 3), case .number(let number) = items[0],
            let given = number.scaled(by: 9)
        else {
            let shape = header.version == .v1 ? "[delay, \"text\"]" : "[time, \"code\", \"data\"]"
            throw AsciicastError(code: .malformed, line: line, message: "not an event: \(shape) was expected, with a time below 292 years")
        }
        let now: Int64
        switch header.version {
        case .v2:
            guard given >= 0 else { throw backwards(by: clock - max(-Self.tolerance, given)) }
            guard given >= clock - Self.tolerance else { throw backwards(by: clock - given) }
            now = max(clock, given)
        case .v1, .v3:
            guard given >= 0 else { throw backwards(by: given == .min ? .max : -given) }
            let (sum, overflow) = clock.addingReportingOverflow(given)
            guard !overflow else { throw AsciicastError(code: .malformed, line: line, message: "the recording is longer than 292 years") }
            now = sum
        }
        clock = now
        let time = now / 1000 + (now % 1000 >= 500 ? 1 : 0)
        guard header.version != .v1 else {
            guard case .string(let bytes) = items[1] else {
                throw AsciicastError(code: .malformed, line: line, message: "an event's text is not a string")
            }
            return AsciicastEvent(time: time, content: .output(bytes))
        }
        guard let code = items[1].text else {
            throw AsciicastError(code: .malformed, line: line, message: "an event's code is not a string")
        }
        guard case .string(let bytes) = items[2] else {
            // Unknown events may carry any data.
            if ["o", "i", "r", "m", "x"].contains(code) {
                throw AsciicastError(code: .malformed, line: line, message: "an event's data is not a string")
            }
            return AsciicastEvent(time: time, content: .other(code: code, data: ""))
        }
        let text = { String(decoding: bytes, as: UTF8.self) }
        switch code {
        case "o": return AsciicastEvent(time: time, content: .output(bytes))
        case "i": return AsciicastEvent(time: time, content: .input(bytes))
        case "m": return AsciicastEvent(time: time, content: .marker(text()))
        case "x":
            guard let status = Int32(text()) else {
                throw AsciicastError(code: .malformed, line: line, message: "an exit event's data is not a status: \"\(text().prefix(40))\"")
            }
            return AsciicastEvent(time: time, content: .exit(status))
        case "r":
            let sides = text().split(separator: "x", omittingEmptySubsequences: false)
            guard sides.count == 2, let columns = Int(sides[0]), let rows = Int(sides[1]) else {
                throw AsciicastError(code: .malformed, line: line, message: "a resize event's data is not COLSxROWS: \"\(text().prefix(40))\"")
            }
            try check(columns: columns, rows: rows)
            return AsciicastEvent(time: time, content: .resize(columns: columns, rows: rows))
        default: return AsciicastEvent(time: time, content: .other(code: code, data: text()))
        }
    }

    private func backwards(by nanoseconds: Int64) -> AsciicastError {
        AsciicastError(
            code: .timeBackwards, line: line, message: "time goes backwards here, by \(nanoseconds / 1000) µs: events must be in order of time")
    }

    private func check(columns: Int, rows: Int) throws(AsciicastError) {
        guard (1...limits.columns).contains(columns), (1...limits.rows).contains(rows) else {
            throw AsciicastError(
                code: .badSize, line: line,
                message: "a terminal of \(columns)x\(rows) cannot be: columns go from 1 to \(limits.columns), rows from 1 to \(limits.rows)")
        }
    }

    // MARK: - The first JSON value

    private mutating func feedDocument(_ byte: UInt8, _ receive: (AsciicastEvent) -> Void) throws(AsciicastError) {
        if !sawAnything {
            if byte == 0x0a { line += 1 }
            if [0x20, 0x09, 0x0a, 0x0d].contains(byte) { return }
            guard byte == UInt8(ascii: "{") else {
                throw AsciicastError(code: .malformed, line: line, message: "not an asciicast file: it does not begin with a JSON object")
            }
            sawAnything = true
        }
        pending.append(byte)
        guard pending.count <= limits.lineBytes, documentBytes <= limits.lineBytes else { throw tooLong() }
        switch splitter.feed(byte) {
        case .none: break
        case .member:
            // `"name": value,` or the last one with the closing brace.
            pending.removeLast()
            try takeMember()
            pending.removeAll(keepingCapacity: true)
        case .event:
            let value = try parse(pending.drop { $0 != UInt8(ascii: "[") }, canBeCutOff: false)
            documentBytes += header == nil ? pending.count : 0
            pending.removeAll(keepingCapacity: true)
            if header == nil, early.isEmpty { try makeHeader(isComplete: false) }
            if let header {
                if let event = try event(value, of: header) { receive(event) }
            } else {
                early.append((line, value))
            }
        case .stdoutStarts: pending.removeAll(keepingCapacity: true)
        case .stdoutEnds: pending.removeAll(keepingCapacity: true)
        case .end:
            pending.removeLast()
            try takeMember()
            pending.removeAll()
            try makeHeader(isComplete: true)
            mode = .lines
            for (line, value) in early {
                let end = self.line
                self.line = line
                if let header, let event = try event(value, of: header) { receive(event) }
                self.line = end
            }
            early = []
        case .broken: throw AsciicastError(code: .malformed, line: line, message: "not an asciicast file: its header is not a JSON object")
        }
        if byte == 0x0a { line += 1 }
    }

    private mutating func takeMember() throws(AsciicastError) {
        let text = pending.drop { [0x20, 0x09, 0x0a, 0x0d, UInt8(ascii: "{"), UInt8(ascii: ",")].contains($0) }
        guard !text.isEmpty else { return }
        documentBytes += text.count
        let value = try parse((Array("{".utf8) + text + Array("}".utf8))[...], canBeCutOff: false)
        guard case .object(let new) = value else { return }
        members += new
    }

    /// Makes the header from the members read; before the document's end only if it is version 1 and all is there.
    private mutating func makeHeader(isComplete: Bool) throws(AsciicastError) {
        guard header == nil else { return }
        let object = JSONReader.Value.object(members)
        if !isComplete {
            guard object["version"]?.integer == 1, object["width"] != nil, object["height"] != nil else { return }
        }
        guard let number = object["version"]?.integer else {
            throw AsciicastError(code: .malformed, line: line, message: "not an asciicast file: the header names no version")
        }
        guard let version = AsciicastVersion(rawValue: Int(number)) else {
            throw AsciicastError(code: .unsupportedVersion, line: line, message: "asciicast version \(number) is not known; 1, 2 and 3 are")
        }
        let term = version == .v3 ? object["term"] : nil
        let columnsValue = version == .v3 ? term?["cols"] : object["width"]
        let rowsValue = version == .v3 ? term?["rows"] : object["height"]
        guard let columns = columnsValue?.integer, let rows = rowsValue?.integer else {
            let names = version == .v3 ? "term.cols and term.rows" : "width and height"
            throw AsciicastError(code: .malformed, line: line, message: "the header does not say the terminal's size (\(names))")
        }
        try check(columns: Int(columns), rows: Int(rows))
        var environment: [String: String] = [:]
        if case .object(let pairs)? = object["env"] {
            for (key, value) in pairs { environment[key] = value.text }
        }
        var idle: Double?
        if case .number(let limit)? = object["idle_time_limit"], let micros = limit.scaled(by: 6) { idle = Double(micros) / 1e6 }
        header = AsciicastHeader(
            version: version, columns: Int(columns), rows: Int(rows), timestamp: object["timestamp"]?.integer, command: object["command"]?.text,
            title: object["title"]?.text, environment: environment, terminalType: term?["type"]?.text ?? environment["TERM"], idleTimeLimit: idle)
        members = []
    }
}

/// Follows the first JSON object's structure byte by byte: where its members end, and where the events inside version 1's
/// `stdout` end, so that neither needs the whole document in memory.
private struct DocumentSplitter: Sendable {
    enum Boundary {
        case none
        /// A member ended with this comma.
        case member
        /// The `[` of `stdout` was this byte.
        case stdoutStarts
        /// An event of `stdout` ended with this byte.
        case event
        /// The `]` of `stdout` was this byte.
        case stdoutEnds
        /// The object ended with this byte.
        case end
        case broken
    }

    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isInStdout = false
    private var key: [UInt8] = []
    private var isKey = false

    mutating func feed(_ byte: UInt8) -> Boundary {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
            }
            if isKey, isInString, key.count < 16 { key.append(byte) }
            if !isInString { isKey = false }
            return .none
        }
        switch byte {
        case UInt8(ascii: "\""):
            isInString = true
            if depth == 1, key.isEmpty { isKey = true }
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            if depth > 64 { return .broken }
            if depth == 2, byte == UInt8(ascii: "["), key == Array("stdout".utf8) {
                isInStdout = true
                return .stdoutStarts
            }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            if depth == 0 { return byte == UInt8(ascii: "}") ? .end : .broken }
            if depth == 2, isInStdout { return .event }
            if depth == 1, isInStdout {
                isInStdout = false
                return .stdoutEnds
            }
        case UInt8(ascii: ","):
            if depth == 1 {
                key = []
                return .member
            }
        default: break
        }
        return .none
    }
}
