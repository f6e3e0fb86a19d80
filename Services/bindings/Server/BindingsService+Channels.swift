internal import BindingsCore
internal import Contract
internal import Traces
internal import Tracing

/// Channels: who is in them.
extension BindingsService {
    private static let mostMembers = 500

    func create(_ request: CreateChannel) async throws -> Channel {
        guard PodSpec.isName(request.name), !RecordID.isOne(request.name) else {
            throw ErrorBody(.badRequest, "\"\(request.name.prefix(80))\" cannot be a channel's name: use 1 to 64 letters, digits, '.', '_' or '-'")
        }
        guard request.members.count <= Self.mostMembers else { throw ErrorBody(.tooLarge, "a channel has at most \(Self.mostMembers) members") }
        for member in request.members {
            if request.author.kind == .pod && member.who != request.author { throw Self.onlyItself(request.author) }
            if let pod = member.who.pod { _ = try await livePod(pod) }
        }
        return try await store.change { ledger in
            guard try ledger.open(Channel.self, key: request.name) == nil else {
                throw ErrorBody(.conflict, "there is a channel \"\(request.name)\" already; join it")
            }
            var channel = Channel(id: RecordID.make("C"), name: request.name, created: ledger.time, createdBy: request.author)
            for member in request.members where channel.member(member.who) == nil {
                channel.members.append(.init(who: member.who, name: member.name, joined: ledger.time))
            }
            try ledger.put(channel, "created")
            return channel
        }
    }

    func join(_ request: ChangeMember) async throws -> Channel {
        if request.author.kind == .pod && request.who != request.author { throw Self.onlyItself(request.author) }
        if let pod = request.who.pod { _ = try await livePod(pod) }
        return try await store.change { ledger in
            var channel = try self.channel(request.channel, in: ledger)
            guard channel.member(request.who) == nil else { return channel }
            guard channel.members.count < Self.mostMembers else { throw ErrorBody(.tooLarge, "a channel has at most \(Self.mostMembers) members") }
            // What was said before is there to be read, and is not news.
            let newest = try ledger.newestNumber(in: channel.id)
            channel.members.append(.init(who: request.who, name: request.name, joined: ledger.time, read: newest))
            try ledger.put(channel, "joined")
            return channel
        }
    }

    func leave(_ request: ChangeMember) async throws -> Channel {
        if request.author.kind == .pod && request.who != request.author { throw Self.onlyItself(request.author) }
        return try await store.change { ledger in
            let channel = try self.channel(request.channel, in: ledger)
            guard channel.member(request.who) != nil else { throw ErrorBody(.notFound, "\(request.name) is no member of #\(channel.name)") }
            for message in try ledger.open(ChannelMessage.self) where message.channel == channel.id {
                if let change = MessageDelivery.gone(request.who, .left, message, now: ledger.time) { try keep(change, in: &ledger) }
            }
            return try remove(request.who, from: channel, in: &ledger)
        }
    }

    private static func onlyItself(_ author: Author) -> ErrorBody {
        ErrorBody(.denied, "\(author) may join and leave for itself alone: who is a member lets others type into its terminal")
    }

    private func remove(_ who: Author, from channel: Channel, in ledger: inout Ledger) throws -> Channel {
        // A notice may have changed it meanwhile.
        var channel = try ledger.get(Channel.self, channel.id) ?? channel
        channel.members.removeAll { $0.who == who }
        try ledger.put(channel, "left")
        return channel
    }

    /// A pod has ended: it leaves its channels, and what waits for it is told to who sent it.
    func forget(_ member: Author, in ledger: inout Ledger) throws {
        guard let pod = member.pod else { return }
        for message in try ledger.open(ChannelMessage.self, of: pod) {
            if let change = MessageDelivery.gone(member, .podEnded, message, now: ledger.time) { try keep(change, in: &ledger) }
        }
        for channel in try ledger.open(Channel.self, of: pod) where channel.member(member) != nil {
            _ = try remove(member, from: channel, in: &ledger)
        }
        try ledger.settleMailbox(pod)
    }

