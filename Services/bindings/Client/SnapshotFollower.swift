internal import Bus
internal import Contract
internal import Logging
internal import Synchronization

/// Follows what the bindings service keeps: a snapshot, then the events since, without a gap between the two. After the bus was away it
/// takes a new snapshot.
///
/// The closures are called one at a time, on the bus's threads or a task's; they must not come back here.
final class SnapshotFollower<Event: Decodable & Sendable>: Sendable {
    struct Closures: Sendable {
        /// All that holds now, and the events that came while it was asked for.
        var begin: @Sendable (BindingSnapshot, [Event]) -> Void
        var learn: @Sendable (Event) -> Void
        /// What holds is not known any more.
        var lose: @Sendable () -> Void
    }

    private struct Fields {
        /// Events that came while a snapshot was asked for.
        var early: [Event] = []
        var isStopped = false
    }

    private let bus: BusConnection
    private let logger: Logger
    private let closures: Closures
    private let fields = Mutex(Fields())
    private let subscription = Mutex<BusSubscription?>(nil)
    private let wishes: AsyncStream<Void>
    private let wanted: AsyncStream<Void>.Continuation

    /// Whatever was missed is made up for within this time.
    private static var refreshTime: Duration { .seconds(20) }
    private static var mostEarly: Int { 10_000 }

    /// Begins to follow `subject`.
    init(bus: BusConnection, logger: Logger, subject: String, _ closures: Closures) throws(BusError) {
        self.bus = bus
        self.logger = logger
        self.closures = closures
        (wishes, wanted) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let following = try bus.subscribe(subject) { [weak self] message in
            if let event = try? JSON.decode(Event.self, from: message.payload) { self?.learn(event) }
        }
        subscription.withLock { $0 = following }
        bus.onStateChange { [weak self] state in
            if state == .disconnected { self?.fields.withLock { _ in self?.closures.lose() } }
        }
        bus.onLoss { [weak self] _ in self?.wanted.yield() }
        wanted.yield()
        Task { [weak self] in
            guard let wishes = self?.wishes else { return }
            for await _ in wishes { await self?.load() }
        }
        Task { [weak self] in
            while (try? await Task.sleep(for: Self.refreshTime)) != nil {
                guard let self, !self.fields.withLock({ $0.isStopped }) else { return }
                self.wanted.yield()
            }
        }
    }

    func stop() {
        fields.withLock { $0.isStopped = true }
        wanted.finish()
        subscription.withLock { $0.take() }?.unsubscribe()
    }

    private func learn(_ event: Event) {
        fields.withLock { fields in
            fields.early.append(event)
            if fields.early.count > Self.mostEarly { fields.early.removeFirst(Self.mostEarly / 2) }
            closures.learn(event)
        }
    }

    private func load() async {
        var pause = Duration.milliseconds(100)
        while !fields.withLock({ $0.isStopped }) {
            fields.withLock { $0.early = [] }
            do throws(ErrorBody) {
                let snapshot = try await BindingsClient(bus: bus).snapshot()
                return fields.withLock { closures.begin(snapshot, $0.early) }
            } catch {
                logger.debug("the bindings service does not answer yet", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }
}
