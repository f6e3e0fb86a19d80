internal import BindingsCore
internal import Contract
internal import RelayClient

/// The service's logic: what is asked for, what pods do, what time does. Knows no transport.
struct BindingsService: Sendable {
    let store: BindingsStore
    let pods: any PodKnowledge
    let board: StatusBoard
    /// For screens.
    var relay: RelayClient?
    /// Who looks at screens for waits.
    var texts: TextWatcher?
    /// Who types messages into pods.
    var mail: Deliverer?

    // MARK: - Bindings

    func request(_ request: RequestBinding) async throws -> Binding {
        guard request.from != request.to else { throw ErrorBody(.badRequest, "a pod cannot be bound to itself; it may do all of that already") }
        let from = try await livePod(request.from)
        let to = try await livePod(request.to)
        let policy = try await store.policy(of: request.to)
        var isSameOwner = false
        if policy == .sameOwnerAuto { isSameOwner = try await owner(of: from) == owner(of: to) }
        return try await store.change { [isSameOwner] ledger in
            let live = try ledger.open(Binding.self, key: "\(request.from)>\(request.to)")
            guard
                let change = try BindingMachine.request(
                    request, live: live, id: RecordID.make("B"), policy: policy, isSameOwner: isSameOwner, now: ledger.time)
            else {
                guard let live else { throw ErrorBody(.internal, "a request for a new binding changed nothing") }
                return live
            }
            try keep(change, in: &ledger)
            return change.binding
        }
    }

    func accept(_ decision: DecideBinding) async throws -> Binding {
        try await decide(decision) { try BindingMachine.accept(decision, $0, now: $1) }
    }

    func reject(_ decision: DecideBinding) async throws -> Binding {
        try await decide(decision) { try BindingMachine.reject(decision, $0, now: $1) }
    }

    func revoke(_ decision: DecideBinding) async throws -> Binding {
        try await decide(decision) { try BindingMachine.revoke(decision, $0, now: $1) }
    }

    private func decide(
        _ decision: DecideBinding, by rule: @escaping @Sendable (Binding, Timestamp) throws -> BindingMachine.Change
    ) async throws -> Binding {
        try await store.change { ledger in
            guard let binding = try ledger.get(Binding.self, decision.id) else { throw unknown("binding", decision.id) }
            let change = try rule(binding, ledger.time)
            try keep(change, in: &ledger)
            return change.binding
        }
    }

    /// Keeps a binding's change and all that follows from it.
    func keep(_ change: BindingMachine.Change, in ledger: inout Ledger) throws {
        let binding = change.binding
        try ledger.put(binding, change.what)
        for wait in try ledger.open(Wait.self, of: binding.to) {
            if let change = WaitMachine.learn(.binding(binding), of: binding.to, wait, now: ledger.time) {
                try ledger.put(change.wait, change.what)
            }
        }
        if !binding.grants(.read) { try stopReading(binding, in: &ledger) }
        try attend(to: binding, in: &ledger)
        try reportCycles(after: change.what == "requested", in: &ledger)
    }

    func get(_ id: String) async throws -> Binding {
        guard let binding = try await store.get(Binding.self, id) else { throw unknown("binding", id) }
        return binding
    }

    func policy(_ request: PolicyRequest) async throws -> PolicyRequest {
        if let policy = request.policy { try await store.setPolicy(policy, of: request.pod) }
        return PolicyRequest(pod: request.pod, policy: try await store.policy(of: request.pod))
    }

    func livePod(_ id: PodID) async throws -> Pod {
        let pod = try await pods.pod(id)
        guard pod.lifecycle.isLive else { throw ErrorBody(.gone, "\(pod.name) (\(pod.pod)) has ended (\(pod.lifecycle.rawValue))") }
        return pod
    }

    /// The person behind a pod: of a pod that another pod made, that one's person.
    private func owner(of pod: Pod) async throws -> Author? {
        var owner = pod.owner
        for _ in 0..<16 {
            guard let parent = owner?.pod else { break }
            owner = try await pods.pod(parent).owner
        }
        return owner
    }

    // MARK: - Waits

