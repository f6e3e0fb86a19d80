internal import Contract
internal import Database
internal import RegistryClient

extension RegistryStore {
    /// Notes a beat.
    func beat(_ beat: Heartbeat, at now: Timestamp) async throws {
        try await pool.withTransaction { connection in
            // A beat lost in a crash is followed by the next: not worth a wait for the disk.
            try connection.execute("SET LOCAL synchronous_commit = off")
            let row = try connection.query(
                """
                INSERT INTO registry.runners AS r (runner, host, version, first_seen, last_beat, clock_offset, is_online)
                VALUES ($1, $2, $3, $4, $4, $5, true)
                ON CONFLICT (runner) DO UPDATE SET host = $2, version = $3, last_beat = greatest(r.last_beat, $4),
                    clock_offset = coalesce($6, r.clock_offset), is_online = true
                RETURNING (SELECT is_online FROM registry.runners WHERE runner = $1) AS was_online
                """, beat.runner, beat.host, beat.version, now.databaseValue, beat.clockOffset ?? 0, beat.clockOffset
            ).first
            if try row?.decode("was_online", as: Bool?.self) != true {
                try Self.post(connection, "runner", beat.runner, "online", now, RunnerEvent(what: "online", time: now, runner: beat.runner))
            }
        }
    }

    /// Marks the runners whose beats are missing. Gives their names.
    func markOffline(now: Timestamp, after silence: Duration = RegistryServer.offlineAfter) async throws -> [String] {
        try await pool.withTransaction { connection in
            let limit = now - silence
            let names = try connection.query(
                "UPDATE registry.runners SET is_online = false WHERE is_online AND last_beat < $1 RETURNING runner", limit.databaseValue
            ).map { try $0.decode("runner", as: String.self) }
            for name in names {
                try Self.post(connection, "runner", name, "offline", now, RunnerEvent(what: "offline", time: now, runner: name))
            }
            return names
        }
    }

    func runners() async throws -> [Runner] {
        try await pool.withConnection { connection in
            try connection.query(
                """
                SELECT r.*, (SELECT count(*) FROM registry.pods p WHERE p.is_live AND p.runner = r.runner) AS pods
                FROM registry.runners r ORDER BY r.runner
                """
            ).map { row in
                Runner(
                    runner: try row.decode("runner"), host: try row.decode("host"), version: try row.decode("version"),
                    state: try row.decode("is_online") ? "online" : "offline", lastBeat: Timestamp(microseconds: try row.decode("last_beat")),
                    firstSeen: Timestamp(microseconds: try row.decode("first_seen")), clockOffset: try row.decode("clock_offset"),
                    pods: try row.decode("pods"))
            }
        }
    }
}
