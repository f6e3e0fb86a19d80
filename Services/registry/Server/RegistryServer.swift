public import Bus
public import BusRights
internal import Contract
public import Database
public import Logging
internal import Outbox

/// The registry in one piece: what `Main.swift` and tests start.
public final class RegistryServer: Sendable {
    private let endpoints: RegistryEndpoints
    private let followers: Followers
    private let audit: AuditFollower
    private let sender: EventSender
    private let watch: Task<Void, Never>
    private let micro: Microservice?

    /// Beats come every three seconds; a runner is offline when three are missing, and one that is late is not.
    public static let offlineAfter = Duration.seconds(10)

    /// `svc.registry.<instance>.alive`
    private struct Alive: Encodable {
        var service = "registry"
        var instance: String
        var state = "serving"
        var time: Timestamp
    }

    /// Brings the schema up to date, makes the streams that are missing, and answers.
    /// - Parameters:
    ///   - offlineAfter: how long a runner may say nothing before it counts as offline.
    ///   - micro: counts the requests for the NATS services protocol.
    ///   - signer: signs the bus credentials of pods.
    /// - Throws: when the database or the bus cannot be used.
    public static func start(
        bus: BusConnection, pool: DatabasePool, logger: Logger, instance: String = "registry", offlineAfter: Duration = RegistryServer.offlineAfter, micro: Microservice? = nil,
        signer: ShimSigner? = nil
    ) async throws -> RegistryServer {
        let store = RegistryStore(pool: pool)
        try await store.migrate()
        try await JetStream(bus).ensureStreams()
        let sender = EventSender(pool: pool, schema: "registry", bus: bus, logger: logger)
        let service = RegistryService(store: store, runners: BusRunnerCalls(bus: bus), signer: signer)
        let followers = Followers(service: service, sender: sender, logger: logger)
        let endpoints = RegistryEndpoints(service: service, sender: sender)
        let audit = AuditFollower(store: store, logger: logger)
        try await followers.open(on: bus)
        try await audit.open(on: bus)
        try endpoints.open(on: bus, counting: micro)
        await sender.wake()
        return RegistryServer(endpoints, followers, audit, sender, watch: watch(store, bus, sender, logger, instance, offlineAfter), micro)
    }

    private init(
        _ endpoints: RegistryEndpoints, _ followers: Followers, _ audit: AuditFollower, _ sender: EventSender, watch: Task<Void, Never>,
        _ micro: Microservice?
    ) {
        self.endpoints = endpoints
        self.followers = followers
        self.audit = audit
        self.sender = sender
        self.watch = watch
        self.micro = micro
    }

    /// Stops answering, keeps what is at hand, leaves the rest to whoever starts next.
    public func stop() async {
        watch.cancel()
        endpoints.close()
        await followers.close()
        await audit.close()
        await sender.stop()
    }

    /// Marks runners whose beats are missing. After a time in which beats could not reach us, runners first get the chance to beat.
    private static func watch(
        _ store: RegistryStore, _ bus: BusConnection, _ sender: EventSender, _ logger: Logger, _ instance: String, _ offlineAfter: Duration
    ) -> Task<Void, Never> {
        Task {
            let grace = offlineAfter + .seconds(1)
            var from = ContinuousClock.now + grace
            var round = 0
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(3))
                round += 1
                // While the bus is away nobody could hear it.
                if round % 2 == 0, bus.isConnected, let payload = try? JSON.encode(Alive(instance: instance, time: .now())) {
                    try? bus.publish(Subjects.alive(service: "registry", instance: instance), payload: payload)
                }
                if !bus.isConnected { from = .now + grace }
                guard ContinuousClock.now >= from else { continue }
                do {
                    let names = try await store.markOffline(now: .now(), after: offlineAfter)
                    if !names.isEmpty {
                        logger.warning("runners are offline", metadata: ["runners": "\(names.joined(separator: ", "))"])
                        await sender.wake()
                    }
                } catch {
                    from = .now + grace
                }
            }
        }
    }
}
