// Fields are called as JetStream calls them in its JSON.
// swift-format-ignore-file: AlwaysUseLowerCamelCase
/// How much a stream keeps.
public struct StreamLimits: Sendable {
    public var maxAge: Duration
    public var maxBytes: Int64
    /// How long the server remembers message ids.
    public var duplicateWindow: Duration
    public var replicas: Int
    /// Messages kept of each subject; nil: all.
    public var perSubject: Int64?

    public init(
        maxAge: Duration, maxBytes: Int64, duplicateWindow: Duration = .seconds(120), replicas: Int = 1, perSubject: Int64? = nil
    ) {
        self.maxAge = maxAge
        self.maxBytes = maxBytes
        self.duplicateWindow = duplicateWindow
        self.replicas = replicas
        self.perSubject = perSubject
    }

    /// The recorder seals frames within a minute; a day is room for its outages.
    public static let terminals = StreamLimits(maxAge: .seconds(24 * 3600), maxBytes: 8 << 30)
    public static let events = StreamLimits(maxAge: .seconds(7 * 24 * 3600), maxBytes: 1 << 30)
    /// What the detector remembers: of each pod the newest only.
    public static let memory = StreamLimits(maxAge: .seconds(30 * 24 * 3600), maxBytes: 512 << 20, perSubject: 1)
    /// What people and agents did, until the registry has chained it; kept for those who want to read along.
    public static let audit = StreamLimits(maxAge: .seconds(30 * 24 * 3600), maxBytes: 256 << 20)
}

/// How large the streams are made, and on how many servers each is kept.
public struct StreamPlan: Sendable {
    public var terminals = StreamLimits.terminals
    public var events = StreamLimits.events
    public var memory = StreamLimits.memory
    public var audit = StreamLimits.audit

    /// What all of them together take at most, in bytes, where there is room.
    public static let wishedBytes = [StreamLimits.terminals, .events, .memory, .audit].reduce(0) { $0 + $1.maxBytes }

    /// - Parameter bytes: what all of them together may take; each gets its share of it. Nil: all that they wish.
    public init(bytes: Int64? = nil, replicas: Int = 1) {
        let share = min(1, Double(bytes ?? Self.wishedBytes) / Double(Self.wishedBytes))
        for stream in [\Self.terminals, \.events, \.memory, \.audit] {
            self[keyPath: stream].replicas = replicas
            self[keyPath: stream].maxBytes = Int64(Double(self[keyPath: stream].maxBytes) * share)
        }
    }
}

/// A stream's state.
public struct StreamInfo: Sendable {
    public var messages: UInt64
    public var bytes: UInt64
    public var firstSequence: UInt64
    public var lastSequence: UInt64
    public var consumers: Int
    public var maxBytes: Int64
    public var maxAge: Duration
    /// When it was made, as the server says it: tells a stream from another one of its name that took its place.
    public var created: String
}

/// A message that a stream holds.
public struct StoredMessage: Sendable {
    public var sequence: UInt64
    public var subject: String
    public var headers: [(name: String, value: String)]
    public var payload: [UInt8]

    public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// The API's own shapes. Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
enum JetStreamAPI {
    struct Failure: Decodable {
        var code: Int
        var err_code: Int?
        var description: String?
    }

    struct Envelope: Decodable { var error: Failure? }

    struct StreamConfiguration: Encodable {
        var name: String
        var subjects: [String]
        var retention = "limits"
        var storage = "file"
        var discard = "old"
        var max_age: Int64
        var max_bytes: Int64
        var duplicate_window: Int64
        var num_replicas: Int
        var max_msgs_per_subject: Int64?
        var allow_direct = true
    }

    struct Purge: Encodable { var filter: String }

    struct Stream: Decodable {
        struct State: Decodable {
            var messages: UInt64
            var bytes: UInt64
            var first_seq: UInt64
            var last_seq: UInt64
            var consumer_count: Int
        }
        struct Configuration: Decodable {
            var max_bytes: Int64
            var max_age: Int64
        }
        var state: State
        var config: Configuration
        var created: String
    }

    struct GetMessage: Encodable {
        var seq: UInt64?
        var last_by_subj: String?
        var next_by_subj: String?
    }

    struct GotMessage: Decodable {
        struct Message: Decodable {
            var seq: UInt64
            var subject: String
            var hdrs: String?
            var data: String?
        }
        var message: Message
    }

    struct ConsumerConfiguration: Encodable {
        var durable_name: String?
        var deliver_policy: String
        var opt_start_seq: UInt64?
        var opt_start_time: String?
        var ack_policy: String
        var ack_wait: Int64?
        var max_ack_pending: Int?
        var max_deliver: Int?
        var filter_subject: String?
        var inactive_threshold: Int64?
        var replay_policy = "instant"
        var mem_storage: Bool?
        var num_replicas: Int?
        var max_waiting: Int?
    }

    struct CreateConsumer: Encodable {
        var stream_name: String
        var config: ConsumerConfiguration
    }

    struct Consumer: Decodable {
        var name: String
        var num_pending: UInt64?
    }

    struct Pull: Encodable {
        var batch: Int
        var max_bytes: Int?
        var expires: Int64
        var idle_heartbeat: Int64
    }
}
