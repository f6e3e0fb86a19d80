internal import Contract
internal import Database

/// One transaction's changes, in the one order that all changes have.
struct Ledger {
    let connection: DatabaseConnection
    private(set) var seq: UInt64
    private var last: Timestamp
    private let now: Timestamp

    /// Waits until nobody else changes anything.
    init(locking connection: DatabaseConnection) throws {
        self.connection = connection
        let row = try connection.query("SELECT seq, time FROM bindings.clock FOR UPDATE")[0]
        seq = UInt64(clamping: try row.decode("seq", as: Int64.self))
        last = Timestamp(microseconds: try row.decode("time"))
        // Read under the lock: a change that comes later has a later time.
        now = .now()
    }

    /// The time of the next change: later than every one before, whatever the hosts' clocks say.
    var time: Timestamp { max(now, last + .microseconds(1)) }

    // MARK: - Reading

    func get<Record: StoredRecord>(_ type: Record.Type, _ id: String) throws -> Record? {
        try connection.query("SELECT state FROM bindings.records WHERE kind = $1 AND id = $2", Record.recordKind, id).first.map(BindingsStore.record)
    }

    func open<Record: StoredRecord>(_ type: Record.Type, of pod: PodID? = nil) throws -> [Record] {
        if let pod {
            return try connection.query(
                "SELECT state FROM bindings.records WHERE kind = $1 AND is_open AND pods @> ARRAY[$2]::text[] ORDER BY created, id", Record.recordKind,
                pod.text
            ).map(BindingsStore.record)
        }
        return try connection.query(
            "SELECT state FROM bindings.records WHERE kind = $1 AND is_open ORDER BY created, id", Record.recordKind
        ).map(BindingsStore.record)
    }

    func open<Record: StoredRecord>(_ type: Record.Type, key: String) throws -> Record? {
        try connection.query(
            "SELECT state FROM bindings.records WHERE kind = $1 AND is_open AND unique_key = $2", Record.recordKind, key
        ).first.map(BindingsStore.record)
    }

    /// Open waits for one kind of thing.
    func openWaits(until: Wait.Until) throws -> [Wait] {
        try connection.query(
            "SELECT state FROM bindings.records WHERE kind = $1 AND is_open AND state->>'until' = $2 ORDER BY created, id", Wait.recordKind, until.rawValue
        ).map(BindingsStore.record)
    }

    /// Those that wait for an answer: of all bindings only they hold somebody up, and they are few.
    func pendingBindings() throws -> [Binding] {
        try connection.query(
            "SELECT state FROM bindings.records WHERE kind = $1 AND is_open AND state->>'state' = $2 ORDER BY created, id", Binding.recordKind,
            Binding.State.pending.rawValue
        ).map(BindingsStore.record)
    }

    func due<Record: StoredRecord>(_ type: Record.Type) throws -> [Record] {
        try connection.query(
            "SELECT state FROM bindings.records WHERE kind = $1 AND is_open AND due <= $2 ORDER BY due, id LIMIT 500", Record.recordKind,
            time.databaseValue
        ).map(BindingsStore.record)
    }

    // MARK: - Writing

    /// Keeps a record's new state from `time` on, and the event that tells of it.
    mutating func put<Record: StoredRecord>(_ record: Record, _ what: String) throws {
        let time = time
        seq += 1
        last = time
        let text = try JSON.text(record)
        try connection.query(
            """
            INSERT INTO bindings.records (kind, id, is_open, pods, unique_key, due, created, state)
            VALUES ($1, $2, $3, $4::text[], $5, $6, $7, $8::jsonb)
            ON CONFLICT (kind, id) DO UPDATE SET is_open = $3, pods = $4::text[], unique_key = $5, due = $6, state = $8::jsonb
            """, Record.recordKind, record.id, record.isOpen, record.concerned.map(\.text), record.uniqueKey, record.due?.databaseValue ?? DatabaseValue.null,
            record.created.databaseValue, text)
        try connection.query(
            "UPDATE bindings.record_states SET valid = tstzrange(lower(valid), $3) WHERE kind = $1 AND id = $2 AND upper_inf(valid)", Record.recordKind,
            record.id, time.databaseValue)
        try connection.query(
            """
            INSERT INTO bindings.record_states (kind, id, valid, seq, is_open, created, state)
            VALUES ($1, $2, tstzrange($3, NULL), $4, $5, $6, $7::jsonb)
            """, Record.recordKind, record.id, time.databaseValue, Int64(clamping: seq), record.isOpen, record.created.databaseValue, text)
        try connection.query(
            "INSERT INTO bindings.outbox (id, subject, message_id, payload) VALUES ($1, $2, $3, $4)", Int64(clamping: seq),
            Subjects.event(record.eventArea, record.eventID, what), "\(Record.recordKind).\(record.id).\(seq)", try record.event(what, time: time, seq: seq))
        try connection.query("UPDATE bindings.clock SET seq = $1, time = $2", Int64(clamping: seq), time.databaseValue)
    }
}
