/// What a binding may allow one pod to do to another.
public enum Scope: String, Sendable, Codable, CaseIterable, Comparable {
    /// Screens, history, search, snapshots.
    case read = "terminal:read"
    /// Input.
    case write = "terminal:write"
    /// Answering an approval dialog.
    case approve = "terminal:approve"

    public static func < (a: Scope, b: Scope) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .read: 0
        case .write: 1
        case .approve: 2
        }
    }

    /// Takes scopes as people write them: `terminal:read`, or `read` for short, several with commas.
    /// - Throws: `bad_request` that names the unknown one.
    public static func list(_ text: some StringProtocol) throws(ErrorBody) -> [Scope] {
        var scopes: [Scope] = []
        for part in text.split(separator: ",") {
            let word = String(part.filter { $0 != " " })
            guard let scope = Scope(rawValue: word) ?? Scope(rawValue: "terminal:" + word) else {
                throw ErrorBody(
                    .badRequest, "\"\(word)\" is not a scope; use \(Scope.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            scopes.append(scope)
        }
        return scopes
    }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let scope = Scope(rawValue: text) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "\"\(text)\" is not a scope; use \(Scope.allCases.map(\.rawValue).joined(separator: ", "))"))
        }
        self = scope
    }
}

/// A directed permission: what pod `from` may do to pod `to`. The other direction is another binding.
public struct Binding: Sendable, Equatable, Codable {
    public enum State: String, Sendable, Codable { case pending, active, inactive }

    /// Why a binding is inactive.
    public enum Reason: String, Sendable, Codable {
        case rejected, revoked, expired, superseded
        case podEnded = "pod_ended"
    }

    /// `B-` and 12 lower-case base32 characters, never reused.
    public var id: String
    public var from: PodID
    public var to: PodID
    public var state: State
    public var reason: Reason?
    /// All that was ever asked for.
    public var requested: [Scope]
    /// What may be done now; of an inactive binding what could be done last.
    public var granted: [Scope]
    /// What was asked for and is not answered.
    public var pending: [Scope]
    public var requestedBy: Author
    /// The requester's words.
    public var note: String?
    public var decidedBy: Author?
    /// The words of who rejected or revoked.
    public var answer: String?
    public var created: Timestamp
    /// Since when it is as it is.
    public var since: Timestamp
    /// When what is pending lapses; none when nothing is.
    public var expires: Timestamp?
    /// Whether only a person may accept (policy `ask_person`).
    public var asksPerson: Bool?

    public init(
        id: String, from: PodID, to: PodID, state: State, requested: [Scope], granted: [Scope] = [], pending: [Scope] = [],
        requestedBy: Author, note: String? = nil, created: Timestamp, expires: Timestamp? = nil
    ) {
        self.id = id
        self.from = from
        self.to = to
        self.state = state
        self.requested = requested
        self.granted = granted
        self.pending = pending
        self.requestedBy = requestedBy
        self.note = note
        self.created = created
        self.since = created
        self.expires = expires
    }

    /// Whether it is of the present: pending or active.
    public var isLive: Bool { state != .inactive }

    /// Whether it grants this now.
    public func grants(_ scope: Scope) -> Bool { state == .active && granted.contains(scope) }
}

/// How requests for bindings to a pod are answered.
public enum BindingPolicy: String, Sendable, Codable, CaseIterable {
    /// The target, or a person, answers.
    case explicit
    /// Pods of one owner are bound without asking.
    case sameOwnerAuto = "same_owner_auto"
    /// Only a person answers.
    case askPerson = "ask_person"
}

/// `bindings.request` → ``Binding``. What is granted or pending already changes nothing.
public struct RequestBinding: Sendable, Codable {
    public var from: PodID
    public var to: PodID
    public var scopes: [Scope]
    public var author: Author
    public var role: Role?
    public var note: String?

    public init(from: PodID, to: PodID, scopes: [Scope], author: Author, role: Role? = nil, note: String? = nil) {
        self.from = from
        self.to = to
        self.scopes = scopes
        self.author = author
        self.role = role
        self.note = note
    }
}

/// `bindings.accept`, `.reject`, `.revoke` → ``Binding``.
public struct DecideBinding: Sendable, Codable {
    public var id: String
    public var author: Author
    public var role: Role?
    /// Accept, reject: only these of the pending scopes; all where missing.
    public var scopes: [Scope]?
    /// Words for the other side.
    public var reason: String?

    public init(id: String, author: Author, role: Role? = nil, scopes: [Scope]? = nil, reason: String? = nil) {
        self.id = id
        self.author = author
        self.role = role
        self.scopes = scopes
        self.reason = reason
    }
}

