internal import BindingsCore
internal import Contract
internal import Database
internal import Traces

/// The SQL of messages and mailboxes, within a change.
extension Ledger {
    func newestNumber(in channel: String) throws -> UInt64 {
        UInt64(
            clamping: try connection.query("SELECT coalesce(max(number), 0) AS number FROM bindings.messages WHERE channel = $1", channel)[0]
                .decode("number", as: Int64.self))
    }

    func posted(by author: Author, key: String) throws -> ChannelMessage? {
        try connection.query(
            """
            SELECT r.state FROM bindings.messages m JOIN bindings.records r ON r.kind = 'message' AND r.id = m.id
            WHERE m.author = $1 AND m.post_key = $2
            """, author.description, key
        ).first.map(BindingsStore.record)
    }

    /// - Parameter trace: the request that it was posted by, if that is followed.
    func add(_ message: ChannelMessage, key: String?, trace: TraceContext? = nil) throws {
        try connection.query(
            """
            INSERT INTO bindings.messages (channel, number, id, author, post_key, members, created, body, traceparent)
            VALUES ($1, $2, $3, $4, $5, $6::text[], $7, $8, $9)
            """, message.channel, Int64(clamping: message.number), message.id, message.author.description, key,
            ([message.author] + message.mentions).map(\.description), message.created.databaseValue, message.text, trace?.value)
        for pod in message.queuedPods {
            try connection.query(
                """
                INSERT INTO bindings.mailboxes (pod, is_waiting) VALUES ($1, true)
                ON CONFLICT (pod) DO UPDATE SET is_waiting = true, tries = 0, next_try = NULL WHERE NOT mailboxes.is_waiting
                """, pod.text)
        }
    }

    func messages(in channel: String, after: UInt64, through: UInt64, mentioning who: Author) throws -> [ChannelMessage] {
        try connection.query(
            """
            SELECT r.state FROM bindings.messages m JOIN bindings.records r ON r.kind = 'message' AND r.id = m.id
            WHERE m.channel = $1 AND m.number > $2 AND m.number <= $3 AND m.members @> ARRAY[$4]::text[] ORDER BY m.number
            """, channel, Int64(clamping: after), Int64(clamping: through), who.description
        ).map(BindingsStore.record)
    }

    /// Questions that nobody or not everybody has answered; of one channel where it is named.
    func openQuestions(in channel: String? = nil) throws -> [ChannelMessage] {
        try connection.query(
            """
            SELECT state FROM bindings.records WHERE kind = 'message' AND is_open AND state->>'asks' = 'true' AND ($1::text IS NULL OR state->>'channel' = $1)
            ORDER BY created, id
            """, channel
        ).map(BindingsStore.record)
    }

    /// Says whether anything still waits for a pod.
    func settleMailbox(_ pod: PodID) throws {
        let isWaiting = try BindingsStore.nextMessage(for: pod, connection) != nil
        try connection.query("UPDATE bindings.mailboxes SET is_waiting = $2 WHERE pod = $1", pod.text, isWaiting)
    }

    /// The message that a pod was told last.
    func told(_ pod: PodID) throws -> (hops: Int, at: Timestamp)? {
        guard
            let row = try connection.query(
                "SELECT told_hops, told_at FROM bindings.mailboxes WHERE pod = $1 AND told_at IS NOT NULL", pod.text
            ).first
        else { return nil }
        return (try row.decode("told_hops"), Timestamp(microseconds: try row.decode("told_at")))
    }

    func tell(_ pod: PodID, _ message: ChannelMessage) throws {
        try connection.query(
            """
            INSERT INTO bindings.mailboxes (pod, is_waiting, told_hops, told_at) VALUES ($1, false, $2, $3)
            ON CONFLICT (pod) DO UPDATE SET told_hops = $2, told_at = $3
            """, pod.text, message.hops, time.databaseValue)
    }
}