    func channel(_ ref: String, in ledger: Ledger) throws -> Channel {
        // What cannot be a name is not asked of the database.
        guard PodSpec.isName(ref), let found = try RecordID.isOne(ref) ? ledger.get(Channel.self, ref) : ledger.open(Channel.self, key: ref)
        else { throw Self.unknownChannel(ref) }
        return found
    }

    private static func unknownChannel(_ ref: String) -> ErrorBody {
        ErrorBody(.notFound, "there is no channel \"\(ref.prefix(80))\"; create it: switchback channel create \(ref.prefix(80))")
    }

    func channels(_ request: ListChannels) async throws -> [Channel] {
        let channels = try await store.list(Channel.self, pod: request.member?.pod, at: request.at)
        return channels.filter { channel in
            (request.member.map { channel.member($0) != nil } ?? true) && (request.channel.map { $0 == channel.id || $0 == channel.name } ?? true)
        }
    }

    func channel(_ request: ListChannels) async throws -> Channel {
        guard let channel = try await channels(request).first else {
            // A pod is not told of channels that it has no part in.
            throw Self.unknownChannel(request.channel ?? "")
        }
        return channel
    }
}

/// Channels: what is said in them.
extension BindingsService {
    func post(_ request: PostMessage) async throws -> ChannelMessage {
        if let problem = MessageDelivery.problem(request.text) { throw problem }
        // Whoever types it into a pod does so later, and belongs to the same request.
        let message = try await withSampledSpan("send channel message", ofKind: .producer, attributes: MessageSpans.attributes("send", "send")) { span in
            let trace = span?.context.trace
            let message = try await post(request, trace)
            span?.updateAttributes { MessageSpans.tell(message, &$0) }
            return message
        }
        await mail?.look()
        return message
    }

    private func post(_ request: PostMessage, _ trace: TraceContext?) async throws -> ChannelMessage {
        try await store.change { ledger in
            if let key = request.key, let posted = try ledger.posted(by: request.author, key: key) { return posted }
            var channel = try self.channel(request.channel, in: ledger)
            if channel.member(request.author) == nil {
                guard request.author.kind == .person else { throw Self.noMember(request.author, channel.name) }
                channel.members.append(
                    .init(who: request.author, name: request.authorName, joined: ledger.time, read: try ledger.newestNumber(in: channel.id)))
                try ledger.put(channel, "joined")
            }
            if let id = request.replyTo {
                guard RecordID.isOne(id), let first = try ledger.get(ChannelMessage.self, id), first.channel == channel.id else {
                    throw ErrorBody(.badRequest, "there is no message \(id) in #\(channel.name) that could be answered")
                }
            }
            return try say(
                request.text, by: request.author, request.authorName, asks: request.asks, replyTo: request.replyTo, key: request.key, in: channel,
                trace: trace, &ledger)
        }
    }

    /// Posts, with all that follows: receipts, answers to what was asked, edges of the graph.
    @discardableResult
    private func say(
        _ text: String, by author: Author, _ authorName: String, asks: Bool? = nil, replyTo: String? = nil, key: String? = nil, in channel: Channel,
        trace: TraceContext? = nil, _ ledger: inout Ledger
    ) throws -> ChannelMessage {
        let now = ledger.time
        let (mentioned, unknown) = MessageDelivery.mentions(in: text, members: channel.members, author: author)
        if asks == true && mentioned.isEmpty {
            throw ErrorBody(.badRequest, "a question needs somebody to answer it: mention a member of #\(channel.name), @\(channel.members.first?.name ?? "name")")
        }
        let told = try author.pod.flatMap { try ledger.told($0) }
        var message = ChannelMessage(
            id: RecordID.make("M"), channel: channel.id, channelName: channel.name, number: try ledger.newestNumber(in: channel.id) + 1, author: author,
            authorName: authorName, text: text, created: now, asks: asks == true ? true : nil, replyTo: replyTo,
            hops: MessageDelivery.hops(author: author, told: told, now: now))
        message.unknown = unknown.isEmpty ? nil : unknown
        message = MessageDelivery.post(message, to: mentioned, now: now)
        // What it answers frees its author first.
        var answered: [MessageDelivery.Change] = []
        let earlier = try ledger.openQuestions(in: channel.id)
        let first = try replyTo.flatMap { try ledger.get(ChannelMessage.self, $0) }
        for other in [first].compactMap({ $0 }) + earlier.filter({ $0.id != replyTo }) {
            if let change = MessageDelivery.answered(by: message, other, now: now) { answered.append(change) }
        }
        for change in answered { try keep(change, in: &ledger) }
        if let claim = Claim(message), let path = try graph(in: ledger).path(closing: claim) {
            throw ErrorBody(
                .wouldDeadlock,
                "nobody could go on: \(path.map(\.description).joined(separator: " waits on ")); say it without asking, or end one of the waits first")
        }
        try ledger.put(message, "posted")
        try ledger.add(message, key: key, trace: trace)
        try attend(to: message, in: &ledger)
        return message
    }

