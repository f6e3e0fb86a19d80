internal import Bus
internal import Contract
internal import Logging
internal import Outbox
internal import RegistryClient
internal import Synchronization

/// Subjects to calls to replies.
final class RegistryEndpoints: Sendable {
    private let service: RegistryService
    private let sender: EventSender
    private let answers = Mutex<OutboxAnswers?>(nil)
    private let beats = Mutex<[String: (count: Int, missing: [PodID: Int])]>([:])

    init(service: RegistryService, sender: EventSender) {
        self.service = service
        self.sender = sender
    }

    func open(on bus: BusConnection, counting micro: Microservice?) throws {
        let service = service
        let answers = OutboxAnswers(on: bus, queue: "registry", sender: sender, counting: micro)
        self.answers.withLock { $0 = answers }
        func answer<Question: Decodable & Sendable & SendableMetatype, Answer: Encodable & SendableMetatype>(
            _ subject: String, _ body: @escaping @Sendable (Question) async throws -> Answer
        ) throws {
            try answers.answer(subject, name: subject.split(separator: ".").dropFirst().joined(separator: "-"), body)
        }
        try answer(Subjects.podsCreate) { (request: CreatePod) in try await service.create(request) }
        try answer(Subjects.podsImport) { (request: ImportPod) in try await service.importPod(request) }
        try answer(Subjects.podsGet) { (request: GetPod) in try await service.get(request.ref, at: request.at) }
        try answer(Subjects.podsList) { (request: ListPods) in try await service.list(request) }
        try answer(Subjects.podsStop) { (request: PodRequest) in try await service.stop(request) }
        try answer(Subjects.podsResume) { (request: PodRequest) in try await service.resume(request) }
        try answer(Subjects.podsHistory) { (request: PodRequest) in try await service.history(request.pod) }
        try answer(Subjects.credentialsCheck) { (request: CheckCredential) in try await service.check(request.credential) }
        try answer(Subjects.credentialsCreate) { (request: CreateCredential) in try await service.create(request) }
        try answer(Subjects.credentialsList) { (_: Done) in CredentialList(entries: try await service.store.credentials()) }
        try answer(Subjects.credentialsRevoke) { (request: RevokeCredential) in try await service.revoke(request) }
        try answer(Subjects.auditList) { (query: ListAudit) in try await service.store.audit(query) }
        try answer(Subjects.auditVerify) { (request: VerifyAudit) in try await service.store.verifyAudit(request) }
        try answer(Subjects.podsReport) { (report: PodReport) in
            try await service.report(report)
            return Done()
        }
        try answer(Subjects.runnersList) { (_: Done) in RunnerList(runners: try await service.store.runners()) }
        try answer(Subjects.runnersHeartbeat) { [weak self] (beat: Heartbeat) in
            guard let self else { throw ErrorBody(.unavailable, "the registry stops") }
            return try await self.beat(beat)
        }
    }

    func close() {
        answers.withLock { $0 }?.close()
    }

    /// Every fifth beat of a runner is compared with the registry's own list.
    private func beat(_ beat: Heartbeat) async throws -> HeartbeatReply {
        let missing: [PodID: Int]? = beats.withLock { beats in
            var entry = beats[beat.runner] ?? (0, [:])
            entry.count += 1
            beats[beat.runner] = entry
            return entry.count % 5 == 0 ? entry.missing : nil
        }
        let result = try await service.beat(beat, missing: missing)
        if let next = result.missing { beats.withLock { $0[beat.runner]?.missing = next } }
        return result.reply
    }
}

/// Runners, over the bus.
struct BusRunnerCalls: RunnerCalls {
    let bus: BusConnection
    /// How long one question waits for its answer.
    var patience = Duration.seconds(5)

    func start(_ request: StartPod, on runner: String) async throws(ErrorBody) -> Started {
        try await bus.ask(Subjects.runner(runner, request.resumedFrom == nil ? "start" : "resume"), request, timeout: patience)
    }

    func stop(_ request: StopPod, on runner: String) async throws(ErrorBody) {
        let _: Done = try await bus.ask(Subjects.runner(runner, "stop"), request, timeout: .seconds(10))
    }
}
