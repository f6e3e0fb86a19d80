public import Contract

/// What happens to a message after it was posted. Pure: a message, a fact and a time in, the next message out.
///
/// For each member that it mentions: queued → delivered → read → acknowledged, or dead with a reason. A state is never left for an
/// earlier one, whatever comes late.
public enum MessageDelivery {
    public enum Fact: Sendable, Equatable {
        /// It was typed and submitted; the frame that did, and what else is to be known.
        case delivered(seq: UInt64?, note: String?)
        case read
        case acknowledged
        case failed(ChannelMessage.Delivery.Reason, String?)
    }

    public struct Change: Equatable, Sendable {
        /// The last token of the event's subject.
        public var what: String
        public var message: ChannelMessage
    }

    /// How long a message waits for one who cannot take it, and a question for its answer.
    public static let patience = Duration.seconds(24 * 3600)
    /// Messages of pods in a row, each an answer to the one before, before they are typed no more.
    public static let longestChain = 8
    /// A pod that says something so long after it was told something was not made to by it.
    public static let memory = Duration.seconds(600)
    /// Most bytes of a message.
    public static let longestText = 32 << 10

    // MARK: - Posting

    /// What is wrong with a text, if anything. Control characters could do in a terminal what nobody sees in a message.
    public static func problem(_ text: String) -> ErrorBody? {
        if text.allSatisfy(\.isWhitespace) { return ErrorBody(.badRequest, "the message is empty") }
        if text.utf8.count > longestText { return ErrorBody(.tooLarge, "a message has at most \(longestText) bytes; put what is longer in a file and name it") }
        let bad = text.unicodeScalars.first { scalar in
            scalar.value < 0x20 && scalar != "\n" && scalar != "\t" && scalar != "\r" || (0x7f...0x9f).contains(scalar.value)
        }
        guard let bad else { return nil }
        return ErrorBody(.badRequest, "the message holds the control character U+\(String(bad.value, radix: 16, uppercase: true)); leave it out")
    }

    /// Who is mentioned by `@name` or `@pod-id`, in the order of the text, without the author; and names that are no members'.
    public static func mentions(in text: String, members: [Channel.Member], author: Author) -> (members: [Channel.Member], unknown: [String]) {
        var found: [Channel.Member] = []
        var unknown: [String] = []
        for name in names(in: text) {
            // A full stop or dash behind a name ends the sentence; within it may be part of the name.
            var word = name[...]
            var matches: [Channel.Member] = []
            while !word.isEmpty {
                matches = members.filter { $0.name == word || $0.who.id == word && $0.who.kind == .pod }
                guard matches.isEmpty, let last = word.last, last == "." || last == "-" || last == "_" else { break }
                word = word.dropLast()
            }
            for member in matches where member.who != author && !found.contains(where: { $0.who == member.who }) { found.append(member) }
            let asked = String(name.reversed().drop { $0 == "." || $0 == "-" || $0 == "_" }.reversed())
            if matches.isEmpty, !asked.isEmpty, !unknown.contains(asked) { unknown.append(asked) }
        }
        return (found, unknown)
    }