    func create(_ request: CreateWait) async throws -> Wait {
        if let problem = WaitMachine.problem(request) { throw problem }
        var known: [PodID: Pod] = [:]
        for pod in request.pods { known[pod] = try await pods.pod(pod) }
        let shown = try await screens(for: request)
        var bindings: [Binding] = []
        for id in request.bindings ?? [] { bindings.append(try await get(id)) }
        var seen: Set<PodID> = []
        var targets = request.pods.filter { seen.insert($0).inserted }.map { Wait.Target(pod: $0) }
        targets += bindings.map { Wait.Target(pod: $0.to, binding: $0.id) }
        let wait = try await store.change { [targets, known] ledger in
            let now = ledger.time
            var targets = targets
            for id in request.messages ?? [] { targets += try self.targets(answering: id, for: request.waiter, in: ledger) }
            if request.until == .text { try requireReading(request, in: ledger) }
            var wait = Wait(
                id: RecordID.make("W"), waiter: request.waiter, targets: targets, mode: request.mode, until: request.until, text: request.text,
                turn: request.turn, detached: request.detached, created: now,
                deadline: now + (request.timeoutMs.map { .milliseconds($0) } ?? WaitMachine.defaultTimeout))
            var what = "created"
            // What is true already ends it at once.
            var facts: [(PodID, WaitMachine.Fact)] = []
            for pod in known.values {
                if let status = board.status(of: pod), pod.lifecycle.isLive { facts.append((pod.pod, .status(status))) }
                facts.append((pod.pod, .lifecycle(pod.lifecycle, pod.exit)))
            }
            for target in targets {
                // Read again, under the lock.
                if let id = target.binding, let binding = try ledger.get(Binding.self, id) { facts.append((binding.to, .binding(binding))) }
            }
            facts += shown.map { ($0.key, .text(seq: $0.value)) }
            var changes: [WaitMachine.Change] = []
            for (pod, fact) in facts {
                if let change = WaitMachine.learn(fact, of: pod, changes.last?.wait ?? wait, now: now) { changes.append(change) }
            }
            for id in request.messages ?? [] {
                guard let message = try ledger.get(ChannelMessage.self, id) else { continue }
                changes += answers(to: message, changes.last?.wait ?? wait, now: now)
            }
            for change in changes {
                wait = change.wait
                if !wait.isOpen { what = change.what }
            }
            if wait.isOpen, let claim = Claim(wait), let path = try graph(in: ledger).path(closing: claim) {
                throw ErrorBody(
                    .wouldDeadlock, "nobody could go on: \(path.map(\.description).joined(separator: " waits on ")); answer or end one of them first")
            }
            try ledger.put(wait, what)
            return wait
        }
        if wait.isOpen && wait.until == .text { await texts?.look() }
        return wait
    }

    func wait(_ id: String) async throws -> Wait {
        guard let wait = try await store.get(Wait.self, id) else { throw unknown("wait", id) }
        return wait
    }

    func cancel(_ request: CancelWait) async throws -> Wait {
        try await store.change { ledger in
            guard let wait = try ledger.get(Wait.self, request.id) else { throw unknown("wait", request.id) }
            guard request.author.kind != .pod || request.author == wait.waiter else {
                throw ErrorBody(.denied, "\(request.author) may not end a wait of \(wait.waiter)")
            }
            guard let change = WaitMachine.cancel(wait, now: ledger.time) else { return wait }
            try ledger.put(change.wait, change.what)
            try reportCycles(after: false, in: &ledger)
            return change.wait
        }
    }

    // MARK: - What happens

    /// A pod's status changed.
    func learn(_ status: PodStatus, of pod: PodID) async throws {
        let asks = Claim(status, of: pod, person: "")?.kind != nil
        if !asks { guard try await store.concerns(pod, [Wait.recordKind, Attention.recordKind]) else { return } }
        try await store.change { ledger in try learn(.status(status), of: pod, in: &ledger) }
    }

