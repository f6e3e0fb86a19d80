internal import CNats
internal import Synchronization
internal import Tracing

/// A subscription. It stays until `unsubscribe` or the connection's end, whether this object is kept or not.
// libnats locks the subscription itself; `pointer` is taken out once, under the lock.
public final class BusSubscription: @unchecked Sendable {
    /// What the C callback needs. Given back by libnats' on-complete callback, after the last message.
    fileprivate final class Context: Sendable {
        let handler: @Sendable (BusMessage) -> Void
        let linger: Linger?
        init(_ linger: Linger?, _ handler: @escaping @Sendable (BusMessage) -> Void) {
            self.linger = linger
            self.handler = handler
        }
    }

    private let pointer = Mutex<SendablePointer?>(nil)

    private let state: ConnectionState
    private let looped: (connection: LoopedConnection, subscription: LoopedSubscription)?

    fileprivate init(
        _ pointer: OpaquePointer, state: ConnectionState, looped: (connection: LoopedConnection, subscription: LoopedSubscription)? = nil
    ) {
        self.state = state
        self.looped = looped
        let held = SendablePointer(pointer)
        self.pointer.withLock { $0 = held }
    }

    deinit {
        // A loop's own list keeps it delivering.
        if looped == nil, let pointer = pointer.withLock({ $0 }) { state.abandon(pointer.value) }
    }

    /// Ends delivery; a handler that is running finishes. Calling it again does nothing.
    public func unsubscribe() {
        guard let pointer = pointer.withLock({ $0.take() })?.value else { return }
        if let looped {
            looped.connection.sending { looped.subscription.end() }
            looped.connection.remove(looped.subscription)
            return
        }
        natsSubscription_Unsubscribe(pointer)
        natsSubscription_Destroy(pointer)
    }

    /// Messages that were dropped because the handler was too slow.
    public var dropped: Int64 {
        pointer.withLock { pointer in
            guard let pointer = pointer?.value else { return 0 }
            var count: Int64 = 0
            natsSubscription_GetDropped(pointer, &count)
            return count
        }
    }

    /// Messages and bytes that wait for the handler.
    public var pending: (messages: Int, bytes: Int) {
        pointer.withLock { pointer in
            guard let pointer = pointer?.value else { return (0, 0) }
            var messages: Int32 = 0
            var bytes: Int32 = 0
            natsSubscription_GetPending(pointer, &messages, &bytes)
            return (Int(messages), Int(bytes))
        }
    }

}

extension BusConnection {
    /// Calls `handler` for every message on `subject` (wildcards allowed), in order, from a delivery thread (``BusOptions/Delivery``).
    /// Subscriptions share few threads, so a handler must not wait.
    /// - Parameters:
    ///   - queue: members of one queue group share the messages.
    ///   - linger: keeps the first message after quiet for a while, with ``BusOptions/Delivery/threads``.
    /// - Throws: `invalidSubject`, `closed`.
    @discardableResult
    public func subscribe(
        _ subject: String, queue: String? = nil, linger: Linger? = nil, handler: @escaping @Sendable (BusMessage) -> Void
    ) throws(BusError) -> BusSubscription {
        guard let looped else { return try subscribeOnThreads(subject, queue: queue, linger: linger, handler: handler) }
        return try subscribe(subject, queue: queue, on: looped, handler: handler)
    }

    /// For answers: who must hear that nobody listens, and of which request, hears it on libnats' threads, because its synchronous
    /// subscriptions do not say which.
    @discardableResult
    public func subscribeToAnswers(
        _ subject: String, handler: @escaping @Sendable (BusMessage) -> Void
    ) throws(BusError) -> BusSubscription {
        try subscribeOnThreads(subject, queue: nil, handler: handler)
    }

    /// For answers on the delivery thread. A subject of its own for whatever is asked tells what it is that nobody answers.
    /// - Parameter onNoResponders: some request whose answers come here has nobody to answer it; which one is not known.
    @discardableResult
    public func subscribeToAnswers(
        _ subject: String, onNoResponders: @escaping @Sendable () -> Void, handler: @escaping @Sendable (BusMessage) -> Void
    ) throws(BusError) -> BusSubscription {
        if let looped { return try subscribe(subject, queue: nil, on: looped, onNoResponders: onNoResponders, handler: handler) }
        return try subscribeOnThreads(subject, queue: nil) { message in
            if message.isNoResponders { onNoResponders() } else { handler(message) }
        }
    }

