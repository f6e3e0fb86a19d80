public import Contract

/// What a binding becomes, and how. Pure: values and times in, values out; every refusal is an error that changes nothing.
public enum BindingMachine {
    /// How long a request may stay unanswered.
    public static let pendingFor = Duration.seconds(24 * 3600)

    /// A binding with the last token of its event's subject.
    public struct Change: Equatable, Sendable {
        public var what: String
        public var binding: Binding
    }

    // MARK: - Asking

    /// Asks for scopes.
    /// - Parameters:
    ///   - live: the pending or active binding of these two pods in this direction, if there is one.
    ///   - id: for a binding that does not exist yet.
    ///   - policy: of the target.
    ///   - isSameOwner: whether one person owns both pods.
    /// - Returns: nil when all was granted or pending already.
    /// - Throws: `bad_request` for a pod and itself or no scope, `denied` for asking in another pod's name.
    public static func request(
        _ request: RequestBinding, live: Binding?, id: String, policy: BindingPolicy, isSameOwner: Bool, now: Timestamp
    ) throws(ErrorBody) -> Change? {
        guard request.from != request.to else { throw ErrorBody(.badRequest, "a pod cannot be bound to itself; it may do all of that already") }
        let wanted = sorted(request.scopes)
        guard !wanted.isEmpty else {
            throw ErrorBody(.badRequest, "name at least one scope: \(Scope.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        try requireSide(request.author, request.role, pods: [request.from], doing: "ask in the name of \(request.from)")
        var binding =
            live
            ?? Binding(
                id: id, from: request.from, to: request.to, state: .pending, requested: [], requestedBy: request.author, note: request.note,
                created: now)
        let new = wanted.filter { !binding.granted.contains($0) && !binding.pending.contains($0) }
        guard !new.isEmpty else { return nil }
        binding.since = now
        binding.requested = sorted(binding.requested + new)
        binding.note = request.note ?? binding.note
        if policy == .sameOwnerAuto && isSameOwner {
            binding.granted = sorted(binding.granted + binding.pending + new)
            binding.pending = []
            binding.expires = nil
            binding.state = .active
            binding.decidedBy = Author(kind: .system, id: BindingPolicy.sameOwnerAuto.rawValue)
            return Change(what: "accepted", binding: binding)
        }
        binding.pending = sorted(binding.pending + new)
        binding.expires = now + pendingFor
        binding.asksPerson = policy == .askPerson ? true : nil
        return Change(what: live == nil ? "requested" : "asked", binding: binding)
    }

    // MARK: - Answering

    /// Grants the named pending scopes, or all of them; the rest stays pending.
    /// - Throws: `denied` for anybody but the target and people, `gone` for an inactive or lapsed binding, `conflict` when nothing
    ///   is pending, `bad_request` for a scope that is not.
    public static func accept(_ decision: DecideBinding, _ binding: Binding, now: Timestamp) throws(ErrorBody) -> Change {
        let scopes = try answered(decision, binding, now, doing: "accept")
        var next = binding
        next.granted = sorted(binding.granted + scopes)
        next.pending = binding.pending.filter { !scopes.contains($0) }
        next.state = .active
        next.since = now
        next.decidedBy = decision.author
        if next.pending.isEmpty {
            next.expires = nil
            next.asksPerson = nil
        }
        return Change(what: "accepted", binding: next)
    }

    /// Refuses the named pending scopes, or all of them. A binding that then grants nothing and asks for nothing is inactive.
    /// - Throws: as `accept`.
    public static func reject(_ decision: DecideBinding, _ binding: Binding, now: Timestamp) throws(ErrorBody) -> Change {
        let scopes = try answered(decision, binding, now, doing: "reject")
        var next = binding
        next.pending = binding.pending.filter { !scopes.contains($0) }
        next.since = now
        next.decidedBy = decision.author
        next.answer = decision.reason
        if next.pending.isEmpty {
            next.expires = nil
            next.asksPerson = nil
            if next.state == .pending {
                next.state = .inactive
                next.reason = .rejected
            }
        }
        return Change(what: "rejected", binding: next)
    }

    /// Ends a binding; either side may, whether it is pending or active.
    /// - Throws: `denied` for others, `gone` when it is inactive.
    public static func revoke(_ decision: DecideBinding, _ binding: Binding, now: Timestamp) throws(ErrorBody) -> Change {
        try requireSide(decision.author, decision.role, pods: [binding.from, binding.to], doing: "revoke \(binding.id)")
        guard binding.isLive else { throw inactive(binding) }
        var next = ended(binding, .revoked, at: now)
        next.decidedBy = decision.author
        next.answer = decision.reason
        return Change(what: "revoked", binding: next)
    }

    // MARK: - What happens by itself

    /// What time does to it: pending scopes lapse. Nil when nothing.
    public static func expire(_ binding: Binding, now: Timestamp) -> Change? {
        guard binding.isLive, let expires = binding.expires, expires <= now else { return nil }
        guard binding.state == .pending else {
            var next = binding
            next.pending = []
            next.expires = nil
            next.asksPerson = nil
            next.since = now
            return Change(what: "expired", binding: next)
        }
        return Change(what: "expired", binding: ended(binding, .expired, at: now))
    }

    /// One of its pods has ended. Nil when it was inactive.
    public static func podEnded(_ binding: Binding, now: Timestamp) -> Change? {
        guard binding.isLive else { return nil }
        return Change(what: "ended", binding: ended(binding, .podEnded, at: now))
    }

    // MARK: - Rules

    private static func ended(_ binding: Binding, _ reason: Binding.Reason, at now: Timestamp) -> Binding {
        var next = binding
        next.state = .inactive
        next.reason = reason
        next.pending = []
        next.expires = nil
        next.asksPerson = nil
        next.since = now
        return next
    }

    /// The scopes that an answer means.
    private static func answered(_ decision: DecideBinding, _ binding: Binding, _ now: Timestamp, doing: String) throws(ErrorBody) -> [Scope] {
        if binding.asksPerson == true && decision.author.kind == .pod {
            throw ErrorBody(.denied, "only a person may \(doing) \(binding.id): the policy here is ask_person")
        }
        try requireSide(decision.author, decision.role, pods: [binding.to], doing: "\(doing) \(binding.id)")
        guard binding.isLive else { throw inactive(binding) }
        guard !binding.pending.isEmpty else {
            throw ErrorBody(.conflict, "nothing of \(binding.id) is pending: it grants \(text(binding.granted)) already")
        }
        if let expires = binding.expires, expires <= now {
            throw ErrorBody(.gone, "the request \(binding.id) has lapsed at \(expires); it has to be made again")
        }
        guard let scopes = decision.scopes, !scopes.isEmpty else { return binding.pending }
        if let other = scopes.first(where: { !binding.pending.contains($0) }) {
            throw ErrorBody(.badRequest, "\(other.rawValue) is not pending in \(binding.id); pending is \(text(binding.pending))")
        }
        return sorted(scopes)
    }

    /// A pod acts for itself only; people need the role operator.
    private static func requireSide(_ author: Author, _ role: Role?, pods: [PodID], doing: String) throws(ErrorBody) {
        switch author.kind {
        case .person:
            guard let role, role >= .operator else { throw ErrorBody(.denied, "\(author.id) may look, not \(doing): that needs the role operator") }
        case .pod:
            guard pods.contains(where: { $0.text == author.id }) else { throw ErrorBody(.denied, "\(author) may not \(doing)") }
        case .system:
            break
        }
    }

    private static func inactive(_ binding: Binding) -> ErrorBody {
        ErrorBody(.gone, "\(binding.id) is inactive (\(binding.reason?.rawValue ?? "ended")) since \(binding.since); a new request can be made")
    }

    private static func text(_ scopes: [Scope]) -> String {
        scopes.isEmpty ? "nothing" : scopes.map(\.rawValue).joined(separator: ", ")
    }

    private static func sorted(_ scopes: [Scope]) -> [Scope] { Set(scopes).sorted() }
}
