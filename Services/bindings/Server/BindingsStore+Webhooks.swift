internal import Contract
internal import Database
internal import FoundationEssentials

extension Ledger {
    /// Owes every webhook that wants to hear of it a post of this item: in the transaction that opens it, so that none is lost.
    func enqueuePosts(of item: Attention) throws {
        try connection.query(
            "INSERT INTO bindings.posts (webhook, item) SELECT id, $1 FROM bindings.webhooks WHERE kinds IS NULL OR $2 = ANY(kinds)", item.id,
            item.kind.rawValue)
    }
}

/// A post that somebody has to make now.
struct DuePost: Sendable {
    var webhook: String
    var url: String
    var format: Webhook.Format
    var secret: String?
    var item: Attention
    /// How often it was tried before.
    var attempts: Int
}

extension BindingsStore {
    private static let mostWebhooks = 100

    func add(_ request: AddWebhook) async throws -> Webhook {
        if let problem = Self.problem(request) { throw problem }
        let id = RecordID.make("H")
        try await pool.withTransaction { connection in
            let count = try connection.query("SELECT count(*) AS count FROM bindings.webhooks")[0].decode("count", as: Int64.self)
            guard count < Self.mostWebhooks else { throw ErrorBody(.conflict, "there are \(count) webhooks already; remove one first") }
            try connection.query(
                "INSERT INTO bindings.webhooks (id, url, format, secret, kinds, author) VALUES ($1, $2, $3, $4, $5::text[], $6)", id, request.url,
                request.format.rawValue, request.secret, request.kinds.map { .text("{" + $0.map(\.rawValue).joined(separator: ",") + "}") } ?? DatabaseValue.null,
                request.author.description)
        }
        guard let webhook = try await webhooks().first(where: { $0.id == id }) else { throw unknown("webhook", id) }
        return webhook
    }

    static func problem(_ request: AddWebhook) -> ErrorBody? {
        guard request.url.utf8.count <= 2000, let url = URL(string: request.url), let host = url.host(), !host.isEmpty,
            ["http", "https"].contains(url.scheme?.lowercased() ?? "")
        else { return ErrorBody(.badRequest, "a webhook's address begins with http:// or https:// and names a host") }
        guard url.user() == nil, url.password() == nil else {
            return ErrorBody(.badRequest, "a webhook's address holds no name or password: addresses are shown; sign with a secret instead")
        }
        if let secret = request.secret, !(8...512).contains(secret.utf8.count) { return ErrorBody(.badRequest, "a secret has 8 to 512 bytes") }
        if request.kinds?.isEmpty == true { return ErrorBody(.badRequest, "name at least one kind, or none for all") }
        return nil
    }

    func webhooks() async throws -> [Webhook] {
        try await pool.withConnection { connection in
            try connection.query(
                """
                SELECT w.*, array_to_string(kinds, ',') AS kind_list, (SELECT count(*) FROM bindings.posts p WHERE p.webhook = w.id) AS waiting
                FROM bindings.webhooks w ORDER BY created, id
                """
            ).map { row in
                Webhook(
                    id: try row.decode("id"), url: try row.decode("url"), format: Webhook.Format(rawValue: try row.decode("format")) ?? .json,
                    kinds: try row.decode("kind_list", as: String?.self)?.split(separator: ",").compactMap { Attention.Kind(rawValue: String($0)) },
                    isSigned: try row.decode("secret", as: String?.self) != nil, author: Author(try row.decode("author", as: String.self)) ?? .init(kind: .system, id: "unknown"),
                    created: Timestamp(microseconds: try row.decode("created")),
                    lastPost: try row.decode("last_post", as: Int64?.self).map { Timestamp(microseconds: $0) }, lastProblem: try row.decode("last_problem"),
                    waiting: Int(try row.decode("waiting", as: Int64.self)))
            }
        }
    }

    func removeWebhook(_ id: String) async throws -> Done {
        let isGone = try await pool.withConnection { connection in
            try connection.query("DELETE FROM bindings.webhooks WHERE id = $1 RETURNING id", id).first == nil
        }
        if isGone { throw unknown("webhook", id) }
        return Done()
    }

    // MARK: - Posting

    /// Takes posts that are due. Each is nobody else's until `lease` is over.
    func takePosts(lease: Duration, limit: Int = 16) async throws -> [DuePost] {
        try await pool.withConnection { connection in
            try connection.query(
                """
                WITH due AS (SELECT webhook, item FROM bindings.posts WHERE due <= now() ORDER BY due LIMIT $1 FOR UPDATE SKIP LOCKED),
                taken AS (
                    UPDATE bindings.posts p SET attempts = attempts + 1, due = now() + make_interval(secs => $2) FROM due
                    WHERE p.webhook = due.webhook AND p.item = due.item RETURNING p.webhook, p.item, p.attempts)
                SELECT w.id, w.url, w.format, w.secret, taken.attempts, r.state FROM taken JOIN bindings.webhooks w ON w.id = taken.webhook
                JOIN bindings.records r ON r.kind = 'attention' AND r.id = taken.item
                """, Int64(limit), Int64(lease.components.seconds)
            ).map { row in
                DuePost(
                    webhook: try row.decode("id"), url: try row.decode("url"), format: Webhook.Format(rawValue: try row.decode("format")) ?? .json,
                    secret: try row.decode("secret"), item: try Self.record(row), attempts: Int(try row.decode("attempts", as: Int64.self)) - 1)
            }
        }
    }

    /// - Parameter again: when it is tried again; nil where it never is.
    func end(_ post: DuePost, problem: String?, again: Duration?) async throws {
        try await pool.withTransaction { connection in
            // The webhook before its posts, as its removal locks them: the other way round the two could wait for each other.
            try connection.query("UPDATE bindings.webhooks SET last_post = now(), last_problem = $2 WHERE id = $1", post.webhook, problem)
            if let again {
                try connection.query(
                    "UPDATE bindings.posts SET due = now() + make_interval(secs => $3) WHERE webhook = $1 AND item = $2", post.webhook, post.item.id,
                    Int64(again.components.seconds))
            } else {
                try connection.query("DELETE FROM bindings.posts WHERE webhook = $1 AND item = $2", post.webhook, post.item.id)
            }
        }
    }
}
