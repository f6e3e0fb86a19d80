public import Contract

/// Records as reasons for which a pod cannot go on.
extension Claim {
    /// A pod's open wait needs its targets; a person's keeps nobody from working.
    public init?(_ wait: Wait) {
        guard wait.isOpen, let waiter = wait.waiter.pod else { return nil }
        // Of a binding that is waited for, the binding itself is the reason.
        let open = wait.targets.filter { $0.seen == nil && $0.binding == nil }
        self.init(
            id: wait.id, kind: .wait, from: .pod(waiter), to: Set(open.compactMap { $0.pod.map { .pod($0) } ?? $0.person.map { .person($0) } }),
            anyFrees: wait.mode == .any,
            why: "waits until \(wait.until.rawValue)", since: wait.created, deadline: wait.deadline)
    }

    /// A pending binding needs its target's answer; with `ask_person` a person's.
    public init?(_ binding: Binding, person: String = "operator") {
        guard binding.state == .pending else { return nil }
        self.init(
            id: binding.id, kind: .binding, from: .pod(binding.from), to: [binding.asksPerson == true ? .person(person) : .pod(binding.to)],
            why: "asks for \(binding.pending.map(\.rawValue).joined(separator: ", "))", since: binding.since, deadline: binding.expires)
    }

    /// A pod's question needs the answers of everybody asked; a person's keeps nobody from working.
    public init?(_ message: ChannelMessage) {
        guard message.isOpenQuestion, let asker = message.author.pod else { return nil }
        let to = message.unanswered.compactMap { who -> GraphNode? in
            switch who.kind {
            case .pod: PodID(who.id).map { .pod($0) }
            case .person: .person(who.id)
            case .system: nil
            }
        }
        self.init(
            id: message.id, kind: .question, from: .pod(asker), to: Set(to), why: "asked in #\(message.channelName)", since: message.created,
            deadline: MessageDelivery.due(message))
    }

    /// A pod whose screen waits for a person.
    public init?(_ status: PodStatus, of pod: PodID, person: String) {
        guard status.status == "waiting", let reason = status.reason, let kind = Self.kinds[reason] else { return nil }
        self.init(
            id: "status:" + pod.text, kind: kind, from: .pod(pod), to: [.person(person)], why: reason, since: status.since)
    }

    /// What a person must do for a pod that waits for this reason.
    private static let kinds: [String: Kind] = [
        "approval": .approval, "plan": .approval, "trust": .approval, "question": .question, "input": .question, "login": .login,
        "password": .login, "quota": .quota,
    ]
}
