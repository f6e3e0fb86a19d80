public import Contract

/// Which instances of a service live, and so which shards are ours. A value: time comes in, changes come out.
public struct Membership: Sendable {
    /// What one instance says on its alive subject.
    public struct Alive: Codable, Sendable, Equatable {
        public enum State: String, Codable, Sendable { case joining, serving, leaving }
        public var service: String
        public var instance: String
        public var state: State
        public var time: Timestamp

        public init(service: String, instance: String, state: State, time: Timestamp) {
            self.service = service
            self.instance = instance
            self.state = state
            self.time = time
        }
    }

    /// Shards that changed hands.
    public struct Change: Sendable, Equatable {
        public var gained: Set<Shard>
        public var lost: Set<Shard>
        public var isEmpty: Bool { gained.isEmpty && lost.isEmpty }
    }

    /// An instance that was not heard for three beats of this length is gone.
    public static let beat = Duration.seconds(1)

    private let timeout: Duration
    public let instance: String
    /// Whether we take shards: after others had a moment to answer, until we leave.
    public private(set) var isServing = false
    public private(set) var owned: Set<Shard> = []
    private var lastHeard: [String: ContinuousClock.Instant] = [:]

    /// - Parameter beat: how often an instance says that it lives.
    public init(instance: String, beat: Duration = Self.beat) {
        self.instance = instance
        timeout = beat * 3
    }

    /// All living instances, ourselves included while we serve.
    public var members: Set<String> {
        var result = Set(lastHeard.keys)
        if isServing { result.insert(instance) }
        return result
    }

    public mutating func begin() -> Change {
        isServing = true
        return recompute()
    }

    public mutating func leave() -> Change {
        isServing = false
        return recompute()
    }

    public mutating func heard(_ alive: Alive, at now: ContinuousClock.Instant) -> Change {
        guard alive.instance != instance else { return Change(gained: [], lost: []) }
        if alive.state == .leaving {
            guard lastHeard.removeValue(forKey: alive.instance) != nil else { return Change(gained: [], lost: []) }
        } else {
            guard lastHeard.updateValue(now, forKey: alive.instance) == nil else { return Change(gained: [], lost: []) }
        }
        return recompute()
    }

    /// Forgets who was silent for too long.
    public mutating func tick(_ now: ContinuousClock.Instant) -> Change {
        let before = lastHeard.count
        lastHeard = lastHeard.filter { now - $0.value <= timeout }
        return lastHeard.count == before ? Change(gained: [], lost: []) : recompute()
    }

    private mutating func recompute() -> Change {
        let now = isServing ? Rendezvous.shards(of: instance, among: members) : []
        defer { owned = now }
        return Change(gained: now.subtracting(owned), lost: owned.subtracting(now))
    }
}
