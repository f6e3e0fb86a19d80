internal import Contract
internal import Database

/// Tokens of people: kept by their digests, made and ended by admins, told to whoever checks them.
extension RegistryService {
    func create(_ request: CreateCredential) async throws -> Credential {
        let credential = request.credential
        guard PersonToken.isID(credential.id), request.digest.utf8.count == 64 else {
            throw ErrorBody(.badRequest, "a token needs an id (t and twelve characters) and its digest (64 hexadecimal digits)")
        }
        guard PodSpec.isName(credential.name) else {
            throw ErrorBody(.badRequest, "\"\(credential.name.prefix(64))\" cannot be a person's name: use 1 to 64 letters, digits, '.', '_' or '-'")
        }
        if let pods = credential.pods, let problem = PodScope.problem(pods) { throw problem }
        if let expires = credential.expires, expires <= now() { throw ErrorBody(.badRequest, "expires: \(expires) has passed already") }
        return try await store.keep(credential, digest: request.digest)
    }

    func revoke(_ request: RevokeCredential) async throws -> Credential {
        guard let credential = try await store.revoke(request.id, by: request.author, at: now()) else {
            throw ErrorBody(.notFound, "there is no token \"\(request.id.prefix(64))\"; `switchback token list` shows them")
        }
        return credential
    }
}

extension RegistryStore {
    func keep(_ credential: Credential, digest: String) async throws -> Credential {
        try await pool.withTransaction { connection in
            do {
                _ = try connection.transaction {
                    try connection.query(
                        """
                        INSERT INTO registry.tokens (id, digest, name, role, pods, note, created, created_by, expires)
                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                        """, credential.id, digest, credential.name, credential.role.rawValue, credential.pods?.joined(separator: " "),
                        credential.note, credential.created.databaseValue, credential.createdBy.description, credential.expires?.databaseValue)
                }
            } catch let error as DatabaseError where error.code == .uniqueViolation {
                throw ErrorBody(.conflict, "there is a token \(credential.id) already")
            }
            try Self.post(
                connection, "credential", credential.id, "created", credential.created,
                CredentialEvent(what: "created", time: credential.created, credential: credential))
            return credential
        }
    }

    /// Marks it once; nil when there is none.
    func revoke(_ id: String, by author: Author, at time: Timestamp) async throws -> Credential? {
        try await pool.withTransaction { connection in
            let changed = try connection.query(
                "UPDATE registry.tokens SET revoked = $2, revoked_by = $3 WHERE id = $1 AND revoked IS NULL", id, time.databaseValue,
                author.description
            ).affectedRows
            guard let row = try connection.query("SELECT * FROM registry.tokens WHERE id = $1", id).first else { return nil }
            let credential = try Self.credential(row)
            if changed > 0 {
                try Self.post(
                    connection, "credential", id, "revoked", time, CredentialEvent(what: "revoked", time: time, credential: credential))
            }
            return credential
        }
    }

    func credentials() async throws -> [CredentialList.Entry] {
        try await pool.withReader { connection in
            try connection.query("SELECT * FROM registry.tokens ORDER BY created DESC, id").map { row in
                CredentialList.Entry(credential: try Self.credential(row), digest: try row.decode("digest"))
            }
        }
    }

    private static func credential(_ row: DatabaseRow) throws -> Credential {
        func time(_ column: String) throws -> Timestamp? { try row.decode(column, as: Int64?.self).map { Timestamp(microseconds: $0) } }
        guard let created = try time("created"), let by = Author(try row.decode("created_by", as: String.self)),
            let role = Role(rawValue: try row.decode("role", as: String.self))
        else { throw ErrorBody(.internal, "the registry holds a token that it cannot read") }
        return Credential(
            id: try row.decode("id"), name: try row.decode("name"), role: role,
            pods: try row.decode("pods", as: String?.self)?.split(separator: " ").map(String.init), note: try row.decode("note"), created: created,
            createdBy: by, expires: try time("expires"), revoked: try time("revoked"),
            revokedBy: try row.decode("revoked_by", as: String?.self).flatMap { Author($0) })
    }
}
