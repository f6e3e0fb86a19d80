public import Bus
public import Contract

/// Asks the registry: pods, their lifecycle, runners. Every call throws the registry's own ``ErrorBody``, or one that says
/// that the bus did not answer (`unavailable`, `timed_out`).
public struct RegistryClient: Sendable {
    private let bus: BusConnection
    /// How long one of the questions that may be asked again waits for its answer.
    private let patience: Duration

    public init(bus: BusConnection, patience: Duration = .seconds(15)) {
        self.bus = bus
        self.patience = patience
    }

    // MARK: - Pods

    /// Starts a pod: chooses a runner, waits until the process runs. The same key gives the same pod.
    /// - Throws: `bad_request` (the spec), `conflict` (the name is taken, or the key was used for another spec),
    ///   `unavailable` (no runner), `start_failed` with the runner's reason.
    public func create(_ request: CreatePod) async throws(ErrorBody) -> Pod {
        var request = request
        request.idempotencyKey = request.idempotencyKey ?? PodID.random().text
        return try await started(Subjects.podsCreate, request)
    }

    /// Registers a pod whose frames come from a recording.
    public func importPod(_ request: ImportPod) async throws(ErrorBody) -> Pod {
        try await bus.ask(Subjects.podsImport, request, timeout: .seconds(10))
    }

    /// The pod by id, name or unique beginning of its id; as it was at `at` where that is given.
    /// - Throws: `not_found`, `ambiguous` with the candidates in the message.
    public func get(_ ref: String, at: Timestamp? = nil) async throws(ErrorBody) -> Pod {
        try await bus.ask(Subjects.podsGet, GetPod(ref: ref, at: at))
    }

    /// Pods, newest first.
    public func list(_ request: ListPods = ListPods()) async throws(ErrorBody) -> PodPage {
        try await bus.ask(Subjects.podsList, request)
    }

    /// Ends the pod's process: politely, after `graceMs` by SIGKILL. Answers when the signal is sent. A pod that has
    /// ended is left as it is.
    public func stop(_ request: PodRequest) async throws(ErrorBody) -> Pod {
        try await bus.ask(Subjects.podsStop, request, timeout: .seconds(15))
    }

    /// Starts a new pod that goes on from an ended one. Answers the new pod.
    public func resume(_ request: PodRequest) async throws(ErrorBody) -> Pod {
        var request = request
        request.idempotencyKey = request.idempotencyKey ?? PodID.random().text
        return try await started(Subjects.podsResume, request)
    }

    /// What has a key may be asked again.
    private func started(_ subject: String, _ request: some Encodable & Sendable) async throws(ErrorBody) -> Pod {
        // Worktrees of large repositories take their time.
        let pod: Pod? = try await untilAnswered(within: .seconds(120)) { () async throws(ErrorBody) in
            try await bus.ask(subject, request, timeout: patience)
        }
        guard let pod else { throw ErrorBody(.timedOut, "the registry has not answered") }
        return pod
    }

    /// Every lifecycle and status interval of a pod, oldest first.
    public func history(_ request: PodRequest) async throws(ErrorBody) -> PodHistory {
        try await bus.ask(Subjects.podsHistory, request)
    }

    /// The pod whose credential this is.
    /// - Throws: `unauthenticated` when it is not valid, or no more.
    public func check(credential: String) async throws(ErrorBody) -> Pod {
        try await bus.ask(Subjects.credentialsCheck, CheckCredential(credential: credential))
    }

    // MARK: - Tokens of people

    /// Keeps a new token by its digest.
    /// - Throws: `bad_request` with what is wrong with it, `conflict` when the id or the digest is known already.
    public func create(_ request: CreateCredential) async throws(ErrorBody) -> Credential {
        try await bus.ask(Subjects.credentialsCreate, request)
    }

    /// Every token ever made, newest first, with its digest.
    public func credentials() async throws(ErrorBody) -> [CredentialList.Entry] {
        let list: CredentialList = try await bus.ask(Subjects.credentialsList, Done())
        return list.entries
    }

    /// Ends a token for good.
    /// - Throws: `not_found`.
    public func revoke(_ request: RevokeCredential) async throws(ErrorBody) -> Credential {
        try await bus.ask(Subjects.credentialsRevoke, request)
    }

    // MARK: - The audit log

    /// Entries, the newest first.
    public func audit(_ query: ListAudit) async throws(ErrorBody) -> AuditPage { try await bus.ask(Subjects.auditList, query) }

    /// Whether the log is as it was written.
    public func verifyAudit(_ request: VerifyAudit = VerifyAudit()) async throws(ErrorBody) -> AuditVerified {
        try await bus.ask(Subjects.auditVerify, request, timeout: .seconds(60))
    }

    // MARK: - Runners

    /// All runners ever seen.
    public func runners() async throws(ErrorBody) -> [Runner] {
        let list: RunnerList = try await bus.ask(Subjects.runnersList, Done())
        return list.runners
    }

    /// A runner says that it lives; each second.
    public func heartbeat(_ beat: Heartbeat) async throws(ErrorBody) -> HeartbeatReply {
        try await bus.ask(Subjects.runnersHeartbeat, beat, timeout: .seconds(2))
    }

    /// A runner says of a pod what no control frame can: its start failed, its shim was found dead.
    public func report(_ report: PodReport) async throws(ErrorBody) {
        let _: Done = try await bus.ask(Subjects.podsReport, report)
    }
}
