internal import Contract
internal import Digest

/// The chain of the audit log: each entry's digest covers its place, the digest before it and its bytes. Pure.
enum AuditChain {
    /// A row as it stands in the table.
    struct Row: Sendable, Equatable {
        var seq: UInt64
        var time: Timestamp
        /// The entry's JSON, byte for byte as it was chained.
        var entry: String
        var previous: [UInt8]
        var digest: [UInt8]
    }

    static let start = SHA256Digest.zero.bytes

    static func digest(seq: UInt64, previous: [UInt8], entry: String) -> [UInt8] {
        let place = (0..<8).map { UInt8(truncatingIfNeeded: seq >> (56 - 8 * UInt64($0))) }
        return SHA256.digest(place, previous, Array(entry.utf8)).bytes
    }

    static func link(_ entry: AuditEntry, seq: UInt64, previous: [UInt8]) throws -> Row {
        let text = try JSON.text(entry)
        return Row(seq: seq, time: entry.time, entry: text, previous: previous, digest: digest(seq: seq, previous: previous, entry: text))
    }

    /// Follows a chain from its beginning, row by row.
    struct Walk: Sendable {
        private(set) var seq: UInt64 = 0
        private(set) var digest = AuditChain.start

        /// What is wrong with the next row; nil when it follows.
        mutating func step(_ row: Row) -> String? {
            guard row.seq == seq + 1 else { return "entry \(seq + 1) is missing: \(row.seq) follows \(seq)" }
            guard row.previous == digest else { return "entry \(row.seq) does not follow the one before it: one was inserted, removed or moved" }
            guard row.digest == AuditChain.digest(seq: row.seq, previous: row.previous, entry: row.entry) else {
                return "entry \(row.seq) was changed"
            }
            guard let entry = try? JSON.decode(AuditEntry.self, from: row.entry.utf8), entry.time == row.time else {
                return "entry \(row.seq) was changed: its time is not the one it was stored with"
            }
            seq = row.seq
            digest = row.digest
            return nil
        }

        /// What is wrong at the end, given what the newest entry was.
        func end(head: UInt64, digest: [UInt8]) -> String? {
            if seq < head { return "entries after \(seq) are missing: there were \(head)" }
            return seq == head && self.digest == digest ? nil : "the newest entry is not the one that was written last"
        }
    }
}
