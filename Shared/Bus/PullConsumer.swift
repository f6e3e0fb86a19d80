internal import FoundationEssentials
internal import Synchronization

/// Follows a stream from a position, over restarts of the server, and never has more than about two pulls in memory.
///
/// Without acks (`ack: .none`) it is an ephemeral consumer that is made anew behind the last handled message on any trouble,
/// so every message is handled once and in order. With explicit acks it is a durable consumer and the server keeps the position.
public final class PullConsumer: Sendable {
    public enum Start: Sendable {
        case all
        case new
        /// From this sequence of the stream on.
        case sequence(UInt64)
    }

    public enum Ack: Sendable {
        case none
        /// Each message is acknowledged by `ack`; without it the server delivers it again after `wait`.
        case explicit(durable: String, wait: Duration, maxPending: Int)
    }

    public struct Options: Sendable {
        public var stream: String
        public var filter: String?
        public var start: Start
        public var ack: Ack
        /// Messages and bytes asked for at a time.
        public var batch: Int
        public var maxBytes: Int
        public var expires: Duration
        public var heartbeat: Duration

        public init(
            stream: String, filter: String? = nil, start: Start = .all, ack: Ack = .none, batch: Int = 512, maxBytes: Int = 2 << 20,
            expires: Duration = .seconds(60), heartbeat: Duration = .seconds(15)
        ) {
            self.stream = stream
            self.filter = filter
            self.start = start
            self.ack = ack
            self.batch = batch
            self.maxBytes = maxBytes
            self.expires = expires
            self.heartbeat = heartbeat
        }
    }

    private struct Fields {
        /// Rises with every consumer made; what belongs to an older one is ignored.
        var generation: UInt64 = 0
        var consumer: String?
        var inbox = ""
        var subscription: BusSubscription?
        var pulls: PullState
        var lastStream: UInt64?
        var lastConsumer: UInt64 = 0
        var lastActivity = ContinuousClock.now
        var isPaused = false
        var isStopped = false
        var isRenewing = false
        var needsRenewal = false
        var recreations = 0
    }

    private let jetStream: JetStream
    private let options: Options
    private let handler: @Sendable (StreamMessage) -> Void
    private let onTrouble: @Sendable (String) -> Void
    private let fields: Mutex<Fields>
    /// Held while a message is handled, so that two generations never overlap.
    private let delivering = Mutex(())

    /// Makes the consumer and begins to pull.
    /// - Parameters:
    ///   - onTrouble: told why a consumer had to be made anew, for the log.
    ///   - handler: called for each message in order, from a delivery thread; further pulls wait for it.
    /// - Throws: when the first consumer cannot be made (no such stream, no server).
    public static func start(
        _ connection: BusConnection, _ options: Options, onTrouble: @escaping @Sendable (String) -> Void = { _ in },
        handler: @escaping @Sendable (StreamMessage) -> Void
    ) async throws(BusError) -> PullConsumer {
        let consumer = PullConsumer(connection, options, onTrouble, handler)
        try await consumer.create()
        connection.onStateChange { [weak consumer] state in
            if state == .reconnected { consumer?.renew(because: "the bus came back") }
        }
        consumer.watch()
        return consumer
    }

    private init(
        _ connection: BusConnection, _ options: Options, _ onTrouble: @escaping @Sendable (String) -> Void,
        _ handler: @escaping @Sendable (StreamMessage) -> Void
    ) {
        self.jetStream = JetStream(connection)
        self.options = options
        self.onTrouble = onTrouble
        self.handler = handler
        self.fields = Mutex(Fields(pulls: PullState(batch: options.batch, maxBytes: options.maxBytes)))
    }

    deinit { fields.withLock { $0.subscription }?.unsubscribe() }

    /// Sequence of the newest message handled; nil before the first.
    public var position: UInt64? { fields.withLock { $0.lastStream } }

    /// How often the consumer was made anew.
    public var recreations: Int { fields.withLock { $0.recreations } }

    /// Asks for no more; at most two pulls still come.
    public func pause() { fields.withLock { $0.isPaused = true } }

    public func resume() {
        fields.withLock { $0.isPaused = false }
        pullIfNeeded()
    }

