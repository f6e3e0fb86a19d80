/// A named room with members and durable messages.
public struct Channel: Sendable, Equatable, Codable {
    /// A pod or a person who reads and posts there.
    public struct Member: Sendable, Equatable, Codable {
        /// `pod:<id>` or `person:<name>`.
        public var who: Author
        /// By which `@name` mentions it: the pod's or the person's name.
        public var name: String
        public var joined: Timestamp
        /// The newest message that it has read, by its number; 0 before the first.
        public var read: UInt64
        /// When it read that far.
        public var readAt: Timestamp?

        public init(who: Author, name: String, joined: Timestamp, read: UInt64 = 0) {
            self.who = who
            self.name = name
            self.joined = joined
            self.read = read
        }
    }

    /// `C-` and 12 lower-case base32 characters, never reused.
    public var id: String
    /// Unique: 1 to 64 letters, digits, `.`, `_`, `-`.
    public var name: String
    public var created: Timestamp
    public var createdBy: Author
    /// In the order in which they joined. A pod leaves with its end.
    public var members: [Member]

    public init(id: String, name: String, created: Timestamp, createdBy: Author, members: [Member] = []) {
        self.id = id
        self.name = name
        self.created = created
        self.createdBy = createdBy
        self.members = members
    }

    public func member(_ who: Author) -> Member? { members.first { $0.who == who } }
}

/// What somebody said in a channel. It stays as it was said; what grows are its receipts and answers.
public struct ChannelMessage: Sendable, Equatable, Codable {
    /// What became of a message for one whom it mentions.
    public struct Delivery: Sendable, Equatable, Codable {
        public enum State: String, Sendable, Codable {
            /// It waits until the pod can take it; for a person until they read it.
            case queued
            /// It was typed into the pod and submitted.
            case delivered
            /// The member has read the channel up to it.
            case read
            case acknowledged
            /// It was not delivered and will not be; `reason` says why, and the sender was told.
            case dead
        }

        /// Why a message was not delivered.
        public enum Reason: String, Sendable, Codable {
            case podEnded = "pod_ended"
            /// Nobody could take it for a day.
            case expired
            /// The member left the channel.
            case left
            /// Pods had mentioned one another so often, with no person between, that it was typed no more; it can be read.
            case loop
            case denied
        }

        public var member: Author
        public var name: String
        public var state: State
        /// Since when it is in this state.
        public var since: Timestamp
        public var delivered: Timestamp?
        public var read: Timestamp?
        public var acknowledged: Timestamp?
        /// The frame of the pod's log that submitted it.
        public var seq: UInt64?
        /// Why it is dead; of one that was delivered why no answer will come.
        public var reason: Reason?
        /// What else is to be known, for a person.
        public var note: String?

        public init(member: Author, name: String, since: Timestamp) {
            self.member = member
            self.name = name
            state = .queued
            self.since = since
        }
    }

    /// A message that answered this one.
    public struct Answer: Sendable, Equatable, Codable {
        public var by: Author
        public var message: String
        public var time: Timestamp

        public init(by: Author, message: String, time: Timestamp) {
            self.by = by
            self.message = message
            self.time = time
        }
    }

    /// `M-` and 12 lower-case base32 characters, never reused.
    public var id: String
    /// The channel's id, and its name.
    public var channel: String
    public var channelName: String
    /// 1, 2, 3 … in the channel, without gaps.
    public var number: UInt64
    public var author: Author
    public var authorName: String
    public var text: String
    public var created: Timestamp
    /// Members that are mentioned, without the author; they get it delivered.
    public var mentions: [Author]
    /// Names that were mentioned and are no members' here.
    public var unknown: [String]?
    /// The author needs an answer of everybody mentioned, and waits for it.
    public var asks: Bool?
    public var replyTo: String?
    /// How many messages of pods, each answering the one before, led to it; 0 after a person.
    public var hops: Int
    public var deliveries: [Delivery]
    public var answers: [Answer]
    /// A question that nobody has to answer any more: its author withdrew it or has ended, or its time is over.
    public var closed: Timestamp?
    /// Other members who have read up to it; filled in where messages are listed.
    public var readers: [Author]?

    public init(
        id: String, channel: String, channelName: String, number: UInt64, author: Author, authorName: String, text: String, created: Timestamp,
        mentions: [Author] = [], asks: Bool? = nil, replyTo: String? = nil, hops: Int = 0
    ) {
        self.id = id
        self.channel = channel
        self.channelName = channelName
        self.number = number
        self.author = author
        self.authorName = authorName
        self.text = text
        self.created = created
        self.mentions = mentions
        self.asks = asks
        self.replyTo = replyTo
        self.hops = hops
        deliveries = []
        answers = []
    }

    public func delivery(_ member: Author) -> Delivery? { deliveries.first { $0.member == member } }

    /// Of a question: whose answers are missing.
    public var unanswered: [Author] {
        guard asks == true, closed == nil else { return [] }
        return mentions.filter { who in !answers.contains { $0.by == who } && delivery(who)?.reason == nil }
    }

    /// Whether somebody waits for an answer.
    public var isOpenQuestion: Bool { !unanswered.isEmpty }

    /// Pods that it has yet to be typed into.
    public var queuedPods: [PodID] {
        deliveries.compactMap { $0.state == .queued ? $0.member.pod : nil }
    }
}

