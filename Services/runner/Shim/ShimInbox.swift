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
    /// Readable while something waits.
    let descriptor: Int32

    init() {
        descriptor = cpty_event()
        precondition(descriptor >= 0, "an eventfd can be made")
    }

    func post(_ event: Event) {
        let signals = fields.withLock { fields in
            if case .busMoved = event {} else { fields.events.append(event) }
            defer { fields.isSignalled = true }
            return !fields.isSignalled
        }
        if signals { cpty_event_set(descriptor) }
    }

    func take() -> [Event] {
        cpty_event_clear(descriptor)
        return fields.withLock { fields in
            fields.isSignalled = false
            defer { fields.events = [] }
            return fields.events
        }
    }
}