    static func noMember(_ author: Author, _ channel: String) -> ErrorBody {
        ErrorBody(.denied, "\(author) is no member of #\(channel); join it: switchback channel join \(channel)")
    }

    /// Keeps what happened to a message, and all that follows from it.
    func keep(_ change: MessageDelivery.Change, in ledger: inout Ledger) throws {
        let before = try ledger.get(ChannelMessage.self, change.message.id)
        let message = change.message
        try ledger.put(message, change.what)
        try attend(to: message, in: &ledger)
        let answers = message.answers.filter { answer in before?.answers.contains(answer) != true }
        let lost = message.deliveries.filter { $0.reason != nil && before?.delivery($0.member)?.reason == nil }
        if !answers.isEmpty || !lost.isEmpty {
            for wait in try ledger.openWaits(until: .reply) {
                for change in self.answers(answers, lost, of: message.id, wait, now: ledger.time).suffix(1) { try ledger.put(change.wait, change.what) }
            }
        }
        for delivery in lost where message.author.kind != .system && delivery.member != message.author {
            // The sender is told where it is told everything else; who is not there any more need not know.
            guard let channel = try ledger.get(Channel.self, message.channel), channel.member(message.author) != nil else { continue }
            let what = delivery.delivered == nil ? "was not delivered to" : "will not be answered by"
            try say(
                "@\(message.authorName) \(message.id) \(what) \(delivery.name): \(delivery.note ?? delivery.reason?.rawValue ?? "")",
                by: Author(kind: .system, id: "switchback"), "Switchback", in: channel, &ledger)
        }
        try reportCycles(after: false, in: &ledger)
    }

    func message(_ request: MessageRequest) async throws -> ChannelMessage {
        guard RecordID.isOne(request.message), let message = try await store.get(ChannelMessage.self, request.message) else {
            throw unknown("message", request.message)
        }
        if let author = request.author, author.kind == .pod {
            let channel = try await store.get(Channel.self, message.channel)
            guard channel?.member(author) != nil else { throw unknown("message", request.message) }
        }
        return message
    }

    func messages(_ request: ListMessages) async throws -> MessagePage {
        var channels = try await channels(ListChannels(channel: request.channel, member: request.reader?.kind == .pod ? request.reader : nil))
        if let ref = request.channel, channels.isEmpty {
            guard request.reader?.kind == .pod, try await !self.channels(ListChannels(channel: ref)).isEmpty else { throw Self.unknownChannel(ref) }
            throw Self.noMember(request.reader ?? Author(kind: .system, id: "nobody"), ref)
        }
        if let at = request.at {
            let then = try await self.channels(ListChannels(at: at))
            channels = then.filter { channel in channels.contains { $0.id == channel.id } }
        }
        // No message holds what none may hold, and the database takes no such text.
        guard request.text?.utf8.contains(0) != true else { return MessagePage(messages: []) }
        var page = try await store.messages(request, in: channels.map(\.id))
        let members = Dictionary(channels.map { ($0.id, $0.members) }, uniquingKeysWith: { first, _ in first })
        for index in page.messages.indices {
            let message = page.messages[index]
            let readers = (members[message.channel] ?? []).filter { member in
                member.read >= message.number && member.joined <= message.created && member.who != message.author && message.delivery(member.who) == nil
            }
            page.messages[index].readers = readers.isEmpty ? nil : readers.map(\.who)
        }
        return page
    }

