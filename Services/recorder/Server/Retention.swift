internal import Contract
internal import Database
internal import Digest

/// How much is kept. Recordings on hold are kept whatever it says.
struct RetentionPolicy: Sendable, Equatable {
    /// Segments whose last frame is older are removed; nil keeps them.
    var age: Duration?
    /// Bytes of all stored segments; the oldest beyond it are removed. Nil for no bound.
    var bytes: Int64?
}

struct RemovedSegments: Sendable, Equatable {
    var pod: PodID
    var segments: Int
    /// What the recording begins with now.
    var firstSeq: UInt64
    var first: Timestamp
}

extension RecorderStore {
    /// Removes whole sealed segments, always the oldest of a pod, and writes down the hash of the last one removed, so that the
    /// chain of what is left still verifies. The newest sealed segment and the tail of a recording that goes on stay.
    func applyRetention(_ policy: RetentionPolicy, now: Timestamp) async throws -> [RemovedSegments] {
        var removed: [RemovedSegments] = []
        if let age = policy.age {
            let bound = (now - age).microseconds
            let pods = try await pool.withReader { connection in
                try connection.query(
                    """
                    SELECT DISTINCT s.pod FROM recorder.segments s JOIN recorder.pods p USING (pod)
                    WHERE s.to_us < $1 AND s.sealed AND NOT p.held
                    """, bound
                ).compactMap { PodID(try $0.decode(0, as: String.self)) }
            }
            for pod in pods { if let result = try await remove(pod, olderThan: bound, bytes: nil) { removed.append(result) } }
        }
        if let limit = policy.bytes {
            while let (pod, excess) = try await oldest(beyond: limit) {
                guard let result = try await remove(pod, olderThan: nil, bytes: excess) else { break }
                removed.append(result)
            }
        }
        return removed
    }

    /// The pod with the oldest segment that may go, and how many bytes are too many; nil if none are or none may go.
    private func oldest(beyond limit: Int64) async throws -> (PodID, Int64)? {
        try await pool.withReader { connection in
            let total: Int64 = try connection.query("SELECT coalesce(sum(stored_bytes), 0)::bigint FROM recorder.segments")[0].decode(0)
            guard total > limit else { return nil }
            let row = try connection.query(
                """
                SELECT s.pod FROM recorder.segments s JOIN recorder.pods p USING (pod)
                WHERE s.sealed AND NOT p.held AND (p.ended OR s.last_seq < p.sealed_seq) ORDER BY s.to_us LIMIT 1
                """
            ).first
            return try row.flatMap { PodID(try $0.decode(0, as: String.self)) }.map { ($0, total - limit) }
        }
    }

    /// Removes a pod's oldest segments: those older than a time, or as many as make up some bytes.
    private func remove(_ pod: PodID, olderThan bound: Int64?, bytes: Int64?) async throws -> RemovedSegments? {
        try await pool.withTransaction { connection in
            guard
                let head = try connection.query(
                    "SELECT sealed_seq, ended, held FROM recorder.pods WHERE pod = $1 FOR UPDATE", pod.text
                ).first, try !head.decode("held", as: Bool.self)
            else { return nil }
            let isEnded: Bool = try head.decode("ended")
            let sealedSeq: Int64 = try head.decode("sealed_seq")
            let rows = try connection.query(
                "SELECT first_seq, last_seq, to_us, stored_bytes, hash FROM recorder.segments WHERE pod = $1 AND sealed ORDER BY first_seq", pod.text)
            var count = 0
            var freed: Int64 = 0
            for row in rows {
                if let bound, try row.decode("to_us", as: Int64.self) >= bound { break }
                if let bytes, freed >= bytes { break }
                // A recording that goes on keeps its newest sealed segment: the chain's head.
                if !isEnded, try row.decode("last_seq", as: Int64.self) >= sealedSeq { break }
                freed += try row.decode("stored_bytes", as: Int64.self)
                count += 1
            }
            guard count > 0 else { return nil }
            let last = rows[count - 1]
            let lastSeq: Int64 = try last.decode("last_seq")
            try connection.query("DELETE FROM recorder.segments WHERE pod = $1 AND last_seq <= $2", pod.text, lastSeq)
            let first = try connection.query(
                "SELECT first_seq, from_us FROM recorder.segments WHERE pod = $1 ORDER BY first_seq LIMIT 1", pod.text
            ).first
            let firstSeq = try first?.decode("first_seq", as: Int64.self) ?? lastSeq + 1
            let time = try first?.decode("from_us", as: Int64.self) ?? last.decode("to_us", as: Int64.self)
            let anchor: [UInt8] = try last.decode("hash")
            try connection.query(
                "UPDATE recorder.pods SET anchor = $2, first_seq = $3, first_us = $4 WHERE pod = $1", pod.text, anchor, firstSeq, time)
            return RemovedSegments(
                pod: pod, segments: count, firstSeq: UInt64(clamping: firstSeq), first: Timestamp(microseconds: time))
        }
    }

    /// Sets or clears the hold. Throws `not_found` for a pod without a recording.
    func hold(_ pod: PodID, _ isHeld: Bool) async throws {
        let touched = try await pool.withConnection { connection in
            try connection.query("UPDATE recorder.pods SET held = $2 WHERE pod = $1", pod.text, isHeld).affectedRows
        }
        guard touched > 0 else { throw ErrorBody(.notFound, "there is no recording of pod \(pod)") }
    }
}
