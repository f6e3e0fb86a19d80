internal import Contract
internal import Database

/// What the detector says, with the time in which it held.
extension RegistryStore {
    private struct Interval {
        var status: PodStatus
        var until: Timestamp?
    }

    /// Keeps what a detector says, in one transaction. The order in which it arrives does not matter, and what was kept before is
    /// not kept again: two detectors may say the same, and two registries may share what they say.
    func learn(_ statuses: [(pod: PodID, status: PodStatus)]) async throws {
        guard !statuses.isEmpty else { return }
        try await pool.withTransaction { connection in
            var ends: [PodID: Timestamp?] = [:]
            // Locked in one order, so that two registries never wait for each other.
            for pod in Set(statuses.map(\.pod)).sorted() {
                let row = try connection.query("SELECT is_live, state->>'exited' AS exited FROM registry.pods WHERE pod = $1 FOR UPDATE", pod.text).first
                guard let row, try !row.decode("is_live", as: Bool.self) else { continue }
                ends[pod] = try row.decode("exited", as: String?.self).flatMap { Timestamp($0) }
            }
            for (pod, status) in statuses {
                let end = ends[pod] ?? nil
                if let end, status.since >= end { continue }
                try Self.insert(connection, pod, status, end: end)
            }
        }
    }

    private static func insert(_ connection: DatabaseConnection, _ pod: PodID, _ status: PodStatus, end: Timestamp?) throws {
        let row = try connection.query(
            """
            SELECT lower(valid) AS since, upper(valid) AS until, status, reason, seq, evidence, detail FROM registry.statuses
            WHERE pod = $1 AND lower(valid) <= $2 ORDER BY lower(valid) DESC LIMIT 1
            """, pod.text, status.since.databaseValue
        ).first
        var until = end
        if let row {
            let before = Interval(
                status: try self.status(
                    try row.decode("status"), reason: try row.decode("reason"), since: try row.decode("since"), seq: try row.decode("seq"),
                    evidence: try row.decode("evidence"), detail: try row.decode("detail")),
                until: try row.decode("until", as: Int64?.self).map { Timestamp(microseconds: $0) })
            // What ended before begins anew; what is inside an interval splits it.
            if before.until == nil || before.until ?? status.since > status.since { until = before.until ?? end }
            if before.status.since == status.since {
                // What is known of an interval that is over stands; of the newest one, what was seen later.
                guard before.until == nil, status.seq >= before.status.seq, status != before.status else { return }
                try connection.query("DELETE FROM registry.statuses WHERE pod = $1 AND upper_inf(valid)", pod.text)
            } else {
                try connection.query(
                    """
                    UPDATE registry.statuses SET valid = tstzrange(lower(valid), $3) WHERE pod = $1 AND lower(valid) = $2
                        AND (upper_inf(valid) OR upper(valid) > $3)
                    """, pod.text, before.status.since.databaseValue, status.since.databaseValue)
            }
        } else {
            let next = try connection.query("SELECT min(lower(valid)) AS next FROM registry.statuses WHERE pod = $1", pod.text).first
            if let next = try next?.decode("next", as: Int64?.self) { until = Timestamp(microseconds: next) }
        }
        try connection.query(
            """
            INSERT INTO registry.statuses (pod, valid, status, reason, seq, evidence, detail)
            VALUES ($1, tstzrange($2, $3), $4, $5, $6, $7, $8::jsonb)
            """, pod.text, status.since.databaseValue, until.map { $0.databaseValue } ?? .null, status.status, status.reason,
            Int64(clamping: status.seq), status.evidence, try JSON.text(status))
    }

    /// A pod that has ended does nothing any more.
    static func endStatus(_ connection: DatabaseConnection, _ pod: PodID, at time: Timestamp) throws {
        try connection.query(
            """
            UPDATE registry.statuses SET valid = tstzrange(lower(valid), greatest($2, lower(valid) + interval '1 microsecond'))
            WHERE pod = $1 AND upper_inf(valid)
            """, pod.text, time.databaseValue)
    }

    static func status(_ status: String, reason: String?, since: Int64, seq: Int64, evidence: String?, detail: String?) throws -> PodStatus {
        var value: PodStatus
        if let detail {
            value = try JSON.decode(PodStatus.self, from: detail.utf8)
        } else {
            value = PodStatus(status: status, reason: reason, since: Timestamp(microseconds: since), seq: UInt64(clamping: seq), evidence: evidence)
        }
        value.since = Timestamp(microseconds: since)
        return value
    }
}
