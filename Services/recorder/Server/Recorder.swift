internal import BindingsClient
public import Bus
internal import Contract
internal import Database
public import Logging
public import Redaction
internal import Sharding
internal import Synchronization

/// The recorder as one thing: what Main and the tests start and stop.
public final class Recorder: Sendable {
    /// How a recorder is set up.
    public struct Options: Sendable {
        public var databaseURL: String
        public var instance: String
        /// Segments older than this are removed; nil keeps them.
        public var retentionAge: Duration?
        /// The most that segments may take; nil for no bound.
        public var retentionBytes: Int64?
        /// How long the newest frames may be in memory only.
        public var tailAge: Duration
        /// How long frames that are missing in the stream are waited for.
        public var patience: Duration
        /// Bytes of frames in memory at which it stops taking more until some are stored.
        public var memoryBytes: Int
        /// What is hidden from searches of those who may not see secrets.
        public var redactor = Redactor.standard

        public init(
            databaseURL: String, instance: String, retentionAge: Duration? = nil, retentionBytes: Int64? = nil,
            tailAge: Duration = .seconds(5), patience: Duration = .seconds(10), memoryBytes: Int = 96 << 20
        ) {
            self.databaseURL = databaseURL
            self.instance = instance
            self.retentionAge = retentionAge
            self.retentionBytes = retentionBytes
            self.tailAge = tailAge
            self.patience = patience
            self.memoryBytes = memoryBytes
        }
    }

    private let bus: BusConnection
    private let pool: DatabasePool
    private let service: RecorderService
    private let feed: StreamFeed
    private let logger: Logger
    private let running = Mutex<(task: Task<Void, Never>?, ownership: ShardOwnership?, subscriptions: [BusSubscription])>((nil, nil, []))

    /// Waits until the database answers and is of a version it knows, then takes its shards and begins to record and answer.
    /// - Parameters:
    ///   - bus: for requests, sent at once. - bulk: for frames.
    public static func start(
        _ options: Options, bus: BusConnection, bulk: BusConnection, micro: Microservice, logger: Logger
    ) async throws -> Recorder {
        let recorder = Recorder(options, bus: bus, bulk: bulk, logger: logger)
        try await recorder.pool.waitUntilReachable(timeout: .seconds(30))
        try await recorder.service.store.migrate()
        try await JetStream(bus).ensureStreams()
        try await recorder.begin(options, micro)
        return recorder
    }

    private init(_ options: Options, bus: BusConnection, bulk: BusConnection, logger: Logger) {
        self.bus = bus
        self.logger = logger
        pool = DatabasePool(
            DatabaseConfiguration(address: options.databaseURL, connections: 4, applicationName: "switchback-recorder"), logger: logger)
        let feed = StreamFeed(bus: bulk, logger: logger)
        self.feed = feed
        var settings = RecorderService.Settings()
        settings.retention = RetentionPolicy(age: options.retentionAge, bytes: options.retentionBytes)
        settings.tailAge = options.tailAge
        settings.limits.patience = options.patience
        settings.memoryBytes = options.memoryBytes
        settings.redactor = options.redactor
        let instance = options.instance
        service = RecorderService(
            store: RecorderStore(pool: pool), settings: settings,
            outlets: RecorderOutlets(
                complete: { pod in
                    let event = RecordingComplete(pod: pod, time: .now())
                    // Acknowledged by the stream: the registry must hear of it, once.
                    let answer = try await bus.request(
                        event.subject, payload: try JSON.encode(event), headers: [(Headers.messageID, "recording.\(pod).complete")])
                    if let error = Reply.error(in: answer.payload) { throw error }
                },
                alarm: { what, message, isActive in
                    let alarm = Alarm(time: .now(), service: "recorder", instance: instance, what: what, message: message, active: isActive)
                    do {
                        try bus.publish(alarm.subject, payload: try JSON.encode(alarm))
                    } catch {
                        logger.error("an alarm could not be sent", metadata: ["alarm": "\(message)", "reason": "\(error)"])
                    }
                },
                pause: { feed.pause($0) }, resume: { feed.resume($0) }, reopen: { feed.reopen($0) }),
            logger: logger)
    }

    private func begin(_ options: Options, _ micro: Microservice) async throws {
        feed.start(service)
        let endpoints = RecorderEndpoints(
            service: service, bus: bus, micro: micro,
            isOurs: { [weak self] shard in
                guard let self else { return false }
                return self.running.withLock { $0.ownership }?.owns(shard) ?? true
            }, grants: try BindingGrants(bus: bus, logger: logger))
        let subscriptions = try endpoints.serve()
        let feed = feed
        let ownership = try await ShardOwnership.start(bus, service: "recorder", instance: options.instance) { change in
            for shard in change.lost { feed.lose(shard) }
            for shard in change.gained { feed.gain(shard) }
        }
        let service = service
        let task = Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await service.run() }
                group.addTask {
                    var isNear = false
                    while !Task.isCancelled {
                        feed.measure()
                        try? await feed.compareStreams()
                        // While the bus is away nothing can be asked, and nothing is dropped.
                        let risk = try? await feed.risk()
                        if let now = risk.map({ $0.isNear }) ?? (isNear ? false : nil), now != isNear {
                            isNear = now
                            service.alarm("lag", now ? "the stream is more than half full of frames that are not recorded yet" : "recording has caught up", now)
                        }
                        try? await Task.sleep(for: .seconds(5))
                    }
                }
            }
        }
        running.withLock { $0 = (task, ownership, subscriptions) }
    }

    /// Nil when it can record and answer, else what is wrong.
    public var problem: String? {
        if let trouble = service.trouble { return "nothing can be stored; the stream holds what comes: \(trouble)" }
        if running.withLock({ $0.ownership })?.owned.isEmpty ?? true { return "no shard is ours yet" }
        return nil
    }

    /// Stops at once and stores nothing more, as a kill does: what was not stored is in the stream.
    public func abandon() async {
        pool.close()
        let (task, ownership, subscriptions) = running.withLock { $0 }
        for subscription in subscriptions { subscription.unsubscribe() }
        task?.cancel()
        await feed.abandon()
        await ownership?.leave()
    }

    /// Stores what is in memory and stops. What cannot be stored stays in the stream for the next recorder.
    public func stop() async {
        let (task, ownership, subscriptions) = running.withLock { $0 }
        await feed.stop()
        await ownership?.leave()
        for subscription in subscriptions { subscription.unsubscribe() }
        task?.cancel()
        await task?.value
        pool.close()
    }
}
