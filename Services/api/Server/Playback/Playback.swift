internal import Contract
internal import Terminal

/// One place in a recording: a segment, and the engine after some of its frames. No clock and no network; moving beyond
/// the segment's ends says which segment is needed.
struct Playback {
    /// What a move came to.
    enum Reach: Equatable {
        case there
        /// The place lies in the segment that holds this frame.
        case elsewhere(seq: UInt64)
        /// The recording ends before.
        case end
        /// The recording begins after.
        case beginning
    }

    private(set) var slice: RecordedSlice
    private(set) var terminal: Terminal
    /// Frames of the segment that are applied.
    private(set) var applied = 0

    /// At the segment's beginning.
    init(_ slice: RecordedSlice) throws(ErrorBody) {
        self.slice = slice
        terminal = try Self.restored(slice)
    }

    /// The frame after which the screen is this one.
    var seq: UInt64 { applied > 0 ? slice.frames[applied - 1].seq : slice.meta.firstSeq &- 1 }
    var time: Timestamp { applied > 0 ? slice.frames[applied - 1].time : slice.meta.from }
    /// When the next frame comes, if the segment has one.
    var nextTime: Timestamp? { applied < slice.frames.count ? slice.frames[applied].time : nil }

    private static func restored(_ slice: RecordedSlice) throws(ErrorBody) -> Terminal {
        if slice.keyframe.isEmpty { return Terminal(columns: 80, rows: 24, scrollback: 1000) }
        do {
            return try Terminal(snapshot: slice.keyframe)
        } catch {
            throw ErrorBody(.internal, "a keyframe of the recording cannot be read: \(error)")
        }
    }

    // MARK: - Moving

    /// To the state after the last frame at or before `time`.
    mutating func move(to time: Timestamp) throws(ErrorBody) -> Reach {
        let frames = slice.frames
        if let last = frames.last, last.time <= time, slice.meta.hasLater {
            // The next segment may begin at this very time.
            try apply(count: frames.count)
            return .elsewhere(seq: slice.meta.lastSeq + 1)
        }
        if let first = frames.first, first.time > time {
            try apply(count: 0)
            return slice.meta.hasEarlier ? .elsewhere(seq: slice.meta.firstSeq &- 1) : .beginning
        }
        // Times never decrease: the first frame that is later ends the move.
        var low = 0
        var high = frames.count
        while low < high {
            let middle = (low + high) / 2
            if frames[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        try apply(count: low)
        return low == frames.count && time > slice.meta.to ? .end : .there
    }

    /// To the state after frame `seq`.
    mutating func move(toSeq seq: UInt64) throws(ErrorBody) -> Reach {
        if seq > slice.meta.lastSeq {
            try apply(count: slice.frames.count)
            return slice.meta.hasLater ? .elsewhere(seq: seq) : .end
        }
        if seq < slice.meta.firstSeq {
            try apply(count: 0)
            return slice.meta.hasEarlier ? .elsewhere(seq: seq) : .beginning
        }
        let count = slice.frames.firstIndex { $0.seq > seq } ?? slice.frames.count
        try apply(count: count)
        return .there
    }

    /// The frame to move to for a step of `frames` output frames, forward or back.
    func target(step frames: Int) -> Target {
        var left = frames.magnitude
        if frames > 0 {
            for index in slice.frames.indices.dropFirst(applied) where slice.frames[index].kind == .out {
                left -= 1
                if left == 0 { return .seq(slice.frames[index].seq) }
            }
            return slice.meta.hasLater ? .beyond(seq: slice.meta.lastSeq + 1, left: Int(left)) : .seq(slice.meta.lastSeq)
        }
        // Undoing an output frame leads to the state before it.
        for index in slice.frames.indices.prefix(applied).reversed() where slice.frames[index].kind == .out {
            left -= 1
            if left == 0 { return .seq(slice.frames[index].seq - 1) }
        }
        return slice.meta.hasEarlier ? .beyond(seq: slice.meta.firstSeq &- 1, left: -Int(left)) : .seq(slice.meta.firstSeq)
    }

    enum Target: Equatable {
        case seq(UInt64)
        /// Go on from the segment that holds this frame, with so many frames left.
        case beyond(seq: UInt64, left: Int)
    }

    private mutating func apply(count: Int) throws(ErrorBody) {
        if count < applied {
            terminal = try Self.restored(slice)
            applied = 0
        }
        while applied < count {
            let frame = slice.frames[applied]
            applied += 1
            switch frame.kind {
            case .out:
                terminal.feed(frame.bytes)
            case .ctl:
                apply(control: frame)
            case .in, .key:
                break
            }
        }
        _ = terminal.takeReplies()
        _ = terminal.takeEvents()
    }

    private mutating func apply(control frame: Frame) {
        guard let control = try? JSON.decode(Control.self, from: frame.bytes) else { return }
        switch control {
        case .start(let start): terminal = Terminal(columns: start.columns, rows: start.rows, scrollback: terminal.scrollback)
        case .resize(let columns, let rows, _): terminal.resize(columns: columns, rows: rows)
        default: break
        }
    }
}

/// The clock of a playback: where in the recording it is, how fast it goes, and that long pauses are cut short.
struct PlaybackClock: Equatable {
    /// Times as fast as it happened; negative runs backwards.
    let rate: Double
    /// Pauses in the recording longer than this are shortened to it.
    let idleLimit: Duration?
    private var anchor: Timestamp
    private var started: ContinuousClock.Instant

    init(rate: Double, idleLimit: Duration?, from time: Timestamp, now: ContinuousClock.Instant) {
        self.rate = rate
        self.idleLimit = idleLimit
        anchor = time
        started = now
    }

    /// The recording's time now. `next` is when something happens next in the direction of play, for skipping pauses.
    mutating func time(now: ContinuousClock.Instant, at current: Timestamp, next: Timestamp?) -> Timestamp {
        let passed = (now - started) * rate
        let time = anchor + passed
        guard let idleLimit, let next, rate > 0, next - current > idleLimit, time - current > idleLimit, time < next else { return time }
        anchor = next
        started = now
        return next
    }

    /// A segment had to be fetched, or the viewer did not read: the time that took does not count.
    mutating func restart(at time: Timestamp, now: ContinuousClock.Instant) {
        anchor = time
        started = now
    }
}
