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

        mutating func apply(_ event: BindingEvent) {
            guard event.seq > seq, event.seq > changed[event.binding.id] ?? 0 else { return }
            changed[event.binding.id] = event.seq
            let pair = Pair(from: event.binding.from, to: event.binding.to)
            if event.binding.state == .active {
                active[pair] = event.binding
            } else if active[pair]?.id == event.binding.id {
                active[pair] = nil
            }
        }
    }

    private let fields: Shared<Fields>
    private let follower: SnapshotFollower<BindingEvent>

    /// Begins to follow.
    public init(bus: BusConnection, logger: Logger) throws(BusError) {
        let fields = Shared(Fields())
        self.fields = fields
        follower = try SnapshotFollower(
            bus: bus, logger: logger, subject: "event.binding.>",
            .init(
                begin: { snapshot, early in
                    var known = Fields(seq: snapshot.seq, isKnown: true)
                    for binding in snapshot.bindings where binding.state == .active { known.active[Pair(from: binding.from, to: binding.to)] = binding }
                    for event in early { known.apply(event) }
                    fields.value.withLock { [known] in $0 = known }
                },
                learn: { event in fields.value.withLock { $0.apply(event) } },
                lose: { fields.value.withLock { $0.isKnown = false } }))
    }

    public func stop() { follower.stop() }

    /// Whether `author` may do this to the pod's terminal, as far as bindings go: a pod to itself everything, to another what an active
    /// binding grants. Of people nothing is said here; their role decides.
    public func allows(_ author: Author, _ scope: Scope, on pod: PodID) -> Bool {
        guard author.kind == .pod else { return true }
        if author.id == pod.text { return true }
        guard let from = PodID(author.id) else { return false }
        return fields.value.withLock { fields in
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
}
