/// The content of a `ctl` frame.
///
/// JSON with a `kind` and that kind's own fields, so that a tapped subject reads by itself.
public enum Control: Sendable, Equatable {
    /// The first frame of every pod.
    case start(Start)
    /// The terminal's size from here on.
    case resize(columns: Int, rows: Int, author: Author?)
    /// A signal was sent to the foreground process group, by name without `SIG`.
    case signal(name: String, author: Author?)
    /// Somebody marked this moment.
    case marker(text: String, author: Author?)
    /// `bytes` of output are missing here: the spool was full, or the stream lost them.
    case gap(bytes: UInt64, reason: String)
    /// The agent is held because the spool is at its cap.
    case held(spoolBytes: UInt64)
    /// The agent goes on after being held.
    case released
    /// What the shim sees of the terminal's modes and the pod's processes changed.
    case process(ProcessReport)
    /// The agent said something through its hooks.
    case hook(HookReport)
    /// The last frame of every pod.
    case exit(Exit)
    /// A kind that this version does not know.
    case other(kind: String)

    /// How a pod began.
    public struct Start: Sendable, Equatable, Codable {
        public var argv: [String]
        public var cwd: String?
        public var columns: Int
        public var rows: Int
        public var pid: Int32?
        public var runner: String?
        public var name: String?
        public var agent: String?
        public var resumedFrom: PodID?
        /// True for a pod that came from a recording.
        public var imported: Bool?

        public init(
            argv: [String], cwd: String? = nil, columns: Int, rows: Int, pid: Int32? = nil, runner: String? = nil,
            name: String? = nil, agent: String? = nil, resumedFrom: PodID? = nil, imported: Bool? = nil
        ) {
            self.argv = argv
            self.cwd = cwd
            self.columns = columns
            self.rows = rows
            self.pid = pid
            self.runner = runner
            self.name = name
            self.agent = agent
            self.resumedFrom = resumedFrom
            self.imported = imported
        }
    }
}

/// How a pod's process ended.
public enum Exit: Sendable, Equatable, Codable {
    case code(Int32)
    case signal(Int32)
    /// Nobody saw the end: the shim died or its host did.
    case lost(reason: String)

    enum CodingKeys: String, CodingKey { case code, signal, lost }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let code = try container.decodeIfPresent(Int32.self, forKey: .code) {
            self = .code(code)
        } else if let signal = try container.decodeIfPresent(Int32.self, forKey: .signal) {
            self = .signal(signal)
        } else {
            self = .lost(reason: try container.decode(String.self, forKey: .lost))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .code(let code): try container.encode(code, forKey: .code)
        case .signal(let signal): try container.encode(signal, forKey: .signal)
        case .lost(let reason): try container.encode(reason, forKey: .lost)
        }
    }
}

extension Control: Codable {
    enum CodingKeys: String, CodingKey {
        case kind, start, columns, rows, author, signal, text, bytes, reason, spoolBytes, process, hook, exit
    }

    public init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        let author = try c.decodeIfPresent(Author.self, forKey: .author)
        switch try c.decode(String.self, forKey: .kind) {
        case "start": self = .start(try Start(from: decoder))
        case "resize":
            self = .resize(columns: try c.decode(Int.self, forKey: .columns), rows: try c.decode(Int.self, forKey: .rows), author: author)
        case "signal": self = .signal(name: try c.decode(String.self, forKey: .signal), author: author)
        case "marker": self = .marker(text: try c.decode(String.self, forKey: .text), author: author)
        case "gap": self = .gap(bytes: try c.decode(UInt64.self, forKey: .bytes), reason: try c.decode(String.self, forKey: .reason))
        case "held": self = .held(spoolBytes: try c.decode(UInt64.self, forKey: .spoolBytes))
        case "released": self = .released
        case "process": self = .process(try c.decode(ProcessReport.self, forKey: .process))
        case "hook": self = .hook(try c.decode(HookReport.self, forKey: .hook))
        case "exit": self = .exit(try c.decode(Exit.self, forKey: .exit))
        case let kind: self = .other(kind: kind)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var c = encoder.container(keyedBy: CodingKeys.self)
        try c.encode(kind, forKey: .kind)
        switch self {
        case .start(let start): try start.encode(to: encoder)
        case .resize(let columns, let rows, let author):
            try c.encode(columns, forKey: .columns)
            try c.encode(rows, forKey: .rows)
            try c.encodeIfPresent(author, forKey: .author)
        case .signal(let name, let author):
            try c.encode(name, forKey: .signal)
            try c.encodeIfPresent(author, forKey: .author)
        case .marker(let text, let author):
            try c.encode(text, forKey: .text)
            try c.encodeIfPresent(author, forKey: .author)
        case .gap(let bytes, let reason):
            try c.encode(bytes, forKey: .bytes)
            try c.encode(reason, forKey: .reason)
        case .held(let bytes): try c.encode(bytes, forKey: .spoolBytes)
        case .process(let report): try c.encode(report, forKey: .process)
        case .hook(let report): try c.encode(report, forKey: .hook)
        case .exit(let exit): try c.encode(exit, forKey: .exit)
        case .released, .other: break
        }
    }

    /// The value of the field `kind`.
    public var kind: String {
        switch self {
        case .start: "start"
        case .resize: "resize"
        case .signal: "signal"
        case .marker: "marker"
        case .gap: "gap"
        case .held: "held"
        case .released: "released"
        case .process: "process"
        case .hook: "hook"
        case .exit: "exit"
        case .other(let kind): kind
        }
    }
}
