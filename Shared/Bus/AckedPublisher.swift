internal import Synchronization

/// Publishes to a stream and keeps every message until the server says it is stored.
///
/// Messages are sent in the order of `publish`. When one is not acknowledged in time, or the server went away, everything
/// unacknowledged is sent again in that order, for ever: first the oldest alone, and the rest behind its ack, because a server that
/// has just started may refuse one message and take the next. Give each message a `Nats-Msg-Id`, so that the stream drops doubles.
public final class AckedPublisher: Sendable {
    /// A message that the stream holds now.
    public struct Stored: Sendable {
        /// What `publish` returned.
        public var token: UInt64
        /// The stream's sequence.
        public var sequence: UInt64
        public var isDuplicate: Bool
    }

    private struct Message: Sendable {
        var subject: String
        var payload: [UInt8]
        var headers: [(String, String)]
    }

    private enum Mode: Equatable {
        case flowing
        /// Only this message is on the way; the others wait for its ack.
        case probing(UInt64)
        /// Nothing is sent until the stream said what it holds.
        case resolving
    }

    private enum Wish { case room(bytes: Int), empty }

    private struct Fields {
        var window = AckWindow<Message>()
        var next: UInt64 = 0
        var lastProgress = ContinuousClock.now
        var mode = Mode.flowing
        /// The connection's count of reconnects that `mode` knows of.
        var epoch: UInt64
        /// Tokens that the server refused and has not stored since.
        var refused: Set<UInt64> = []
        var timerRuns = false
        /// Ticks in a row that found nothing to watch.
        var idleTicks = 0
        var isClosed = false
        var waiters: [(id: UInt64, wish: Wish, continuation: CheckedContinuation<Void, Never>)] = []
        var nextWaiter: UInt64 = 0
    }

    private let connection: BusConnection
    private let inbox: String
    private let windowBytes: Int
    private let windowMessages: Int
    private let ackTimeout: Duration
    private let onStored: @Sendable (Stored) -> Void
    private let onRefused: @Sendable (BusError) -> Void
    private let newestStored: (@Sendable () async throws -> UInt64)?
    private let unstored: (@Sendable ([(String, String)]) -> [(String, String)])?
    private let fields: Mutex<Fields>
    /// Held while sending, so that new messages and resends keep their order; acks do not need it.
    private let sending = Mutex(())
    private let subscription: Mutex<BusSubscription?> = Mutex(nil)

    /// - Parameters:
    ///   - firstToken: what the first `publish` returns; tokens then rise by one.
    ///   - windowBytes, windowMessages: how much may be unacknowledged.
    ///   - ackTimeout: without progress for this long, everything unacknowledged is sent again.
    ///   - newestStored: asked after a reconnect for the newest token that the stream holds: sending goes on behind it. It spares a
    ///     stream whose memory of message ids is short from doubles after a long outage. Nil: the ids alone do it.
    ///   - unstored: the headers of a copy that subscribers understand and the stream leaves alone. While messages wait for the stream, each new one is
    ///     sent to subscribers that way, once: a cluster without a leader for its stream, which may take ten seconds, holds up the record and not
    ///     those who watch. Nil: they wait as well.
    ///   - onRefused: the server's reason for not storing one; it is tried again.
    ///   - onStored: called once per message, from a delivery thread.
    public init(
        _ connection: BusConnection, firstToken: UInt64 = 1, windowBytes: Int = 8 << 20, windowMessages: Int = 4096,
        ackTimeout: Duration = .seconds(2), newestStored: (@Sendable () async throws -> UInt64)? = nil,
        unstored: (@Sendable ([(String, String)]) -> [(String, String)])? = nil,
        onRefused: @escaping @Sendable (BusError) -> Void = { _ in }, onStored: @escaping @Sendable (Stored) -> Void = { _ in }
    ) throws(BusError) {
        self.connection = connection
        self.inbox = connection.newInbox()
        self.windowBytes = windowBytes
        self.windowMessages = windowMessages
        self.ackTimeout = ackTimeout
        self.newestStored = newestStored
        self.unstored = unstored
        self.onStored = onStored
        self.onRefused = onRefused
        self.fields = Mutex(Fields(next: firstToken - 1, epoch: connection.reconnects))
        let handler: @Sendable (BusMessage) -> Void = { [weak self] message in self?.settle(message) }
        let subscription =
            if let looped = connection.looped {
                try connection.subscribe(
                    inbox + ".*", queue: nil, on: looped, onNoResponders: { [weak self] in self?.refuseAll() }, handler: handler)
            } else {
                try connection.subscribe(inbox + ".*", handler: handler)
            }
        self.subscription.withLock { $0 = subscription }
        connection.onStateChange { [weak self] state in
            if state == .reconnected || state == .connected { self?.resume() }
        }
    }

