internal import Contract
internal import Database
internal import RegistryClient

/// The registry's SQL. Each method is one transaction.
struct RegistryStore: Sendable {
    let pool: DatabasePool

    func migrate() async throws {
        try await pool.migrate(schema: Self.schema, Self.migrations)
    }

    // MARK: - Making pods

    enum Made: Sendable {
        case new(Pod)
        /// The key was used before, for the same request.
        case known(Pod)
        case nameTaken(by: PodID)
        /// The key was used before, for another request.
        case keyTaken(PodID)
    }

    /// - Parameter digest: tells this request from others.
    func make(_ pod: Pod, state: PodState, author: Author, key: String?, digest: String, what: String) async throws -> Made {
        try await pool.withTransaction { connection in
            if let key, let made = try Self.made(connection, author: author, key: key, digest: digest) { return made }
            do {
                _ = try connection.transaction {
                    try connection.query(
                        """
                        INSERT INTO registry.pods (pod, name, spec, author, created, imported, resumed_from, idempotency_key, request_digest,
                            lifecycle, is_live, runner, state, since)
                        VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb, $5)
                        """, pod.pod.text, pod.name, try JSON.text(pod.spec), author.description, pod.created.databaseValue, pod.imported,
                        pod.resumedFrom?.text, key, digest, state.lifecycle.rawValue, state.lifecycle.isLive, state.runner, try JSON.text(state))
                }
            } catch let error as DatabaseError where error.code == .uniqueViolation {
                // Another registry may have used the key between our look and the insertion.
                if let key, let made = try Self.made(connection, author: author, key: key, digest: digest) { return made }
                let holder = try connection.query("SELECT pod FROM registry.pods WHERE name = $1 AND is_live", pod.name).first
                guard let holder, let id = PodID(try holder.decode("pod", as: String.self)) else { throw error }
                return .nameTaken(by: id)
            }
            try connection.query(
                "INSERT INTO registry.pod_states (pod, valid, state) VALUES ($1, tstzrange($2, NULL), $3::jsonb)", pod.pod.text,
                pod.created.databaseValue, try JSON.text(state))
            var made = pod.in(state)
            made.owner = author
            try Self.post(connection, PodEvent(what: what, time: pod.created, pod: made))
            return .new(made)
        }
    }

    /// Whether a pod was made under the key.
    func knows(key: String, of author: Author) async throws -> Bool {
        try await pool.withConnection { connection in
            try !connection.query("SELECT 1 FROM registry.pods WHERE author = $1 AND idempotency_key = $2", author.description, key).isEmpty
        }
    }

    private static func made(_ connection: DatabaseConnection, author: Author, key: String, digest: String) throws -> Made? {
        guard
            let row = try connection.query(
                Self.select(extra: "p.request_digest") + " WHERE p.author = $1 AND p.idempotency_key = $2", author.description, key
            ).first
        else { return nil }
        let pod = try Self.pod(row)
        return try row.decode("request_digest", as: String?.self) == digest ? .known(pod) : .keyTaken(pod.pod)
    }

    // MARK: - Changing pods

    /// Applies facts in their order; those that say nothing new, or of pods nobody knows, change nothing.
    /// - Returns: the pods nobody knows.
    @discardableResult
    func learn(_ facts: [(pod: PodID, fact: PodFact, time: Timestamp)]) async throws -> Set<PodID> {
        guard !facts.isEmpty else { return [] }
        return try await pool.withTransaction { connection in
            var unknown: Set<PodID> = []
            // Locked in one order, so that two registries never wait for each other.
            let ids = Set(facts.map(\.pod)).sorted()
            var pods: [PodID: (pod: Pod, state: PodState, since: Timestamp)] = [:]
            for id in ids {
                guard let row = try connection.query(Self.select(extra: "p.since") + " WHERE p.pod = $1 FOR UPDATE OF p", id.text).first else {
                    unknown.insert(id)
                    continue
                }
                pods[id] = (try Self.pod(row), try Self.state(row), Timestamp(microseconds: try row.decode("since")))
            }
            for (id, fact, time) in facts {
                guard var entry = pods[id] else { continue }
                for change in entry.state.learning(fact, at: time) {
                    let from = max(change.time, entry.since)
                    try Self.store(connection, id, change.state, from: from, since: entry.since)
                    entry = (entry.pod, change.state, from)
                    try Self.post(connection, PodEvent(what: change.what, time: from, pod: entry.pod.in(change.state)))
                }
                pods[id] = entry
            }
            return unknown
        }
    }

