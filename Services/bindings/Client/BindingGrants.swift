public import Bus
public import Contract
public import Logging
internal import Synchronization

/// What bindings grant at this moment, kept in memory: a snapshot and the events since. While it is not known what holds (before the
/// first snapshot, without the bus), no pod may do anything to another.
public final class BindingGrants: Sendable {
    private struct Pair: Hashable {
        var from: PodID
        var to: PodID
    }

    private struct Fields {
        /// Active bindings.
        var active: [Pair: Binding] = [:]
        /// The last change that is in `active`, by binding.
        var changed: [String: UInt64] = [:]
        var seq: UInt64 = 0
        var isKnown = false
        /// Events that came while a snapshot was asked for.
        var early: [BindingEvent] = []
        var isStopped = false
    }

    private let bus: BusConnection
    private let logger: Logger
    private let fields = Mutex(Fields())
    private let subscription = Mutex<BusSubscription?>(nil)
    private let wishes: AsyncStream<Void>
    private let wanted: AsyncStream<Void>.Continuation

    /// Begins to follow.
    public init(bus: BusConnection, logger: Logger) throws(BusError) {
        self.bus = bus
        self.logger = logger
        (wishes, wanted) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let following = try bus.subscribe("event.binding.>") { [weak self] message in
            if let event = try? JSON.decode(BindingEvent.self, from: message.payload) { self?.learn(event) }
        }
        subscription.withLock { $0 = following }
        bus.onStateChange { [weak self] state in
            switch state {
            case .disconnected: self?.fields.withLock { $0.isKnown = false }
            case .reconnected, .slowConsumer: self?.wanted.yield()
            default: break
            }
        }
        wanted.yield()
        Task { [weak self] in
            guard let wishes = self?.wishes else { return }
            for await _ in wishes { await self?.load() }
        }
        Task { [weak self] in
            // Whatever was missed is made up for within this time.
            while (try? await Task.sleep(for: .seconds(20))) != nil {
                guard let self, !self.fields.withLock({ $0.isStopped }) else { return }
                self.wanted.yield()
            }
        }
    }

    public func stop() {
        fields.withLock { $0.isStopped = true }
        wanted.finish()
        subscription.withLock { $0.take() }?.unsubscribe()
    }

    /// Whether `author` may do this to the pod's terminal, as far as bindings go: a pod to itself everything, to another what an active
    /// binding grants. Of people nothing is said here; their role decides.
    public func allows(_ author: Author, _ scope: Scope, on pod: PodID) -> Bool {
        guard author.kind == .pod else { return true }
        if author.id == pod.text { return true }
        guard let from = PodID(author.id) else { return false }
        return fields.withLock { fields in
            guard fields.isKnown, let binding = fields.active[Pair(from: from, to: pod)] else { return false }
            return binding.grants(scope)
        }
    }

    /// As ``allows(_:_:on:)``, for requests over the bus that name their asker in ``Headers/author``. A request without one comes from a
    /// service of ours.
    /// - Throws: `denied`.
    public func require(_ author: Author?, _ scope: Scope, on pod: PodID) throws(ErrorBody) {
        guard let author, !allows(author, scope, on: pod) else { return }
        throw Self.refusal(author, scope, on: pod)
    }

    public static func refusal(_ author: Author, _ scope: Scope, on pod: PodID) -> ErrorBody {
        ErrorBody(
            .denied,
            "\(author) has no binding that grants \(scope.rawValue) on \(pod); ask for one: switchback bind request --to \(pod) --scope \(scope.rawValue)")
    }

    // MARK: - Following

    private func learn(_ event: BindingEvent) {
        fields.withLock { fields in
            fields.early.append(event)
            if fields.early.count > 10_000 { fields.early.removeFirst(5000) }
            Self.apply(event, &fields)
        }
    }

    private static func apply(_ event: BindingEvent, _ fields: inout Fields) {
        guard event.seq > fields.seq, event.seq > fields.changed[event.binding.id] ?? 0 else { return }
        fields.changed[event.binding.id] = event.seq
        let pair = Pair(from: event.binding.from, to: event.binding.to)
        if event.binding.state == .active {
            fields.active[pair] = event.binding
        } else if fields.active[pair]?.id == event.binding.id {
            fields.active[pair] = nil
        }
    }

    private func load() async {
        var pause = Duration.milliseconds(100)
        while !fields.withLock({ $0.isStopped }) {
            fields.withLock { $0.early = [] }
            do throws(ErrorBody) {
                let snapshot = try await BindingsClient(bus: bus).snapshot()
                return fields.withLock { fields in
                    let early = fields.early
                    fields = Fields(seq: snapshot.seq, isKnown: true, isStopped: fields.isStopped)
                    for binding in snapshot.bindings where binding.state == .active {
                        fields.active[Pair(from: binding.from, to: binding.to)] = binding
                    }
                    for event in early { Self.apply(event, &fields) }
                }
            } catch {
                logger.debug("bindings are not known yet; pods may do nothing to others", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }
}