    /// Messages that are not stored yet.
    public var unacknowledged: Int { fields.withLock { $0.window.count } }

    /// Every message up to this token is stored; one less than the first token while none is.
    public var storedUpTo: UInt64 { fields.withLock { fields in fields.window.oldest.map { $0 - 1 } ?? fields.next } }

    /// Whether `publish` would take a message of moderate size.
    public var hasRoom: Bool { fields.withLock { !$0.isClosed && hasRoom(256 << 10, $0.window) } }

    /// Takes and sends a message; nil when the window is full or the publisher closed.
    public func publish(_ subject: String, payload: [UInt8], headers: [(String, String)]) -> UInt64? {
        sending.withLock { _ in
            let message = Message(subject: subject, payload: payload, headers: headers)
            // The reconnect callback comes a moment after the reconnect: nothing may overtake what was in flight before.
            let epoch = connection.reconnects
            let taken: (token: UInt64, isSent: Bool)? = fields.withLock { fields in
                guard !fields.isClosed, hasRoom(payload.count, fields.window) else { return nil }
                fields.next += 1
                if fields.window.count == 0 { fields.lastProgress = .now }
                fields.window.append(message, token: fields.next, bytes: payload.count)
                return (fields.next, fields.mode == .flowing && fields.epoch == epoch)
            }
            guard let (token, isSent) = taken else { return nil }
            if isSent { send(message, token) } else { show(message) }
            startTimer()
            return token
        }
    }

    /// Takes a message as soon as the window has room.
    /// - Throws: `closed`.
    @discardableResult
    public func publishWaiting(_ subject: String, payload: [UInt8], headers: [(String, String)]) async throws(BusError) -> UInt64 {
        while true {
            if let token = publish(subject, payload: payload, headers: headers) { return token }
            if fields.withLock({ $0.isClosed }) { throw BusError(.closed, "the publisher is closed") }
            await wait(for: .room(bytes: payload.count), timeout: nil)
        }
    }

    /// Waits until everything is stored; false at the deadline.
    public func waitUntilStored(timeout: Duration) async -> Bool {
        await wait(for: .empty, timeout: timeout)
        return unacknowledged == 0
    }

    /// Forgets what is not stored and stops sending.
    public func close() {
        let waiters = fields.withLock { fields in
            fields.isClosed = true
            defer { fields.waiters = [] }
            return fields.waiters
        }
        subscription.withLock { $0.take() }?.unsubscribe()
        for waiter in waiters { waiter.continuation.resume() }
    }

    // MARK: - Sending

    private func hasRoom(_ bytes: Int, _ window: AckWindow<Message>) -> Bool {
        window.count == 0 || (window.count < windowMessages && window.bytes + bytes <= windowBytes)
    }

    private func send(_ message: Message, _ token: UInt64) {
        guard connection.isConnected else { return }
        // A failure here is a connection that goes away: the reconnect or the timer sends it again.
        try? connection.publish(message.subject, payload: message.payload, headers: message.headers, reply: "\(inbox).\(token)")
    }

    /// Sends a copy that is not stored.
    private func show(_ message: Message) {
        guard let unstored, connection.isConnected else { return }
        try? connection.publish(message.subject, payload: message.payload, headers: unstored(message.headers))
    }

