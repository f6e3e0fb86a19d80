public import Contract

/// What a wait's targets do to it. Pure: facts and times in, the next wait out.
public enum WaitMachine {
    /// Something that is known of a target.
    public enum Fact: Sendable, Equatable {
        case status(PodStatus)
        case lifecycle(Lifecycle, Exit?)
        case binding(Binding)
        /// The wait's text is on the pod's screen.
        case text(seq: UInt64)
        /// A channel message was answered.
        case reply(to: String, ChannelMessage.Answer)
        /// Who was to answer a channel message will not get it.
        case undelivered(ChannelMessage.Delivery)
        /// Whoever waits may not look at the pod's screen any more.
        case unbound
    }

    public struct Change: Equatable, Sendable {
        /// The last token of the event's subject.
        public var what: String
        public var wait: Wait
    }

    /// How long a wait lasts for which no time was given.
    public static let defaultTimeout = Duration.seconds(24 * 3600)
    public static let longestTimeout = Duration.seconds(30 * 24 * 3600)

    /// What is wrong with a wait that is asked for, if anything.
    public static func problem(_ request: CreateWait) -> ErrorBody? {
        let messages = request.messages ?? []
        if request.pods.isEmpty && request.bindings?.isEmpty != false && messages.isEmpty {
            return ErrorBody(.badRequest, "name at least one to wait for")
        }
        if (request.until == .reply) != !messages.isEmpty || request.until == .reply && !(request.pods.isEmpty && request.bindings?.isEmpty != false) {
            return ErrorBody(.badRequest, "waiting until a reply needs the messages (M-…) that are to be answered, and nothing else")
        }
        if request.until == .binding && request.bindings?.isEmpty != false {
            return ErrorBody(.badRequest, "waiting until a binding is answered needs the binding's id")
        }
        if (request.until == .text) != (request.text != nil) || request.until == .text && request.bindings?.isEmpty == false {
            return ErrorBody(.badRequest, "waiting until a text is on a screen needs the text, and pods")
        }
        if let text = request.text, text.allSatisfy(\.isWhitespace) || text.utf8.count > 1000 || text.contains(where: \.isNewline) {
            return ErrorBody(.badRequest, "the text is a part of one line, of at most 1000 bytes")
        }
        if request.turn != nil && request.until != .idle && request.until != .waiting {
            return ErrorBody(.badRequest, "a turn ends idle or waiting; wait until one of these")
        }
        if let timeout = request.timeoutMs, timeout < 0 || Duration.milliseconds(timeout) > longestTimeout {
            return ErrorBody(.badRequest, "a wait lasts at most 30 days")
        }
        if request.waiter.kind == .pod, request.pods.contains(where: { $0.text == request.waiter.id }) {
            return ErrorBody(.badRequest, "a pod cannot wait for itself")
        }
        return nil
    }

    /// The wait after a fact about `pod`; nil when it says nothing new to it.
    public static func learn(_ fact: Fact, of pod: PodID, _ wait: Wait, now: Timestamp) -> Change? {
        learn(fact, wait, now: now) { $0.pod == pod }
    }

    /// The wait after an answer to a channel message; nil when it says nothing new to it.
    public static func learn(_ answer: ChannelMessage.Answer, to message: String, _ wait: Wait, now: Timestamp) -> Change? {
        learn(.reply(to: message, answer), wait, now: now) { target in
            // Of a message that mentions nobody anybody's answer counts.
            target.message == message
                && (target.pod.map { answer.by == Author(kind: .pod, id: $0.text) } ?? target.person.map { answer.by == Author(kind: .person, id: $0) } ?? true)
        }
    }

    /// The wait after a delivery of a channel message that will not be.
    public static func learn(_ delivery: ChannelMessage.Delivery, of message: String, _ wait: Wait, now: Timestamp) -> Change? {
        learn(.undelivered(delivery), wait, now: now) { target in
            target.message == message
                && (delivery.member.kind == .pod ? target.pod?.text == delivery.member.id : target.person == delivery.member.id)
        }
    }

    private static func learn(_ fact: Fact, _ wait: Wait, now: Timestamp, _ concerns: (Wait.Target) -> Bool) -> Change? {
        guard wait.isOpen else { return nil }
        var next = wait
        for index in next.targets.indices where next.targets[index].seen == nil && concerns(next.targets[index]) {
            judge(fact, &next.targets[index], wait, now)
        }
        guard next != wait else { return nil }
        return settled(next, now: now, otherwise: next.targets.map(\.seen) == wait.targets.map(\.seen) ? "turn_began" : "seen")
    }

    /// The wait when its time is over; nil before.
    public static func expire(_ wait: Wait, now: Timestamp) -> Change? {
        guard wait.isOpen, wait.deadline <= now else { return nil }
        return ended(wait, .timedOut, now)
    }

    public static func cancel(_ wait: Wait, now: Timestamp) -> Change? {
        guard wait.isOpen else { return nil }
        return ended(wait, .cancelled, now)
    }

    // MARK: - Rules

    private static func judge(_ fact: Fact, _ target: inout Wait.Target, _ wait: Wait, _ now: Timestamp) {
        switch fact {
        case .status(let status):
            if let turn = wait.turn {
                // What was seen up to the prompt belongs to the turn before.
                guard status.seq > turn else { return }
                if status.status == "executing" { target.turnBegan = true }
                guard target.turnBegan == true || status.reason == "turn_done" || status.status == "waiting" else { return }
            }
            // "Could not tell" is none of these and ends nothing.
            guard [Wait.Until.idle, .waiting, .executing].contains(wait.until), status.status == wait.until.rawValue else { return }
            target.seen = .init(
                matches: true, status: status.status, reason: status.reason, time: max(status.since, wait.created), seq: status.seq)
        case .lifecycle(let lifecycle, _):
            guard !lifecycle.isLive else { return }
            target.seen = .init(matches: wait.until == .ended, lifecycle: lifecycle, time: now)
        case .binding(let binding):
            guard wait.until == .binding, target.binding == binding.id, binding.state != .pending else { return }
            target.seen = .init(
                matches: binding.state == .active || binding.reason == .rejected, reason: binding.reason?.rawValue, binding: binding.state,
                time: binding.since)
        case .text(let seq):
            guard wait.until == .text else { return }
            target.seen = .init(matches: true, text: wait.text, time: now, seq: seq)
        case .reply(_, let answer):
            guard wait.until == .reply else { return }
            target.seen = .init(matches: true, message: answer.message, time: answer.time)
        case .undelivered(let delivery):
            guard wait.until == .reply else { return }
            target.seen = .init(matches: false, reason: delivery.reason?.rawValue, time: now)
        case .unbound:
            guard wait.until == .text else { return }
            target.seen = .init(matches: false, reason: "denied", time: now)
        }
    }

    /// Whether what was seen decides the wait.
    private static func settled(_ wait: Wait, now: Timestamp, otherwise: String) -> Change {
        let matched = wait.targets.count { $0.isMatched }
        let gone = wait.targets.count { $0.isGone }
        switch wait.mode {
        case .any:
            if matched > 0 { return ended(wait, .matched, now) }
            if gone == wait.targets.count { return ended(wait, .gone, now) }
        case .all:
            if gone > 0 { return ended(wait, .gone, now) }
            if matched == wait.targets.count { return ended(wait, .matched, now) }
        }
        return Change(what: otherwise, wait: wait)
    }

    private static func ended(_ wait: Wait, _ outcome: Wait.Outcome, _ now: Timestamp) -> Change {
        var next = wait
        next.outcome = outcome
        next.ended = now
        return Change(what: outcome.rawValue, wait: next)
    }
}