/// `bindings.list` → ``BindingPage``, oldest first.
public struct ListBindings: Sendable, Codable {
    /// Only those from or to this pod.
    public var pod: PodID?
    public var state: Binding.State?
    public var at: Timestamp?
    /// Inactive ones too.
    public var all: Bool?

    public init(pod: PodID? = nil, state: Binding.State? = nil, at: Timestamp? = nil, all: Bool? = nil) {
        self.pod = pod
        self.state = state
        self.at = at
        self.all = all
    }
}

public struct BindingPage: Sendable, Codable, Equatable {
    public var bindings: [Binding]
    public init(bindings: [Binding]) { self.bindings = bindings }
}

/// `bindings.get`, `waits.get` and the like.
public struct GetRecord: Sendable, Codable {
    public var id: String
    public init(id: String) { self.id = id }
}

/// `bindings.policy` → this: the policy of a pod, or of the mesh where none is named; sets it where one is given.
public struct PolicyRequest: Sendable, Codable, Equatable {
    public var pod: PodID?
    public var policy: BindingPolicy?

    public init(pod: PodID? = nil, policy: BindingPolicy? = nil) {
        self.pod = pod
        self.policy = policy
    }
}

/// The payload of `event.binding.<id>.<what>`, kept in stream `EVENTS`.
public struct BindingEvent: Sendable, Codable, Equatable {
    /// `requested`, `accepted`, `asked` (more), `rejected`, `revoked`, `expired`, `ended` (with its pod).
    public var what: String
    public var time: Timestamp
    /// Counts every change of bindings, waits and channels, without gaps in the order of their commits.
    public var seq: UInt64
    public var binding: Binding

    public init(what: String, time: Timestamp, seq: UInt64, binding: Binding) {
        self.what = what
        self.time = time
        self.seq = seq
        self.binding = binding
    }
}

/// `bindings.snapshot` → ``BindingSnapshot``.
public struct SnapshotRequest: Sendable, Codable {
    public var at: Timestamp?
    public init(at: Timestamp? = nil) { self.at = at }
}

/// Everything that was live at one moment: with the events after `seq` applied, it is what a later snapshot says.
public struct BindingSnapshot: Sendable, Codable, Equatable {
    public var seq: UInt64
    public var time: Timestamp
    public var bindings: [Binding]
    public var waits: [Wait]
    public var channels: [Channel]
    /// Channel messages whose authors wait for an answer.
    public var questions: [ChannelMessage]

    public init(
        seq: UInt64, time: Timestamp, bindings: [Binding], waits: [Wait], channels: [Channel] = [], questions: [ChannelMessage] = []
    ) {
        self.seq = seq
        self.time = time
        self.bindings = bindings
        self.waits = waits
        self.channels = channels
        self.questions = questions
    }

    /// This with one event more; an event that is in it already changes nothing.
    public mutating func apply(_ event: BindingEvent) {
        guard event.seq > seq else { return }
        advance(to: event.seq, event.time)
        bindings.removeAll { $0.id == event.binding.id }
        guard event.binding.isLive else { return }
        insert(event.binding, into: &bindings) { ($0.created, $0.id) < ($1.created, $1.id) }
    }

    public mutating func apply(_ event: WaitEvent) {
        guard event.seq > seq else { return }
        advance(to: event.seq, event.time)
        waits.removeAll { $0.id == event.wait.id }
        guard event.wait.isOpen else { return }
        insert(event.wait, into: &waits) { ($0.created, $0.id) < ($1.created, $1.id) }
    }

    public mutating func apply(_ event: ChannelEvent) {
        guard event.seq > seq else { return }
        advance(to: event.seq, event.time)
        if let channel = event.channel {
            channels.removeAll { $0.id == channel.id }
            insert(channel, into: &channels) { ($0.created, $0.id) < ($1.created, $1.id) }
        }
        if let message = event.message {
            questions.removeAll { $0.id == message.id }
            guard message.isOpenQuestion else { return }
            insert(message, into: &questions) { ($0.created, $0.id) < ($1.created, $1.id) }
        }
    }

    private mutating func advance(to seq: UInt64, _ time: Timestamp) {
        self.seq = seq
        self.time = max(self.time, time)
    }

    private func insert<Value>(_ value: Value, into list: inout [Value], _ precedes: (Value, Value) -> Bool) {
        let index = list.firstIndex { precedes(value, $0) } ?? list.endIndex
        list.insert(value, at: index)
    }
}

/// Names of things that are no pods.
public enum RecordID {
    /// A new one: the letter, `-`, 12 lower-case base32 characters.
    public static func make(_ letter: String) -> String { letter + "-" + PodID.random().text.dropFirst() }

    /// Whether a text has the form of one.
    public static func isOne(_ text: String) -> Bool {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count == 2 && parts[0].count == 1 && PodID("p" + parts[1]) != nil
    }
}
