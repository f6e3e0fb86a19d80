/// Something that needs a person: opened once, closed when it is resolved.
public struct Attention: Sendable, Equatable, Codable {
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// A dialog that asks for leave (approval, plan, trust).
        case approval
        case question, login, quota
        /// A binding that waits for an answer.
        case binding
        /// Pods that wait for one another.
        case cycle
        /// A runner that is not heard of any more.
        case runner
        /// Nobody works, and somebody waits for a pod.
        case standstill
    }

    /// `A-` and 12 lower-case base32 characters, never reused.
    public var id: String
    public var kind: Kind
    /// What it is about: a pod's, binding's or runner's id; of a cycle its least pod; `fleet` of a standstill. One item of a kind is open for a subject.
    public var subject: String
    /// The pod that cannot go on, where there is one.
    public var pod: PodID?
    /// Of a cycle: who waits on whom, in order.
    public var path: [PodID]?
    /// One line for a person.
    public var summary: String
    /// The status that asks: with its question, options and the fingerprint that an approval has to name.
    public var status: PodStatus?
    public var opened: Timestamp
    public var closed: Timestamp?
    /// How it ended, in a word: `answered`, `ended`, `expired`.
    public var resolution: String?
    /// How many pods cannot go on because of it, and how many its answer frees; filled in by the API.
    public var blocks: Int?
    public var frees: Int?

    public init(
        id: String, kind: Kind, subject: String, pod: PodID? = nil, path: [PodID]? = nil, summary: String, status: PodStatus? = nil,
        opened: Timestamp
    ) {
        self.id = id
        self.kind = kind
        self.subject = subject
        self.pod = pod
        self.path = path
        self.summary = summary
        self.status = status
        self.opened = opened
    }

    public var isOpen: Bool { closed == nil }
}

/// `attention.list` → ``AttentionPage``, oldest first.
public struct ListAttention: Sendable, Codable {
    public var at: Timestamp?
    /// Closed ones too.
    public var all: Bool?

    public init(at: Timestamp? = nil, all: Bool? = nil) {
        self.at = at
        self.all = all
    }
}

public struct AttentionPage: Sendable, Codable, Equatable {
    public var items: [Attention]
    public init(items: [Attention]) { self.items = items }
}

/// The payload of `event.attention.<id>.opened` and `.closed`.
public struct AttentionEvent: Sendable, Codable, Equatable {
    public var what: String
    public var time: Timestamp
    public var seq: UInt64
    public var attention: Attention

    public init(what: String, time: Timestamp, seq: UInt64, attention: Attention) {
        self.what = what
        self.time = time
        self.seq = seq
        self.attention = attention
    }
}