    private static func store(_ connection: DatabaseConnection, _ pod: PodID, _ state: PodState, from: Timestamp, since: Timestamp) throws {
        let text = try JSON.text(state)
        do {
            _ = try connection.transaction {
                try connection.query(
                    "UPDATE registry.pods SET lifecycle = $2, is_live = $3, runner = $4, state = $5::jsonb, since = $6 WHERE pod = $1", pod.text,
                    state.lifecycle.rawValue, state.lifecycle.isLive, state.runner, text, from.databaseValue)
            }
        } catch let error as DatabaseError where error.code == .uniqueViolation {
            // A pod that was given up came back after its name had gone to another one: it keeps running under a name of its own.
            try connection.query(
                """
                UPDATE registry.pods SET name = left(name, 50) || '-' || substr(pod, 2, 8), lifecycle = $2, is_live = $3, runner = $4,
                    state = $5::jsonb, since = $6 WHERE pod = $1
                """, pod.text, state.lifecycle.rawValue, state.lifecycle.isLive, state.runner, text, from.databaseValue)
        }
        if !state.lifecycle.isLive { try endStatus(connection, pod, at: state.exited ?? from) }
        if from == since {
            // It held for no time at all.
            try connection.query(
                "UPDATE registry.pod_states SET state = $2::jsonb WHERE pod = $1 AND upper_inf(valid)", pod.text, text)
        } else {
            try connection.query(
                "UPDATE registry.pod_states SET valid = tstzrange(lower(valid), $2) WHERE pod = $1 AND upper_inf(valid)", pod.text, from.databaseValue
            )
            try connection.query(
                "INSERT INTO registry.pod_states (pod, valid, state) VALUES ($1, tstzrange($2, NULL), $3::jsonb)", pod.text, from.databaseValue, text)
        }
    }

    // MARK: - Events

    private static func post(_ connection: DatabaseConnection, _ event: PodEvent) throws {
        try post(connection, "pod", event.pod.pod.text, event.what, event.time, event)
    }

    static func post(
        _ connection: DatabaseConnection, _ area: String, _ id: String, _ what: String, _ time: Timestamp, _ event: some Encodable
    ) throws {
        try connection.query(
            "INSERT INTO registry.outbox (subject, message_id, payload) VALUES ($1, $2, $3)", Subjects.event(area, id, what),
            "\(area).\(id).\(what).\(time.microseconds)", try JSON.encode(event))
    }

    // MARK: - Rows

    /// The columns that `pod(_:)` reads, as of now or (`states`) of a joined state.
    static func select(extra: String? = nil, state: String = "p.state", from: String = "registry.pods p", status: String = "upper_inf(s.valid)")
        -> String
    {
        """
        SELECT p.pod, p.name, p.spec, p.author, p.created, p.imported, p.resumed_from, \(state) AS state, s.status, s.reason AS status_reason,
            lower(s.valid) AS status_since, s.seq AS status_seq, s.evidence, s.detail AS status_detail\(extra.map { ", " + $0 } ?? "")
        FROM \(from) LEFT JOIN registry.statuses s ON s.pod = p.pod AND \(status)
        """
    }

    static func state(_ row: DatabaseRow) throws -> PodState {
        try JSON.decode(PodState.self, from: try row.decode("state", as: String.self).utf8)
    }

    static func pod(_ row: DatabaseRow) throws -> Pod {
        let state = try state(row)
        let text: String = try row.decode("pod")
        guard let id = PodID(text) else { throw ErrorBody(.internal, "the registry holds a pod with the id \"\(text)\"") }
        var pod = Pod(
            pod: id, name: try row.decode("name"), spec: try JSON.decode(PodSpec.self, from: try row.decode("spec", as: String.self).utf8),
            lifecycle: state.lifecycle, created: Timestamp(microseconds: try row.decode("created")), imported: try row.decode("imported"))
        pod.resumedFrom = try row.decode("resumed_from", as: String?.self).flatMap { PodID($0) }
        pod.owner = Author(try row.decode("author", as: String.self))
        pod = pod.in(state)
        if let status = try row.decode("status", as: String?.self) {
            pod.status = try Self.status(
                status, reason: try row.decode("status_reason"), since: try row.decode("status_since"), seq: try row.decode("status_seq"),
                evidence: try row.decode("evidence"), detail: try row.decode("status_detail"))
        }
        return pod
    }
}

extension Pod {
    /// The pod with what a state says of it.
    func `in`(_ state: PodState) -> Pod {
        var pod = self
        pod.lifecycle = state.lifecycle
        pod.reason = state.reason
        pod.exit = state.exit
        pod.pid = state.pid
        pod.started = state.started
        pod.exited = state.exited
        pod.ended = state.ended
        pod.columns = state.columns
        pod.rows = state.rows
        pod.runner = state.runner
        pod.agent = state.agent ?? pod.agent
        pod.worktreePath = state.worktreePath
        pod.resumedBy = state.resumedBy
        return pod
    }
}

extension Timestamp {
    var databaseValue: DatabaseValue { .microseconds(microseconds) }
}
