/// What a pod is asked to be.
public struct PodSpec: Sendable, Equatable, Codable {
    /// A name, unique among live pods: 1 to 64 letters, digits, `.`, `_`, `-`. Made up where missing.
    public var name: String?
    /// The agent's manifest name (`claude`, `codex`, `shell`, …); found from the command where missing.
    public var agent: String?
    /// The program and its arguments. Empty: the agent's own launch command.
    public var command: [String]
    /// The directory to start in, absolute; the runner's own where missing.
    public var cwd: String?
    /// Added to the runner's environment.
    public var env: [String: String]
    public var columns: Int
    public var rows: Int
    /// `REPO#BRANCH`: run in a git worktree of that repository's branch.
    public var worktree: String?
    /// The agent's first prompt, handed over on its command line.
    public var prompt: String?
    /// The runner to run on; any where missing.
    public var runner: String?
    /// Bytes at which the spool is full; 1 GiB where missing.
    public var spoolCapBytes: UInt64?
    /// What happens at a full spool; `hold` where missing.
    public var onFull: OnFull?
    /// `record`: secrets are hidden before anything is recorded; where missing, when it is shown.
    public var redact: Redact?

    public enum Redact: String, Sendable, Codable { case record }
    public enum OnFull: String, Sendable, Codable { case hold, drop }

    public init(
        name: String? = nil, agent: String? = nil, command: [String], cwd: String? = nil, env: [String: String] = [:],
        columns: Int = 80, rows: Int = 24, worktree: String? = nil, prompt: String? = nil, runner: String? = nil,
        spoolCapBytes: UInt64? = nil, onFull: OnFull? = nil, redact: Redact? = nil
    ) {
        self.redact = redact
        self.name = name
        self.agent = agent
        self.command = command
        self.cwd = cwd
        self.env = env
        self.columns = columns
        self.rows = rows
        self.worktree = worktree
        self.prompt = prompt
        self.runner = runner
        self.spoolCapBytes = spoolCapBytes
        self.onFull = onFull
    }

    enum CodingKeys: CodingKey {
        case name, agent, command, cwd, env, columns, rows, worktree, prompt, runner, spoolCapBytes, onFull, redact
    }

    /// The short name, as `inspect vt` and asciicast have it, is understood as well.
    private enum ShortNames: CodingKey { case cols }

