internal import Agents
public import Bus
internal import Contract
internal import FoundationEssentials
public import Logging
internal import Synchronization

/// A runner on the bus: its requests, its heartbeat, and a look around now and then.
public final class RunnerServer: Sendable {
    private let bus: BusConnection
    private let service: RunnerService
    private let name: String
    private let version: String
    private let logger: Logger
    private let subscriptions = Mutex<[BusSubscription]>([])
    private let work = Mutex<[Task<Void, Never>]>([])
    private let offset = Mutex<Int64?>(nil)
    private let directory: Mutex<DirectoryLock?>

    /// Adopts what runs, then serves. Refused where another runner has the directory.
    /// - Parameter micro: counts the requests for the NATS services protocol.
    public static func start(
        bus: BusConnection, configuration: RunnerConfiguration, agentFolders: [String], version: String, micro: Microservice? = nil, logger: Logger
    ) async throws -> RunnerServer {
        try FileManager.default.createDirectory(
            atPath: configuration.directory + "/pods", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let lock = try DirectoryLock(configuration.directory)
        guard FileManager.default.isExecutableFile(atPath: configuration.shim) else {
            throw ErrorBody(.unavailable, "the shim \(configuration.shim) is not there or cannot be executed; set SWITCHBACK_SHIM to its path")
        }
        let catalog = AgentCatalog.load(folders: agentFolders)
        for problem in catalog.problems { logger.error("left out an agent's manifest", metadata: ["problem": "\(problem)"]) }
        let service = RunnerService(configuration: configuration, catalog: catalog, calls: BusShimCalls(bus: bus, runner: configuration.name, logger: logger), logger: logger)
        await service.lookAround()
        let server = RunnerServer(bus: bus, service: service, name: configuration.name, version: version, lock: lock, logger: logger)
        try server.serve(counting: micro)
        server.beat()
        return server
    }

    private init(bus: BusConnection, service: RunnerService, name: String, version: String, lock: DirectoryLock, logger: Logger) {
        directory = Mutex(lock)
        self.bus = bus
        self.service = service
        self.name = name
        self.version = version
        self.logger = logger
    }

    private func serve(counting micro: Microservice?) throws {
        let service = service
        func answer<Question: Decodable & Sendable & SendableMetatype, Answer: Encodable & SendableMetatype>(
            _ verb: String, _ body: @escaping @Sendable (Question) async throws -> Answer
        ) throws -> BusSubscription {
            let subject = Subjects.runner(name, verb)
            let count = micro?.addEndpoint(name: verb, subject: subject, queue: "")
            return try bus.answer(subject, Question.self) { question in
                let began = ContinuousClock.now
                do {
                    let answer = try await body(question)
                    count?(.now - began, nil)
                    return answer
                } catch {
                    count?(.now - began, "\(error)")
                    throw error
                }
            }
        }
        let start: @Sendable (StartPod) async throws -> Started = { try await service.start($0) }
        let all = [
            try answer("start", start), try answer("resume", start),
            try answer("stop") { (request: StopPod) in
                try await service.stop(request)
                return Done()
            },
        ]
        subscriptions.withLock { $0 = all }
    }

    /// Every three seconds a heartbeat; each second one after a look around.
    private func beat() {
        let task = Task { [weak self] in
            var count = 0
            while !Task.isCancelled {
                guard let self else { return }
                count += 1
                if count % 2 == 0 { await self.service.lookAround() }
                await self.heartbeat()
                try? await Task.sleep(for: .seconds(3))
            }
        }
        work.withLock { $0.append(task) }
    }

    private func heartbeat() async {
        let sent = Timestamp.now()
        let beat = Heartbeat(
            runner: name, host: ProcessInfo.processInfo.hostName, version: version, sent: sent, clockOffset: offset.withLock { $0 },
            pods: await service.pods)
        do throws(ErrorBody) {
            let reply = try await bus.ask(Subjects.runnersHeartbeat, beat, timeout: .seconds(2), as: HeartbeatReply.self)
            let received = Timestamp.now()
            // The registry answered halfway between the two, as far as anybody can tell.
            let middle = sent.microseconds + (received.microseconds - sent.microseconds) / 2
            offset.withLock { $0 = middle - reply.time.microseconds }
        } catch {
            logger.debug("heartbeat not taken", metadata: ["error": "\(error)"])
        }
    }

    /// Stops serving. Pods go on.
    public func stop() async {
        for task in work.withLock({ $0 }) { task.cancel() }
        for subscription in subscriptions.withLock({ $0 }) { subscription.unsubscribe() }
        directory.withLock { $0 = nil }
    }
}

/// Shims, over the bus.
struct BusShimCalls: ShimCalls {
    let bus: BusConnection
    let runner: String
    let logger: Logger

    func stop(_ request: StopPod) async -> Bool {
        do throws(ErrorBody) {
            let _: Done = try await bus.ask(Subjects.runnerStop(runner, request.pod), request, timeout: .seconds(1))
            return true
        } catch {
            logger.warning("the shim did not hear that it is to stop", metadata: ["pod": "\(request.pod)", "error": "\(error)"])
            return false
        }
    }
}
