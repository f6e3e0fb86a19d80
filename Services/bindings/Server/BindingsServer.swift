public import Bus
internal import Contract
public import Database
public import Logging
internal import Outbox
public import Redaction
internal import RegistryClient
internal import RelayClient

/// The bindings service in one piece: what `Main.swift` and tests start. Any number of instances share the work.
public final class BindingsServer: Sendable {
    private let endpoints: BindingsEndpoints
    private let followers: Followers
    private let sender: EventSender
    private let mail: Deliverer
    private let texts: TextWatcher
    private let notifier: Notifier
    private let watch: Task<Void, Never>
    private let micro: Microservice?

    /// `svc.bindings.<instance>.alive`
    private struct Alive: Encodable {
        var service = "bindings"
        var instance: String
        var state = "serving"
        var time: Timestamp
    }

    /// Brings the schema up to date, makes the streams that are missing, and answers.
    /// - Parameters:
    ///   - sweep: how often deadlines are looked at; by five times that, open records are compared with the registry.
    ///   - lease: how long an instance that died holds up what it was delivering.
    ///   - link: where people open the web app, for links in posts.
    ///   - redactor: what is hidden in posts.
    ///   - micro: counts the requests for the NATS services protocol.
    /// - Throws: when the database or the bus cannot be used.
    public static func start(
        bus: BusConnection, pool: DatabasePool, logger: Logger, instance: String = "bindings", sweep: Duration = .seconds(1),
        lease: Duration = .seconds(15), link: String? = nil, redactor: Redactor = .standard, micro: Microservice? = nil
    ) async throws -> BindingsServer {
        let store = BindingsStore(pool: pool)
        try await store.migrate()
        try await JetStream(bus).ensureStreams()
        let relay = RelayClient(bus: bus)
        var service = BindingsService(
            store: store, pods: RegistryKnowledge(registry: RegistryClient(bus: bus)), board: StatusBoard(), relay: relay)
        let notifier = try Notifier(store: store, bus: bus, link: link, redactor: redactor, logger: logger)
        let sender = EventSender(pool: pool, schema: BindingsStore.schema, bus: bus, logger: logger)
        // Another start of the same instance is another holder: what the one before still hears of is not this one's.
        try await store.reclaim(from: instance)
        let holder = instance + "-" + PodID.random().text
        let mail = Deliverer(service: service, relay: relay, sender: sender, holder: holder, lease: lease, logger: logger)
        let texts = TextWatcher(bus: bus, relay: relay, store: store, sender: sender, instance: instance, logger: logger)
        service.mail = mail
        service.texts = texts
        let followers = Followers(service: service, sender: sender, logger: logger)
        let endpoints = BindingsEndpoints(service: service, sender: sender)
        try await followers.open(on: bus)
        try endpoints.open(on: bus, counting: micro)
        await sender.wake()
        return BindingsServer(
            endpoints, followers, sender, mail, texts, notifier,
            watch: watch(service, bus, sender, logger, instance, sweep), micro)
    }

    private init(
        _ endpoints: BindingsEndpoints, _ followers: Followers, _ sender: EventSender, _ mail: Deliverer, _ texts: TextWatcher, _ notifier: Notifier,
        watch: Task<Void, Never>, _ micro: Microservice?
    ) {
        self.mail = mail
        self.texts = texts
        self.endpoints = endpoints
        self.followers = followers
        self.sender = sender
        self.notifier = notifier
        self.watch = watch
        self.micro = micro
    }

    /// Stops answering, keeps what is at hand, leaves the rest to whoever starts next.
    public func stop() async {
        watch.cancel()
        notifier.stop()
        endpoints.close()
        texts.stop()
        await mail.stop()
        await followers.close()
        await sender.stop()
    }

    /// Deadlines, and what was missed.
    private static func watch(
        _ service: BindingsService, _ bus: BusConnection, _ sender: EventSender, _ logger: Logger, _ instance: String, _ sweep: Duration
    ) -> Task<Void, Never> {
        Task {
            var round = 0
            var wasStandstill = false
            var seen = -1
            var next: Timestamp?
            var isDue = false, isMailWaiting = false
            while !Task.isCancelled {
                if round % 5 == 0, bus.isConnected, let payload = try? JSON.encode(Alive(instance: instance, time: .now())) {
                    try? bus.publish(Subjects.alive(service: "bindings", instance: instance), payload: payload)
                }
                do {
                    // Nothing changed here, nothing is due: another instance's changes are looked for with everything else.
                    let changes = service.store.changes.value
                    if changes != seen || isMailWaiting || round % 5 == 0 || next.map({ $0 <= .now() }) == true {
                        let due = try await service.store.due(.now())
                        (seen, next, isMailWaiting, isDue) = (changes, due.next, due.mail, due.records)
                    }
                    var isChanged = isDue
                    if isDue { try await service.tick() }
                    isDue = false
                    if round % 5 == 0, bus.isConnected {
                        try await service.reconcile(&wasStandstill)
                        await service.texts?.look()
                        isChanged = true
                    }
                    if isMailWaiting { await service.mail?.look() }
                    // Also sends what another instance left when it ended.
                    if isChanged { await sender.wake() }
                } catch {
                    logger.info("deadlines and missed messages wait", metadata: ["reason": "\(error)"])
                }
                round += 1
                try? await Task.sleep(for: sweep)
            }
        }
    }
}
