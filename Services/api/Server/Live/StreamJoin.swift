/// Something that leads from one place of a pod's log to a later one.
protocol Step {
    /// The place it starts from: the state after this frame.
    var base: UInt64 { get }
    /// The place it leads to.
    var seq: UInt64 { get }
    /// Not a step: steps before it may have been lost. It stands behind every place.
    static var loss: Self { get }
}

extension Step {
    var isLoss: Bool { seq == Self.loss.seq }
}

/// Joins a snapshot and a stream of steps: nothing missing, nothing twice, whatever order they arrive in.
///
/// Subscribe, then ask for the snapshot; steps that come before it wait here. A step that does not follow asks for a new
/// snapshot, as does a viewer that has read again after it had stopped. Snapshots are numbered: one that was asked for before steps were dropped may
/// lack them, and nothing would tell so if no step came after it.
struct StreamJoin<Item: Step> {
    enum Action {
        case nothing
        /// Ask for a snapshot, and say its number when it comes.
        case attach(Int)
    }

    private enum State {
        case idle
        /// Steps that came while the snapshot is under way, oldest first.
        case attaching([Item])
        case live(at: UInt64)
        /// The viewer does not read. Everything is dropped until it does.
        case stale
    }

    /// Steps kept while a snapshot is under way. Beyond, the oldest go; the join then asks again.
    static var waitingLimit: Int { 8192 }
    /// Snapshots that may lack what was dropped.
    static var patience: Int { 10 }

    private var state = State.idle
    /// The number of the snapshot that was asked for last.
    private var asked = 0
    /// What was dropped.
    private var dropped = NewestHeard(patience: patience)

    /// Where the viewer is, when it follows.
    var position: UInt64? {
        if case .live(let at) = state { return at }
        return nil
    }

    mutating func begin() -> Action {
        if case .attaching = state { return .nothing }
        return attach()
    }

    private mutating func attach(_ waiting: [Item] = []) -> Action {
        state = .attaching(waiting)
        asked += 1
        return .attach(asked)
    }

    /// Takes steps in the order they came. `send` gets those that follow.
    mutating func receive(_ items: [Item], send: (Item) -> Void) -> Action {
        switch state {
        case .idle, .stale:
            dropped.note(items)
            return .nothing
        case .attaching(var waiting):
            // The state holds no second reference while the array grows.
            state = .idle
            waiting.append(contentsOf: items)
            let excess = max(0, waiting.count - Self.waitingLimit)
            dropped.note(waiting[..<excess])
            waiting.removeFirst(excess)
            state = .attaching(waiting)
            return .nothing
        case .live(let at):
            return follow(from: at, items[...], send: send)
        }
    }

    /// A snapshot has come, of the state after `seq`. One that is not the last that was asked for is of no use, nor is one that lacks what was dropped.
    mutating func attached(_ number: Int, seq: UInt64, snapshot: () -> Void, send: (Item) -> Void) -> Action {
        guard number == asked, case .attaching(let waiting) = state else { return .nothing }
        if dropped.isLacking(seq) { return attach(waiting) }
        snapshot()
        return follow(from: seq, waiting[...], send: send)
    }

    /// A snapshot could not be had. The next `begin` asks again.
    ///
    /// - Returns: Whether it was the last that was asked for.
    mutating func attachFailed(_ number: Int) -> Bool {
        guard number == asked, case .attaching = state else { return false }
        state = .idle
        return true
    }

    /// The viewer does not read: these, what waits and whatever comes now is not for it.
    mutating func viewerStopped(_ items: [Item]) {
        if case .attaching(let waiting) = state { dropped.note(waiting) }
        dropped.note(items)
        state = .stale
    }

    /// The viewer reads again.
    mutating func viewerReads() -> Action {
        guard case .stale = state else { return .nothing }
        return attach()
    }

    /// Leaves the stream (for a viewer that looks at the past).
    mutating func stop() {
        state = .idle
    }

    private mutating func follow(from start: UInt64, _ items: ArraySlice<Item>, send: (Item) -> Void) -> Action {
        var at = start
        for (index, item) in zip(items.indices, items) where item.seq > at {
            if item.isLoss { return attach(Array(items[(index + 1)...])) }
            guard item.base == at else {
                return attach(Array(items[index...]))
            }
            send(item)
            at = item.seq
        }
        state = .live(at: at)
        return .nothing
    }
}
