/// `registry.pods.create` → ``Pod``. The same key gives the same pod.
public struct CreatePod: Sendable, Codable {
    public var spec: PodSpec
    public var author: Author
    public var idempotencyKey: String?

    public init(spec: PodSpec, author: Author, idempotencyKey: String? = nil) {
        self.spec = spec
        self.author = author
        self.idempotencyKey = idempotencyKey
    }
}

/// `registry.pods.import` → ``Pod``: registers a pod whose frames will come from a recording.
public struct ImportPod: Sendable, Codable {
    public var pod: PodID
    public var name: String?
    public var command: [String]
    public var columns: Int
    public var rows: Int
    public var started: Timestamp
    public var author: Author

    public init(pod: PodID, name: String?, command: [String], columns: Int, rows: Int, started: Timestamp, author: Author) {
        self.pod = pod
        self.name = name
        self.command = command
        self.columns = columns
        self.rows = rows
        self.started = started
        self.author = author
    }
}

/// `registry.pods.get` → ``Pod``. `ref` is an id, a name (of a live pod before ended ones, the newest first), or the unique beginning of an id.
public struct GetPod: Sendable, Codable {
    public var ref: String
    public var at: Timestamp?

    public init(ref: String, at: Timestamp? = nil) {
        self.ref = ref
        self.at = at
    }
}

/// `registry.pods.list` → ``PodPage``, newest first.
public struct ListPods: Sendable, Codable {
    public var at: Timestamp?
    public var status: String?
    public var lifecycle: Lifecycle?
    public var runner: String?
    /// Only pods that live.
    public var live: Bool?
    public var limit: Int?
    public var cursor: String?

    public init(
        at: Timestamp? = nil, status: String? = nil, lifecycle: Lifecycle? = nil, runner: String? = nil, live: Bool? = nil, limit: Int? = nil,
        cursor: String? = nil
    ) {
        self.at = at
        self.status = status
        self.lifecycle = lifecycle
        self.runner = runner
        self.live = live
        self.limit = limit
        self.cursor = cursor
    }
}

public struct PodPage: Sendable, Codable, Equatable {
    public var pods: [Pod]
    /// Give it as `cursor` for the next page; none on the last.
    public var next: String?

    public init(pods: [Pod], next: String? = nil) {
        self.pods = pods
        self.next = next
    }
}

/// `registry.pods.stop` and `.resume`, `registry.pods.history`.
public struct PodRequest: Sendable, Codable {
    public var pod: PodID
    public var author: Author
    /// Stop: how long after the polite signal comes SIGKILL, in milliseconds; 5000 where missing.
    public var graceMs: Int?
    public var idempotencyKey: String?

    public init(pod: PodID, author: Author, graceMs: Int? = nil, idempotencyKey: String? = nil) {
        self.pod = pod
        self.author = author
        self.graceMs = graceMs
        self.idempotencyKey = idempotencyKey
    }
}

/// `registry.pods.history` → every lifecycle and status interval of a pod, oldest first.
public struct PodHistory: Sendable, Codable {
    public struct Entry: Sendable, Codable, Equatable {
        /// `lifecycle` or `status`.
        public var what: String
        public var value: String
        public var reason: String?
        public var from: Timestamp
        public var to: Timestamp?
        /// A status's frame, and what it rested on.
        public var seq: UInt64?
        public var evidence: String?

        public init(
            what: String, value: String, reason: String?, from: Timestamp, to: Timestamp?, seq: UInt64? = nil, evidence: String? = nil
        ) {
            self.what = what
            self.value = value
            self.reason = reason
            self.from = from
            self.to = to
            self.seq = seq
            self.evidence = evidence
        }
    }
    public var entries: [Entry]

    public init(entries: [Entry]) { self.entries = entries }
}

/// `registry.runners.heartbeat` → ``HeartbeatReply``; each second.
public struct Heartbeat: Sendable, Codable {
    public var runner: String
    public var host: String
    public var version: String
    /// The runner's clock when it sent this.
    public var sent: Timestamp
    /// How far the runner's clock is ahead, in microseconds, measured from the last round trip; none before the first.
    public var clockOffset: Int64?
    /// Pods whose shim lives.
    public var pods: [PodID]

    public init(runner: String, host: String, version: String, sent: Timestamp, clockOffset: Int64? = nil, pods: [PodID]) {
        self.runner = runner
        self.host = host
        self.version = version
        self.sent = sent
        self.clockOffset = clockOffset
        self.pods = pods
    }
}

public struct HeartbeatReply: Sendable, Codable {
    /// The registry's clock when it answered: offset = (sent + received) / 2 − this.
    public var time: Timestamp

    public init(time: Timestamp) { self.time = time }
}

/// `registry.pods.report` → ``Done``.
public struct PodReport: Sendable, Codable {
    public var pod: PodID
    public var runner: String
    /// `start_failed` or `lost`.
    public var what: String
    public var reason: String
    public var time: Timestamp

    public init(pod: PodID, runner: String, what: String, reason: String, time: Timestamp) {
        self.pod = pod
        self.runner = runner
        self.what = what
        self.reason = reason
        self.time = time
    }
}

/// `registry.runners.list` → this.
public struct RunnerList: Sendable, Codable {
    public var runners: [Runner]
    public init(runners: [Runner]) { self.runners = runners }
}
