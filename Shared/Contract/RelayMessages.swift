/// `relay.<shard>.attach` → ``KeyframeMeta`` in `Sb-Meta`, payload by `format`.
public struct Attach: Sendable, Codable {
    public enum Format: String, Sendable, Codable {
        /// zstd(engine snapshot)
        case snapshot
        /// Bytes that rebuild the screen in any terminal.
        case ansi
        /// The view protocol's keyframe, JSON.
        case view
        /// Rows of text, JSON.
        case text
        /// Rows of cells, JSON.
        case cells
    }

    public var pod: PodID
    public var format: Format
    /// Lines of scrollback to add (`ansi`, `text`).
    public var scrollback: Int?
    /// With `view`: secrets are hidden.
    public var masked: Bool?

    public init(pod: PodID, format: Format, scrollback: Int? = nil, masked: Bool? = nil) {
        self.pod = pod
        self.format = format
        self.scrollback = scrollback
        self.masked = masked
    }
}

/// Header `Sb-Meta` of a `relay.<shard>.write`, whose payload is the bytes to type. → ``Applied``
public struct Write: Sendable, Codable {
    public var pod: PodID
    public var author: Author
    /// A person's right; a pod's comes from its bindings.
    public var role: Role?
    /// The connection that types, for the one-writer rule; none for a single operation.
    public var viewer: String?
    public var via: String?
    public var ifSeq: UInt64?
    public var ifStatus: String?
    /// Enter follows the bytes as one operation; with bracketed paste where the program asked for it.
    public var submit: Bool?
    /// The payload is text: it is pasted (bracketed where asked for), not typed.
    public var paste: Bool?
    /// With `submit`: a half-typed line is cut before and put back after, instead of `draft_present`.
    public var keepDraft: Bool?
    /// With `submit`: the channel message that this types, which is typed once however often it is asked for. Only the service that
    /// keeps channels names one, and answers for the right: whoever is a member lets itself be mentioned.
    public var message: String?

    public init(
        pod: PodID, author: Author, role: Role?, viewer: String? = nil, via: String? = nil, ifSeq: UInt64? = nil, ifStatus: String? = nil,
        submit: Bool? = nil, paste: Bool? = nil, keepDraft: Bool? = nil, message: String? = nil
    ) {
        self.message = message
        self.keepDraft = keepDraft
        self.pod = pod
        self.author = author
        self.role = role
        self.viewer = viewer
        self.via = via
        self.ifSeq = ifSeq
        self.ifStatus = ifStatus
        self.submit = submit
        self.paste = paste
    }
}

/// `relay.<shard>.approve` → ``Applied``: answers the dialog that was seen, and no other.
public struct Approve: Sendable, Codable {
    public var pod: PodID
    public var author: Author
    /// A person's right; a pod needs a binding with `terminal:approve`.
    public var role: Role?
    /// Of the dialog that is answered, as its status said it.
    public var fingerprint: String
    /// The answer by its number among the dialog's options, from 1; where missing the first, or with `reject` the one that says no.
    public var option: Int?
    public var reject: Bool?

    public init(pod: PodID, author: Author, role: Role?, fingerprint: String, option: Int? = nil, reject: Bool? = nil) {
        self.pod = pod
        self.author = author
        self.role = role
        self.fingerprint = fingerprint
        self.option = option
        self.reject = reject
    }
}

/// `relay.<shard>.watch` (keep deltas coming for ten seconds), `.take` (become the writer), `.release` (viewer left).
public struct ViewerRequest: Sendable, Codable {
    public var pod: PodID
    public var viewer: String
    public var author: Author
    public var role: Role?
    /// The viewer's size, for smallest-viewer sizing.
    public var columns: Int?
    public var rows: Int?
    /// The viewer follows the view with secrets hidden.
    public var masked: Bool?

    public init(pod: PodID, viewer: String, author: Author, role: Role? = nil, columns: Int? = nil, rows: Int? = nil, masked: Bool? = nil) {
        self.pod = pod
        self.viewer = viewer
        self.author = author
        self.role = role
        self.columns = columns
        self.rows = rows
        self.masked = masked
    }
}