    private func subscribeOnThreads(
        _ subject: String, queue: String?, linger: Linger? = nil, handler: @escaping @Sendable (BusMessage) -> Void
    ) throws(BusError) -> BusSubscription {
        let context = Unmanaged.passRetained(BusSubscription.Context(linger, handler)).toOpaque()
        let deliver: natsMsgHandler = { _, _, message, context in
            guard let message else { return }
            let owned = BusMessage(owning: message)
            guard let context else { return }
            let subscription = Unmanaged<BusSubscription.Context>.fromOpaque(context).takeUnretainedValue()
            guard let linger = subscription.linger else { return subscription.handler(owned) }
            linger.handling { subscription.handler(owned) }
        }
        var created: OpaquePointer?
        var status = NATS_OK
        let begin = {
            status =
                queue.map { natsConnection_QueueSubscribe(&created, self.handle, subject, $0, deliver, context) }
                ?? natsConnection_Subscribe(&created, self.handle, subject, deliver, context)
        }
        if let looped { looped.sending { begin() } } else { begin() }
        guard status == NATS_OK, let pointer = created else {
            Unmanaged<BusSubscription.Context>.fromOpaque(context).release()
            throw BusError(status: status, doing: "subscribing to \(subject)")
        }
        natsSubscription_SetPendingLimits(pointer, Int32(clamping: options.pendingMessages), Int32(clamping: options.pendingBytes))
        let release: natsOnCompleteCB = { context in
            if let context { Unmanaged<BusSubscription.Context>.fromOpaque(context).release() }
        }
        natsSubscription_SetOnCompleteCB(pointer, release, context)
        return BusSubscription(pointer, state: state)
    }

    func subscribe(
        _ subject: String, queue: String?, on looped: LoopedConnection, onNoResponders: @escaping @Sendable () -> Void = {},
        handler: @escaping @Sendable (BusMessage) -> Void
    ) throws(BusError) -> BusSubscription {
        var created: OpaquePointer?
        var status = NATS_OK
        looped.sending {
            status =
                queue.map { natsConnection_QueueSubscribeSync(&created, handle, subject, $0) }
                ?? natsConnection_SubscribeSync(&created, handle, subject)
        }
        guard status == NATS_OK, let pointer = created else { throw BusError(status: status, doing: "subscribing to \(subject)") }
        natsSubscription_SetPendingLimits(pointer, Int32(clamping: options.pendingMessages), Int32(clamping: options.pendingBytes))
        let subscription = LoopedSubscription(pointer, onNoResponders: onNoResponders, handler: handler)
        looped.add(subscription)
        return BusSubscription(pointer, state: state, looped: (looped, subscription))
    }

    /// Answers requests at once, on the delivery thread. Nil sends no answer.
    @discardableResult
    public func serve(
        _ subject: String, queue: String? = nil, handler: @escaping @Sendable (BusMessage) -> BusReply?
    ) throws(BusError) -> BusSubscription {
        try takeRequests(subject, queue: queue) { [weak self] message in
            if let answer = handler(message) { self?.respond(to: message, answer) }
        }
    }

    /// Answers requests with a task each, so requests of one subject may overtake one another.
    @discardableResult
    public func serve(
        _ subject: String, queue: String? = nil, asyncHandler: @escaping @Sendable (BusMessage) async -> BusReply?
    ) throws(BusError) -> BusSubscription {
        try takeRequests(subject, queue: queue) { [weak self] message in
            Task {
                if let answer = await asyncHandler(message) { self?.respond(to: message, answer) }
            }
        }
    }

    /// Calls `taker` for each request, on the delivery thread; it answers by itself, then or later, with ``respond(to:_:)``, or says by
    /// ``passedOn(_:)`` that somebody else does. What it does meanwhile, also in tasks that it starts, belongs to the request's trace.
    @discardableResult
    public func takeRequests(
        _ subject: String, queue: String? = nil, taker: @escaping @Sendable (BusMessage) -> Void
    ) throws(BusError) -> BusSubscription {
        try subscribe(subject, queue: queue) { [traced] message in
            guard let served = ServedRequest(message, traced) else { return taker(message) }
            message.served.withLock { $0 = served }
            ServiceContext.withValue(served.context) { taker(message) }
        }
    }

    /// Sends an answer; a requester that is gone is no error.
    public func respond(to message: BusMessage, _ answer: BusReply) {
        defer { message.served.withLock { $0.take() }?.answered(answer) }
        guard let reply = message.reply else { return }
        do {
            try publish(reply, payload: answer.payload, headers: answer.headers)
        } catch let error where error.code == .payloadTooLarge {
            let text = #"{"error":{"code":"reply_too_large","message":"the answer is larger than the bus takes"}}"#
            try? publish(reply, payload: text.utf8)
        } catch {
            // Nobody is left to tell: the requester's own timeout reports it.
        }
    }

    /// Somebody else answers: what was to be done here is done.
    public func passedOn(_ message: BusMessage) { message.served.withLock { $0.take() }?.answered(nil) }
}
