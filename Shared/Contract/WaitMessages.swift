/// A record of somebody who waits: it survives every restart, is listed, cancelled and resumed by its id.
public struct Wait: Sendable, Equatable, Codable {
    public enum Mode: String, Sendable, Codable { case any, all }

    /// What a target is waited for to become.
    public enum Until: String, Sendable, Codable, CaseIterable {
        case idle, waiting, executing
        /// The pod's process has ended.
        case ended
        /// A binding was answered; targets are bindings.
        case binding
        /// A text is on the screen.
        case text
        /// A channel message was answered; targets are those whom it mentions.
        case reply
    }

    /// One of those waited for.
    public struct Target: Sendable, Equatable, Codable {
        /// The pod; of a binding its target, of a message the one that is to answer. None where a person is to answer, or anybody.
        public var pod: PodID?
        /// The binding whose answer is awaited.
        public var binding: String?
        /// The channel message whose answer is awaited.
        public var message: String?
        /// The person who is to answer it.
        public var person: String?
        /// What was seen when it matched, or why it cannot match any more.
        public var seen: Sighting?
        /// `--turn`: whether the turn that the prompt started has begun.
        public var turnBegan: Bool?

        public init(pod: PodID?, binding: String? = nil, message: String? = nil, person: String? = nil) {
            self.pod = pod
            self.binding = binding
            self.message = message
            self.person = person
        }

        /// What names it for people: the binding's id, the pod's, the person, the message's.
        public var label: String { binding ?? pod?.text ?? person.map { "person:" + $0 } ?? message ?? "" }

        public var isMatched: Bool { seen?.matches == true }
        public var isGone: Bool { seen?.matches == false }
    }

    /// What was seen of a target, and when.
    public struct Sighting: Sendable, Equatable, Codable {
        /// Whether it is what was waited for; false: it never can be any more.
        public var matches: Bool
        public var status: String?
        public var reason: String?
        public var lifecycle: Lifecycle?
        public var binding: Binding.State?
        public var text: String?
        /// The message that answered.
        public var message: String?
        public var time: Timestamp
        public var seq: UInt64?

        public init(
            matches: Bool, status: String? = nil, reason: String? = nil, lifecycle: Lifecycle? = nil, binding: Binding.State? = nil,
            text: String? = nil, message: String? = nil, time: Timestamp, seq: UInt64? = nil
        ) {
            self.message = message
            self.matches = matches
            self.status = status
            self.reason = reason
            self.lifecycle = lifecycle
            self.binding = binding
            self.text = text
            self.time = time
            self.seq = seq
        }
    }

    public enum Outcome: String, Sendable, Codable {
        case matched, gone, cancelled
        case timedOut = "timed_out"
    }

    /// `W-` and 12 lower-case base32 characters, never reused.
    public var id: String
    public var waiter: Author
    public var targets: [Target]
    public var mode: Mode
    public var until: Until
    /// With `text`: what must be on the screen.
    public var text: String?
    /// Pinned to the turn that the input with this sequence number started: only what comes after it counts.
    public var turn: UInt64?
    /// True when the waiter works on meanwhile: until it rests it is not held up.
    public var detached: Bool?
    public var created: Timestamp
    public var deadline: Timestamp
    public var outcome: Outcome?
    public var ended: Timestamp?

    public init(
        id: String, waiter: Author, targets: [Target], mode: Mode, until: Until, text: String? = nil, turn: UInt64? = nil,
        detached: Bool? = nil, created: Timestamp, deadline: Timestamp
    ) {
        self.id = id
        self.waiter = waiter
        self.targets = targets
        self.mode = mode
        self.until = until
        self.text = text
        self.turn = turn
        self.detached = detached
        self.created = created
        self.deadline = deadline
    }

    public var isOpen: Bool { outcome == nil }
}

/// `waits.create` → ``Wait``, which may have ended already.
/// - Error `would_deadlock` names the path; `not_found` the target nobody knows.
public struct CreateWait: Sendable, Codable {
    public var waiter: Author
    public var pods: [PodID]
    public var bindings: [String]?
    /// With `until` reply: the channel messages whose answers are awaited.
    public var messages: [String]?
    public var mode: Wait.Mode
    public var until: Wait.Until
    public var text: String?
    public var turn: UInt64?
    public var detached: Bool?
    /// From now; 24 hours where missing.
    public var timeoutMs: Int64?

    public init(
        waiter: Author, pods: [PodID], bindings: [String]? = nil, messages: [String]? = nil, mode: Wait.Mode, until: Wait.Until,
        text: String? = nil, turn: UInt64? = nil, detached: Bool? = nil, timeoutMs: Int64? = nil
    ) {
        self.messages = messages
        self.waiter = waiter
        self.pods = pods
        self.bindings = bindings
        self.mode = mode
        self.until = until
        self.text = text
        self.turn = turn
        self.detached = detached
        self.timeoutMs = timeoutMs
    }
}

/// `waits.cancel` → ``Wait``.
public struct CancelWait: Sendable, Codable {
    public var id: String
    public var author: Author

    public init(id: String, author: Author) {
        self.id = id
        self.author = author
    }
}

/// `waits.list` → ``WaitPage``, oldest first.
public struct ListWaits: Sendable, Codable {
    /// Only those that wait on this pod, or that this pod waits in.
    public var pod: PodID?
    public var at: Timestamp?
    /// Ended ones too.
    public var all: Bool?

    public init(pod: PodID? = nil, at: Timestamp? = nil, all: Bool? = nil) {
        self.pod = pod
        self.at = at
        self.all = all
    }
}

public struct WaitPage: Sendable, Codable, Equatable {
    public var waits: [Wait]
    public init(waits: [Wait]) { self.waits = waits }
}

/// The payload of `event.wait.<id>.<what>`, kept in stream `EVENTS`.
public struct WaitEvent: Sendable, Codable, Equatable {
    /// `created`, `seen` (one of several targets), `matched`, `gone`, `timed_out`, `cancelled`.
    public var what: String
    public var time: Timestamp
    /// As in ``BindingEvent``.
    public var seq: UInt64
    public var wait: Wait

    public init(what: String, time: Timestamp, seq: UInt64, wait: Wait) {
        self.what = what
        self.time = time
        self.seq = seq
        self.wait = wait
    }
}

extension ErrorBody.Code {
    /// A wait that would close a cycle of those who wait for one another.
    public static let wouldDeadlock = ErrorBody.Code(rawValue: "would_deadlock")
}
