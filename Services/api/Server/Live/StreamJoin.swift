/// Something that leads from one place of a pod's log to a later one.
protocol Step {
    /// The place it starts from: the state after this frame.
    var base: UInt64 { get }
    /// The place it leads to.
    var seq: UInt64 { get }
}

/// Joins a snapshot and a stream of steps: nothing missing, nothing twice, whatever order they arrive in.
///
/// Subscribe, then ask for the snapshot; steps that come before it wait here. A step that does not follow asks for a new
/// snapshot, as does a viewer that has read again after it had stopped.
struct StreamJoin<Item: Step> {
    enum Action {
        case nothing
        /// Ask for a snapshot.
        case attach
    }

    private enum State {
        case idle
        /// Steps that came while the snapshot is under way, oldest first.
        case attaching([Item])
        case live(at: UInt64)
        /// The viewer does not read. Everything is dropped until it does.
        case stale(attaching: Bool)
    }

    /// Steps kept while a snapshot is under way. Beyond, the oldest go; the join then asks again.
    static var waitingLimit: Int { 8192 }

    private var state = State.idle

    /// Where the viewer is, when it follows.
    var position: UInt64? {
        if case .live(let at) = state { return at }
        return nil
    }

    var isAttaching: Bool {
        switch state {
        case .attaching, .stale(attaching: true): true
        case .idle, .live, .stale: false
        }
    }

    mutating func begin() -> Action {
        if isAttaching { return .nothing }
        state = .attaching([])
        return .attach
    }

    /// Takes steps in the order they came. `send` gets those that follow.
    mutating func receive(_ items: [Item], send: (Item) -> Void) -> Action {
        switch state {
        case .idle, .stale:
            return .nothing
        case .attaching(var waiting):
            // The state holds no second reference while the array grows.
            state = .idle
            waiting.append(contentsOf: items)
            if waiting.count > Self.waitingLimit { waiting.removeFirst(waiting.count - Self.waitingLimit) }
            state = .attaching(waiting)
            return .nothing
        case .live(let at):
            return follow(from: at, items[...], send: send)
        }
    }

    /// The snapshot of the state after `seq` has come. False: it is of no use any more (the viewer does not read).
    mutating func attached(seq: UInt64, snapshot: () -> Void, send: (Item) -> Void) -> Action {
        switch state {
        case .attaching(let waiting):
            snapshot()
            return follow(from: seq, waiting[...], send: send)
        case .stale:
            state = .stale(attaching: false)
            return .nothing
        case .idle, .live:
            return .nothing
        }
    }

    /// The snapshot could not be had. The owner decides when to `begin` again.
    mutating func attachFailed() {
        switch state {
        case .attaching: state = .idle
        case .stale: state = .stale(attaching: false)
        case .idle, .live: break
        }
    }

    /// The viewer does not read: whatever comes now is not for it.
    mutating func viewerStopped() {
        switch state {
        case .live, .idle: state = .stale(attaching: false)
        case .attaching: state = .stale(attaching: true)
        case .stale: break
        }
    }

    /// The viewer reads again.
    mutating func viewerReads() -> Action {
        guard case .stale(let attaching) = state else { return .nothing }
        state = .attaching([])
        return attaching ? .nothing : .attach
    }

    /// Leaves the stream (for a viewer that looks at the past).
    mutating func stop() {
        state = .idle
    }

    private mutating func follow(from start: UInt64, _ items: ArraySlice<Item>, send: (Item) -> Void) -> Action {
        var at = start
        for (index, item) in zip(items.indices, items) where item.seq > at {
            guard item.base == at else {
                state = .attaching(Array(items[index...]))
                return .attach
            }
            send(item)
            at = item.seq
        }
        state = .live(at: at)
        return .nothing
    }
}
