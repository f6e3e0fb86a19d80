internal import NIOCore
internal import Synchronization

/// Hands every item of one source to all members, with one hop per event loop and batch: the bus callback appends and
/// wakes a loop that is not awake yet; the loop takes all that has come since and gives it to its members in one call.
final class Fanout<Item: Sendable>: Sendable {
    typealias Member = ([Item]) -> Void

    private final class Lane: Sendable {
        struct Pending {
            var items: [Item] = []
            var isScheduled = false
        }

        let loop: any EventLoop
        let pending = Mutex(Pending())
        /// Touched on the loop only.
        let members: NIOLoopBoundBox<[UInt64: Member]>

        init(loop: any EventLoop) {
            self.loop = loop
            members = NIOLoopBoundBox.makeBoxSendingValue([:], eventLoop: loop)
        }

        func drain() {
            let items = pending.withLock { pending in
                pending.isScheduled = false
                defer { pending.items = [] }
                return pending.items
            }
            guard !items.isEmpty else { return }
            for member in members.value.values { member(items) }
        }
    }

    /// Items that may wait for one event loop. Beyond, they are dropped: members see the jump and join anew.
    private let waitingLimit: Int
    private let lanes = Mutex<[Lane]>([])

    init(waitingLimit: Int = 16_384) {
        self.waitingLimit = waitingLimit
    }

    /// Any thread; calls of one source come one after another.
    func publish(_ item: Item) {
        let lanes = lanes.withLock { $0 }
        for lane in lanes {
            let mustWake = lane.pending.withLock { pending in
                if pending.items.count >= waitingLimit { pending.items.removeAll() }
                pending.items.append(item)
                defer { pending.isScheduled = true }
                return !pending.isScheduled
            }
            if mustWake { lane.loop.execute { lane.drain() } }
        }
    }

    /// Adds a member on its own loop, from that loop. It sees what is published after this call.
    func add(_ id: UInt64, on loop: any EventLoop, _ member: @escaping Member) {
        lane(loop).members.value[id] = member
    }

    func remove(_ id: UInt64, on loop: any EventLoop) {
        lane(loop).members.value[id] = nil
    }

    private func lane(_ loop: any EventLoop) -> Lane {
        lanes.withLock { lanes in
            if let lane = lanes.first(where: { $0.loop === loop }) { return lane }
            let lane = Lane(loop: loop)
            lanes.append(lane)
            return lane
        }
    }
}
