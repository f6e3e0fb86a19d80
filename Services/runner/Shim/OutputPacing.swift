/// When output that was read is made a frame: the first after quiet at once, then at most 4 ms later or at 16 KiB.
/// A value: time comes in, decisions come out.
struct OutputPacing {
    static let interval = Duration.milliseconds(4)
    static let largest = 16 << 10

    private var lastEmitted: ContinuousClock.Instant?
    private var since: ContinuousClock.Instant?

    /// Output was read and waits.
    mutating func received(_ now: ContinuousClock.Instant) {
        if since == nil { since = now }
    }

    /// Whether what waits should go now.
    func isDue(_ now: ContinuousClock.Instant, waitingBytes: Int) -> Bool {
        guard waitingBytes > 0, let deadline else { return false }
        return waitingBytes >= Self.largest || now >= deadline
    }

    /// When it must go; nil while nothing waits.
    var deadline: ContinuousClock.Instant? {
        guard let since else { return nil }
        guard let lastEmitted else { return since }
        // Quiet for an interval: nothing to wait for.
        return max(since, lastEmitted + Self.interval)
    }

    mutating func emitted(_ now: ContinuousClock.Instant) {
        lastEmitted = now
        since = nil
    }
}

/// When a keyframe is due: each 64 KiB of output but at most ten a second, or 30 s after a change.
struct KeyframePacing {
    static let outputBytes = 64 << 10
    static let shortest = Duration.milliseconds(100)
    static let longest = Duration.seconds(30)

    private var bytes = 0
    private var last: ContinuousClock.Instant
    private var changedAt: ContinuousClock.Instant?

    init(_ now: ContinuousClock.Instant) { last = now }

    mutating func output(_ count: Int, _ now: ContinuousClock.Instant) {
        bytes += count
        if changedAt == nil { changedAt = now }
    }

    /// When the next is due; nil while nothing has changed.
    var deadline: ContinuousClock.Instant? {
        guard let changedAt else { return nil }
        return bytes >= Self.outputBytes ? last + Self.shortest : max(changedAt, last) + Self.longest
    }

    mutating func made(_ now: ContinuousClock.Instant) {
        last = now
        bytes = 0
        changedAt = nil
    }
}
