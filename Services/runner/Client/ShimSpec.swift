public import Contract

/// What a shim is started with: `spec.json` in the pod's directory. Between runner and shim only.
public struct ShimSpec: Sendable, Codable, Equatable {
    public var pod: PodID
    public var name: String
    public var agent: String?
    public var runner: String
    /// Program and arguments as they are executed.
    public var argv: [String]
    /// The whole environment of the program.
    public var environment: [String: String]
    public var cwd: String
    public var columns: Int
    public var rows: Int
    public var resumedFrom: PodID?
    public var natsServers: [String]
    public var natsCredentialsFile: String?
    /// Certificates of the bus: paths on this host.
    public var natsCertificates: BusFiles?
    /// Bytes at which the spool is full.
    public var spoolCapBytes: UInt64
    public var onFull: PodSpec.OnFull
    /// Secrets are hidden before anything is recorded: the user's own patterns besides the built-in rules, lines `name pattern`. Nil: not hidden.
    public var hides: String?
    /// The header `traceparent` of the request that wants the pod, where somebody follows it.
    public var traceparent: String?

    /// 1 GiB: the design's cap for a pod's spool.
    public static let defaultSpoolCapBytes: UInt64 = 1 << 30

    public init(
        pod: PodID, name: String, agent: String?, runner: String, argv: [String], environment: [String: String], cwd: String, columns: Int,
        rows: Int, resumedFrom: PodID?, natsServers: [String], natsCredentialsFile: String?, natsCertificates: BusFiles? = nil,
        spoolCapBytes: UInt64 = Self.defaultSpoolCapBytes, onFull: PodSpec.OnFull = .hold, hides: String? = nil,
        traceparent: String? = nil
    ) {
        self.traceparent = traceparent
        self.hides = hides
        self.pod = pod
        self.name = name
        self.agent = agent
        self.runner = runner
        self.argv = argv
        self.environment = environment
        self.cwd = cwd
        self.columns = columns
        self.rows = rows
        self.resumedFrom = resumedFrom
        self.natsServers = natsServers
        self.natsCredentialsFile = natsCredentialsFile
        self.natsCertificates = natsCertificates
        self.spoolCapBytes = spoolCapBytes
        self.onFull = onFull
    }
}

/// Where the certificates of the bus are.
public struct BusFiles: Sendable, Codable, Equatable {
    public var authorities: String?
    public var chain: String?
    public var key: String?

    public init(authorities: String?, chain: String?, key: String?) {
        self.authorities = authorities
        self.chain = chain
        self.key = key
    }
}

/// The one line that a shim writes on its standard output.
public struct ShimReply: Sendable, Codable, Equatable {
    public struct Started: Sendable, Codable, Equatable {
        /// The program's process id, which is its session and process group too.
        public var pid: Int32

        public init(pid: Int32) { self.pid = pid }
    }

    public var started: Started?
    public var error: ErrorBody?

    public init(started: Started) { self.started = started }
    public init(error: ErrorBody) { self.error = error }
}

/// `state.json` in the pod's directory, written by the shim.
public struct ShimState: Sendable, Codable, Equatable {
    public enum Phase: String, Sendable, Codable {
        case running
        /// The program has ended; frames may still wait for their acknowledgement.
        case exited
        /// Everything is in the stream; the directory may go.
        case done
    }

    public var phase: Phase
    public var shimPid: Int32
    public var pid: Int32
    public var exit: Exit?

    public init(phase: Phase, shimPid: Int32, pid: Int32, exit: Exit? = nil) {
        self.phase = phase
        self.shimPid = shimPid
        self.pid = pid
        self.exit = exit
    }
}

/// Names of the files in a pod's directory.
public enum ShimFiles {
    public static let spec = "spec.json"
    public static let state = "state.json"
    /// The shim holds an exclusive `flock` on it as long as it lives.
    public static let lock = "lock"
    public static let log = "shim.log"
}
