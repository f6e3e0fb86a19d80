public import Bus
public import Contract
public import Logging
internal import Synchronization

/// For whom each pod waits at this moment, kept in memory.
public final class OpenWaits: Sendable {
    private struct Fields {
        /// Open waits by their waiter.
        var waits: [PodID: [String: Wait]] = [:]
        var seq: UInt64 = 0
        var isKnown = false

        /// - Returns: whose waits changed.
        mutating func apply(_ event: WaitEvent) -> PodID? {
            guard event.seq > seq, let waiter = event.wait.waiter.pod else { return nil }
            seq = event.seq
            let old = waits[waiter]?[event.wait.id]
            waits[waiter, default: [:]][event.wait.id] = event.wait.isOpen ? event.wait : nil
            if waits[waiter]?.isEmpty == true { waits[waiter] = nil }
            return old == event.wait ? nil : waiter
        }
    }

    private let fields: Shared<Fields>
    private let follower: SnapshotFollower<WaitEvent>

    /// Begins to follow.
    /// - Parameter changed: is told, on the bus's threads, of the pods whose waits are others than before; nil: of every pod, when they become known.
    public init(bus: BusConnection, logger: Logger, changed: @escaping @Sendable (Set<PodID>?) -> Void) throws(BusError) {
        let fields = Shared(Fields())
        self.fields = fields
        follower = try SnapshotFollower(
            bus: bus, logger: logger, subject: "event.wait.>",
            .init(
                begin: { snapshot, early in
                    var known = Fields(seq: snapshot.seq, isKnown: true)
                    for wait in snapshot.waits where wait.isOpen {
                        if let waiter = wait.waiter.pod { known.waits[waiter, default: [:]][wait.id] = wait }
                    }
                    for event in early { _ = known.apply(event) }
                    let pods = fields.value.withLock { [known] fields in
                        let pods = Set(fields.waits.keys).union(known.waits.keys).filter { fields.waits[$0] != known.waits[$0] }
                        let isFirst = !fields.isKnown
                        fields = known
                        return isFirst ? nil : pods
                    }
                    // The first snapshot concerns every pod: that one has no wait may be news as well.
                    changed(pods)
                },
                learn: { event in
                    if let pod = fields.value.withLock({ $0.apply(event) }) { changed([pod]) }
                },
                // A wait goes on without the bus.
                lose: {}))
    }

    public func stop() { follower.stop() }

    /// A pod's own waits that have not ended, oldest first; nil while nobody has said what waits there are.
    public func waits(of pod: PodID) -> [Wait]? {
        fields.value.withLock { fields in
            fields.isKnown ? fields.waits[pod]?.values.sorted { ($0.created, $0.id) < ($1.created, $1.id) } ?? [] : nil
        }
    }
}

/// A value under a lock that closures can hold before their owner is made.
final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }
}