    /// A pod ended, by whatever way.
    func learn(_ lifecycle: Lifecycle, _ exit: Exit?, of pod: PodID) async throws {
        guard !lifecycle.isLive else { return }
        board.forget(pod)
        let kinds = [Binding.recordKind, Wait.recordKind, Attention.recordKind, Channel.recordKind, ChannelMessage.recordKind]
        guard try await store.concerns(pod, kinds) else { return }
        try await store.change { ledger in
            try forget(Author(kind: .pod, id: pod.text), in: &ledger)
            for binding in try ledger.open(Binding.self, of: pod) {
                if let change = BindingMachine.podEnded(binding, now: ledger.time) { try keep(change, in: &ledger) }
            }
            try learn(.lifecycle(lifecycle, exit), of: pod, in: &ledger)
            // An agent that is gone waits for nothing.
            for wait in try ledger.open(Wait.self, of: pod) where wait.waiter.kind == .pod && wait.waiter.id == pod.text {
                if let change = WaitMachine.cancel(wait, now: ledger.time) { try ledger.put(change.wait, change.what) }
            }
        }
    }

    func learn(_ fact: WaitMachine.Fact, of pod: PodID, in ledger: inout Ledger) throws {
        for wait in try ledger.open(Wait.self, of: pod) {
            if let change = WaitMachine.learn(fact, of: pod, wait, now: ledger.time) { try ledger.put(change.wait, change.what) }
        }
        switch fact {
        case .status(let status): try attend(to: status, of: pod, in: &ledger)
        case .lifecycle(let lifecycle, _) where !lifecycle.isLive: try dismiss(pod, in: &ledger)
        default: break
        }
        try reportCycles(after: false, in: &ledger)
    }

    /// What is due by now.
    func tick() async throws {
        try await store.change { ledger in
            for wait in try ledger.due(Wait.self) {
                if let change = WaitMachine.expire(wait, now: ledger.time) { try ledger.put(change.wait, change.what) }
            }
            for binding in try ledger.due(Binding.self) {
                if let change = BindingMachine.expire(binding, now: ledger.time) { try keep(change, in: &ledger) }
            }
            for message in try ledger.due(ChannelMessage.self) {
                for change in MessageDelivery.expire(message, now: ledger.time) { try keep(change, in: &ledger) }
            }
            try reportCycles(after: false, in: &ledger)
        }
    }

    /// Compares every open record with what the registry says now: messages that nobody heard are made up for.
    /// - Parameter wasStandstill: what the look before found.
    func reconcile(_ wasStandstill: inout Bool) async throws {
        let concerned = try await store.concernedPods()
        // A standstill that was told of is over when nothing is left open.
        if concerned.isEmpty {
            wasStandstill = false
            guard try await store.list(Attention.self).contains(where: { $0.kind == .standstill }) else { return }
        }
        let pods = concerned.isEmpty ? [] : try await self.pods.livePods()
        try await watchStandstill(pods, &wasStandstill)
        let live = Dictionary(pods.map { ($0.pod, $0) }, uniquingKeysWith: { first, _ in first })
        for pod in concerned {
            if let pod = live[pod] {
                if let status = board.status(of: pod), try await isNews(status, of: pod.pod) { try await learn(status, of: pod.pod) }
                continue
            }
            do {
                let pod = try await self.pods.pod(pod)
                try await learn(pod.lifecycle, pod.exit, of: pod.pod)
            } catch let error as ErrorBody where error.code == .notFound {
                // Made a moment ago, or forgotten by a registry that was restored: its own exit decides.
                continue
            }
        }
    }

    /// Whether a status says something that open waits and items do not know: asked without the lock.
    private func isNews(_ status: PodStatus, of pod: PodID) async throws -> Bool {
        let waits = try await store.list(Wait.self, pod: pod)
        if waits.contains(where: { WaitMachine.learn(.status(status), of: pod, $0, now: .now()) != nil }) { return true }
        let items = try await store.list(Attention.self, pod: pod).filter { $0.isOfStatus(of: pod) }
        let asks = Claim(status, of: pod, person: "") != nil
        guard asks else { return !items.isEmpty && status.status != "unknown" }
        return !items.contains { $0.status?.isSameEpisode(as: status) == true && (status.fingerprint == nil || $0.status?.fingerprint == status.fingerprint) }
    }

    // MARK: - The graph

    /// Who waits on whom by the records.
    func graph(in ledger: Ledger) throws -> WaitForGraph {
        WaitForGraph(
            try ledger.open(Wait.self).compactMap { Claim($0) } + ledger.pendingBindings().compactMap { Claim($0) }
                + ledger.openQuestions().compactMap { Claim($0) })
    }
}

func unknown(_ kind: String, _ id: String) -> ErrorBody { ErrorBody(.notFound, "there is no \(kind) \"\(id)\"") }
