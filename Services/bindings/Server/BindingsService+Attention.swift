internal import BindingsCore
internal import Contract
internal import RegistryClient

/// What needs a person: opened once for each episode, closed when it is resolved.
extension BindingsService {
    /// A status that asks opens an item; the next that does not closes it. `unknown` says nothing either way.
    func attend(to status: PodStatus, of pod: PodID, in ledger: inout Ledger) throws {
        let open = try ledger.open(Attention.self, of: pod).filter { $0.isOfStatus(of: pod) }
        guard let claim = Claim(status, of: pod, person: "") else {
            guard status.status != "unknown" else { return }
            for item in open { try close(item, "answered", in: &ledger) }
            return
        }
        let kind: Attention.Kind =
            switch claim.kind {
            case .approval: .approval
            case .login: .login
            case .quota: .quota
            default: .question
            }
        for item in open where item.kind != kind || item.status?.isSameEpisode(as: status) != true {
            try close(item, "answered", in: &ledger)
        }
        if var item = try ledger.open(Attention.self, key: "\(kind.rawValue) \(pod)") {
            // More of the same dialog: who answers it must name it as it is. It was announced before.
            guard item.status?.fingerprint != status.fingerprint, status.fingerprint != nil else { return }
            item.status = status
            item.summary = status.summary ?? item.summary
            return try ledger.put(item, "opened")
        }
        try announce(
            Attention(
                id: RecordID.make("A"), kind: kind, subject: pod.text, pod: pod, summary: status.summary ?? "waits for \(claim.why)", status: status,
                opened: ledger.time), in: &ledger)
    }

    /// Every item opens here, and is posted once to whoever wants to hear of it.
    private func announce(_ item: Attention, in ledger: inout Ledger) throws {
        try ledger.put(item, "opened")
        try ledger.enqueuePosts(of: item)
    }

    /// A pod has ended: nothing of it needs anybody.
    func dismiss(_ pod: PodID, in ledger: inout Ledger) throws {
        for item in try ledger.open(Attention.self, of: pod) where item.kind != .cycle && item.subject == pod.text {
            try close(item, "ended", in: &ledger)
        }
    }

    func attend(to binding: Binding, in ledger: inout Ledger) throws {
        let open = try ledger.open(Attention.self, key: "\(Attention.Kind.binding.rawValue) \(binding.id)")
        if binding.isLive && !binding.pending.isEmpty {
            guard open == nil else { return }
            let scopes = binding.pending.map(\.rawValue).joined(separator: ", ")
            try announce(
                Attention(
                    id: RecordID.make("A"), kind: .binding, subject: binding.id, pod: binding.from,
                    summary: "\(binding.from) asks \(binding.to) for \(scopes)" + (binding.note.map { ": \($0)" } ?? ""), opened: ledger.time), in: &ledger)
        } else if let open {
            let word =
                switch binding.reason {
                case nil, .rejected: "answered"
                case .expired: "expired"
                default: "ended"
                }
            try close(open, word, in: &ledger)
        }
    }

    /// A question that a person has to answer needs one.
    func attend(to message: ChannelMessage, in ledger: inout Ledger) throws {
        let asked = message.unanswered.filter { $0.kind == .person }
        let open = try ledger.open(Attention.self, key: "\(Attention.Kind.question.rawValue) \(message.id)")
        if asked.isEmpty {
            if let open { try close(open, message.closed == nil ? "answered" : "ended", in: &ledger) }
        } else if open == nil {
            try announce(
                Attention(
                    id: RecordID.make("A"), kind: .question, subject: message.id, pod: message.author.pod,
                    summary: "\(message.authorName) asks \(asked.map(\.id).joined(separator: ", ")) in #\(message.channelName): \(message.text.prefix(300))",
                    opened: ledger.time), in: &ledger)
        }
    }

    func close(_ item: Attention, _ resolution: String, in ledger: inout Ledger) throws {
        var item = item
        item.closed = ledger.time
        item.resolution = resolution
        try ledger.put(item, "closed")
    }

    /// Opens an item for each cycle that has formed, closes those that are no more.
    /// - Parameter mayHaveFormed: whether a change was made that can close a cycle; waits that would are refused before.
    func reportCycles(after mayHaveFormed: Bool, in ledger: inout Ledger) throws {
        let open = try ledger.open(Attention.self).filter { $0.kind == .cycle }
        guard mayHaveFormed || !open.isEmpty else { return }
        let cycles = try graph(in: ledger).cycles().map { $0.compactMap(\.pod) }
        for item in open where !cycles.contains(where: { $0 == item.path }) { try close(item, "ended", in: &ledger) }
        for path in cycles where !open.contains(where: { $0.path == path }) {
            guard let first = path.first else { continue }
            try announce(
                Attention(
                    id: RecordID.make("A"), kind: .cycle, subject: first.text, path: path,
                    summary: "nobody can go on: " + (path + [first]).map(\.text).joined(separator: " waits on "), opened: ledger.time), in: &ledger)
        }
    }

    /// A runner is not heard of any more, or is again.
    func learn(_ event: RunnerEvent) async throws {
        let key = "\(Attention.Kind.runner.rawValue) \(event.runner)"
        try await store.change { ledger in
            let item = try ledger.open(Attention.self, key: key)
            switch (event.what, item) {
            case ("offline", nil):
                try announce(
                    Attention(
                        id: RecordID.make("A"), kind: .runner, subject: event.runner,
                        summary: "the runner \(event.runner) is not heard of since \(event.time); its pods may go on, nobody can start or stop any there",
                        opened: ledger.time), in: &ledger)
            case ("online", let item?): try close(item, "back", in: &ledger)
            default: break
            }
        }
    }

    /// Looks whether nobody works although somebody waits for a pod. It opens an item when it was so at the look before as well: between a
    /// pod's end of work and its waiter's beginning it is so for a moment.
    func watchStandstill(_ live: [Pod], _ before: inout Bool) async throws {
        let statuses = Dictionary(live.map { ($0.pod, board.status(of: $0)) }, uniquingKeysWith: { first, _ in first })
        before = try await store.change { [before] ledger in
            let isStandstill = try graph(in: ledger).isStandstill(statuses)
            let item = try ledger.open(Attention.self, key: "\(Attention.Kind.standstill.rawValue) fleet")
            if let item, !isStandstill {
                try close(item, "answered", in: &ledger)
            } else if item == nil, isStandstill, before {
                try announce(
                    Attention(
                        id: RecordID.make("A"), kind: .standstill, subject: "fleet",
                        summary: "nobody works and somebody waits; switchback topology says for whom", opened: ledger.time), in: &ledger)
            }
            return isStandstill
        }
    }
}

extension Attention {
    /// Whether a pod's status opened it; a question in a channel is about its message.
    func isOfStatus(of pod: PodID) -> Bool { [.approval, .question, .login, .quota].contains(kind) && subject == pod.text }
}

extension PodStatus {
    /// Whether it asks the same as another: the same reason, since the same time or else with the same dialog.
    func isSameEpisode(as other: PodStatus) -> Bool {
        guard status == other.status, reason == other.reason else { return false }
        if since == other.since { return true }
        return fingerprint != nil && fingerprint == other.fingerprint
    }

    /// What a person is shown of it: many dialogs ask the same, of different things.
    var summary: String? { question.map { question in about.map { "\(question) \($0.replacing("\n", with: " · "))" } ?? question } ?? evidence }
}
