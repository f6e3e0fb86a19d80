/// `runner.<runner>.start` → ``Started``. Asked twice for one pod, the runner starts it once.
public struct StartPod: Sendable, Codable {
    public var pod: PodID
    public var name: String
    public var spec: PodSpec
    /// For a resume: the pod to go on from, whose directory, worktree and session the runner knows or is told here.
    public var resumedFrom: PodID?
    public var worktreePath: String?
    public var sessionID: String?
    /// The pod's own, for its environment.
    public var credential: String?
    /// The shim's own, for the bus: the text of a `.creds` file. Without one it uses its runner's.
    public var busCredential: String?

    enum CodingKeys: String, CodingKey {
        case pod, name, spec, resumedFrom, worktreePath, credential, busCredential
        // "session_id" comes back from JSON as this.
        case sessionID = "sessionId"
    }

    public init(
        pod: PodID, name: String, spec: PodSpec, resumedFrom: PodID? = nil, worktreePath: String? = nil, sessionID: String? = nil
    ) {
        self.pod = pod
        self.name = name
        self.spec = spec
        self.resumedFrom = resumedFrom
        self.worktreePath = worktreePath
        self.sessionID = sessionID
    }
}

/// What became of a ``StartPod``.
public struct Started: Sendable, Codable {
    public var pid: Int32
    public var cwd: String
    public var agent: String?
    public var worktreePath: String?
    /// The agent's own session, for its resume.
    public var sessionID: String?
    /// The argv that really runs.
    public var argv: [String]

    enum CodingKeys: String, CodingKey {
        case pid, cwd, agent, worktreePath, argv
        // "session_id" comes back from JSON as this.
        case sessionID = "sessionId"
    }

    public init(pid: Int32, cwd: String, agent: String?, worktreePath: String?, sessionID: String?, argv: [String]) {
        self.pid = pid
        self.cwd = cwd
        self.agent = agent
        self.worktreePath = worktreePath
        self.sessionID = sessionID
        self.argv = argv
    }
}

/// `runner.<runner>.stop` → ``Done`` once the signal is sent.
public struct StopPod: Sendable, Codable {
    public var pod: PodID
    public var graceMs: Int
    public var author: Author

    public init(pod: PodID, graceMs: Int, author: Author) {
        self.pod = pod
        self.graceMs = graceMs
        self.author = author
    }
}

/// `shim.<pod>.resize` → ``Applied``; `relay.<shard>.resize` takes it too, with `pod` and `viewer`.
public struct Resize: Sendable, Codable {
    public var pod: PodID
    public var columns: Int
    public var rows: Int
    public var author: Author
    public var viewer: String?
    public var role: Role?

    public init(pod: PodID, columns: Int, rows: Int, author: Author, viewer: String? = nil, role: Role? = nil) {
        self.pod = pod
        self.columns = columns
        self.rows = rows
        self.author = author
        self.viewer = viewer
        self.role = role
    }
}

/// `shim.<pod>.signal` → ``Done``: a signal to the foreground process group, by name without `SIG`.
public struct SendSignal: Sendable, Codable {
    public var name: String
    public var author: Author

    public init(name: String, author: Author) {
        self.name = name
        self.author = author
    }
}

/// `shim.<pod>.marker` → ``Applied``.
public struct PutMarker: Sendable, Codable {
    public var text: String
    public var author: Author

    public init(text: String, author: Author) {
        self.text = text
        self.author = author
    }
}

/// What a write or resize came to.
public struct Applied: Sendable, Codable, Equatable {
    public enum Result: String, Sendable, Codable, CaseIterable {
        case applied, denied, busy, approvalOpen = "approval_open", screenChanged = "screen_changed", draftPresent = "draft_present", gone
    }

    public var result: Result
    /// The frame that records it, when applied; the newest output frame, when the screen had changed.
    public var seq: UInt64?
    /// Why not, for a person: who writes, which right is missing.
    public var message: String?
    /// Of a prompt or an approval: whether something was seen to come of it.
    public var tookEffect: Bool?

    public init(result: Result, seq: UInt64? = nil, message: String? = nil, tookEffect: Bool? = nil) {
        self.result = result
        self.seq = seq
        self.message = message
        self.tookEffect = tookEffect
    }
}

/// `shim.<pod>.written` → ``Written``.
public struct AskWritten: Sendable, Codable {
    /// The names under which inputs were asked for in ``Headers/once``.
    public var names: [String]
    public init(names: [String]) { self.names = names }
}

/// What a shim knows of inputs that may be made but once.
public struct Written: Sendable, Codable, Equatable {
    /// The frames of those that were typed, in the order of the names; 0: it was not.
    public var frames: [UInt64]
    /// The newest input of any kind.
    public var newestInput: UInt64

    public init(frames: [UInt64], newestInput: UInt64) {
        self.frames = frames
        self.newestInput = newestInput
    }
}

/// Header `Sb-Meta` of the answer of `shim.<pod>.keyframe`, whose payload is zstd(engine snapshot).
public struct KeyframeMeta: Sendable, Codable, Equatable {
    /// The state is the one after this frame.
    public var seq: UInt64
    public var time: Timestamp
    public var columns: Int
    public var rows: Int

    public init(seq: UInt64, time: Timestamp, columns: Int, rows: Int) {
        self.seq = seq
        self.time = time
        self.columns = columns
        self.rows = rows
    }
}

/// What a person may do.
public enum Role: String, Sendable, Codable, Comparable, CaseIterable {
    case viewer, `operator`, admin

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .operator: 1
        case .admin: 2
        }
    }

    public static func < (a: Role, b: Role) -> Bool { a.rank < b.rank }
}
