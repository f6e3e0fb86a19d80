internal import Bus
internal import CPty
internal import Contract
internal import Synchronization

/// What other threads hand to the shim's loop.
final class ShimInbox: Sendable {
    enum Event: Sendable {
        /// A request on `shim.<pod>.<verb>`.
        case request(verb: String, BusMessage)
        /// What the agent's hooks reported.
        case hook(HookReport)
        /// A bus connection to use from now on.
        case attached(BusConnection)
        /// The stream's newest frame of this pod, asked over that connection, and whether it is the exit.
        case resolved(newest: UInt64, isExit: Bool, BusConnection)
        /// Acks came, or the connection came back or went.
        case busMoved
    }

    private struct Fields {
        var events: [Event] = []
        var isSignalled = false
    }

    private let fields = Mutex(Fields())
    private let loop: BusLoop
    /// Readable while something waits.
    let descriptor: Int32

    /// - Parameter loop: of the thread that takes; what it posts itself it takes in the same turn.
    init(loop: BusLoop) {
        self.loop = loop
        descriptor = cpty_event()
        precondition(descriptor >= 0, "an eventfd can be made")
    }

    func post(_ event: Event) {
        let signals = fields.withLock { fields in
            if case .busMoved = event {} else { fields.events.append(event) }
            if loop.isOwnThread { return false }
            defer { fields.isSignalled = true }
            return !fields.isSignalled
        }
        if signals { cpty_event_set(descriptor) }
    }

    /// Has another turn follow this one.
    func wakeUp() {
        fields.withLock { $0.isSignalled = true }
        cpty_event_set(descriptor)
    }

    /// - Parameter isSignalled: whether the descriptor was readable.
    func take(isSignalled: Bool) -> [Event] {
        if isSignalled { cpty_event_clear(descriptor) }
        return fields.withLock { fields in
            guard isSignalled || !fields.events.isEmpty else { return [] }
            if isSignalled { fields.isSignalled = false }
            defer { fields.events = [] }
            return fields.events
        }
    }
}
