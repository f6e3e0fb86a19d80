public import Bus
public import Contract
internal import Synchronization

/// Announces this instance each second, listens to the others and says which shards are ours.
///
/// Two instances may own a shard for a moment at a handover, so what owners do must be idempotent.
public final class ShardOwnership: Sendable {
    private let connection: BusConnection
    private let service: String
    private let instance: String
    private let onChange: @Sendable (Membership.Change) -> Void
    private let membership: Mutex<Membership>
    /// Held while a change is told, so that changes are told in order.
    private let telling = Mutex(())
    private let subscriptions = Mutex<[BusSubscription]>([])
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// Asks who lives, waits 50 ms for answers, then takes its shards and calls `onChange` with them.
    /// - Parameters:
    ///   - beat: how often this instance says that it lives; the same in all instances of a service.
    ///   - onChange: called in order, never twice at once; must not wait long.
    public static func start(
        _ connection: BusConnection, service: String, instance: String, every beat: Duration = Membership.beat,
        onChange: @escaping @Sendable (Membership.Change) -> Void
    ) async throws(BusError) -> ShardOwnership {
        let ownership = ShardOwnership(connection, service, instance, beat, onChange)
        try ownership.listen()
        ownership.announce(.joining)
        try connection.publish(Subjects.aliveQuery(service: service), payload: [] as [UInt8])
        try? await Task.sleep(for: .milliseconds(50))
        ownership.apply { $0.begin() }
        ownership.announce(.serving)
        let task = Task { [weak ownership] in
            while !Task.isCancelled {
                try? await Task.sleep(for: beat)
                guard let ownership, !Task.isCancelled else { return }
                ownership.announce(.serving)
                // Without a bus nobody is heard, and that says nothing about who lives.
                if ownership.connection.isConnected { ownership.apply { $0.tick(.now) } }
            }
        }
        ownership.task.withLock { $0 = task }
        return ownership
    }

    private init(
        _ connection: BusConnection, _ service: String, _ instance: String, _ beat: Duration, _ onChange: @escaping @Sendable (Membership.Change) -> Void
    ) {
        self.connection = connection
        self.service = service
        self.instance = instance
        self.onChange = onChange
        self.membership = Mutex(Membership(instance: instance, beat: beat))
    }

    /// The shards that are ours now.
    public var owned: Set<Shard> { membership.withLock { $0.owned } }

    public func owns(_ shard: Shard) -> Bool { membership.withLock { $0.owned.contains(shard) } }

    /// Living instances, ourselves included.
    public var members: Set<String> { membership.withLock { $0.members } }

    /// Gives all shards away and tells the others, who take them at once.
    public func leave() async {
        task.withLock { $0.take() }?.cancel()
        apply { $0.leave() }
        announce(.leaving)
        for subscription in subscriptions.withLock({ $0 }) { subscription.unsubscribe() }
        try? await connection.flush(timeout: .seconds(1))
    }

    /// Falls silent without a word, as a process does that is killed.
    public func abandon() {
        task.withLock { $0.take() }?.cancel()
        for subscription in subscriptions.withLock({ $0 }) { subscription.unsubscribe() }
    }

    private func listen() throws(BusError) {
        let alive = try connection.subscribe(Subjects.allAlive(service: service)) { [weak self] message in
            // A garbled announcement is nobody's.
            guard let self, let heard = try? JSON.decode(Membership.Alive.self, from: message.payload), heard.service == self.service else {
                return
            }
            self.apply { $0.heard(heard, at: .now) }
        }
        let query = try connection.subscribe(Subjects.aliveQuery(service: service)) { [weak self] _ in
            guard let self, self.membership.withLock({ $0.isServing }) else { return }
            self.announce(.serving)
        }
        subscriptions.withLock { $0 = [alive, query] }
    }

    private func apply(_ step: @Sendable (inout Membership) -> Membership.Change) {
        telling.withLock { _ in
            let change = membership.withLock { step(&$0) }
            if !change.isEmpty { onChange(change) }
        }
    }

    private func announce(_ state: Membership.Alive.State) {
        let alive = Membership.Alive(service: service, instance: instance, state: state, time: .now())
        guard connection.isConnected, let payload = try? JSON.encode(alive) else { return }
        // The next announcement comes within a second.
        try? connection.publish(Subjects.alive(service: service, instance: instance), payload: payload)
    }
}
