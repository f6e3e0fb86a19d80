internal import CNats
#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif
internal import Synchronization

/// A connection's side towards a ``BusLoop``: what libnats' event loop callbacks say, and the subscriptions to look at after
/// each read. Its subscriptions are synchronous ones of libnats, so that no thread of the library delivers.
// The C handle is used under `turnLock`, or by callers that hold its BusConnection; libnats locks it itself.
final class LoopedConnection: @unchecked Sendable {
    private struct Fields {
        var handle: SendablePointer?
        var socket: Int32 = -1
        var isReading = false
        var isRetired = false
    }

    /// Which subscriptions had messages lately, newest first, and how many the connection had.
    private struct Lately {
        var total: UInt64 = 0
        var subscriptions: [LoopedSubscription] = []

        mutating func note(_ subscription: LoopedSubscription) {
            if subscriptions.contains(where: { $0 === subscription }) { return }
            subscriptions.insert(subscription, at: 0)
            if subscriptions.count > 4 { subscriptions.removeLast() }
        }
    }

    /// Bytes that wait for the end of a turn at most.
    private static let unsentLimit = 64 << 10

    let loop: BusLoop
    private let fields = Mutex(Fields())
    private let subscriptions = Mutex<[LoopedSubscription]>([])
    private let lately = Mutex(Lately())
    private let statistics = MessageCounter()
    private let needsLook = Atomic<Bool>(false)
    private let draining = Atomic<Bool>(false)
    /// libnats has bytes for the socket. Set and cleared by its callbacks, under its lock.
    private let wantsWrite = Atomic<Bool>(false)
    /// Threads inside `sending`: they send what is there when they leave.
    private let senders = Atomic<Int>(0)
    private let unsent = Atomic<Int>(0)
    private let attachments = Atomic<UInt64>(0)
    /// Held while the loop uses the connection, so that it is not destroyed meanwhile.
    private let turnLock = Mutex(())
    private let writeLock = Mutex(())

    init(loop: BusLoop) { self.loop = loop }

    // MARK: - What libnats says

    /// Makes libnats leave the socket to the loop.
    func apply(to options: OpaquePointer) -> natsStatus {
        natsOptions_SetEventLoop(
            options, Unmanaged.passUnretained(self).toOpaque(),
            { data, loop, connection, socket in
                guard let loop, let connection else { return NATS_ERR }
                data?.pointee = loop
                LoopedConnection.look(loop).attached(connection, socket)
                return NATS_OK
            },
            { data, isWanted in
                if let data { LoopedConnection.look(data).readWanted(isWanted) }
                return NATS_OK
            },
            { data, isWanted in
                if let data { LoopedConnection.look(data).writeWanted(isWanted) }
                return NATS_OK
            },
            { data in
                if let data { LoopedConnection.look(data).readWanted(false) }
                return NATS_OK
            })
    }

    private static func look(_ pointer: UnsafeMutableRawPointer) -> LoopedConnection {
        Unmanaged<LoopedConnection>.fromOpaque(pointer).takeUnretainedValue()
    }

    private func attached(_ connection: OpaquePointer, _ socket: Int32) {
        attachments.add(1, ordering: .sequentiallyConsistent)
        let handle = SendablePointer(connection)
        fields.withLock { fields in
            fields.handle = handle
            fields.socket = socket
            fields.isReading = true
        }
        loop.wakeUp()
    }

    private func readWanted(_ isWanted: Bool) {
        fields.withLock { fields in
            fields.isReading = isWanted
            if !isWanted { fields.socket = -1 }
        }
        loop.wakeUp()
    }

    private func writeWanted(_ isWanted: Bool) {
        wantsWrite.store(isWanted, ordering: .sequentiallyConsistent)
        // A thread that is sending looks at `wantsWrite` after it has left `senders`.
        if isWanted, senders.load(ordering: .sequentiallyConsistent) == 0 { loop.wakeUp() }
    }

    /// Rises with every connection to a server, before anything is sent on it.
    var epoch: UInt64 { attachments.load(ordering: .sequentiallyConsistent) }

    // MARK: - The loop's thread

    var socket: Int32 { fields.withLock { $0.socket } }
    var isDraining: Bool { draining.load(ordering: .relaxed) }

    var descriptor: pollfd? {
        let events = Int16(POLLIN) | (wantsWrite.load(ordering: .relaxed) ? Int16(POLLOUT) : 0)
        return fields.withLock { fields in
            fields.isReading && !fields.isRetired ? pollfd(fd: fields.socket, events: events, revents: 0) : nil
        }
    }

    func turn(isReadable: Bool) {
        let mustLook = needsLook.exchange(false, ordering: .sequentiallyConsistent)
        guard isReadable || mustLook || isDraining else { return }
        turnLock.withLock { _ in
            guard let handle = usable else { return }
            if isReadable { natsConnection_ProcessReadEvent(handle.value) }
            deliver(handle, all: mustLook || isDraining)
        }
    }

    /// Looks at the subscriptions that had messages lately, and at all others only when more have come than those had: a service has
    /// a hundred, and a look at each takes longer than a message. Under `turnLock`.
    private func deliver(_ handle: SendablePointer, all: Bool) {
        var arrived = 0
        let total = statistics.messagesIn(handle.value)
        lately.withLock { lately in
            arrived = Int(total &- lately.total)
            lately.total = total
        }
        let isDraining = isDraining
        if !all {
            for subscription in lately.withLock({ $0.subscriptions }) {
                arrived -= subscription.deliver(isDraining: false)
                if arrived <= 0 { return }
            }
        }
        for subscription in subscriptions.withLock({ $0 }) {
            let count = subscription.deliver(isDraining: isDraining)
            guard count > 0 else { continue }
            arrived -= count
            lately.withLock { $0.note(subscription) }
            if arrived <= 0, !all { return }
        }
    }

