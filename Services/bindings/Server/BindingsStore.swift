internal import Contract
internal import Database
internal import Synchronization

/// How often something was changed by way of a store and its copies.
final class ChangeCount: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .sequentiallyConsistent) }
    func add() { count.add(1, ordering: .sequentiallyConsistent) }
}

/// The SQL of bindings, waits and attention.
struct BindingsStore: Sendable {
    let pool: DatabasePool
    let changes = ChangeCount()

    func migrate() async throws {
        try await pool.migrate(schema: Self.schema, Self.migrations)
    }

    /// Runs `body` as the only one who changes anything, with the time that its changes have.
    func change<Value: Sendable>(_ body: @escaping @Sendable (inout Ledger) throws -> Value) async throws -> Value {
        defer { changes.add() }
        return try await pool.withTransaction { connection in
            var ledger = try Ledger(locking: connection)
            return try body(&ledger)
        }
    }

    // MARK: - Reading

    func get<Record: StoredRecord>(_ type: Record.Type, _ id: String) async throws -> Record? {
        try await pool.withReader { connection in
            try connection.query("SELECT state FROM bindings.records WHERE kind = $1 AND id = $2", Record.recordKind, id).first.map(Self.record)
        }
    }

    /// Open records, or all; of one pod where it is given; at a time what was open then. Oldest first.
    func list<Record: StoredRecord>(_ type: Record.Type, pod: PodID? = nil, at: Timestamp? = nil, all: Bool = false) async throws -> [Record] {
        try await pool.withReader { connection in
            let rows: DatabaseResult
            if let at {
                rows = try connection.query(
                    """
                    SELECT state FROM bindings.record_states WHERE kind = $1 AND is_open AND valid @> $2::timestamptz ORDER BY created, id
                    """, Record.recordKind, at.databaseValue)
            } else if let pod {
                rows = try connection.query(
                    """
                    SELECT state FROM bindings.records WHERE kind = $1 AND (is_open OR $2) AND pods @> ARRAY[$3]::text[] ORDER BY created, id
                    """, Record.recordKind, all, pod.text)
            } else {
                rows = try connection.query(
                    "SELECT state FROM bindings.records WHERE kind = $1 AND (is_open OR $2) ORDER BY created, id", Record.recordKind, all)
            }
            let records: [Record] = try rows.map(Self.record)
            guard at != nil, let pod else { return records }
            return records.filter { $0.concerned.contains(pod) }
        }
    }

    /// What was live at one moment, with the number of the last change before it.
    func snapshot(at: Timestamp?) async throws -> BindingSnapshot {
        try await pool.withTransaction { connection in
            // Changes under way are waited for: a time, once told, is told the same for ever.
            let clock = try connection.query("SELECT seq, time FROM bindings.clock FOR SHARE")[0]
            var seq: Int64 = try clock.decode("seq")
            var time = Timestamp(microseconds: try clock.decode("time"))
            let rows: DatabaseResult
            if let at, at < time {
                let last = try connection.query(
                    """
                    SELECT seq, lower(valid) AS time FROM bindings.record_states WHERE lower(valid) <= $1::timestamptz
                    ORDER BY lower(valid) DESC, seq DESC LIMIT 1
                    """, at.databaseValue
                ).first
                seq = try last?.decode("seq") ?? 0
                time = Timestamp(microseconds: try last?.decode("time") ?? 0)
                rows = try connection.query(
                    """
                    SELECT kind, state FROM bindings.record_states WHERE is_open AND valid @> $1::timestamptz
                        AND (kind IN ('binding', 'wait', 'channel') OR kind = 'message' AND state->>'asks' = 'true')
                    ORDER BY created, id
                    """, at.databaseValue)
            } else {
                rows = try connection.query(
                    """
                    SELECT kind, state FROM bindings.records
                    WHERE is_open AND (kind IN ('binding', 'wait', 'channel') OR kind = 'message' AND state->>'asks' = 'true') ORDER BY created, id
                    """)
            }
            var snapshot = BindingSnapshot(seq: UInt64(clamping: seq), time: time, bindings: [], waits: [])
            for row in rows {
                switch try row.decode("kind", as: String.self) {
                case Binding.recordKind: snapshot.bindings.append(try Self.record(row))
                case Channel.recordKind: snapshot.channels.append(try Self.record(row))
                case ChannelMessage.recordKind:
                    let message: ChannelMessage = try Self.record(row)
                    if message.isOpenQuestion { snapshot.questions.append(message) }
                default: snapshot.waits.append(try Self.record(row))
                }
            }
            return snapshot
        }
    }

    /// Whether time has something to do with records, and when it will next; and whether messages wait for pods. One question, because it is asked often.
    func due(_ now: Timestamp) async throws -> (records: Bool, next: Timestamp?, mail: Bool) {
        try await pool.withConnection { connection in
            let row = try connection.query(
                """
                SELECT (SELECT min(due) FROM bindings.records WHERE is_open) AS next,
                    EXISTS (SELECT FROM bindings.mailboxes WHERE is_waiting) AS mail
                """)[0]
            let next = try row.decode("next", as: Int64?.self).map { Timestamp(microseconds: $0) }
            return (next.map { $0 <= now } ?? false, next, try row.decode("mail"))
        }
    }

    /// Whether open records of these kinds concern a pod.
    func concerns(_ pod: PodID, _ kinds: [String]) async throws -> Bool {
        try await pool.withConnection { connection in
            try connection.query(
                "SELECT 1 FROM bindings.records WHERE is_open AND pods @> ARRAY[$1]::text[] AND kind = ANY($2::text[]) LIMIT 1", pod.text, kinds
            ).first != nil
        }
    }

    /// Every pod that an open record concerns.
    func concernedPods() async throws -> Set<PodID> {
        try await pool.withConnection { connection in
            Set(
                try connection.query("SELECT DISTINCT unnest(pods) AS pod FROM bindings.records WHERE is_open").compactMap {
                    PodID(try $0.decode("pod", as: String.self))
                })
        }
    }

    // MARK: - Policies

    /// A pod's own policy, else the mesh's, else `explicit`.
    func policy(of pod: PodID?) async throws -> BindingPolicy {
        try await pool.withReader { connection in
            try connection.query(
                "SELECT policy FROM bindings.policies WHERE pod IN ($1, '') ORDER BY pod DESC LIMIT 1", pod?.text ?? ""
            ).first.flatMap { BindingPolicy(rawValue: try $0.decode("policy")) } ?? .explicit
        }
    }

    func setPolicy(_ policy: BindingPolicy, of pod: PodID?) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query(
                "INSERT INTO bindings.policies (pod, policy) VALUES ($1, $2) ON CONFLICT (pod) DO UPDATE SET policy = $2", pod?.text ?? "",
                policy.rawValue)
        }
    }

    static func record<Record: StoredRecord>(_ row: DatabaseRow) throws -> Record {
        try JSON.decode(Record.self, from: try row.decode("state", as: String.self).utf8)
    }
}

extension Timestamp {
    var databaseValue: DatabaseValue { .microseconds(microseconds) }
}