    /// Ends delivery; a handler that runs finishes first. An ephemeral consumer is deleted.
    public func stop() async {
        let (consumer, subscription) = fields.withLock { fields in
            fields.isStopped = true
            fields.generation += 1
            defer { fields.subscription = nil }
            return (fields.consumer, fields.subscription)
        }
        subscription?.unsubscribe()
        delivering.withLock { _ in }
        if let consumer, case .none = options.ack, jetStream.connection.isConnected {
            // It would go by itself after its inactive threshold.
            try? await jetStream.deleteConsumer(options.stream, consumer)
        }
    }

    /// Acknowledges a message of an explicit-ack consumer. A lost ack only means another delivery.
    public func ack(_ message: StreamMessage) { answer(message, "+ACK") }

    /// Asks for another delivery after `delay`.
    public func retry(_ message: StreamMessage, after delay: Duration) {
        answer(message, "-NAK {\"delay\": \(delay.nanoseconds)}")
    }

    /// Never deliver this message again.
    public func discard(_ message: StreamMessage) { answer(message, "+TERM") }

    private func answer(_ message: StreamMessage, _ text: String) {
        guard let reply = message.message.reply else { return }
        try? jetStream.connection.publish(reply, payload: text.utf8)
    }

    // MARK: - Making the consumer

    private func create() async throws(BusError) {
        let connection = jetStream.connection
        let (generation, lastStream, old) = fields.withLock { fields in
            fields.generation += 1
            defer {
                fields.subscription = nil
                fields.consumer = nil
            }
            return (fields.generation, fields.lastStream, (fields.subscription, fields.consumer))
        }
        old.0?.unsubscribe()
        if let name = old.1, case .none = options.ack { try? await jetStream.deleteConsumer(options.stream, name) }
        // A message of the old generation may be in the handler: only after it is the position final.
        let last = delivering.withLock { _ in fields.withLock { $0.lastStream } } ?? lastStream
        let name = try await jetStream.createConsumer(options.stream, configuration(after: last))
        let inbox = connection.newInbox()
        let subscription = try connection.subscribeToAnswers(inbox + ".*") { [weak self] message in self?.received(message, generation) }
        let isCurrent = fields.withLock { fields in
            guard fields.generation == generation, !fields.isStopped else { return false }
            fields.consumer = name
            fields.inbox = inbox
            fields.subscription = subscription
            fields.lastConsumer = 0
            fields.lastActivity = .now
            fields.pulls.reset()
            return true
        }
        if isCurrent { pullIfNeeded() } else { subscription.unsubscribe() }
    }

    private func configuration(after last: UInt64?) -> JetStreamAPI.ConsumerConfiguration {
        var result = JetStreamAPI.ConsumerConfiguration(deliver_policy: "all", ack_policy: "none", filter_subject: options.filter)
        switch options.start {
        case .all: break
        case .new: result.deliver_policy = "new"
        case .sequence(let sequence):
            result.deliver_policy = "by_start_sequence"
            result.opt_start_seq = max(1, sequence)
        }
        switch options.ack {
        case .none:
            if let last {
                result.deliver_policy = "by_start_sequence"
                result.opt_start_seq = last + 1
            }
            result.inactive_threshold = Duration.seconds(60).nanoseconds
            result.mem_storage = true
            result.num_replicas = 1
        case .explicit(let durable, let wait, let maxPending):
            result.durable_name = durable
            result.ack_policy = "explicit"
            result.ack_wait = wait.nanoseconds
            result.max_ack_pending = maxPending
        }
        return result
    }

    /// Makes a new consumer, for as long as it takes. Trouble of a generation that is over changes nothing.
    private func renew(because reason: String, of generation: UInt64? = nil) {
        let (isNews, begins) = fields.withLock { fields in
            if fields.isStopped || generation.map({ $0 != fields.generation }) ?? false || fields.needsRenewal { return (false, false) }
            fields.needsRenewal = true
            defer { fields.isRenewing = true }
            return (true, !fields.isRenewing)
        }
        if isNews { onTrouble(reason) }
        guard begins else { return }
        Task { [weak self] in
            var pause = Duration.milliseconds(50)
            while let self, self.takeRenewal() {
                do throws(BusError) {
                    try await self.create()
                } catch {
                    self.onTrouble("cannot make a consumer of \(self.options.stream): \(error)")
                    self.fields.withLock { $0.needsRenewal = true }
                    try? await Task.sleep(for: pause)
                    pause = min(pause * 2, .seconds(2))
                }
            }
        }
    }

