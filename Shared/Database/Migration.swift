/// One step of a schema's history. Steps are never changed once released; a change is a new step.
public struct Migration: Sendable {
    /// What the step does, for people who read the table.
    public var name: String
    /// Statements, run in the transaction that records the step, with the schema first in the search path.
    public var statements: String

    public init(_ name: String, _ statements: String) {
        self.name = name
        self.statements = statements
    }
}

extension DatabasePool {
    /// Brings `schema` to the newest version, which is the number of `migrations`. Safe to call from several processes
    /// at once: an advisory lock lets one do the work. Throws `newer_schema` when a newer program was here before.
    public func migrate(schema: String, _ migrations: [Migration]) async throws {
        precondition(
            !schema.isEmpty && schema.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) },
            "a schema's name is lower-case letters")
        try await withConnection { connection in
            try connection.transaction {
                try connection.setStatementTimeout(.seconds(600))
                try connection.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "switchback migration \(schema)")
                try connection.execute(
                    """
                    CREATE SCHEMA IF NOT EXISTS \(schema);
                    CREATE TABLE IF NOT EXISTS \(schema).schema_version (
                        version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
                    SET LOCAL search_path TO \(schema);
                    """)
                let present: Int = try connection.query("SELECT coalesce(max(version), 0) FROM \(schema).schema_version")[0].decode(0)
                guard present <= migrations.count else {
                    throw DatabaseError(
                        code: .newerSchema,
                        message: "the database's schema \"\(schema)\" is at version \(present), this program knows up to \(migrations.count): "
                            + "use the newer Switchback that made it, or another data directory")
                }
                for (index, migration) in migrations.enumerated().dropFirst(present) {
                    try connection.execute(migration.statements)
                    try connection.query(
                        "INSERT INTO \(schema).schema_version (version, name) VALUES ($1, $2)", index + 1, migration.name)
                }
            }
        }
    }
}
