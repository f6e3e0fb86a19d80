public import Contract
internal import FoundationEssentials

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// `spec.json`: everything a shim needs to know, written by the runner before it starts the shim.
public struct ShimSpec: Codable, Sendable, Equatable {
    public var pod: PodID
    public var name: String
    public var runner: String
    public var agent: String?
    public var argv: [String]
    /// The program's whole environment.
    public var environment: [String: String]
    public var cwd: String
    public var columns: Int
    public var rows: Int
    public var resumedFrom: PodID?
    public var worktreePath: String?
    public var sessionID: String?
    public var natsServers: [String]
    public var natsCredentialsFile: String?
    public var spoolCapBytes: UInt64
    public var onFull: PodSpec.OnFull

    /// 1 GiB.
    public static let defaultSpoolCap: UInt64 = 1 << 30

    public init(
        pod: PodID, name: String, runner: String, agent: String?, argv: [String], environment: [String: String], cwd: String, columns: Int,
        rows: Int, resumedFrom: PodID? = nil, worktreePath: String? = nil, sessionID: String? = nil, natsServers: [String],
        natsCredentialsFile: String? = nil, spoolCapBytes: UInt64 = ShimSpec.defaultSpoolCap, onFull: PodSpec.OnFull = .hold
    ) {
        self.pod = pod
        self.name = name
        self.runner = runner
        self.agent = agent
        self.argv = argv
        self.environment = environment
        self.cwd = cwd
        self.columns = columns
        self.rows = rows
        self.resumedFrom = resumedFrom
        self.worktreePath = worktreePath
        self.sessionID = sessionID
        self.natsServers = natsServers
        self.natsCredentialsFile = natsCredentialsFile
        self.spoolCapBytes = spoolCapBytes
        self.onFull = onFull
    }
}

/// `state.json`: what a running shim says about itself.
public struct ShimState: Codable, Sendable, Equatable {
    public var shim: Int32
    public var agent: Int32
    public var started: Timestamp
    /// Set when every frame, `exit` included, is stored in the stream: nothing is left to do for this pod.
    public var ended: Timestamp?
    public var exit: Exit?

    public init(shim: Int32, agent: Int32, started: Timestamp, ended: Timestamp? = nil, exit: Exit? = nil) {
        self.shim = shim
        self.agent = agent
        self.started = started
        self.ended = ended
        self.exit = exit
    }
}

/// What the shim prints on its standard output once, when its program runs or could not be started.
public struct ShimReport: Codable, Sendable, Equatable {
    public var pid: Int32?
    public var error: ErrorBody?

    public init(pid: Int32) { self.pid = pid }
    public init(error: ErrorBody) { self.error = error }
}

/// A pod's directory on its host.
public struct PodDirectory: Sendable, Equatable {
    public let path: String

    public init(_ path: String) { self.path = path }

    public var spec: String { path + "/spec.json" }
    public var state: String { path + "/state.json" }
    /// Locked by the shim (or whoever finishes its work) for as long as it lives.
    public var lock: String { path + "/lock" }
    public var spool: String { path + "/spool" }
    public var log: String { path + "/log" }

    public func readSpec() throws -> ShimSpec { try JSON.decode(ShimSpec.self, from: FileBytes.read(spec)) }

    /// Nil when there is none or it is damaged: both mean that no shim ever said anything.
    public func readState() -> ShimState? { (try? FileBytes.read(state)).flatMap { try? JSON.decode(ShimState.self, from: $0) } }

    public func write(_ spec: ShimSpec) throws { try FileBytes.replace(self.spec, with: JSON.encode(spec)) }

    public func write(_ state: ShimState) throws { try FileBytes.replace(self.state, with: JSON.encode(state)) }
}

/// Whole small files.
enum FileBytes {
    static func read(_ path: String) throws(ErrorBody) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ErrorBody(.notFound, "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        return [UInt8](data)
    }

    /// Others see the old content or the new, never half.
    static func replace(_ path: String, with bytes: [UInt8]) throws(ErrorBody) {
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ErrorBody(.internal, "cannot write \(temporary): \(String(cString: strerror(errno)))") }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress?.advanced(by: written), bytes.count - written) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let reason = String(cString: strerror(errno))
                close(file)
                throw ErrorBody(.internal, "cannot write \(temporary): \(reason)")
            }
            written += count
        }
        fsync(file)
        close(file)
        guard rename(temporary, path) == 0 else {
            throw ErrorBody(.internal, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }
}
