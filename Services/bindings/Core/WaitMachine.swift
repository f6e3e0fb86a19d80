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
        if request.pods.isEmpty && request.bindings?.isEmpty != false { return ErrorBody(.badRequest, "name at least one to wait for") }
        if request.until == .binding && request.bindings?.isEmpty != false {
            return ErrorBody(.badRequest, "waiting until a binding is answered needs the binding's id")
        }
        if request.until == .text || request.text != nil {
            return ErrorBody(.badRequest, "a text on the screen cannot be waited for yet; wait until idle and read the screen")
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
        guard wait.isOpen else { return nil }
        var next = wait
        for index in next.targets.indices where next.targets[index].pod == pod && next.targets[index].seen == nil {
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