    private static func isNamePart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "." || character == "_" || character == "-"
    }

    /// The words behind each `@` that begins a word.
    private static func names(in text: String) -> [String] {
        var names: [String] = []
        var previous: Character = " "
        var index = text.startIndex
        while index < text.endIndex {
            let character = text[index]
            if character == "@", !isNamePart(previous), previous != "@" {
                let start = text.index(after: index)
                let end = text[start...].firstIndex { !isNamePart($0) } ?? text.endIndex
                // `@name@host` and `@name/…` are other things' names.
                if end > start, end == text.endIndex || text[end] != "@" && text[end] != "/" { names.append(String(text[start..<end])) }
                previous = "@"
                index = end
            } else {
                previous = character
                index = text.index(after: index)
            }
        }
        return names
    }

    /// How long the chain of pods is that led to a message: a person begins anew; a pod goes on from what it was told last, for a while.
    /// - Parameter told: the newest message that was delivered to the author, and when.
    public static func hops(author: Author, told: (hops: Int, at: Timestamp)?, now: Timestamp) -> Int {
        guard author.kind == .pod, let told, now - told.at <= memory else { return 0 }
        return min(told.hops, 1_000_000) + 1
    }

    /// A new message with its receipts: queued for everybody mentioned, or dead at once where pods only answer one another.
    public static func post(_ message: ChannelMessage, to mentioned: [Channel.Member], now: Timestamp) -> ChannelMessage {
        var message = message
        message.mentions = mentioned.map(\.who)
        message.deliveries = mentioned.map { .init(member: $0.who, name: $0.name, since: now) }
        guard message.hops >= longestChain else { return message }
        let words = "\(message.hops) messages of pods in a row, each answering the one before; a person has to say something first"
        for member in mentioned where member.who.kind == .pod {
            message = apply(.failed(.loop, words), of: member.who, message, now: now)?.message ?? message
        }
        return message
    }

    // MARK: - What happens to it

    /// The message after a fact about one member; nil when it says nothing new.
    public static func apply(_ fact: Fact, of member: Author, _ message: ChannelMessage, now: Timestamp) -> Change? {
        guard member != message.author else { return nil }
        var next = message
        guard let index = next.deliveries.firstIndex(where: { $0.member == member }) else {
            // One who was not mentioned may still say that it knows.
            guard fact == .acknowledged else { return nil }
            var delivery = ChannelMessage.Delivery(member: member, name: member.id, since: now)
            delivery.state = .acknowledged
            delivery.read = now
            delivery.acknowledged = now
            next.deliveries.append(delivery)
            return Change(what: "acknowledged", message: next)
        }
        var delivery = next.deliveries[index]
        let state: ChannelMessage.Delivery.State
        switch fact {
        case .delivered(let seq, let note):
            // It may have been read meanwhile: then the receipt says both.
            guard delivery.delivered == nil, delivery.state != .dead else { return nil }
            delivery.delivered = now
            delivery.seq = seq
            delivery.note = note
            state = .delivered
        case .read:
            guard delivery.read == nil else { return nil }
            delivery.read = now
            state = .read
        case .acknowledged:
            guard delivery.acknowledged == nil else { return nil }
            delivery.acknowledged = now
            delivery.read = delivery.read ?? now
            state = .acknowledged
        case .failed(let reason, let words):
            guard delivery.state == .queued else { return nil }
            delivery.reason = reason
            delivery.note = words
            state = .dead
        }
        if rank(state) > rank(delivery.state) || state == .dead {
            delivery.state = state
            delivery.since = now
        }
        next.deliveries[index] = delivery
        return Change(what: state.rawValue, message: next)
    }

    /// What was not typed can still be read: then that is what the receipt says, with the reason kept.
    private static func rank(_ state: ChannelMessage.Delivery.State) -> Int {
        switch state {
        case .queued: 0
        case .dead: 1
        case .delivered: 2
        case .read: 3
        case .acknowledged: 4
        }
    }

    /// A pod has ended, or a member has left: what is queued for it is dead, and a question of its own waits no more.
    public static func gone(_ member: Author, _ reason: ChannelMessage.Delivery.Reason, _ message: ChannelMessage, now: Timestamp) -> Change? {
        if message.author == member {
            // A receiver may still need what a dead sender said; only its question is answered to nobody.
            guard message.isOpenQuestion, reason == .podEnded else { return nil }
            return withdraw(message, now: now)
        }
        let words = reason == .left ? "\(name(member, message)) has left the channel" : "\(name(member, message)) has ended"
        if let change = apply(.failed(reason, words), of: member, message, now: now) { return change }
        // It was delivered and never answered: nobody will.
        guard reason == .podEnded, message.unanswered.contains(member), let index = message.deliveries.firstIndex(where: { $0.member == member })
        else { return nil }
        var next = message
        next.deliveries[index].reason = reason
        next.deliveries[index].note = words + " without an answer"
        return Change(what: "abandoned", message: next)
    }

    private static func name(_ member: Author, _ message: ChannelMessage) -> String { message.delivery(member)?.name ?? member.id }

    /// Nobody has to answer it any more.
    public static func withdraw(_ message: ChannelMessage, now: Timestamp) -> Change? {
        guard message.isOpenQuestion else { return nil }
        var next = message
        next.closed = now
        return Change(what: "withdrawn", message: next)
    }

    /// What is left of it when its time is over: each queued delivery is dead, a question waits no more.
    public static func expire(_ message: ChannelMessage, now: Timestamp) -> [Change] {
        guard due(message).map({ $0 <= now }) == true else { return [] }
        var changes: [Change] = []
        var next = message
        for delivery in message.deliveries where delivery.state == .queued {
            guard let change = apply(.failed(.expired, "nobody could take it for a day"), of: delivery.member, next, now: now) else { continue }
            next = change.message
            changes.append(change)
        }
        if let change = withdraw(next, now: now) { changes.append(change) }
        return changes
    }

    /// Whether something may still happen to it by itself: a pod is to get it, or an answer is missing.
    public static func isOpen(_ message: ChannelMessage) -> Bool { !message.queuedPods.isEmpty || message.isOpenQuestion }

    /// When its time is over; nil when nothing of it waits.
    public static func due(_ message: ChannelMessage) -> Timestamp? { isOpen(message) ? message.created + patience : nil }

    // MARK: - Answers

    /// Whether a later message answers this one: it says so, or it is by somebody who was asked, and tells who asked without asking back.
    public static func answers(_ later: ChannelMessage, _ message: ChannelMessage) -> Bool {
        guard later.author != message.author, later.channel == message.channel, later.number > message.number,
            !message.answers.contains(where: { $0.message == later.id })
        else { return false }
        if later.replyTo == message.id { return true }
        return later.replyTo == nil && later.asks != true && message.unanswered.contains(later.author) && later.mentions.contains(message.author)
    }

    /// The message with one answer more, which says as well that its author knows it.
    public static func answered(by later: ChannelMessage, _ message: ChannelMessage, now: Timestamp) -> Change? {
        guard answers(later, message) else { return nil }
        var next = message
        next.answers.append(.init(by: later.author, message: later.id, time: now))
        next = apply(.acknowledged, of: later.author, next, now: now)?.message ?? next
        return Change(what: "answered", message: next)
    }

    // MARK: - Words

    /// What is typed into a pod: who says it and that it is not the operator, then the text.
    /// - Parameter isShell: it goes to a shell's prompt, which would run it: a comment on one line.
    public static func typed(_ message: ChannelMessage, isShell: Bool) -> String {
        let who: String
        switch message.author.kind {
        case .pod: who = "from the agent in pod \(message.authorName), not from your operator"
        case .person: who = "from \(message.authorName), by way of a channel"
        case .system: who = "from Switchback"
        }
        let asks = message.asks == true ? ", who waits for your answer" : ""
        let head = "[#\(message.channelName) \(message.id), \(who)\(asks)]"
        let text = message.text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
        guard isShell else { return head + (text.contains("\n") ? "\n" : " ") + text }
        return "# " + oneLine(head + " " + text)
    }

    /// Text without line ends and tabs, which would submit or complete something where they are not pasted.
    public static func oneLine(_ text: String) -> String {
        text.split(omittingEmptySubsequences: true) { $0.isNewline || $0 == "\t" }.joined(separator: " ⏎ ")
    }
}
