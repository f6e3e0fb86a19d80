internal import CNats

/// What went wrong on the bus: a code that can grow, a message for a person, and where it came from.
public struct BusError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure. A struct, so that a new kind breaks nobody's `switch`.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        public let description: String

        public init(_ description: String) { self.description = description }

        /// No server could be reached in time.
        public static let noServer = Code("no_server")
        /// The server refused our credentials.
        public static let authentication = Code("authentication")
        /// The connection is closed for good.
        public static let closed = Code("closed")
        /// Not connected at this moment, and the call does not wait.
        public static let disconnected = Code("disconnected")
        /// Nobody listens on the subject of a request.
        public static let noResponders = Code("no_responders")
        /// No answer came in time.
        public static let timeout = Code("timeout")
        /// The subject or queue name is not valid.
        public static let invalidSubject = Code("invalid_subject")
        /// The payload is larger than the server takes.
        public static let payloadTooLarge = Code("payload_too_large")
        /// Bytes that wait for a reconnect have reached their limit.
        public static let bufferFull = Code("buffer_full")
        /// JetStream refused; `apiCode` says why.
        public static let jetStream = Code("jetstream")
        /// An answer could not be understood.
        public static let badReply = Code("bad_reply")
        /// The other side answered `{"error":…}`; `remoteCode` is its code.
        public static let remote = Code("remote")
        /// Messages were dropped because a handler was too slow.
        public static let slowConsumer = Code("slow_consumer")
        /// Anything else libnats reports.
        public static let library = Code("library")
    }

    public var code: Code
    public var message: String
    /// JetStream's `err_code` (10059 = stream not found …), 0 if none.
    public var apiCode: Int
    /// The `code` of a `{"error":{"code","message"}}` answer.
    public var remoteCode: String?

    public init(_ code: Code, _ message: String, apiCode: Int = 0, remoteCode: String? = nil) {
        self.code = code
        self.message = message
        self.apiCode = apiCode
        self.remoteCode = remoteCode
    }

    public var description: String {
        if let remoteCode { return "\(remoteCode): \(message)" }
        return apiCode == 0 ? "\(code): \(message)" : "\(code) (\(apiCode)): \(message)"
    }

    init(status: natsStatus, doing what: String) {
        let code: Code =
            switch status {
            case NATS_NO_SERVER, NATS_ADDRESS_MISSING: .noServer
            case NATS_CONNECTION_AUTH_FAILED, NATS_NOT_PERMITTED: .authentication
            case NATS_CONNECTION_CLOSED, NATS_DRAINING: .closed
            case NATS_CONNECTION_DISCONNECTED, NATS_STALE_CONNECTION: .disconnected
            case NATS_NO_RESPONDERS: .noResponders
            case NATS_TIMEOUT: .timeout
            case NATS_INVALID_SUBJECT, NATS_INVALID_QUEUE_NAME: .invalidSubject
            case NATS_MAX_PAYLOAD: .payloadTooLarge
            case NATS_INSUFFICIENT_BUFFER: .bufferFull
            case NATS_SLOW_CONSUMER: .slowConsumer
            default: .library
            }
        let text = natsStatus_GetText(status).map { String(cString: $0) } ?? "status \(status.rawValue)"
        self.init(code, "\(what): \(text)")
    }
}

/// Throws when libnats says anything but OK.
func check(_ status: natsStatus, _ what: @autoclosure () -> String) throws(BusError) {
    if status != NATS_OK { throw BusError(status: status, doing: what()) }
}