    private func takeRenewal() -> Bool {
        fields.withLock { fields in
            guard fields.needsRenewal, !fields.isStopped else {
                fields.isRenewing = false
                return false
            }
            fields.needsRenewal = false
            fields.recreations += 1
            return true
        }
    }

    /// Heartbeats that stop coming mean a consumer that is gone.
    private func watch() {
        let pause = options.heartbeat
        Task { [weak self] in
            while true {
                try? await Task.sleep(for: pause)
                guard let self else { return }
                let (isStopped, isSilent) = self.fields.withLock { fields in
                    let waits = !fields.pulls.pulls.isEmpty && !fields.isRenewing
                    return (fields.isStopped, waits && ContinuousClock.now - fields.lastActivity > pause * 2.5)
                }
                if isStopped { return }
                if isSilent && self.jetStream.connection.isConnected { self.renew(because: "heartbeats stopped") }
            }
        }
    }

    // MARK: - Messages

    private func pullIfNeeded() {
        while true {
            let request: (subject: String, reply: String, body: JetStreamAPI.Pull)? = fields.withLock { fields in
                guard !fields.isPaused, !fields.isStopped, let consumer = fields.consumer, fields.subscription != nil else { return nil }
                guard case .pull(let id, let batch, let bytes) = fields.pulls.next() else { return nil }
                let body = JetStreamAPI.Pull(
                    batch: batch, max_bytes: bytes, expires: options.expires.nanoseconds, idle_heartbeat: options.heartbeat.nanoseconds)
                return ("$JS.API.CONSUMER.MSG.NEXT.\(options.stream).\(consumer)", "\(fields.inbox).\(id)", body)
            }
            guard let request else { return }
            do {
                let payload = try JSONEncoder().encode(request.body)
                try jetStream.connection.publish(request.subject, payload: payload, reply: request.reply)
            } catch {
                renew(because: "asking for messages failed: \(error)")
                return
            }
        }
    }

    private func received(_ message: BusMessage, _ generation: UInt64) {
        if let delivered = StreamMessage(message) {
            handle(delivered, generation)
        } else if let status = message.status {
            obey(status, message, generation)
        }
        pullIfNeeded()
    }

    private func handle(_ message: StreamMessage, _ generation: UInt64) {
        var isEphemeral = false
        if case .none = options.ack { isEphemeral = true }
        delivering.withLock { _ in
            enum Verdict { case good, stale, gap }
            let verdict: Verdict = fields.withLock { fields in
                guard fields.generation == generation, !fields.isStopped else { return .stale }
                fields.lastActivity = .now
                fields.pulls.received(bytes: message.message.payloadSize + 512)
                if isEphemeral && message.consumerSequence != fields.lastConsumer + 1 { return .gap }
                fields.lastConsumer = message.consumerSequence
                return .good
            }
            switch verdict {
            case .stale: break
            case .gap: renew(because: "messages were lost on the way", of: generation)
            case .good:
                handler(message)
                fields.withLock { $0.lastStream = max($0.lastStream ?? 0, message.streamSequence) }
            }
        }
    }

    /// Status messages. Source: NATS ADR-37.
    private func obey(_ status: Int, _ message: BusMessage, _ generation: UInt64) {
        let description = message.header("Description") ?? ""
        let id = message.subject.split(separator: ".").last.flatMap { UInt64($0) } ?? 0
        let isCurrent = fields.withLock { fields in
            guard fields.generation == generation else { return false }
            fields.lastActivity = .now
            return true
        }
        guard isCurrent else { return }
        switch status {
        case 100:
            guard case .none = options.ack, let last = message.integerHeader("Nats-Last-Consumer") else { return }
            // Behind what the server sent although nothing is on the way any more.
            if last > Int64(fields.withLock { $0.lastConsumer }) { renew(because: "messages were lost on the way", of: generation) }
        case 404, 408:
            fields.withLock { $0.pulls.ended(id: id, exceededBytes: false) }
        case 409 where description.contains("MaxBytes") || description.contains("Batch Completed"):
            fields.withLock { $0.pulls.ended(id: id, exceededBytes: description.contains("MaxBytes")) }
        default:
            renew(because: "the server ended the pull: \(status) \(description)", of: generation)
        }
    }
}
