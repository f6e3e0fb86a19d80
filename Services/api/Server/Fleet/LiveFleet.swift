internal import BindingsClient
internal import BindingsCore
internal import Bus
internal import Contract
internal import Logging
internal import RegistryClient
internal import Synchronization

/// Pods, statuses, bindings and waits as they are now: a snapshot of each service and the events since, so that a question costs no request.
final class LiveFleet: Sendable {
    private enum Fact: Sendable {
        case pod(Pod)
        case status(PodID, PodStatus)
        case binding(BindingEvent)
        case wait(WaitEvent)
        case channel(ChannelEvent)
    }

    private struct Fields {
        var fleet: Fleet?
        /// What came since the load that is under way began.
        var early: [Fact]?
        var version = 0
        /// The topology after its time, as JSON, at a version.
        var encoded: (version: Int, rest: [UInt8])?
        var encoder = TopologyEncoder()
        var isStale = true
    }

    private let bus: BusConnection
    private let registry: RegistryClient
    private let bindings: BindingsClient
    private let logger: Logger
    private let fields = Mutex(Fields())
    private let wanted: AsyncStream<Void>.Continuation
    private let wishes: AsyncStream<Void>

    init(bus: BusConnection, logger: Logger) {
        self.bus = bus
        self.logger = logger
        registry = RegistryClient(bus: bus)
        bindings = BindingsClient(bus: bus)
        (wishes, wanted) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Follows until the task ends.
    func run() async {
        var subscriptions: [BusSubscription] = []
        do throws(BusError) {
            // One subscription for all events: only that keeps their order.
            subscriptions.append(
                try bus.subscribe(Subjects.allEvents) { [weak self] message in
                    if let fact = Self.fact(message) { self?.learn(fact) } else if message.subject.hasPrefix("event.runner.") { self?.reload() }
                })
            subscriptions.append(
                try bus.subscribe(Subjects.allStatus) { [weak self] message in
                    guard let pod = PodID(message.subject.dropFirst("status.".count)),
                        let status = try? JSON.decode(PodStatus.self, from: message.payload)
                    else { return }
                    self?.learn(.status(pod, status))
                })
        } catch {
            logger.error("events cannot be followed", metadata: ["reason": "\(error)"])
        }
        bus.onLoss { [weak self] _ in self?.reload() }
        reload()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.loadOnWish() }
            group.addTask {
                // Whatever was missed is made up for within this time.
                while (try? await Task.sleep(for: .seconds(30))) != nil { self.reload() }
                self.wanted.finish()
            }
        }
        for subscription in subscriptions { subscription.unsubscribe() }
    }

    private func reload() { wanted.yield() }

    private func loadOnWish() async {
        for await _ in wishes {
            var pause = Duration.milliseconds(50)
            while !Task.isCancelled {
                do throws(ErrorBody) {
                    try await load()
                    break
                } catch {
                    fields.withLock { $0.early = nil }
                    logger.info("the fleet cannot be read yet", metadata: ["reason": "\(error)"])
                    try? await Task.sleep(for: pause)
                    pause = min(pause * 2, .seconds(2))
                }
            }
        }
    }

    private func load() async throws(ErrorBody) {
        fields.withLock { $0.early = [] }
        let snapshot = try await bindings.snapshot()
        let fleet = Fleet(pods: try await Self.pods(registry, at: nil), snapshot: snapshot, runners: try await registry.runners())
        fields.withLock { fields in
            var fleet = fleet
            for fact in fields.early ?? [] { _ = Self.apply(fact, &fleet) }
            // What was heard of statuses before stays where the registry is not yet as far.
            for pod in fields.fleet?.pods.values.filter({ $0.status != nil }) ?? [] {
                if let status = pod.status { fleet.learn(status, of: pod.pod) }
            }
            fields.early = nil
            fields.fleet = fleet
            fields.version += 1
        }
    }

    private static func pods(_ registry: RegistryClient, at: Timestamp?) async throws(ErrorBody) -> [Pod] {
        var pods: [Pod] = []
        var cursor: String?
        repeat {
            let page = try await registry.list(ListPods(at: at, live: true, limit: 1000, cursor: cursor))
            pods += page.pods
            cursor = page.next
        } while cursor != nil
        return pods
    }

    // MARK: - Learning

    private static func fact(_ message: BusMessage) -> Fact? {
        let tokens = message.subject.split(separator: ".", maxSplits: 2)
        guard tokens.count == 3 else { return nil }
        switch tokens[1] {
        case "pod": return (try? JSON.decode(PodEvent.self, from: message.payload)).map { .pod($0.pod) }
        case "binding": return (try? JSON.decode(BindingEvent.self, from: message.payload)).map { .binding($0) }
        case "channel": return (try? JSON.decode(ChannelEvent.self, from: message.payload)).map { .channel($0) }
        case "wait": return (try? JSON.decode(WaitEvent.self, from: message.payload)).map { .wait($0) }
        default: return nil
        }
    }

    private func learn(_ fact: Fact) {
        fields.withLock { fields in
            fields.early?.append(fact)
            guard fields.fleet != nil, var fleet = fields.fleet.take() else { return }
            if Self.apply(fact, &fleet) { fields.version += 1 }
            fields.fleet = fleet
        }
    }

    private static func apply(_ fact: Fact, _ fleet: inout Fleet) -> Bool {
        switch fact {
        case .pod(let pod): fleet.learn(pod)
        case .status(let pod, let status): return fleet.learn(status, of: pod)
        case .binding(let event): fleet.learn(event)
        case .wait(let event): fleet.learn(event)
        case .channel(let event): fleet.learn(event)
        }
        return true
    }

    // MARK: - Asking

    /// The topology now as JSON, or as it was at a time.
    /// - Throws: `unavailable` when the services cannot be asked.
    func topology(at: Timestamp?) async throws -> [UInt8] {
        if let at {
            // Three requests, however large the fleet was (one more for each thousand pods).
            var fleet = Fleet(
                pods: try await Self.pods(registry, at: at), snapshot: try await bindings.snapshot(at: at), runners: try await registry.runners())
            var encoder = TopologyEncoder()
            return try encoder.encode(fleet.topology(at: at))
        }
        for _ in 0..<100 where fields.withLock({ $0.fleet == nil }) { try await Task.sleep(for: .milliseconds(20)) }
        let now = Timestamp.now()
        let prefix = Array("{\"at\":\"\(now)\"".utf8)
        return try fields.withLock { fields in
            if let encoded = fields.encoded, encoded.version == fields.version { return prefix + encoded.rest }
            guard fields.fleet != nil, var fleet = fields.fleet.take() else {
                throw ErrorBody(.unavailable, "the registry or the bindings service does not answer")
            }
            defer { fields.fleet = fleet }
            // Keys are sorted, so the time comes first.
            let rest = Array(try fields.encoder.encode(fleet.topology(at: now)).dropFirst(prefix.count))
            fields.encoded = (fields.version, rest)
            return prefix + rest
        }
    }

    /// What of the list blocks most comes first, with the numbers filled in.
    func weighed(_ items: [Attention]) -> [Attention] {
        fields.withLock { fields in
            guard fields.fleet != nil, var fleet = fields.fleet.take() else { return items }
            defer { fields.fleet = fleet }
            return items.map { item in
                var item = item
                if let pod = item.pod ?? item.path?.first {
                    let weight = fleet.weight(of: pod)
                    item.frees = item.kind == .cycle ? weight.blocks : weight.frees
                    item.blocks = weight.blocks
                }
                return item
            }.sorted { ($1.frees ?? 0, $0.opened, $0.id) < ($0.frees ?? 0, $1.opened, $1.id) }
        }
    }

    /// Whether every agent rests although somebody waits.
    var isStandstill: Bool { fields.withLock { $0.fleet?.isStandstill ?? false } }
}
