internal import BusRights
internal import Contract
internal import FoundationEssentials
internal import RegistryClient

/// What the registry wants of runners; the bus in production.
protocol RunnerCalls: Sendable {
    /// The same request again is answered as the first: it starts nothing twice.
    func start(_ request: StartPod, on runner: String) async throws(ErrorBody) -> Started
    func stop(_ request: StopPod, on runner: String) async throws(ErrorBody)
}

/// The registry's logic. Knows no transport and no SQL.
struct RegistryService: Sendable {
    let store: RegistryStore
    let runners: any RunnerCalls
    /// Signs the credential of each pod's shim; nil where the bus knows no such credentials.
    let signer: ShimSigner?
    let now: @Sendable () -> Timestamp

    init(store: RegistryStore, runners: any RunnerCalls, signer: ShimSigner? = nil, now: @escaping @Sendable () -> Timestamp = { Timestamp.now() }) {
        self.store = store
        self.runners = runners
        self.signer = signer
        self.now = now
    }

    // MARK: - New pods

    func create(_ request: CreatePod) async throws -> Pod {
        if let problem = request.spec.problem() { throw problem }
        let id = PodID.random()
        return try await start(
            StartPod(pod: id, name: request.spec.name ?? PodName.made(for: request.spec, id), spec: request.spec), author: request.author,
            key: request.idempotencyKey, wantedRunner: request.spec.runner)
    }

    private func start(_ request: StartPod, author: Author, key: String?, wantedRunner: String?) async throws -> Pod {
        let runner = try RunnerChoice.choose(wanted: wantedRunner, among: try await store.runners())
        let id = request.pod
        var pod = Pod(pod: id, name: request.name, spec: request.spec, lifecycle: .starting, created: now())
        pod.resumedFrom = request.resumedFrom
        let state = PodState(columns: request.spec.columns, rows: request.spec.rows, runner: runner, agent: request.spec.agent)
        let digest = try digest(request)
        switch try await store.make(pod, state: state, author: author, key: key, digest: digest, what: "created") {
        case .new: break
        case .known(let known): return try await settled(known)
        case .nameTaken(let holder):
            throw ErrorBody(.conflict, "a pod named \"\(request.name)\" runs already (\(holder)); stop it, or choose another name")
        case .keyTaken(let other):
            throw ErrorBody(.conflict, "the idempotency key was used for another request, which made \(other); use a new key")
        }

        var request = request
        request.credential = try await makeCredential(for: id)
        request.busCredential = signer?.credentials(pod: id, runner: runner, now: now())
        let answer: Started?
        do throws(ErrorBody) {
            let asked = request
            // One that is at work, with a large worktree perhaps, goes on with it. What ended meanwhile, as its frames say, is not started twice.
            answer = try await untilAnswered(within: .seconds(100), unless: { (try? await get(id))?.lifecycle.isLive == false }) { () async throws(ErrorBody) in
                try await runners.start(asked, on: runner)
            }
        } catch  where error.code == .timedOut {
            // It may run all the same: its control frames will tell, and its runner's beats when there are none.
            throw ErrorBody(.timedOut, "the runner \"\(runner)\" has not answered yet whether \(id) started; see `switchback ps`")
        } catch {
            let reason = error.code == .unavailable ? "the runner \"\(runner)\" does not answer" : error.message
            try await store.learn([(id, .startFailed(reason: reason), now())])
            throw ErrorBody(error.code == .unavailable ? .unavailable : Self.startFailed, "\(request.name) could not be started: \(reason)")
        }
        guard let started = answer else { return try await get(id) }
        try await store.learn([
            (
                id,
                .confirmed(
                    pid: started.pid, cwd: started.cwd, agent: started.agent, worktreePath: started.worktreePath, sessionID: started.sessionID),
                now()
            )
        ])
        return try await get(id)
    }

    static let startFailed = ErrorBody.Code(rawValue: "start_failed")

    /// What was asked for, without the id, which every try makes anew.
    private func digest(_ request: StartPod) throws -> String {
        let bytes = try JSON.encode(request.spec) + Array((request.resumedFrom?.text ?? "").utf8)
        return String(fnv1a(bytes), radix: 16)
    }

