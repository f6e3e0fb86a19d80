/// How to reach the bus and how to behave on it.
public struct BusOptions: Sendable {
    /// Certificates for TLS: paths of PEM files, read at every connect.
    public struct TLS: Sendable, Codable, Equatable {
        public var certificateAuthorities: String?
        public var certificateChain: String?
        public var privateKey: String?
        /// The name the server's certificate must have, when it is not the URL's host.
        public var expectedHostname: String?

        public init(
            certificateAuthorities: String? = nil, certificateChain: String? = nil, privateKey: String? = nil,
            expectedHostname: String? = nil
        ) {
            self.certificateAuthorities = certificateAuthorities
            self.certificateChain = certificateChain
            self.privateKey = privateKey
            self.expectedHostname = expectedHostname
        }
    }

    /// Which thread calls handlers.
    public enum Delivery: Sendable {
        /// A few threads of libnats, shared by all connections of the process: subscriptions are handled beside one another.
        case threads
        /// The loop's thread, without a thread of libnats in between: the least delay, one handler after the other.
        case loop(BusLoop)
    }

    /// URLs, `nats://[user:password@]host:port`.
    public var servers: [String]
    /// Shown by the server's monitoring.
    public var name: String
    public var user: String?
    public var password: String?
    public var token: String?
    /// A `.creds` file (JWT and seed), read at every connect.
    public var credentialsFile: String?
    /// What the subjects begin with that answers come to. A credential may allow one's own only.
    public var inbox = "_INBOX"
    public var tls: TLS?
    /// Write each message to the socket at once. Without it libnats' flusher adds up to 1 ms and packs better: for bulk.
    public var sendAsSoonAsPossible: Bool
    /// How long `connect` waits for the first connection. `nil`: it does not wait, and the connection comes up when a server does.
    public var connectTimeout: Duration?
    public var pingInterval: Duration
    /// How long a request waits for its answer, where it does not say.
    public var requestTimeout: Duration
    /// Messages and bytes that may wait in one subscription before new ones are dropped (and reported as slow consumer).
    public var pendingMessages: Int
    public var pendingBytes: Int
    /// Bytes that may wait for a reconnect; publishing beyond throws `bufferFull`. 0 where order over a reconnect matters (`AckedPublisher`).
    public var reconnectBufferBytes: Int
    /// Threads that deliver messages, for the whole process: the first connection's value counts.
    public var deliveryThreads: Int
    public var delivery: Delivery
    /// Bytes read from the socket at a time.
    public var readBytes: Int

    public init(
        servers: [String], name: String, user: String? = nil, password: String? = nil, token: String? = nil,
        credentialsFile: String? = nil, tls: TLS? = nil, sendAsSoonAsPossible: Bool = true,
        connectTimeout: Duration? = .seconds(10), pingInterval: Duration = .seconds(10), requestTimeout: Duration = .seconds(5),
        pendingMessages: Int = 262_144, pendingBytes: Int = 256 << 20, reconnectBufferBytes: Int = 8 << 20, deliveryThreads: Int = 4,
        delivery: Delivery = .threads, readBytes: Int = 32 << 10
    ) {
        self.servers = servers
        self.name = name
        self.user = user
        self.password = password
        self.token = token
        self.credentialsFile = credentialsFile
        self.tls = tls
        self.sendAsSoonAsPossible = sendAsSoonAsPossible
        self.connectTimeout = connectTimeout
        self.pingInterval = pingInterval
        self.requestTimeout = requestTimeout
        self.pendingMessages = pendingMessages
        self.pendingBytes = pendingBytes
        self.reconnectBufferBytes = reconnectBufferBytes
        self.deliveryThreads = deliveryThreads
        self.delivery = delivery
        self.readBytes = readBytes
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, never negative.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < Int64.max / 2000 else { return Int64.max / 2 }
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }

    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds < Int64.max / 2_000_000_000 else { return Int64.max / 2 }
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
