internal import Agents
public import Bus
internal import Contract
internal import FoundationEssentials
internal import Logging
internal import RunnerClient
internal import Traces
internal import Tracing

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Where a runner keeps things and what it is called.
public struct RunnerConfiguration: Sendable {
    /// A subject token, unique among runners.
    public var name: String
    /// Pods' directories and worktrees stand below it.
    public var directory: String
    /// The path of `switchback-shim`.
    public var shim: String
    public var natsServers: [String]
    public var natsCredentialsFile: String?
    public var natsTLS: BusOptions.TLS?
    /// What pods inherit.
    public var environment: [String: String]

    public init(
        name: String, directory: String, shim: String, natsServers: [String], natsCredentialsFile: String?, natsTLS: BusOptions.TLS? = nil,
        environment: [String: String]
    ) {
        self.name = name
        self.directory = directory
        self.shim = shim
        self.natsServers = natsServers
        self.natsCredentialsFile = natsCredentialsFile
        self.natsTLS = natsTLS
        self.environment = environment
    }
}

/// Starts, stops, resumes and adopts the pods of one host. Knows no bus: signals and reports go through `calls`.
actor RunnerService {
    private let configuration: RunnerConfiguration
    private let catalog: AgentCatalog
    private let launcher: ShimLauncher
    private let worktrees: Worktrees
    private let calls: any ShimCalls
    private let logger: Logger
    /// Pods whose shim lived when last looked at.
    private var live: [PodID: PodDirectory] = [:]
    /// Starts under way, so that a pod that is asked for twice starts once.
    private var starting: [PodID: Task<Started, any Error>] = [:]

    init(configuration: RunnerConfiguration, catalog: AgentCatalog, calls: any ShimCalls, logger: Logger) {
        self.configuration = configuration
        self.catalog = catalog
        launcher = ShimLauncher(program: configuration.shim)
        worktrees = Worktrees(folder: configuration.directory + "/worktrees")
        self.calls = calls
        self.logger = logger
    }

    private func directory(_ pod: PodID) -> PodDirectory { PodDirectory(path: "\(configuration.directory)/pods/\(pod)") }

    /// The pods whose shim lives.
    var pods: [PodID] { live.keys.sorted() }

    // MARK: - Start

    /// Starts a pod, or says what became of it when it was asked for before.
    func start(_ request: StartPod) async throws(ErrorBody) -> Started {
        if let task = starting[request.pod] { return try await value(of: task) }
        let directory = directory(request.pod)
        if let problem = request.spec.problem() { throw problem }
        let task = Task {
            if let started = await directory.startedOrStarting() { return started }
            return try await self.launch(request, in: directory)
        }
        starting[request.pod] = task
        defer { starting[request.pod] = nil }
        return try await value(of: task)
    }

    private func value(of task: Task<Started, any Error>) async throws(ErrorBody) -> Started {
        do {
            return try await task.value
        } catch {
            throw ErrorBody(describing: error)
        }
    }

    private func launch(_ request: StartPod, in directory: PodDirectory) async throws(ErrorBody) -> Started {
        let plan = try LaunchPlan.make(
            spec: request.spec, catalog: catalog, resuming: request.resumedFrom != nil, sessionID: request.sessionID,
            newSession: { UUID().uuidString.lowercased() })
        var worktree = request.worktreePath
        if let path = worktree {
            guard FileManager.default.fileExists(atPath: path) else {
                throw ErrorBody(.gone, "the worktree \(path) of the pod to resume is no longer there")
            }
        } else if let wanted = request.spec.worktree {
            worktree = try await worktrees.checkOut(wanted, inUse: directoriesInUse())
        }
        let cwd = try workingDirectory(request.spec, worktree: worktree)
        var spec = ShimSpec(
            pod: request.pod, name: request.name, agent: plan.agent, runner: configuration.name, argv: plan.argv,
            environment: LaunchPlan.environment(
                base: configuration.environment, spec: request.spec, pod: request.pod, name: request.name, credential: request.credential,
                // The command lies beside the shim.
                commands: configuration.shim.lastIndex(of: "/").map { String(configuration.shim[..<$0]) }),
            cwd: cwd, columns: request.spec.columns, rows: request.spec.rows, resumedFrom: request.resumedFrom,
            // With a credential of its own, nothing of the runner's is written into the pod's directory.
            natsServers: request.busCredential == nil ? configuration.natsServers : configuration.natsServers.map(Self.withoutUser),
            natsCredentialsFile: request.busCredential == nil ? configuration.natsCredentialsFile : directory.busCredentialFile,
            natsCertificates: configuration.natsTLS.map {
                BusFiles(authorities: $0.certificateAuthorities, chain: $0.certificateChain, key: $0.privateKey)
            },
            spoolCapBytes: request.spec.spoolCapBytes ?? ShimSpec.defaultSpoolCapBytes, onFull: request.spec.onFull ?? .hold,
            hides: try request.spec.redact == .record ? ownRedactions() : nil)
        // Which program it is, and where, is on the pod's timeline: arguments may hold secrets.
        let span = startSpan("start shim")
        defer { span.end() }
        span.updateAttributes { $0.set("switchback.pod", value: .string(request.pod.text)) }
        if let trace = span.context.trace, trace.isSampled { spec.traceparent = trace.value }
        try directory.create(spec, busCredential: request.busCredential)
        var started = Started(pid: 0, cwd: cwd, agent: plan.agent, worktreePath: worktree, sessionID: plan.sessionID, argv: plan.argv)
        // Before and after: a runner that is killed between knows afterwards what it was to answer.
        func note() {
            do {
                try directory.write(started, directory.plannedFile)
            } catch {
                logger.error("cannot write what was started", metadata: ["pod": "\(request.pod)", "error": "\(error)"])
            }
        }
        note()
        do throws(ErrorBody) {
            started.pid = try await launcher.start(directory).pid
            span.updateAttributes { $0.set("process.pid", value: .int64(Int64(started.pid))) }
            note()
            live[request.pod] = directory
            logger.info("started", metadata: ["pod": "\(request.pod)", "pid": "\(started.pid)", "program": "\(plan.argv[0])"])
            return started
        } catch {
            // Nothing ran: the directory would only look like a pod that was lost.
            directory.remove()
            span.fail(error.code.rawValue)
            throw error
        }
    }

    /// `nats://user:password@host:port` → `nats://host:port`.
    private static func withoutUser(_ url: String) -> String {
        guard let at = url.lastIndex(of: "@") else { return url }
        let scheme = url.firstRange(of: "://").map { url[..<$0.upperBound] } ?? ""
        return String(scheme + url[url.index(after: at)...])
    }

    /// The user's own redactions on this host, for a pod that hides secrets before anything is recorded.
    private func ownRedactions() throws(ErrorBody) -> String {
        guard let path = configuration.environment["SWITCHBACK_REDACTIONS"], !path.isEmpty else { return "" }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ErrorBody(.unavailable, "SWITCHBACK_REDACTIONS: the file \(path) cannot be read; the pod was not started without it")
        }
        return String(decoding: data, as: UTF8.self)
    }

    private func workingDirectory(_ spec: PodSpec, worktree: String?) throws(ErrorBody) -> String {
        let cwd = worktree ?? spec.cwd ?? configuration.environment["HOME"] ?? "/"
        var status = stat()
        guard stat(cwd, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw ErrorBody(.badRequest, "\(cwd) is not a directory on runner \(configuration.name)")
        }
        return cwd
    }

    /// Worktrees where a live pod works.
    private func directoriesInUse() -> Set<String> {
        Set(live.values.filter { $0.isShimAlive() }.compactMap { $0.started()?.worktreePath })
    }

    // MARK: - Stop

    /// Sends the polite signals at once and SIGKILL after the grace. Asked again, it does the same again.
    func stop(_ request: StopPod) async throws(ErrorBody) {
        // A pod that is being started, which a worktree may hold up for long, is stopped once it runs.
        if let task = starting[request.pod] { _ = await task.result }
        guard let directory = live[request.pod], directory.isShimAlive(), let state = directory.state() else {
            throw ErrorBody(.gone, "\(request.pod) does not run on runner \(configuration.name)")
        }
        guard state.phase == .running else { return }
        // The shim does it, so that the signals and their author are on the pod's timeline.
        if await calls.stop(request) { return }
        for signal in [SIGTERM, SIGHUP, SIGCONT] { kill(-state.pid, signal) }
        let grace = Duration.milliseconds(max(0, request.graceMs))
        Task {
            try? await Task.sleep(for: grace)
            guard let now = directory.state(), now.phase == .running, now.pid == state.pid, directory.isShimAlive() else { return }
            kill(-state.pid, SIGKILL)
        }
    }

    // MARK: - Adopt

    /// Finds the pods of this host: living shims are taken over, dead ones recovered, finished ones cleared away.
    ///
    /// Called at start and now and then; also finds a shim that died while the runner lived.
    func lookAround() {
        let folder = configuration.directory + "/pods"
        var found: [PodID: PodDirectory] = [:]
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            guard let pod = PodID(entry), starting[pod] == nil else { continue }
            let directory = directory(pod)
            if directory.isShimAlive() {
                found[pod] = directory
                if live[pod] == nil { logger.info("adopted", metadata: ["pod": "\(pod)"]) }
            } else if directory.state()?.phase == .done {
                directory.remove()
            } else if FileManager.default.fileExists(atPath: directory.specFile) {
                recover(pod, directory)
            }
        }
        live = found.merging(live.filter { starting[$0.key] != nil }) { $1 }
    }

    private func recover(_ pod: PodID, _ directory: PodDirectory) {
        logger.error("a shim is dead; what it kept is published, its pod is lost", metadata: ["pod": "\(pod)", "log": "\(directory.logTail())"])
        do {
            try launcher.recover(directory)
        } catch {
            logger.error("cannot recover a pod", metadata: ["pod": "\(pod)", "error": "\(error)"])
        }
    }
}

/// What a runner asks of shims.
protocol ShimCalls: Sendable {
    /// Asks the shim to end its program, by force after the grace. False when the shim did not hear it: the runner can signal by itself.
    func stop(_ request: StopPod) async -> Bool
}
