public import Contract
internal import NIOHTTP1

/// Who asks, and the tokens of people.
extension APIClient {
    /// Who a token makes one.
    public struct Me: Codable, Sendable, Equatable {
        public var name: String
        public var author: Author
        /// viewer, operator, admin, or agent for a pod's own credential.
        public var role: String
        public var pod: PodID?
        /// The token's id; none for those of the file of tokens.
        public var credential: String?
        public var pods: [String]?
        public var expires: Timestamp?
    }

    public func me() async throws(ErrorBody) -> Me { try await get("/v1/me") }

    /// A token of people, as lists show it.
    public struct PersonCredential: Codable, Sendable, Equatable {
        /// Empty for those of the file of tokens.
        public var id: String
        public var name: String
        public var role: Role
        /// active, expired or revoked.
        public var state: String
        /// registry or file.
        public var source: String
        public var pods: [String]?
        public var note: String?
        public var created: Timestamp?
        public var createdBy: Author?
        public var expires: Timestamp?
        public var revoked: Timestamp?
        public var revokedBy: Author?
    }

    public struct IssuedCredential: Codable, Sendable {
        /// The secret; nobody can show it again.
        public var token: String
        public var credential: PersonCredential
    }

    public func credentials(all: Bool? = nil) async throws(ErrorBody) -> [PersonCredential] {
        struct Page: Decodable { var credentials: [PersonCredential] }
        let page: Page = try await get("/v1/credentials", [("all", all.map { "\($0)" })])
        return page.credentials
    }

    /// - Parameters:
    ///   - pods: the pods it is good for: ids, names, or beginnings of names with `*` behind; all where missing.
    ///   - expiresIn: seconds.
    public func createCredential(
        name: String, role: Role, pods: [String]? = nil, note: String? = nil, expiresIn: Int? = nil
    ) async throws(ErrorBody) -> IssuedCredential {
        struct New: Encodable {
            var name: String
            var role: Role
            var pods: [String]?
            var note: String?
            var expiresIn: Int?
        }
        return try await post("/v1/credentials", New(name: name, role: role, pods: pods, note: note, expiresIn: expiresIn))
    }

    /// What was done and refused, the newest first.
    public func audit(
        since: String? = nil, until: String? = nil, actor: String? = nil, action: String? = nil, outcome: String? = nil, before: UInt64? = nil,
        limit: Int? = nil
    ) async throws(ErrorBody) -> AuditPage {
        try await get(
            "/v1/audit",
            [
                ("since", since), ("until", until), ("actor", actor), ("action", action), ("outcome", outcome), ("before", before.map { "\($0)" }),
                ("limit", limit.map { "\($0)" }),
            ])
    }

    /// Whether the audit log is as it was written; `seq` and `digest` are those of an entry that were noted elsewhere.
    public func verifyAudit(seq: UInt64? = nil, digest: String? = nil) async throws(ErrorBody) -> AuditVerified {
        try await get("/v1/audit/verify", [("seq", seq.map { "\($0)" }), ("digest", digest)])
    }

    public func revokeCredential(_ id: String) async throws(ErrorBody) -> PersonCredential {
        try await decoded(try await send(.DELETE, "/v1/credentials/" + Self.escaped(id)))
    }
}