extension BindingsStore {
    /// Messages of these channels, in the order in which they were posted.
    func messages(_ request: ListMessages, in channels: [String]) async throws -> MessagePage {
        guard !channels.isEmpty else { return MessagePage(messages: []) }
        guard request.limit.map({ (1...1000).contains($0) }) ?? true else { throw ErrorBody(.badRequest, "limit goes from 1 to 1000") }
        let limit = request.limit ?? 100
        let isForward = request.after != nil
        // What nobody asked for is null and asks nothing.
        let pattern = request.text.map { text in "%" + text.map { "\\%_".contains($0) ? "\\\($0)" : String($0) }.joined() + "%" }
        return try await pool.withReader { connection in
            let rows = try connection.query(
                """
                SELECT s.state FROM bindings.messages m
                JOIN \(request.at == nil ? "bindings.records" : "bindings.record_states") s ON s.kind = 'message' AND s.id = m.id
                WHERE m.channel = ANY($1::text[]) AND ($2::text IS NULL OR m.members @> ARRAY[$2]) AND ($3::text IS NULL OR m.body ILIKE $3)
                    AND ($4::bigint IS NULL OR m.number > $4) AND ($5::bigint IS NULL OR m.number < $5)
                    AND ($6::timestamptz IS NULL OR m.created >= $6) AND ($7::timestamptz IS NULL OR m.created <= $7)
                    AND \(request.at == nil ? "$8::timestamptz IS NULL" : "s.valid @> $8::timestamptz")
                ORDER BY m.created \(isForward ? "ASC" : "DESC") LIMIT $9
                """,
                channels, request.pod.map { "pod:\($0)" }, pattern, request.after.map { Int64(clamping: $0) }, request.before.map { Int64(clamping: $0) },
                Self.value(request.from), Self.value(request.to), Self.value(request.at), limit + 1)
            let found: [ChannelMessage] = try rows.map(Self.record)
            let page = Array(found.prefix(limit))
            return MessagePage(messages: isForward ? page : page.reversed(), more: found.count > limit)
        }
    }

    private static func value(_ time: Timestamp?) -> DatabaseValue { time?.databaseValue ?? DatabaseValue.null }

    // MARK: - Mailboxes

    /// The oldest message that waits to be typed into a pod.
    func nextMessage(for pod: PodID) async throws -> ChannelMessage? {
        try await pool.withConnection { try Self.nextMessage(for: pod, $0) }
    }

    /// The request that a message was posted by, if that is followed.
    func trace(of message: String) async throws -> TraceContext? {
        try await pool.withConnection { connection in
            try connection.query("SELECT traceparent FROM bindings.messages WHERE id = $1 AND traceparent IS NOT NULL", message).first.flatMap {
                TraceContext(try $0.decode("traceparent", as: String.self))
            }
        }
    }

    static func nextMessage(for pod: PodID, _ connection: DatabaseConnection) throws -> ChannelMessage? {
        try connection.query(
            """
            SELECT state FROM bindings.records WHERE kind = 'message' AND is_open AND pods @> ARRAY[$1]::text[]
                AND state->'deliveries' @> jsonb_build_array(jsonb_build_object('member', 'pod:' || $1::text, 'state', 'queued'))
            ORDER BY created, id LIMIT 1
            """, pod.text
        ).first.map(Self.record)
    }

    /// Pods for which something waits that nobody delivers at this moment.
    /// - Parameter rested: leaves out those whose last try was a moment ago.
    func waitingMailboxes(rested: Bool) async throws -> [PodID] {
        try await pool.withConnection { connection in
            try connection.query(
                """
                SELECT pod FROM bindings.mailboxes WHERE is_waiting AND (lease IS NULL OR lease < now())
                    AND (NOT $1 OR next_try IS NULL OR next_try <= now()) ORDER BY pod
                """, rested
            ).compactMap { PodID(try $0.decode("pod", as: String.self)) }
        }
    }

    /// A pod is about to be told a message.
    func tell(_ pod: PodID, _ message: ChannelMessage) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query(
                "UPDATE bindings.mailboxes SET told_hops = $2, told_at = now() WHERE pod = $1", pod.text, message.hops)
        }
    }

    /// Takes the right to deliver to a pod for a while; false when somebody else has it.
    func lease(_ pod: PodID, to holder: String, for time: Duration) async throws -> Bool {
        try await pool.withConnection { connection in
            try connection.query(
                """
                UPDATE bindings.mailboxes SET holder = $2, lease = now() + $3 * interval '1 millisecond'
                WHERE pod = $1 AND is_waiting AND (lease IS NULL OR lease < now()) RETURNING pod
                """, pod.text, holder, time.microseconds / 1000
            ).first != nil
        }
    }

    /// Takes away what earlier starts of this instance hold: they are dead.
    func reclaim(from instance: String) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query(
                "UPDATE bindings.mailboxes SET holder = NULL, lease = NULL WHERE starts_with(holder, $1)", instance + "-")
        }
    }

    /// Gives the right back; with the time before which nothing is to be tried again.
    func release(_ pod: PodID, by holder: String, pause: Duration?) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query(
                """
                UPDATE bindings.mailboxes SET holder = NULL, lease = NULL, tries = CASE WHEN $3::bigint IS NULL THEN 0 ELSE tries + 1 END,
                    next_try = CASE WHEN $3::bigint IS NULL THEN NULL ELSE now() + $3 * least(power(2, least(tries, 6)), 40) * interval '1 millisecond' END
                WHERE pod = $1 AND holder = $2
                """, pod.text, holder, pause.map { $0.microseconds / 1000 })
        }
    }
}
