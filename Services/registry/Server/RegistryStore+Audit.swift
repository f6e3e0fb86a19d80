internal import Contract
internal import Database
internal import Digest

/// The audit log's table. Nothing there is ever changed; a trigger refuses it to everybody who does not switch the trigger off, and the chain
/// tells of those who do.
extension RegistryStore {
    static let auditMigration = Migration(
        "the audit log, chained by digests",
        """
        CREATE TABLE audit (
            seq bigint PRIMARY KEY,
            time timestamptz NOT NULL,
            id text NOT NULL UNIQUE,
            -- JSON, byte for byte as it was chained.
            entry text NOT NULL,
            previous bytea NOT NULL,
            digest bytea NOT NULL
        );
        CREATE INDEX audit_time ON audit (time);
        -- The newest entry, so that it is noticed when the last ones are taken away.
        CREATE TABLE audit_head (
            only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
            seq bigint NOT NULL,
            digest bytea NOT NULL
        );
        CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit log is append-only';
        END $$;
        CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuses();
        CREATE TRIGGER audit_stays_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses();
        """)

    /// Chains entries in this order. Those that are there already are passed over.
    func append(_ entries: [AuditEntry]) async throws {
        guard !entries.isEmpty else { return }
        try await pool.withTransaction { connection in
            // One writer at a time: the chain has one end.
            try connection.query("SELECT pg_advisory_xact_lock(hashtextextended('switchback audit', 0))")
            var known = Set(
                try connection.query("SELECT id FROM registry.audit WHERE id = ANY($1)", DatabaseValue.texts(entries.map(\.id))).map {
                    try $0.decode("id", as: String.self)
                })
            let head = try Self.head(connection)
            var (seq, digest) = (head.seq, head.digest)
            for entry in entries where known.insert(entry.id).inserted {
                let row = try AuditChain.link(entry, seq: seq + 1, previous: digest)
                try connection.query(
                    "INSERT INTO registry.audit (seq, time, id, entry, previous, digest) VALUES ($1, $2, $3, $4, $5, $6)", Int64(row.seq),
                    row.time.databaseValue, entry.id, row.entry, row.previous, row.digest)
                (seq, digest) = (row.seq, row.digest)
            }
            guard seq > head.seq else { return }
            try connection.query(
                """
                INSERT INTO registry.audit_head (seq, digest) VALUES ($1, $2)
                ON CONFLICT (only_one) DO UPDATE SET seq = $1, digest = $2
                """, Int64(seq), digest)
        }
    }

    private static func head(_ connection: DatabaseConnection) throws -> (seq: UInt64, digest: [UInt8]) {
        guard let row = try connection.query("SELECT seq, digest FROM registry.audit_head").first else { return (0, AuditChain.start) }
        return (UInt64(clamping: try row.decode("seq", as: Int64.self)), try row.decode("digest"))
    }

    /// Newest first.
    func audit(_ query: ListAudit) async throws -> AuditPage {
        let limit = min(max(query.limit ?? 100, 1), 1000)
        return try await pool.withReader { connection in
            let records = try connection.query(
                """
                SELECT seq, entry, digest FROM registry.audit
                WHERE ($1::timestamptz IS NULL OR time >= $1) AND ($2::timestamptz IS NULL OR time <= $2)
                    AND ($3::text IS NULL OR entry::jsonb->>'actor' = $3) AND ($4::text IS NULL OR entry::jsonb->>'action' = $4)
                    AND ($5::text IS NULL OR entry::jsonb->>'outcome' = $5) AND ($6::bigint IS NULL OR seq < $6)
                ORDER BY seq DESC LIMIT $7
                """, query.since?.databaseValue, query.until?.databaseValue, query.actor, query.action, query.outcome?.rawValue,
                query.before.map { Int64(clamping: $0) }, limit + 1
            ).map { row in
                AuditRecord(
                    seq: UInt64(clamping: try row.decode("seq", as: Int64.self)),
                    entry: try JSON.decode(AuditEntry.self, from: try row.decode("entry", as: String.self).utf8),
                    digest: SHA256Digest(bytes: try row.decode("digest"))?.hex ?? "")
            }
            let page = Array(records.prefix(limit))
            return AuditPage(records: page, next: records.count > limit ? page.last?.seq : nil)
        }
    }

    /// Walks the whole chain.
    func verifyAudit(_ request: VerifyAudit) async throws -> AuditVerified {
        try await pool.withTransaction { connection in
            // All of it as of one moment, while others write.
            try connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            let head = try Self.head(connection)
            var walk = AuditChain.Walk()
            func broken(_ problem: String) -> AuditVerified {
                AuditVerified(
                    intact: false, entries: walk.seq, head: SHA256Digest(bytes: walk.digest)?.hex ?? "", seq: walk.seq + 1, problem: problem)
            }
            var noted: [UInt8]?
            while true {
                let rows = try connection.query(
                    "SELECT seq, time, entry, previous, digest FROM registry.audit WHERE seq > $1 ORDER BY seq LIMIT 2000", Int64(clamping: walk.seq))
                for row in rows {
                    let row = AuditChain.Row(
                        seq: UInt64(clamping: try row.decode("seq", as: Int64.self)), time: Timestamp(microseconds: try row.decode("time")),
                        entry: try row.decode("entry"), previous: try row.decode("previous"), digest: try row.decode("digest"))
                    if let problem = walk.step(row) { return broken(problem) }
                    if row.seq == request.seq { noted = row.digest }
                }
                if rows.isEmpty { break }
            }
            if let problem = walk.end(head: head.seq, digest: head.digest) { return broken(problem) }
            if let seq = request.seq, let digest = request.digest, noted.flatMap({ SHA256Digest(bytes: $0)?.hex }) != digest.lowercased() {
                return AuditVerified(
                    intact: false, entries: walk.seq, head: SHA256Digest(bytes: walk.digest)?.hex ?? "", seq: seq,
                    problem: "entry \(seq) is not the one whose digest was noted: the log was written anew")
            }
            return AuditVerified(intact: true, entries: walk.seq, head: SHA256Digest(bytes: walk.digest)?.hex ?? "")
        }
    }
}
