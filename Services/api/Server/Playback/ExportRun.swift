internal import Asciicast
internal import Contract
internal import FoundationEssentials
internal import Redaction
internal import Terminal

/// Something a recording can be written as.
protocol RecordingFormat: Sendable {
    /// The beginning: the engine before the first frame that is written, and the time there.
    mutating func begin(_ terminal: Terminal, at time: Timestamp, isStart: Bool) -> [UInt8]
    mutating func write(_ frame: Frame, _ terminal: Terminal) -> [UInt8]
    mutating func end(_ terminal: Terminal) -> [UInt8]
}

/// Writes segments one after the other, within times; memory holds one segment.
struct ExportRun {
    private var format: any RecordingFormat
    private let from: Timestamp?
    private let to: Timestamp?
    /// Hides secrets; nil shows them.
    private var hiding: FrameHiding?
    private var terminal: Terminal?
    private var hasBegun = false
    private(set) var isAtEnd = false

    init(format: any RecordingFormat, from: Timestamp?, to: Timestamp?, hiding redactor: Redactor? = nil) {
        hiding = redactor.map { FrameHiding($0) }
        self.format = format
        self.from = from
        self.to = to
    }

    mutating func take(_ slice: RecordedSlice) throws(ErrorBody) -> [UInt8] {
        if terminal == nil {
            do {
                terminal = slice.keyframe.isEmpty ? Terminal(columns: 80, rows: 24) : try Terminal(snapshot: slice.keyframe)
            } catch {
                throw ErrorBody(.internal, "a keyframe of the recording cannot be read: \(error)")
            }
        }
        guard var terminal else { return [] }
        var bytes: [UInt8] = []
        for frame in slice.frames {
            if let to, frame.time > to {
                isAtEnd = true
                break
            }
            let isBefore = from.map { frame.time < $0 } ?? false
            if !isBefore, !hasBegun {
                hasBegun = true
                if frame.seq == 1, let start = Self.start(frame) {
                    terminal = Terminal(columns: start.columns, rows: start.rows, scrollback: terminal.scrollback)
                }
                bytes += format.begin(try hiding?.shown(terminal) ?? terminal, at: frame.seq == 1 ? frame.time : from ?? frame.time, isStart: frame.seq == 1)
            }
            Self.apply(frame, &terminal)
            let shown = try hiding?.shown(frame, terminal) ?? frame
            if !isBefore { bytes += format.write(shown, terminal) }
        }
        self.terminal = terminal
        return bytes
    }

    mutating func finish() throws(ErrorBody) -> [UInt8] {
        guard let terminal else { return [] }
        if !hasBegun, let hiding { return try format.begin(hiding.shown(terminal), at: from ?? Timestamp(microseconds: 0), isStart: false) + format.end(terminal) }
        let begin = hasBegun ? [] : format.begin(terminal, at: from ?? Timestamp(microseconds: 0), isStart: false)
        return begin + format.end(terminal)
    }

    private static func start(_ frame: Frame) -> Control.Start? {
        if frame.kind == .ctl, case .start(let start)? = try? JSON.decode(Control.self, from: frame.bytes) { return start }
        return nil
    }

    private static func apply(_ frame: Frame, _ terminal: inout Terminal) {
        switch frame.kind {
        case .out:
            terminal.feed(frame.bytes)
            _ = terminal.takeReplies()
            _ = terminal.takeEvents()
        case .ctl:
            switch try? JSON.decode(Control.self, from: frame.bytes) {
            case .start(let start)?: terminal.resize(columns: start.columns, rows: start.rows)
            case .resize(let columns, let rows, _)?: terminal.resize(columns: columns, rows: rows)
            default: break
            }
        case .in, .key: break
        }
    }
}

/// asciicast version 2 or 3.
struct CastFormat: RecordingFormat {
    private let pod: Pod
    private let version: AsciicastVersion
    private var encoder: AsciicastEncoder
    private var start = Timestamp(microseconds: 0)

    init(pod: Pod, version: AsciicastVersion) {
        self.pod = pod
        self.version = version
        encoder = AsciicastEncoder(version: version)
    }

