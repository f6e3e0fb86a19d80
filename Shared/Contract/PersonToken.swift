/// The secret by which a person, or a program of theirs, shows who they are: `sbt_<id>_<64 hexadecimal digits>`.
///
/// The id names the token in lists and logs and is no secret; what follows are 256 random bits. Only the digest (SHA-256) of the whole is
/// kept: a random secret of that length cannot be guessed from a fast digest, so a slow one (as for passwords) would buy nothing.
public enum PersonToken {
    private static let prefix = "sbt_"

    /// - Parameters:
    ///   - id: as ``newID()`` makes it.
    ///   - secret: 64 hexadecimal digits.
    public static func make(_ id: String, secret: String) -> String { prefix + id + "_" + secret }

    /// `t` and twelve lower-case base32 characters.
    public static func newID() -> String { "t" + String(PodID.random().text.dropFirst()) }

    public static func isID(_ text: some StringProtocol) -> Bool {
        text.first == "t" && PodID("p" + String(text.dropFirst())) != nil
    }

    /// The id of a token; nil when a text has not the form of one. Says nothing of whether it is valid.
    public static func id(of text: some StringProtocol) -> String? {
        let parts = text.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "sbt", parts[2].utf8.count == 64, isID(parts[1]) else { return nil }
        return String(parts[1])
    }
}

/// A token as it may be shown: everything but the secret.
public struct Credential: Sendable, Codable, Equatable {
    public enum State: String, Sendable, Codable { case active, expired, revoked }

    public var id: String
    /// The person that acts by it, as it stands in records: `person:<name>`.
    public var name: String
    public var role: Role
    /// The pods it is good for: ids, names, or beginnings of names with `*` behind. All where missing.
    public var pods: [String]?
    /// What it is for.
    public var note: String?
    public var created: Timestamp
    public var createdBy: Author
    public var expires: Timestamp?
    public var revoked: Timestamp?
    public var revokedBy: Author?

    public init(
        id: String, name: String, role: Role, pods: [String]? = nil, note: String? = nil, created: Timestamp, createdBy: Author,
        expires: Timestamp? = nil, revoked: Timestamp? = nil, revokedBy: Author? = nil
    ) {
        self.id = id
        self.name = name
        self.role = role
        self.pods = pods
        self.note = note
        self.created = created
        self.createdBy = createdBy
        self.expires = expires
        self.revoked = revoked
        self.revokedBy = revokedBy
    }

    public func state(at now: Timestamp) -> State {
        if revoked != nil { return .revoked }
        if let expires, expires <= now { return .expired }
        return .active
    }
}

/// Which pods a token is good for.
public struct PodScope: Sendable, Equatable {
    public var patterns: [String]

    public init(patterns: [String]) { self.patterns = patterns }

    /// A pod's id, its name, or the beginning of its name where the pattern ends in `*`.
    public func allows(id: String, name: String) -> Bool {
        patterns.contains { pattern in
            pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : pattern == id || pattern == name
        }
    }

    /// What is wrong with a list of patterns, if anything.
    public static func problem(_ patterns: [String]) -> ErrorBody? {
        guard (1...100).contains(patterns.count) else { return ErrorBody(.badRequest, "pods names 1 to 100 pods; leave it out for all") }
        guard let bad = patterns.first(where: { !PodSpec.isName($0.hasSuffix("*") ? String($0.dropLast()) : $0) }) else { return nil }
        return ErrorBody(.badRequest, "pods: \"\(bad.prefix(64))\" is neither a pod's id or name nor the beginning of a name with * behind")
    }
}

/// `registry.credentials.create` → ``Credential``. The one who asks made the secret; the registry gets its digest only.
public struct CreateCredential: Sendable, Codable {
    public var credential: Credential
    /// SHA-256 of the whole token, lower-case hexadecimal.
    public var digest: String

    public init(credential: Credential, digest: String) {
        self.credential = credential
        self.digest = digest
    }
}

/// `registry.credentials.revoke` → ``Credential``. One that is revoked already stays as it is.
public struct RevokeCredential: Sendable, Codable {
    public var id: String
    public var author: Author

    public init(id: String, author: Author) {
        self.id = id
        self.author = author
    }
}

/// `registry.credentials.list` → every token ever made, newest first, with the digests by which tokens are recognised.
public struct CredentialList: Sendable, Codable {
    public struct Entry: Sendable, Codable {
        public var credential: Credential
        public var digest: String

        public init(credential: Credential, digest: String) {
            self.credential = credential
            self.digest = digest
        }
    }

    public var entries: [Entry]

    public init(entries: [Entry]) { self.entries = entries }
}

/// The payload of `event.credential.<id>.created` and `.revoked`. Without the digest.
public struct CredentialEvent: Sendable, Codable {
    public var what: String
    public var time: Timestamp
    public var credential: Credential

    public init(what: String, time: Timestamp, credential: Credential) {
        self.what = what
        self.time = time
        self.credential = credential
    }
}
