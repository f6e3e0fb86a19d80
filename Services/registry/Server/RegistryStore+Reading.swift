internal import Contract
internal import Database

extension RegistryStore {
    // MARK: - One pod

    enum Found: Sendable {
        case one(Pod)
        case none
        /// Several ids begin like this.
        case several([Pod])
    }

    /// By id; by name, of a live pod before ended ones and the newest of these; by the beginning of its id. At a moment only
    /// pods that existed then are looked at.
    func find(_ ref: String, at: Timestamp?) async throws -> Found {
        try await pool.withConnection { connection in
            let exact = try Self.rows(
                connection, at: at, condition: "p.pod = $1 OR p.name = $1",
                order:
                    "(p.pod = $1) DESC, \(at == nil ? "p.is_live" : "(v.state->>'lifecycle') IN ('starting', 'running')") DESC, p.created DESC LIMIT 1",
                parameters: [.text(ref)])
            if let pod = exact.first { return .one(pod) }
            guard ref.first == "p", ref.utf8.count >= 2, ref.utf8.count < 13,
                ref.dropFirst().utf8.allSatisfy({ (0x61...0x7a).contains($0) || (0x32...0x37).contains($0) })
            else { return .none }
            let begun = try Self.rows(
                connection, at: at, condition: "p.pod LIKE $1 || '%'", order: "p.created DESC LIMIT 20", parameters: [.text(ref)])
            switch begun.count {
            case 0: return .none
            case 1: return .one(begun[0])
            default: return .several(begun)
            }
        }
    }

    private static func rows(
        _ connection: DatabaseConnection, at: Timestamp?, condition: String, order: String, parameters: [DatabaseValue]
    ) throws -> [Pod] {
        guard let at else {
            return try connection.query(select() + " WHERE (\(condition)) ORDER BY \(order)", parameters: parameters).map(pod)
        }
        let moment = "$\(parameters.count + 1)::timestamptz"
        return try connection.query(
            select(
                state: "v.state", from: "registry.pods p JOIN registry.pod_states v ON v.pod = p.pod AND v.valid @> \(moment)",
                status: "s.valid @> \(moment)") + " WHERE (\(condition)) ORDER BY \(order)", parameters: parameters + [at.databaseValue]
        ).map(pod)
    }

    // MARK: - Many pods

    /// Newest first; `after` is the last pod of the page before.
    func list(_ request: ListPods, after: (created: Timestamp, pod: PodID)?, limit: Int) async throws -> [Pod] {
        try await pool.withConnection { connection in
            var conditions = ["true"]
            var parameters: [DatabaseValue] = []
            func add(_ condition: (String) -> String, _ value: DatabaseValue) {
                parameters.append(value)
                conditions.append(condition("$\(parameters.count)"))
            }
            let lifecycle = request.at == nil ? "p.lifecycle" : "(v.state->>'lifecycle')"
            if let value = request.lifecycle { add({ "\(lifecycle) = \($0)" }, .text(value.rawValue)) }
            if request.live == true { conditions.append(request.at == nil ? "p.is_live" : "\(lifecycle) IN ('starting', 'running')") }
            if let value = request.runner { add({ "\(request.at == nil ? "p.runner" : "(v.state->>'runner')") = \($0)" }, .text(value)) }
            if let value = request.status {
                // Without a detector nothing is known, which is what `unknown` asks for.
                add({ value == "unknown" ? "coalesce(s.status, 'unknown') = \($0)" : "s.status = \($0)" }, .text(value))
            }
            if let after {
                parameters.append(after.created.databaseValue)
                parameters.append(.text(after.pod.text))
                conditions.append("(p.created, p.pod) < ($\(parameters.count - 1)::timestamptz, $\(parameters.count))")
            }
            return try Self.rows(
                connection, at: request.at, condition: conditions.joined(separator: " AND "),
                order: "p.created DESC, p.pod DESC LIMIT \(limit)", parameters: parameters)
        }
    }

    /// Pods that live on a runner, with the time since when they are in their state.
    func livePods(on runner: String) async throws -> [(pod: PodID, lifecycle: Lifecycle, since: Timestamp)] {
        try await pool.withConnection { connection in
            try connection.query("SELECT pod, lifecycle, since FROM registry.pods WHERE is_live AND runner = $1", runner).compactMap { row in
                guard let pod = PodID(try row.decode("pod", as: String.self)), let lifecycle = Lifecycle(rawValue: try row.decode("lifecycle"))
                else { return nil }
                return (pod, lifecycle, Timestamp(microseconds: try row.decode("since")))
            }
        }
    }

    /// The pod's state with what only a resume needs, nil for an unknown pod.
    func state(of pod: PodID) async throws -> PodState? {
        try await pool.withConnection { connection in
            try connection.query("SELECT state FROM registry.pods WHERE pod = $1", pod.text).first.map(Self.state)
        }
    }

    // MARK: - History

    func history(of pod: PodID) async throws -> [PodHistory.Entry] {
        try await pool.withConnection { connection in
            var entries: [PodHistory.Entry] = []
            let states = try connection.query(
                "SELECT lower(valid) AS since, upper(valid) AS until, state FROM registry.pod_states WHERE pod = $1 ORDER BY lower(valid)", pod.text)
            for row in states {
                let state = try Self.state(row)
                let from = Timestamp(microseconds: try row.decode("since"))
                let to = try row.decode("until", as: Int64?.self).map { Timestamp(microseconds: $0) }
                // States that differ in something else only are one interval of the lifecycle.
                if let last = entries.last, last.value == state.lifecycle.rawValue {
                    entries[entries.count - 1].to = to
                    entries[entries.count - 1].reason = state.reason
                } else {
                    entries.append(.init(what: "lifecycle", value: state.lifecycle.rawValue, reason: state.reason, from: from, to: to))
                }
            }
            let statuses = try connection.query(
                "SELECT lower(valid) AS since, upper(valid) AS until, status, reason, seq, evidence FROM registry.statuses WHERE pod = $1 ORDER BY lower(valid)",
                pod.text)
            for row in statuses {
                entries.append(
                    .init(
                        what: "status", value: try row.decode("status"), reason: try row.decode("reason"),
                        from: Timestamp(microseconds: try row.decode("since")),
                        to: try row.decode("until", as: Int64?.self).map { Timestamp(microseconds: $0) },
                        seq: UInt64(clamping: try row.decode("seq", as: Int64.self)), evidence: try row.decode("evidence")))
            }
            return entries.sorted { $0.from < $1.from }
        }
    }
}
