internal import Contract
internal import Redaction
internal import Terminal
internal import ViewProtocol

/// When a pod's view is published: the first change after quiet at once, then at most sixty times a second, half as often in a flood
/// that nobody can read, only while somebody watches, and never the middle of a synchronized update (unless that is not finished
/// within 150 ms).
struct ViewPacing {
    /// How long one `watch` keeps changes coming.
    static let lease = Duration.seconds(10)
    static let interval = Duration.microseconds(16_667)
    static let floodInterval = Duration.microseconds(33_333)
    /// So many changes of the whole screen, one right after the other, are a flood.
    static let flood = 20
    /// Source: the limit that terminals with mode 2026 commonly apply.
    static let synchronizedLimit = Duration.milliseconds(150)

    private var watchedUntil = Timestamp(microseconds: 0)
    private var maskedUntil = Timestamp(microseconds: 0)
    /// Viewers' screens are the state after this frame; 0 while nobody has been shown anything.
    private var shownSeq: UInt64 = 0
    private var lastPublished = Timestamp(microseconds: 0)
    /// Changes of the whole screen, one right after the other.
    private var wholeChanges = 0
    private var isScheduled = false
    private var synchronizedSince: Timestamp?

    func isWatched(at now: Timestamp) -> Bool { now < watchedUntil }

    /// Somebody watches who may not see secrets.
    func isMaskWatched(at now: Timestamp) -> Bool { now < maskedUntil }

    mutating func watch(until time: Timestamp, masked: Bool = false) {
        watchedUntil = max(watchedUntil, time)
        if masked { maskedUntil = max(maskedUntil, time) }
    }

    /// The engine is another one: what viewers have does not lead to it.
    mutating func restart() {
        shownSeq = 0
        synchronizedSince = nil
    }

    /// What to do after frames were applied.
    mutating func next(_ terminal: Terminal, seq: UInt64, now: Timestamp) -> LivePod.Next {
        look(terminal, now: now)
        guard isWatched(at: now), seq > shownSeq, !isScheduled else { return .nothing }
        if let wait = hold(now: now) ?? rest(now: now) {
            isScheduled = true
            return .publishViewLater(wait)
        }
        return .publishView
    }

    /// Sees whether a synchronized update is under way.
    mutating func look(_ terminal: Terminal, now: Timestamp) {
        if terminal.modes.synchronizedUpdate {
            if synchronizedSince == nil { synchronizedSince = now }
        } else {
            synchronizedSince = nil
        }
    }

    /// How long a synchronized update may still hold the view back.
    func hold(now: Timestamp) -> Duration? {
        guard let since = synchronizedSince else { return nil }
        let left = Self.synchronizedLimit - (now - since)
        return left > .zero ? left : nil
    }

    private func rest(now: Timestamp) -> Duration? {
        let interval = wholeChanges < Self.flood ? Self.interval : Self.floodInterval
        let left = interval - (now - lastPublished)
        return left > .zero && left <= interval ? left : nil
    }

    private mutating func count(_ delta: ScreenDelta?, at now: Timestamp) {
        let isWhole = delta.map { $0.scroll >= $0.rows || $0.changed.count * 10 >= $0.rows * 9 } ?? false
        let isNext = now - lastPublished < Self.floodInterval * 2
        wholeChanges = isWhole ? (isNext ? wholeChanges + 1 : 1) : 0
    }

    /// The change from what viewers have to now. `force` also when it is not time yet: a keyframe is about to be given.
    mutating func take(
        _ terminal: Terminal, seq: UInt64, time: Timestamp, now: Timestamp, force: Bool, redactor: Redactor
    ) -> LivePod.ViewChange? {
        if !force { isScheduled = false }
        guard seq > shownSeq else { return nil }
        if !force, hold(now: now) != nil { return nil }
        let delta = terminal.takeDelta(force: true)
        let base = shownSeq
        shownSeq = seq
        count(delta, at: now)
        lastPublished = now
        // What viewers hold came from another engine. This leads from nowhere: who is behind asks for a keyframe.
        guard base > 0 else {
            let nothing = ViewEncoder.delta(nil, base: seq, seq: seq, time: time)
            return .init(base: seq, seq: seq, time: time, payload: nothing, masked: isMaskWatched(at: now) ? nothing : nil)
        }
        var masked: [UInt8]?
        if isMaskWatched(at: now) {
            let hidden = delta.map { ScreenRedaction(terminal, redactor).delta($0, of: terminal) }
            masked = ViewEncoder.delta(hidden, base: base, seq: seq, time: time)
        }
        return .init(base: base, seq: seq, time: time, payload: ViewEncoder.delta(delta, base: base, seq: seq, time: time), masked: masked)
    }
}
