internal import Contract

/// Who types into a pod: one viewer at a time (contract: one writer with take-over).
///
/// The first viewer that types becomes the writer; it stays so until it leaves, says nothing for `idleLimit`, or somebody
/// takes over. A single operation (an HTTP input) has no viewer: it passes when nobody writes or when its author is the
/// writer's, and never becomes the writer itself.
struct WriterLease: Equatable {
    /// After this long without a keystroke another viewer may write without asking.
    static let idleLimit = Duration.seconds(30)

    struct Holder: Equatable {
        var viewer: String
        var author: Author
        var since: Timestamp
        var last: Timestamp
    }

    private(set) var holder: Holder?

    enum Answer: Equatable {
        case granted
        case refused(Holder)
    }

    /// May this author type now? Becomes the writer where it has a viewer.
    mutating func type(viewer: String?, author: Author, now: Timestamp) -> Answer {
        if let holder = current(at: now), holder.viewer != viewer {
            guard viewer == nil, holder.author == author else { return .refused(holder) }
            return .granted
        }
        if let viewer { hold(viewer, author, now) }
        return .granted
    }

    /// Makes this viewer the writer. Returns the one it takes over from, if any.
    mutating func take(viewer: String, author: Author, now: Timestamp) -> Holder? {
        let before = current(at: now)
        hold(viewer, author, now)
        return before?.viewer == viewer ? nil : before
    }

    /// The viewer left. True if it was the writer.
    mutating func release(viewer: String) -> Bool {
        guard holder?.viewer == viewer else { return false }
        holder = nil
        return true
    }

    /// The writer, unless it has been silent for too long.
    func current(at now: Timestamp) -> Holder? {
        guard let holder, now - holder.last < Self.idleLimit else { return nil }
        return holder
    }

    private mutating func hold(_ viewer: String, _ author: Author, _ now: Timestamp) {
        let since = holder?.viewer == viewer ? holder?.since ?? now : now
        holder = Holder(viewer: viewer, author: author, since: since, last: now)
    }
}
