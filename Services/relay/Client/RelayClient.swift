public import Bus
public import Contract

/// Typed requests to the relay that owns a pod's shard.
///
/// A relay that does not answer (none is running, or the shard is changing hands) gives `unavailable`; a pod it does not
/// hold gives `not_found`: ask the recorder then.
public final class RelayClient: Sendable {
    /// What an attach gives: the state after frame `meta.seq`, in the format asked for.
    public struct Attached: Sendable {
        public var meta: KeyframeMeta
        public var payload: [UInt8]
        /// Who writes at this moment.
        public var writer: Author?
    }

    private let bus: BusConnection
    private let ordered: OrderedRequests
    private let asker: Author?

    public init(bus: BusConnection) {
        self.bus = bus
        ordered = OrderedRequests(bus: bus)
        asker = nil
    }

    private init(_ other: RelayClient, asker: Author) {
        bus = other.bus
        ordered = other.ordered
        self.asker = asker
    }

    /// The same, asking in somebody's name: the relay refuses what a pod has no binding for.
    public func asking(for asker: Author) -> RelayClient { RelayClient(self, asker: asker) }

    /// The pod's state now. Errors: `not_found`, `unavailable`.
    public func attach(_ request: Attach) async throws(ErrorBody) -> Attached {
        let message = try await ask(request.pod, "attach", try Self.encode(request))
        return try Self.attached(message)
    }

    /// The pod's screen as text, ANSI or cells. Errors: `not_found`, `unavailable`.
    public func screen(_ request: Attach) async throws(ErrorBody) -> Attached {
        let message = try await ask(request.pod, "screen", try Self.encode(request))
        return try Self.attached(message)
    }

    /// Types through the gate. Errors: `unavailable`, `bad_request`; a refusal is a result.
    public func write(_ request: Write, bytes: [UInt8]) async throws(ErrorBody) -> Applied {
        let headers = [(Headers.meta, String(decoding: try Self.encode(request), as: UTF8.self))]
        return try Self.applied(try await ask(request.pod, "write", bytes, headers: headers, timeout: .seconds(10)))
    }

    /// A way to type that is always the same but for the bytes: what describes it is encoded once.
    public struct Keyboard: Sendable {
        fileprivate let subject: String
        fileprivate let headers: [(String, String)]

        public init(_ write: Write) throws(ErrorBody) {
            subject = Subjects.relay(write.pod.shard, "write")
            headers = [(Headers.meta, String(decoding: try RelayClient.encode(write), as: UTF8.self))]
        }
    }

    /// Types through the gate: calls leave in order, and the answer goes to `completion`, on a bus thread.
    public func type(
        _ bytes: [UInt8], on keyboard: Keyboard, completion: @escaping @Sendable (Result<Applied, ErrorBody>) -> Void
    ) {
        ordered.send(keyboard.subject, payload: bytes, headers: keyboard.headers) { result in
            switch result {
            case .success(let message):
                completion(Result { () throws(ErrorBody) in try Self.applied(message) })
            case .failure(let error) where error.code == .noResponders:
                completion(.failure(ErrorBody(.unavailable, "nothing takes input for this pod at the moment")))
            case .failure(let error):
                completion(.failure(ErrorBody(.unavailable, "the input may not have arrived: \(error)")))
            }
        }
    }

    /// Answers the dialog with this fingerprint, if it is the one that is open. A refusal is a result.
    public func approve(_ request: Approve) async throws(ErrorBody) -> Applied {
        try Self.applied(try await ask(request.pod, "approve", try Self.encode(request), timeout: .seconds(10)))
    }

    public func resize(_ request: Resize) async throws(ErrorBody) -> Applied {
        try Self.applied(try await ask(request.pod, "resize", try Self.encode(request)))
    }

    /// Keeps the pod's view deltas coming for ten seconds.
    public func watch(_ request: ViewerRequest) async throws(ErrorBody) {
        _ = try await viewer(request, "watch")
    }

    /// Becomes the writer.
    public func take(_ request: ViewerRequest) async throws(ErrorBody) -> Applied {
        try Self.applied(try await viewer(request, "take"))
    }

    /// The viewer has left: it writes no more and its size does not count.
    public func release(_ request: ViewerRequest) async throws(ErrorBody) {
        _ = try await viewer(request, "release")
    }

    private func viewer(_ request: ViewerRequest, _ verb: String) async throws(ErrorBody) -> BusMessage {
        try await ask(request.pod, verb, try Self.encode(request))
    }

    private func ask(
        _ pod: PodID, _ verb: String, _ payload: [UInt8], headers: [(String, String)] = [], timeout: Duration? = nil
    ) async throws(ErrorBody) -> BusMessage {
        var headers = headers
        if let asker { headers.append((Headers.author, asker.description)) }
        do throws(BusError) {
            return try await bus.request(Subjects.relay(pod.shard, verb), payload: payload, headers: headers, timeout: timeout)
        } catch {
            switch error.code {
            case .noResponders: throw ErrorBody(.unavailable, "no relay answers for this pod at the moment; try again")
            case .timeout: throw ErrorBody(.timedOut, "the relay did not answer in time; try again")
            default: throw ErrorBody(.unavailable, "the bus cannot be reached: \(error)")
            }
        }
    }

    fileprivate static func encode(_ value: some Encodable) throws(ErrorBody) -> [UInt8] {
        do {
            return try JSON.encode(value)
        } catch {
            throw ErrorBody(.internal, "a request could not be encoded: \(error)")
        }
    }

    private static func attached(_ message: BusMessage) throws(ErrorBody) -> Attached {
        let payload = message.payload
        guard let meta = message.header(Headers.meta) else {
            if let error = Reply.error(in: payload) { throw error }
            throw ErrorBody(.internal, "the relay's answer has no \(Headers.meta)")
        }
        return Attached(
            meta: try JSON.decode(KeyframeMeta.self, from: meta.utf8), payload: payload,
            writer: message.header(Headers.author).flatMap(Author.init))
    }

    private static func applied(_ message: BusMessage) throws(ErrorBody) -> Applied {
        try Applied(reply: message.payload)
    }
}