    public init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        let short = try decoder.container(keyedBy: ShortNames.self)
        self.init(
            name: try c.decodeIfPresent(String.self, forKey: .name), agent: try c.decodeIfPresent(String.self, forKey: .agent),
            command: try c.decodeIfPresent([String].self, forKey: .command) ?? [], cwd: try c.decodeIfPresent(String.self, forKey: .cwd),
            env: try c.decodeIfPresent([String: String].self, forKey: .env) ?? [:],
            columns: try c.decodeIfPresent(Int.self, forKey: .columns) ?? short.decodeIfPresent(Int.self, forKey: .cols) ?? 80,
            rows: try c.decodeIfPresent(Int.self, forKey: .rows) ?? 24,
            worktree: try c.decodeIfPresent(String.self, forKey: .worktree), prompt: try c.decodeIfPresent(String.self, forKey: .prompt),
            runner: try c.decodeIfPresent(String.self, forKey: .runner),
            spoolCapBytes: try c.decodeIfPresent(UInt64.self, forKey: .spoolCapBytes),
            onFull: try c.decodeIfPresent(OnFull.self, forKey: .onFull), redact: try c.decodeIfPresent(Redact.self, forKey: .redact))
    }

    /// The largest terminal that a pod may have.
    public static let largestColumns = 1000
    public static let largestRows = 400

    /// What is wrong with this spec, if anything, in words for the person who wrote it.
    public func problem() -> ErrorBody? {
        if let name, !Self.isName(name) {
            return ErrorBody(.badRequest, "\"\(name)\" cannot be a pod's name: use 1 to 64 letters, digits, '.', '_' or '-', not starting with '-' or '.'")
        }
        if let name, PodID(name) != nil {
            return ErrorBody(.badRequest, "\"\(name)\" has the form of a pod id; choose another name")
        }
        if command.isEmpty && agent == nil { return ErrorBody(.badRequest, "give a command or an agent to run") }
        if command.first?.isEmpty == true { return ErrorBody(.badRequest, "the command's program is empty") }
        if command.contains(where: { $0.utf8.contains(0) }) || env.contains(where: { $0.key.utf8.contains(0) || $0.value.utf8.contains(0) }) {
            return ErrorBody(.badRequest, "command and environment cannot hold a NUL character")
        }
        if let key = env.keys.first(where: { $0.isEmpty || $0.utf8.contains(UInt8(ascii: "=")) }) {
            return ErrorBody(.badRequest, "\"\(key)\" cannot be the name of an environment variable")
        }
        if let cwd, !cwd.hasPrefix("/") { return ErrorBody(.badRequest, "the directory \"\(cwd)\" must be absolute") }
        return Self.sizeProblem(columns: columns, rows: rows)
    }

    /// What is wrong with a terminal's size, if anything.
    public static func sizeProblem(columns: Int, rows: Int) -> ErrorBody? {
        guard (1...largestColumns).contains(columns), (1...largestRows).contains(rows) else {
            return ErrorBody(.badRequest, "a terminal of \(columns)x\(rows) cannot be: columns go from 1 to \(largestColumns), rows from 1 to \(largestRows)")
        }
        return nil
    }

    /// Whether a text may name a pod or a runner.
    public static func isName(_ name: String) -> Bool {
        let bytes = name.utf8
        guard (1...64).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.first != UInt8(ascii: ".") else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
    }
}

/// Where a pod is in its life.
public enum Lifecycle: String, Sendable, Codable, CaseIterable {
    case starting, running, exited, crashed, lost, ended

    /// Whether the process may still run.
    public var isLive: Bool { self == .starting || self == .running }
}

/// A pod as the registry knows it.
public struct Pod: Sendable, Equatable, Codable {
    public var pod: PodID
    public var name: String
    public var agent: String?
    public var runner: String?
    public var spec: PodSpec
    public var lifecycle: Lifecycle
    /// Why it is there: the runner's words for a failed start, what was lost.
    public var reason: String?
    public var exit: Exit?
    public var pid: Int32?
    public var created: Timestamp
    public var started: Timestamp?
    public var exited: Timestamp?
    /// When the record became complete.
    public var ended: Timestamp?
    public var columns: Int
    public var rows: Int
    public var worktreePath: String?
    public var resumedFrom: PodID?
    public var resumedBy: PodID?
    public var imported: Bool
    /// Who asked for it.
    public var owner: Author?
    /// executing, waiting, idle or unknown, once a detector says so.
    public var status: PodStatus?

    public init(pod: PodID, name: String, spec: PodSpec, lifecycle: Lifecycle, created: Timestamp, imported: Bool = false) {
        self.pod = pod
        self.name = name
        self.spec = spec
        self.lifecycle = lifecycle
        self.created = created
        self.imported = imported
        agent = spec.agent
        runner = spec.runner
        columns = spec.columns
        rows = spec.rows
    }
}

/// A host that runs pods.
public struct Runner: Sendable, Equatable, Codable {
    public var runner: String
    public var host: String
    public var version: String
    /// `online`, or `offline` after three missed beats.
    public var state: String
    public var lastBeat: Timestamp
    public var firstSeen: Timestamp
    /// How far the runner's clock is ahead of the registry's, in microseconds.
    public var clockOffset: Int64
    public var pods: Int

    public init(
        runner: String, host: String, version: String, state: String, lastBeat: Timestamp, firstSeen: Timestamp, clockOffset: Int64, pods: Int
    ) {
        self.runner = runner
        self.host = host
        self.version = version
        self.state = state
        self.lastBeat = lastBeat
        self.firstSeen = firstSeen
        self.clockOffset = clockOffset
        self.pods = pods
    }
}