/// `channels.create` → ``Channel``. A name that is taken gives `conflict`.
public struct CreateChannel: Sendable, Codable {
    /// Somebody to be a member.
    public struct NewMember: Sendable, Codable {
        public var who: Author
        public var name: String

        public init(who: Author, name: String) {
            self.who = who
            self.name = name
        }
    }

    public var name: String
    public var author: Author
    /// Members from the start.
    public var members: [NewMember]

    public init(name: String, author: Author, members: [NewMember]) {
        self.name = name
        self.author = author
        self.members = members
    }
}

/// `channels.join`, `channels.leave` → ``Channel``. A pod joins and leaves for itself alone.
public struct ChangeMember: Sendable, Codable {
    /// The channel's name or id.
    public var channel: String
    public var author: Author
    public var who: Author
    public var name: String

    public init(channel: String, author: Author, who: Author, name: String) {
        self.channel = channel
        self.author = author
        self.who = who
        self.name = name
    }
}

/// `channels.get` → ``Channel``; `channels.list` → ``ChannelPage``.
public struct ListChannels: Sendable, Codable {
    /// One channel, by name or id.
    public var channel: String?
    /// Only those of this member.
    public var member: Author?
    public var at: Timestamp?

    public init(channel: String? = nil, member: Author? = nil, at: Timestamp? = nil) {
        self.channel = channel
        self.member = member
        self.at = at
    }
}

public struct ChannelPage: Sendable, Codable, Equatable {
    public var channels: [Channel]
    public init(channels: [Channel]) { self.channels = channels }
}

/// `channels.post` → ``ChannelMessage`` with its receipts so far. A person who is no member becomes one.
/// - Error `would_deadlock` where a question would make pods wait for one another.
public struct PostMessage: Sendable, Codable {
    public var channel: String
    public var author: Author
    public var authorName: String
    public var text: String
    public var asks: Bool?
    public var replyTo: String?
    /// The same key of the same author posts once.
    public var key: String?

    public init(
        channel: String, author: Author, authorName: String, text: String, asks: Bool? = nil, replyTo: String? = nil, key: String? = nil
    ) {
        self.channel = channel
        self.author = author
        self.authorName = authorName
        self.text = text
        self.asks = asks
        self.replyTo = replyTo
        self.key = key
    }
}

/// `channels.messages` → ``MessagePage``, in the order in which they were posted.
public struct ListMessages: Sendable, Codable {
    public var channel: String?
    /// Who asks; a pod sees only channels that it is a member of.
    public var reader: Author?
    /// Only those that this pod wrote or is mentioned in.
    public var pod: PodID?
    /// Only those that hold this text, in any case of its letters.
    public var text: String?
    /// With their receipts as they were then; what came later is left out.
    public var at: Timestamp?
    /// In one channel: only those with a higher, a lower number.
    public var after: UInt64?
    public var before: UInt64?
    public var from: Timestamp?
    public var to: Timestamp?
    /// At most so many, 1 to 1000, 100 where missing: with `after` the oldest, else the newest.
    public var limit: Int?

    public init(
        channel: String? = nil, reader: Author? = nil, pod: PodID? = nil, text: String? = nil, at: Timestamp? = nil, after: UInt64? = nil,
        before: UInt64? = nil, from: Timestamp? = nil, to: Timestamp? = nil, limit: Int? = nil
    ) {
        self.channel = channel
        self.reader = reader
        self.pod = pod
        self.text = text
        self.at = at
        self.after = after
        self.before = before
        self.from = from
        self.to = to
        self.limit = limit
    }
}

public struct MessagePage: Sendable, Codable, Equatable {
    public var messages: [ChannelMessage]
    /// There are more beyond the limit.
    public var more: Bool

    public init(messages: [ChannelMessage], more: Bool = false) {
        self.messages = messages
        self.more = more
    }
}

/// `channels.read` → ``Channel``: the author has read up to a number; everything where it is missing.
public struct ReadChannel: Sendable, Codable {
    public var channel: String
    public var author: Author
    public var through: UInt64?

    public init(channel: String, author: Author, through: UInt64? = nil) {
        self.channel = channel
        self.author = author
        self.through = through
    }
}

/// `channels.ack`, `channels.message` → ``ChannelMessage``. The author of a question who acknowledges it withdraws it.
public struct MessageRequest: Sendable, Codable {
    public var message: String
    public var author: Author?

    public init(message: String, author: Author?) {
        self.message = message
        self.author = author
    }
}

/// The payload of `event.channel.<id>.<what>`, kept in stream `EVENTS`.
public struct ChannelEvent: Sendable, Codable, Equatable {
    /// Of the channel: `created`, `joined`, `left`, `caught_up` (a member has read). Of a message: `posted`, `delivered`, `read`,
    /// `acknowledged`, `dead`, `abandoned` (who was asked has ended), `answered`, `withdrawn`.
    public var what: String
    public var time: Timestamp
    /// As in ``BindingEvent``.
    public var seq: UInt64
    /// What changed: one of the two.
    public var channel: Channel?
    public var message: ChannelMessage?

    public init(what: String, time: Timestamp, seq: UInt64, channel: Channel? = nil, message: ChannelMessage? = nil) {
        self.what = what
        self.time = time
        self.seq = seq
        self.channel = channel
        self.message = message
    }
}