    func flushInTurn() {
        guard wantsWrite.load(ordering: .sequentiallyConsistent) else { return }
        turnLock.withLock { _ in if usable != nil { flush() } }
    }

    private var usable: SendablePointer? { fields.withLock { $0.isRetired ? nil : $0.handle } }

    /// The last use of the handle: from here on the loop leaves it alone. Not from a handler.
    func retire() {
        turnLock.withLock { _ in fields.withLock { $0.isRetired = true } }
        loop.remove(self)
        subscriptions.withLock { $0 = [] }
        lately.withLock { $0.subscriptions = [] }
    }

    /// Handlers get what has arrived, and libnats is told when there is no more.
    func beginDraining() {
        draining.store(true, ordering: .relaxed)
        loop.wakeUp()
    }

    // MARK: - Any thread

    /// Runs calls of libnats that send. What they send leaves before this returns, on the loop's own thread with the turn's end.
    func sending<Failure: Error>(bytes: Int = 0, _ body: () throws(Failure) -> Void) throws(Failure) {
        senders.add(1, ordering: .sequentiallyConsistent)
        defer {
            senders.subtract(1, ordering: .sequentiallyConsistent)
            settle(bytes)
        }
        try body()
    }

    private func settle(_ bytes: Int) {
        guard wantsWrite.load(ordering: .sequentiallyConsistent) else { return }
        if loop.isOwnThread, unsent.add(bytes, ordering: .relaxed).newValue < Self.unsentLimit { return }
        flush()
        if wantsWrite.load(ordering: .sequentiallyConsistent) { loop.wakeUp() }
    }

    private func flush() {
        writeLock.withLock { _ in
            unsent.store(0, ordering: .relaxed)
            guard wantsWrite.load(ordering: .sequentiallyConsistent), let handle = fields.withLock({ $0.handle }) else { return }
            natsConnection_ProcessWriteEvent(handle.value)
        }
    }

    func add(_ subscription: LoopedSubscription) {
        subscriptions.withLock { $0.append(subscription) }
        // Its first messages may have come before it stood in the list.
        needsLook.store(true, ordering: .sequentiallyConsistent)
        loop.wakeUp()
    }

    func remove(_ subscription: LoopedSubscription) {
        subscriptions.withLock { $0.removeAll { $0 === subscription } }
        lately.withLock { $0.subscriptions.removeAll { $0 === subscription } }
    }
}

/// Reads how many messages a connection has had.
// The C object is used under the loop's lock only.
private final class MessageCounter: @unchecked Sendable {
    private var statistics: OpaquePointer?

    deinit { natsStatistics_Destroy(statistics) }

    func messagesIn(_ connection: OpaquePointer) -> UInt64 {
        if statistics == nil { natsStatistics_Create(&statistics) }
        guard let statistics, natsConnection_GetStats(connection, statistics) == NATS_OK else { return 0 }
        var counts = (in: UInt64(0), bytesIn: UInt64(0), out: UInt64(0), bytesOut: UInt64(0), reconnects: UInt64(0))
        natsStatistics_GetCounts(statistics, &counts.in, &counts.bytesIn, &counts.out, &counts.bytesOut, &counts.reconnects)
        return counts.in
    }
}

/// A synchronous subscription of libnats whose messages a loop hands to a handler.
// libnats locks the subscription itself; it is destroyed with this object.
final class LoopedSubscription: @unchecked Sendable {
    let pointer: OpaquePointer
    private let handler: @Sendable (BusMessage) -> Void
    /// libnats keeps the message that says so for itself.
    private let onNoResponders: @Sendable () -> Void
    private let isEnded = Atomic<Bool>(false)

    init(_ pointer: OpaquePointer, onNoResponders: @escaping @Sendable () -> Void, handler: @escaping @Sendable (BusMessage) -> Void) {
        self.pointer = pointer
        self.onNoResponders = onNoResponders
        self.handler = handler
    }

    deinit { natsSubscription_Destroy(pointer) }

    func end() {
        isEnded.store(true, ordering: .relaxed)
        natsSubscription_Unsubscribe(pointer)
    }

    /// Gives the handler what waits. Returns how many messages that was.
    func deliver(isDraining: Bool) -> Int {
        var waiting: Int32 = 0
        guard natsSubscription_GetPending(pointer, &waiting, nil) == NATS_OK else { return 0 }
        var count = 0
        while count < Int(waiting), !isEnded.load(ordering: .relaxed), take(wait: 0) { count += 1 }
        // Asked once more with nothing waiting, libnats takes a draining subscription for done.
        if isDraining { _ = take(wait: 1) }
        return count
    }

    /// False: there is nothing to take.
    private func take(wait milliseconds: Int64) -> Bool {
        var message: OpaquePointer?
        switch natsSubscription_NextMsg(&message, pointer, milliseconds) {
        case NATS_OK:
            if let message { handler(BusMessage(owning: message)) }
        case NATS_NO_RESPONDERS: onNoResponders()
        case NATS_SLOW_CONSUMER: break
        default: return false
        }
        return true
    }
}