    /// After a reconnect: asks what the stream holds, if that can be asked, and goes on behind it.
    private func resume() {
        let epoch = connection.reconnects
        fields.withLock { $0.epoch = epoch }
        guard let newestStored else { return probe() }
        let begins = fields.withLock { fields in
            guard fields.mode != .resolving, !fields.isClosed else { return false }
            fields.mode = .resolving
            return true
        }
        guard begins else { return }
        Task { [weak self] in
            while let self, !self.fields.withLock({ $0.isClosed }) {
                if let newest = try? await newestStored() {
                    self.stored(upTo: newest)
                    self.probe()
                    return
                }
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    private func stored(upTo newest: UInt64) {
        let (tokens, ready) = fields.withLock { fields in
            let tokens = fields.window.unsettled.map(\.token).filter { $0 <= newest && !fields.refused.contains($0) }
            for token in tokens { _ = fields.window.settle(token) }
            return (tokens, takeReady(&fields))
        }
        for token in tokens { onStored(Stored(token: token, sequence: 0, isDuplicate: true)) }
        for continuation in ready { continuation.resume() }
    }

    /// Sends the oldest message alone; without one, all is well.
    private func probe() {
        sending.withLock { _ in
            let oldest: (token: UInt64, item: Message)? = fields.withLock { fields in
                fields.lastProgress = .now
                let oldest = fields.window.first
                fields.mode = oldest.map { .probing($0.token) } ?? .flowing
                return fields.isClosed ? nil : oldest
            }
            if let (token, message) = oldest { send(message, token) }
        }
    }

    /// The probe is stored: the rest follows.
    private func flow() {
        sending.withLock { _ in
            let messages = fields.withLock { fields in
                fields.mode = .flowing
                return fields.isClosed ? [] : fields.window.unsettled
            }
            for (token, message) in messages { send(message, token) }
        }
    }

    /// The timer outlives short pauses: beginning one for each message of a slow flow would cost more than the message.
    private static let idleTicks = 4

    private func startTimer() {
        let starts = fields.withLock { fields in
            if fields.timerRuns { return false }
            fields.timerRuns = true
            fields.idleTicks = 0
            return true
        }
        guard starts else { return }
        let pause = ackTimeout / 4
        Task { [weak self] in
            while let self {
                try? await Task.sleep(for: pause)
                if !self.tick() { return }
            }
        }
    }

    /// False when there is nothing more to watch.
    private func tick() -> Bool {
        let (goesOn, isLate) = fields.withLock { fields in
            if fields.isClosed || (fields.window.count == 0 && fields.idleTicks >= Self.idleTicks) {
                fields.timerRuns = false
                return (false, false)
            }
            if fields.window.count == 0 {
                fields.idleTicks += 1
                return (true, false)
            }
            fields.idleTicks = 0
            return (true, fields.mode != .resolving && ContinuousClock.now - fields.lastProgress > ackTimeout)
        }
        if isLate && connection.isConnected {
            if let oldest = fields.withLock({ $0.window.first }) { connection.storage.failed(oldest.item.subject, "no acknowledgement within \(ackTimeout)") }
            probe()
        }
        return goesOn
    }

    // MARK: - Answers

    private func settle(_ message: BusMessage) {
        let skip = inbox.utf8.count + 1
        let token = message.withSubject { subject in
            subject.count > skip ? UInt64(String(decoding: subject[skip...], as: UTF8.self)) : nil
        }
        guard let token else { return }
        switch PublishAck(message) {
        case .refused(let error):
            // The timer sends it again: at once would only be a loop.
            let subject = fields.withLock { fields in
                fields.refused.insert(token)
                if fields.mode == .flowing, let oldest = fields.window.oldest { fields.mode = .probing(oldest) }
                return fields.window.first?.item.subject
            }
            if let subject { connection.storage.failed(subject, "\(error)") }
            onRefused(error)
        case .stored(let sequence, let isDuplicate):
            let (message, isProbe, ready) = fields.withLock { fields in
                guard let message = fields.window.settle(token) else { return (nil as Message?, false, [CheckedContinuation<Void, Never>]()) }
                fields.lastProgress = .now
                fields.refused.remove(token)
                return (message, fields.mode == .probing(token), takeReady(&fields))
            }
            guard let message else { return }
            connection.storage.kept(message.subject)
            onStored(Stored(token: token, sequence: sequence, isDuplicate: isDuplicate))
            for continuation in ready { continuation.resume() }
            if isProbe { flow() }
        }
    }

    /// Nobody took a message, and which is not known.
    private func refuseAll() {
        fields.withLock { fields in
            for (token, _) in fields.window.unsettled { fields.refused.insert(token) }
            if fields.mode == .flowing, let oldest = fields.window.oldest { fields.mode = .probing(oldest) }
        }
        onRefused(PublishAck.nobodyStores)
    }

    private func holds(_ wish: Wish, _ window: AckWindow<Message>) -> Bool {
        switch wish {
        case .empty: window.count == 0
        case .room(let bytes): hasRoom(bytes, window)
        }
    }

    private func takeReady(_ fields: inout Fields) -> [CheckedContinuation<Void, Never>] {
        guard !fields.waiters.isEmpty else { return [] }
        var ready: [CheckedContinuation<Void, Never>] = []
        var rest: [(id: UInt64, wish: Wish, continuation: CheckedContinuation<Void, Never>)] = []
        for waiter in fields.waiters {
            if holds(waiter.wish, fields.window) { ready.append(waiter.continuation) } else { rest.append(waiter) }
        }
        fields.waiters = rest
        return ready
    }

    private func wait(for wish: Wish, timeout: Duration?) async {
        await withCheckedContinuation { continuation in
            let id: UInt64? = fields.withLock { fields in
                if fields.isClosed || holds(wish, fields.window) { return nil }
                fields.nextWaiter += 1
                fields.waiters.append((fields.nextWaiter, wish, continuation))
                return fields.nextWaiter
            }
            guard let id else { return continuation.resume() }
            guard let timeout else { return }
            Task {
                try? await Task.sleep(for: timeout)
                let late = fields.withLock { fields in
                    fields.waiters.firstIndex { $0.id == id }.map { fields.waiters.remove(at: $0).continuation }
                }
                late?.resume()
            }
        }
    }
}
