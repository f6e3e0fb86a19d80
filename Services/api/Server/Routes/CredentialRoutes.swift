internal import Contract
internal import Digest
internal import HTTPTypes
internal import Hummingbird
internal import RegistryClient

/// Who asks, and the tokens of people: made once, shown once, ended at any time.
struct CredentialRoutes {
    let service: TerminalService
    let directory: TokenDirectory
    let file: AccessTokens

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/me", name: "me", about: "Who asks, by which token, what they may do, and until when.", role: .viewer,
                answers: [.json("Me")]
            ) { request in try Answer.json(Me(request.person)) },
            Route(
                method: .get, path: "/v1/credentials", name: "listCredentials",
                about: "Every token of people, without its secret: whose, what role, for which pods, until when.", role: .admin,
                query: [.init(name: "all", about: "Those that are over too.", schema: ["type": "boolean"])], answers: [.json("CredentialPage")],
                handler: list),
            Route(
                method: .post, path: "/v1/credentials", name: "createCredential",
                about: "Makes a token. The answer is the only time it is shown; the server keeps its digest.", role: .admin,
                body: .json("NewCredential"), answers: [.json("IssuedCredential")], status: .created, handler: create),
            Route(
                method: .delete, path: "/v1/credentials/{credential}", name: "revokeCredential",
                about: "Ends a token for good. What is open by it closes within a second.", role: .admin, answers: [.json("Credential")],
                handler: revoke),
        ]
    }

    struct Me: Encodable {
        var name: String
        var author: Author
        /// `agent` for a pod's own credential, whose rights are bindings.
        var role: String
        var pod: PodID?
        var credential: String?
        var pods: [String]?
        var expires: Timestamp?

        init(_ person: Person) {
            name = person.name
            author = person.author
            role = person.pod == nil ? person.role.rawValue : "agent"
            pod = person.pod
            credential = person.credential
            pods = person.scope?.patterns
            expires = person.expires
        }
    }

    /// A token with what it is now.
    struct Shown: Encodable {
        var id: String
        var name: String
        var role: Role
        var state: Credential.State
        /// `registry`, or `file`: those of the file of tokens are ended by taking their line out of it.
        var source: String
        var pods: [String]?
        var note: String?
        var created: Timestamp?
        var createdBy: Author?
        var expires: Timestamp?
        var revoked: Timestamp?
        var revokedBy: Author?

        init(_ credential: Credential, now: Timestamp) {
            id = credential.id
            name = credential.name
            role = credential.role
            state = credential.state(at: now)
            source = "registry"
            pods = credential.pods
            note = credential.note
            created = credential.created
            createdBy = credential.createdBy
            expires = credential.expires
            revoked = credential.revoked
            revokedBy = credential.revokedBy
        }

        init(fromFile person: Person) {
            id = person.credential ?? ""
            name = person.name
            role = person.role
            state = .active
            source = "file"
        }
    }

    struct Page: Encodable { var credentials: [Shown] }

    struct New: Decodable {
        var name: String
        var role: Role
        var pods: [String]?
        var note: String?
        var expires: Timestamp?
        /// Seconds from now.
        var expiresIn: Int?
    }

    struct Issued: Encodable {
        var token: String
        var credential: Shown
    }

    @Sendable private func list(_ request: APIRequest) async throws -> Response {
        let all = try request.flag("all") ?? false
        let now = Timestamp.now()
        let kept = try await service.registry.credentials().map { Shown($0.credential, now: now) }.filter { all || $0.state == .active }
        return try Answer.json(Page(credentials: kept + file.people.map { Shown(fromFile: $0) }))
    }

    @Sendable private func create(_ request: APIRequest) async throws -> Response {
        let new = try await request.json(New.self)
        guard (new.note ?? "").utf8.count <= 500 else { throw ErrorBody(.badRequest, "a note has at most 500 bytes") }
        let now = Timestamp.now()
        var expires = new.expires
        if let seconds = new.expiresIn {
            guard expires == nil, (1...315_360_000).contains(seconds) else {
                throw ErrorBody(.badRequest, "give either expires or expires_in, seconds from 1 to 315360000 (ten years)")
            }
            expires = now + .seconds(seconds)
        }
        let id = PersonToken.newID()
        let token = PersonToken.make(id, secret: RandomBytes.hex(32))
        let credential = try await service.registry.create(
            CreateCredential(
                credential: Credential(
                    id: id, name: new.name, role: new.role, pods: new.pods, note: new.note, created: now, createdBy: request.person.author,
                    expires: expires), digest: SHA256.digest(Array(token.utf8)).hex))
        request.note.target(id)
        // Who has the answer can use it here at once.
        try await directory.refresh()
        return try Answer.json(Issued(token: token, credential: Shown(credential, now: now)), status: .created)
    }

    @Sendable private func revoke(_ request: APIRequest) async throws -> Response {
        let id = request.pathValues["credential"] ?? ""
        let credential = try await service.registry.revoke(RevokeCredential(id: id, author: request.person.author))
        if let time = credential.revoked { directory.revoked(id, at: time) }
        return try Answer.json(Shown(credential, now: .now()))
    }
}
