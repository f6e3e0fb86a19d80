/// Something that somebody did, or was refused. Never holds a secret or what was typed.
///
/// Published on `audit.entry` and kept in stream `AUDIT` until the registry has chained it.
public struct AuditEntry: Sendable, Codable, Equatable {
    public enum Outcome: String, Sendable, Codable, CaseIterable {
        case done
        /// Refused: not signed in, not allowed, or too often wrong.
        case denied
        /// Allowed, and went wrong.
        case failed
    }

    /// Made up by who reports it; one entry has one id, however often it arrives.
    public var id: String
    public var time: Timestamp
    /// `person:<name>`, `pod:<id>`, or `nobody`.
    public var actor: String
    /// What showed who it was: a token's id, `file` for the file of tokens, the pod of a pod's credential.
    public var credential: String?
    public var address: String
    /// The route's name, or `typeInTerminal`, `takeTerminal`, `resizeTerminal` for what a socket does.
    public var action: String
    /// The pod, binding, wait or token it was done to.
    public var target: String?
    public var outcome: Outcome
    /// The error's code, of what was denied or failed.
    public var code: String?
    /// More of the same from the same address that are not told one by one.
    public var repeats: Int?
    /// What else matters: `reveal` for a look behind redactions.
    public var detail: String?

    public init(
        id: String = "a" + String(PodID.random().text.dropFirst()), time: Timestamp = .now(), actor: String, credential: String? = nil,
        address: String, action: String, target: String? = nil, outcome: Outcome, code: String? = nil, repeats: Int? = nil, detail: String? = nil
    ) {
        self.id = id
        self.time = time
        self.actor = actor
        self.credential = credential
        self.address = address
        self.action = action
        self.target = target
        self.outcome = outcome
        self.code = code
        self.repeats = repeats
        self.detail = detail
    }
}

/// An entry with its place in the chain.
public struct AuditRecord: Sendable, Codable, Equatable {
    /// 1, 2, 3 … without gaps.
    public var seq: UInt64
    public var entry: AuditEntry
    /// SHA-256 of the place, the digest before, and the entry as it was stored; lower-case hexadecimal.
    public var digest: String

    public init(seq: UInt64, entry: AuditEntry, digest: String) {
        self.seq = seq
        self.entry = entry
        self.digest = digest
    }
}

/// `registry.audit.list` → ``AuditPage``, the newest first.
public struct ListAudit: Sendable, Codable {
    public var since: Timestamp?
    public var until: Timestamp?
    public var actor: String?
    public var action: String?
    public var outcome: AuditEntry.Outcome?
    /// Only entries before this one: the `next` of the page before.
    public var before: UInt64?
    public var limit: Int?

    public init(
        since: Timestamp? = nil, until: Timestamp? = nil, actor: String? = nil, action: String? = nil, outcome: AuditEntry.Outcome? = nil,
        before: UInt64? = nil, limit: Int? = nil
    ) {
        self.since = since
        self.until = until
        self.actor = actor
        self.action = action
        self.outcome = outcome
        self.before = before
        self.limit = limit
    }
}

public struct AuditPage: Sendable, Codable, Equatable {
    public var records: [AuditRecord]
    public var next: UInt64?

    public init(records: [AuditRecord], next: UInt64? = nil) {
        self.records = records
        self.next = next
    }
}

/// `registry.audit.verify` → ``AuditVerified``.
public struct VerifyAudit: Sendable, Codable {
    /// An entry whose digest was noted down elsewhere, and that digest.
    public var seq: UInt64?
    public var digest: String?

    public init(seq: UInt64? = nil, digest: String? = nil) {
        self.seq = seq
        self.digest = digest
    }
}

public struct AuditVerified: Sendable, Codable, Equatable {
    public var intact: Bool
    public var entries: UInt64
    /// The newest entry's digest: noted down elsewhere, it proves later that nothing up to here was changed, not even by who may write everything.
    public var head: String
    /// The first entry where the chain is broken, and how.
    public var seq: UInt64?
    public var problem: String?

    public init(intact: Bool, entries: UInt64, head: String, seq: UInt64? = nil, problem: String? = nil) {
        self.intact = intact
        self.entries = entries
        self.head = head
        self.seq = seq
        self.problem = problem
    }
}