    mutating func begin(_ terminal: Terminal, at time: Timestamp, isStart: Bool) -> [UInt8] {
        start = time
        let header = encoder.header(
            AsciicastHeader(
                version: version, columns: terminal.columns, rows: terminal.rows, timestamp: time.microseconds / 1_000_000,
                command: pod.spec.command.isEmpty ? nil : pod.spec.command.joined(separator: " "), title: pod.name,
                environment: version == .v2 ? ["TERM": "xterm-256color"] : [:], terminalType: version == .v3 ? "xterm-256color" : nil))
        // A recording that begins in the middle begins with the screen there.
        return isStart ? header : header + encoder.encode(AsciicastEvent(time: 0, content: .output(terminal.ansi())))
    }

    mutating func write(_ frame: Frame, _ terminal: Terminal) -> [UInt8] {
        let time = max(0, (frame.time - start).microseconds)
        switch frame.kind {
        case .out: return encoder.encode(AsciicastEvent(time: time, content: .output(frame.bytes)))
        case .in: return encoder.encode(AsciicastEvent(time: time, content: .input(frame.bytes)))
        case .key: return []
        case .ctl:
            switch try? JSON.decode(Control.self, from: frame.bytes) {
            case .resize(let columns, let rows, _)?:
                return encoder.encode(AsciicastEvent(time: time, content: .resize(columns: columns, rows: rows)))
            case .marker(let text, _)?: return encoder.encode(AsciicastEvent(time: time, content: .marker(text)))
            case .gap(let bytes, let reason)?:
                return encoder.encode(AsciicastEvent(time: time, content: .marker("\(bytes) bytes are missing here: \(reason)")))
            case .exit(.code(let code))? where version == .v3:
                return encoder.encode(AsciicastEvent(time: time, content: .exit(code)))
            default: return []
            }
        }
    }

    mutating func end(_ terminal: Terminal) -> [UInt8] { encoder.flush() }
}

/// What was printed, as lines: those that scrolled away and, at the end, the screen.
struct TextFormat: RecordingFormat {
    var redactor: Redactor?

    mutating func begin(_ terminal: Terminal, at time: Timestamp, isStart: Bool) -> [UInt8] {
        // The engine collects what scrolls off from the first call on.
        _ = terminal.takeChangedRows()
        return []
    }

    mutating func write(_ frame: Frame, _ terminal: Terminal) -> [UInt8] {
        guard frame.kind == .out || frame.kind == .ctl else { return [] }
        let gone = terminal.takeChangedRows().scrolledOff
        return lines(redactor?.redacted(rows: gone, columns: terminal.columns) ?? gone)
    }

    mutating func end(_ terminal: Terminal) -> [UInt8] {
        var rows = redactor.map { ScreenRedaction(terminal, $0).texts(terminal) } ?? terminal.text()
        while rows.last?.isEmpty == true { rows.removeLast() }
        return lines(rows)
    }

    private func lines(_ texts: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        for text in texts {
            bytes += text.utf8
            bytes.append(0x0a)
        }
        return bytes
    }
}

/// Every frame as an object on a line of its own.
struct LinesFormat: RecordingFormat {
    private struct Line: Encodable {
        var seq: UInt64
        var time: Timestamp
        var kind: FrameKind
        /// The bytes, where they are UTF-8.
        var text: String?
        var bytesB64: String?
        var author: Author?
        var via: String?
        var control: Control?
    }

    mutating func begin(_ terminal: Terminal, at time: Timestamp, isStart: Bool) -> [UInt8] { [] }

    mutating func write(_ frame: Frame, _ terminal: Terminal) -> [UInt8] {
        var line = Line(seq: frame.seq, time: frame.time, kind: frame.kind, author: frame.author, via: frame.via)
        switch frame.kind {
        case .ctl: line.control = try? JSON.decode(Control.self, from: frame.bytes)
        case .key: break
        case .out, .in:
            line.text = String(validating: frame.bytes, as: UTF8.self)
            if line.text == nil { line.bytesB64 = Data(frame.bytes).base64EncodedString() }
        }
        guard let json = try? JSON.encode(line) else { return [] }
        return json + [0x0a]
    }

    mutating func end(_ terminal: Terminal) -> [UInt8] { [] }
}
