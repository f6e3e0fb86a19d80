/// The versions of the asciicast format.
///
/// Sources: https://docs.asciinema.org/manual/asciicast/v1/, …/v2/, …/v3/.
public enum AsciicastVersion: Int, Sendable, CaseIterable {
    case v1 = 1
    case v2 = 2
    case v3 = 3
}

/// What stands before the events.
public struct AsciicastHeader: Sendable, Equatable {
    public var version: AsciicastVersion
    public var columns: Int
    public var rows: Int
    /// When the recording began, in seconds since 1970.
    public var timestamp: Int64?
    public var command: String?
    public var title: String?
    public var environment: [String: String]
    /// `term.type` of version 3, `env.TERM` of the others.
    public var terminalType: String?
    /// Players are asked to shorten longer pauses to this many seconds; the events' times are not shortened.
    public var idleTimeLimit: Double?

    public init(
        version: AsciicastVersion, columns: Int, rows: Int, timestamp: Int64? = nil, command: String? = nil, title: String? = nil,
        environment: [String: String] = [:], terminalType: String? = nil, idleTimeLimit: Double? = nil
    ) {
        self.version = version
        self.columns = columns
        self.rows = rows
        self.timestamp = timestamp
        self.command = command
        self.title = title
        self.environment = environment
        self.terminalType = terminalType
        self.idleTimeLimit = idleTimeLimit
    }
}

/// One thing that happened in a recording.
public struct AsciicastEvent: Sendable, Equatable {
    public enum Content: Sendable, Equatable {
        /// UTF-8, as the terminal printed it.
        case output([UInt8])
        /// UTF-8, as it was typed.
        case input([UInt8])
        case resize(columns: Int, rows: Int)
        case marker(String)
        /// The exit status of the recorded program (version 3).
        case exit(Int32)
        /// A code this reader does not know; players ignore it.
        case other(code: String, data: String)
    }

    /// Microseconds since the recording's start, whatever the version counts.
    public var time: Int64
    public var content: Content

    public init(time: Int64, content: Content) {
        self.time = time
        self.content = content
    }
}

/// Bounds within which a recording is read.
public struct AsciicastLimits: Sendable {
    /// The longest line, and the longest event of version 1, in bytes.
    public var lineBytes: Int
    public var columns: Int
    public var rows: Int

    public init(lineBytes: Int = 64 << 20, columns: Int = 1000, rows: Int = 500) {
        self.lineBytes = lineBytes
        self.columns = columns
        self.rows = rows
    }
}