    /// The first request under this key may still be at work.
    private func settled(_ pod: Pod) async throws -> Pod {
        var pod = pod
        for _ in 0..<600 where pod.lifecycle == .starting {
            try await Task.sleep(for: .milliseconds(100))
            pod = try await get(pod.pod)
        }
        return pod
    }

    /// Registers a pod whose frames come from a recording.
    func importPod(_ request: ImportPod) async throws -> Pod {
        if let name = request.name, !PodSpec.isName(name) {
            throw ErrorBody(.badRequest, "\"\(name)\" cannot be a pod's name: use 1 to 64 letters, digits, '.', '_' or '-'")
        }
        if let problem = PodSpec.sizeProblem(columns: request.columns, rows: request.rows) { throw problem }
        let spec = PodSpec(name: request.name, command: request.command, columns: request.columns, rows: request.rows)
        let pod = Pod(
            pod: request.pod, name: request.name ?? PodName.made(for: spec, request.pod), spec: spec, lifecycle: .running, created: request.started,
            imported: true)
        // Not live in the sense of names: a recording may be called like a pod that runs.
        var state = PodState(columns: request.columns, rows: request.rows, runner: nil, agent: nil)
        state.lifecycle = .exited
        state.started = request.started
        state.reason = "imported"
        switch try await store.make(pod, state: state, author: request.author, key: nil, digest: "", what: "imported") {
        case .new(let made), .known(let made): return made
        case .nameTaken(let holder), .keyTaken(let holder): throw ErrorBody(.conflict, "the id or name belongs to \(holder)")
        }
    }

    /// Takes in a pod that runs and that the registry does not know, as after a database was restored.
    func adopt(_ pod: PodID, _ start: Control.Start, at time: Timestamp) async throws {
        let spec = PodSpec(
            agent: start.agent, command: start.argv, cwd: start.cwd?.hasPrefix("/") == true ? start.cwd : nil, columns: start.columns,
            rows: start.rows)
        let given = start.name.flatMap { PodSpec.isName($0) && PodID($0) == nil ? $0 : nil }
        var entry = Pod(pod: pod, name: given ?? PodName.made(for: spec, pod), spec: spec, lifecycle: .starting, created: time)
        entry.resumedFrom = start.resumedFrom
        entry.imported = start.imported ?? false
        let state = PodState(columns: start.columns, rows: start.rows, runner: start.runner, agent: start.agent)
        let author = Author(kind: .system, id: "registry")
        if case .nameTaken = try await store.make(entry, state: state, author: author, key: nil, digest: "", what: "created") {
            entry.name = PodName.made(for: spec, pod)
            _ = try await store.make(entry, state: state, author: author, key: nil, digest: "", what: "created")
        }
    }

    // MARK: - Reading

    func get(_ ref: String, at: Timestamp? = nil) async throws -> Pod {
        switch try await store.find(ref, at: at) {
        case .one(let pod): return pod
        case .none:
            throw ErrorBody(.notFound, at.map { "there was no pod \"\(ref)\" at \($0)" } ?? "there is no pod \"\(ref)\"")
        case .several(let pods):
            let list = pods.map { "\($0.pod) (\($0.name))" }.joined(separator: ", ")
            throw ErrorBody(Self.ambiguous, "\"\(ref)\" begins the ids of several pods: \(list)")
        }
    }

    static let ambiguous = ErrorBody.Code(rawValue: "ambiguous")

    private func get(_ id: PodID) async throws -> Pod { try await get(id.text) }

    func list(_ request: ListPods) async throws -> PodPage {
        let limit = min(max(request.limit ?? 200, 1), 1000)
        var after: (Timestamp, PodID)?
        if let cursor = request.cursor {
            let parts = cursor.split(separator: ".")
            guard parts.count == 2, let time = Int64(parts[0]), let pod = PodID(parts[1]) else {
                throw ErrorBody(.badRequest, "\"\(cursor)\" is not a cursor of this list")
            }
            after = (Timestamp(microseconds: time), pod)
        }
        var pods = try await store.list(request, after: after, limit: limit + 1)
        guard pods.count > limit else { return PodPage(pods: pods) }
        pods.removeLast()
        return PodPage(pods: pods, next: pods.last.map { "\($0.created.microseconds).\($0.pod)" })
    }

    func history(_ pod: PodID) async throws -> PodHistory {
        _ = try await get(pod)
        return PodHistory(entries: try await store.history(of: pod))
    }