    func read(_ request: ReadChannel) async throws -> Channel {
        try await store.change { ledger in
            var channel = try self.channel(request.channel, in: ledger)
            guard let index = channel.members.firstIndex(where: { $0.who == request.author }) else { throw Self.noMember(request.author, channel.name) }
            let before = channel.members[index].read
            let newest = try ledger.newestNumber(in: channel.id)
            let through = min(request.through ?? newest, newest)
            guard through > before else { return channel }
            channel.members[index].read = through
            channel.members[index].readAt = ledger.time
            try ledger.put(channel, "caught_up")
            for message in try ledger.messages(in: channel.id, after: before, through: through, mentioning: request.author) {
                guard let change = MessageDelivery.apply(.read, of: request.author, message, now: ledger.time) else { continue }
                try keep(change, in: &ledger)
                if let pod = request.author.pod { try ledger.tell(pod, message) }
            }
            if let pod = request.author.pod { try ledger.settleMailbox(pod) }
            return channel
        }
    }

    func acknowledge(_ request: MessageRequest) async throws -> ChannelMessage {
        guard let author = request.author else { throw ErrorBody(.badRequest, "who acknowledges is missing") }
        return try await store.change { ledger in
            guard RecordID.isOne(request.message), let message = try ledger.get(ChannelMessage.self, request.message) else {
                throw unknown("message", request.message)
            }
            let channel = try self.channel(message.channel, in: ledger)
            guard channel.member(author) != nil else { throw Self.noMember(author, channel.name) }
            let change =
                author == message.author
                ? MessageDelivery.withdraw(message, now: ledger.time) : MessageDelivery.apply(.acknowledged, of: author, message, now: ledger.time)
            guard let change else { return message }
            try keep(change, in: &ledger)
            if let pod = author.pod, author != message.author {
                try ledger.tell(pod, message)
                try ledger.settleMailbox(pod)
            }
            return change.message
        }
    }
}

/// Channels: waits for answers.
extension BindingsService {
    /// Whom a message asks, as targets of a wait.
    func targets(answering id: String, for waiter: Author, in ledger: Ledger) throws -> [Wait.Target] {
        guard RecordID.isOne(id), let message = try ledger.get(ChannelMessage.self, id) else { throw unknown("message", id) }
        if waiter.kind == .pod, try channel(message.channel, in: ledger).member(waiter) == nil { throw Self.noMember(waiter, message.channelName) }
        let targets = message.mentions.map { who in Wait.Target(pod: who.pod, message: id, person: who.kind == .person ? who.id : nil) }
        return targets.isEmpty ? [Wait.Target(pod: nil, message: id)] : targets
    }

    /// What a message's answers so far do to a wait.
    func answers(to message: ChannelMessage, _ wait: Wait, now: Timestamp) -> [WaitMachine.Change] {
        answers(message.answers, message.deliveries.filter { $0.reason != nil }, of: message.id, wait, now: now)
    }

    private func answers(
        _ answers: [ChannelMessage.Answer], _ lost: [ChannelMessage.Delivery], of message: String, _ wait: Wait, now: Timestamp
    ) -> [WaitMachine.Change] {
        var changes: [WaitMachine.Change] = []
        for answer in answers {
            if let change = WaitMachine.learn(answer, to: message, changes.last?.wait ?? wait, now: now) { changes.append(change) }
        }
        for delivery in lost {
            if let change = WaitMachine.learn(delivery, of: message, changes.last?.wait ?? wait, now: now) { changes.append(change) }
        }
        return changes
    }
}
