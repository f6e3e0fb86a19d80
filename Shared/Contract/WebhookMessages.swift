/// Where the service says what needs a person, besides the list: a POST once for each item that opens.
public struct Webhook: Sendable, Equatable, Codable {
    public enum Format: String, Sendable, Codable, CaseIterable {
        /// The item as JSON, signed where there is a secret.
        case json
        /// One line of text with `Title`, `Priority`, `Tags` and `Click` headers, as ntfy takes it.
        case text
    }

    /// `H-` and 12 lower-case base32 characters, never reused.
    public var id: String
    public var url: String
    public var format: Format
    /// Only items of these kinds; all where missing.
    public var kinds: [Attention.Kind]?
    /// Whether its posts are signed. The secret itself is told by nobody.
    public var isSigned: Bool
    public var author: Author
    public var created: Timestamp
    /// The last post: when, and what was wrong with it.
    public var lastPost: Timestamp?
    public var lastProblem: String?
    /// Items that still have to be posted.
    public var waiting: Int

    public init(
        id: String, url: String, format: Format, kinds: [Attention.Kind]?, isSigned: Bool, author: Author, created: Timestamp,
        lastPost: Timestamp? = nil, lastProblem: String? = nil, waiting: Int = 0
    ) {
        self.id = id
        self.url = url
        self.format = format
        self.kinds = kinds
        self.isSigned = isSigned
        self.author = author
        self.created = created
        self.lastPost = lastPost
        self.lastProblem = lastProblem
        self.waiting = waiting
    }
}

/// `webhooks.add` → ``Webhook``.
public struct AddWebhook: Sendable, Codable {
    /// http or https, without a name or password in it.
    public var url: String
    public var format: Webhook.Format
    /// Signs each post: `Switchback-Signature: t=SECONDS,v1=HEX`, HMAC-SHA-256 of `SECONDS.BODY`.
    public var secret: String?
    public var kinds: [Attention.Kind]?
    public var author: Author

    public init(url: String, format: Webhook.Format = .json, secret: String? = nil, kinds: [Attention.Kind]? = nil, author: Author) {
        self.url = url
        self.format = format
        self.secret = secret
        self.kinds = kinds
        self.author = author
    }
}

/// The answer of `webhooks.list`.
public struct WebhookPage: Sendable, Equatable, Codable {
    public var webhooks: [Webhook]
    public init(webhooks: [Webhook]) { self.webhooks = webhooks }
}