    // MARK: - Ending and going on

    func stop(_ request: PodRequest) async throws -> Pod {
        let pod = try await get(request.pod)
        guard pod.lifecycle.isLive else { return pod }
        guard let runner = pod.runner else { throw ErrorBody(.conflict, "\(pod.name) has no runner that could stop it") }
        let grace = request.graceMs ?? 5000
        guard (0...600_000).contains(grace) else { throw ErrorBody(.badRequest, "the grace time must be 0 to 600000 ms, not \(grace)") }
        try await runners.stop(StopPod(pod: pod.pod, graceMs: grace, author: request.author), on: runner)
        return try await get(request.pod)
    }

    func resume(_ request: PodRequest) async throws -> Pod {
        let old = try await get(request.pod)
        guard let state = try await store.state(of: old.pod) else { throw ErrorBody(.notFound, "there is no pod \"\(request.pod)\"") }
        if old.imported { throw ErrorBody(.conflict, "\(old.name) is a recording that was imported; there is nothing to resume") }
        if old.lifecycle.isLive { throw ErrorBody(.conflict, "\(old.name) still runs; stop it first: switchback stop \(old.name)") }
        if let next = old.resumedBy, let pod = try? await get(next), pod.lifecycle.isLive {
            // The same request again is answered below by its key; another one is refused.
            let isAgain = if let key = request.idempotencyKey { try await store.knows(key: key, of: request.author) } else { false }
            if !isAgain { throw ErrorBody(.conflict, "\(old.name) was resumed already, as \(pod.name) (\(next)), which runs") }
        }
        var spec = old.spec
        spec.name = nil
        spec.agent = state.agent ?? spec.agent
        // What it was told first was told.
        spec.prompt = nil
        spec.cwd = spec.cwd ?? state.cwd
        spec.columns = state.columns
        spec.rows = state.rows
        // The directory, the worktree and the agent's session are on that host.
        let pod = try await start(
            StartPod(
                pod: PodID.random(), name: old.name, spec: spec, resumedFrom: old.pod, worktreePath: state.worktreePath, sessionID: state.sessionID),
            author: request.author, key: request.idempotencyKey, wantedRunner: state.runner)
        try await store.learn([(old.pod, .resumed(by: pod.pod), now())])
        return pod
    }

    // MARK: - Runners

    func report(_ report: PodReport) async throws {
        switch report.what {
        case "start_failed": try await store.learn([(report.pod, .startFailed(reason: report.reason), report.time)])
        case "lost": try await store.learn([(report.pod, .lost(reason: report.reason), report.time)])
        default: throw ErrorBody(.badRequest, "a report says start_failed or lost, not \"\(report.what)\"")
        }
    }

    /// Notes a beat and compares what the runner has with what the registry thinks it has.
    /// - Parameter missing: how often in a row each pod was missing in the runner's beats; kept by the caller.
    func beat(_ beat: Heartbeat, missing: [PodID: Int]?) async throws -> (reply: HeartbeatReply, missing: [PodID: Int]?) {
        guard PodSpec.isName(beat.runner) else { throw ErrorBody(.badRequest, "\"\(beat.runner)\" cannot be a runner's name") }
        let now = now()
        try await store.beat(beat, at: now)
        guard let missing else { return (HeartbeatReply(time: self.now()), nil) }
        let present = Set(beat.pods)
        var next: [PodID: Int] = [:]
        var facts: [(pod: PodID, fact: PodFact, time: Timestamp)] = []
        for (pod, lifecycle, since) in try await store.livePods(on: beat.runner) where !present.contains(pod) {
            // A start may take as long as a worktree takes; an exit's frame may be on its way.
            guard now - since > (lifecycle == .starting ? .seconds(150) : .seconds(15)) else { continue }
            let count = (missing[pod] ?? 0) + 1
            if count < 3 {
                next[pod] = count
            } else if lifecycle == .starting {
                facts.append((pod, .startFailed(reason: "the runner \"\(beat.runner)\" never said that it started"), now))
            } else {
                facts.append((pod, .lost(reason: "the runner \"\(beat.runner)\" has no shim of it any more"), now))
            }
        }
        try await store.learn(facts)
        return (HeartbeatReply(time: self.now()), next)
    }
}
