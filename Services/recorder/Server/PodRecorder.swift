internal import Compression
internal import Contract
internal import Digest
internal import Terminal

/// A segment that is complete in memory and waits to be stored.
struct ClosedSegment: Sendable {
    var header: SegmentHeader
    var content: SegmentContent
    /// The pages stored with it.
    var newPages: [[UInt8]]
    /// Every page its keyframe names that memory still holds, by reference.
    var pages: [[UInt8]: [UInt8]]
    var signature: [UInt8]
    var summary: [UInt8]
    /// The stream's sequence of its first frame that is not stored yet; nil if all are.
    var firstUnsaved: UInt64?
    var hasExit: Bool

    init?(_ open: OpenSegment, savedThrough: UInt64) {
        guard !open.isEmpty else { return nil }
        newPages = open.adoptPages()
        guard let header = open.header else { return nil }
        self.header = header
        content = SegmentContent(keyframe: open.keyframe, frames: open.frames)
        pages = Dictionary(open.pages.map { (HistoryPages.reference($0.number), $0.page.encoded()) }, uniquingKeysWith: { first, _ in first })
        signature = open.signature.encoded()
        summary = open.summary.encoded(start: header.from, firstSeq: header.firstSeq)
        firstUnsaved = open.firstUnsaved(savedThrough)
        hasExit = open.hasExit
    }
}

extension OpenSegment {
    func firstUnsaved(_ savedThrough: UInt64) -> UInt64? {
        guard let header, header.lastSeq > savedThrough else { return nil }
        // Frames of a segment are consecutive unless a gap was recorded, which takes one number for many.
        let after = savedThrough < header.firstSeq ? 0 : streamSequences.count - Int(clamping: header.lastSeq - savedThrough)
        return streamSequences[max(0, min(after, streamSequences.count - 1))]
    }
}

/// Turns one pod's frames, as they come, into segments. Pure: values and time in, segments out.
final class PodRecorder {
    struct Limits: Sendable {
        var segment = OpenSegment.Limits()
        /// Frames beyond a gap that are held while the missing ones may come.
        var heldFrames = 4096
        var heldBytes = 16 << 20
        /// How long missing frames are waited for.
        var patience: Duration = .seconds(10)
    }

    let pod: PodID
    private let limits: Limits
    private(set) var open: OpenSegment?
    /// Complete segments that are not stored yet, oldest first.
    private(set) var closed: [ClosedSegment] = []
    /// The newest frame recorded, 0 before the first.
    private(set) var lastSeq: UInt64
    private(set) var lastTime: Timestamp?
    private(set) var firstTime: Timestamp?
    /// The oldest frame of the recording; nil before the first.
    private(set) var firstSeq: UInt64?
    /// The newest frame that is stored.
    private(set) var savedThrough: UInt64
    /// The newest frame in a sealed stored segment.
    private(set) var sealedThrough: UInt64
    /// The chain's newest link.
    private(set) var head: SHA256Digest
    private(set) var isEnded: Bool
    /// Bytes of frames that wait to be stored.
    private(set) var unsavedBytes = 0
    /// When the oldest unsaved frame of the open segment came.
    private(set) var dirtySince: ContinuousClock.Instant?
    private(set) var lastTouched: ContinuousClock.Instant
    private var held: [UInt64: (frame: Frame, stream: UInt64)] = [:]
    private var heldBytes = 0
    private var heldSince: ContinuousClock.Instant?
    /// Output is missing: the screen is right again after the next keyframe.
    private var isStale = false
    /// Gaps recorded since the last look: the missing frames.
    private(set) var gaps: [ClosedRange<UInt64>] = []

    /// A pod that was never seen.
    init(pod: PodID, limits: Limits, now: ContinuousClock.Instant) {
        self.pod = pod
        self.limits = limits
        lastSeq = 0
        savedThrough = 0
        sealedThrough = 0
        head = .zero
        isEnded = false
        lastTouched = now
    }

    /// A pod that goes on after what is stored of it.
    init(
        resuming pod: PodID, _ stored: StoredTail, limits: Limits, now: ContinuousClock.Instant
    ) throws {
        self.pod = pod
        self.limits = limits
        lastTouched = now
        lastSeq = stored.lastSeq
        lastTime = stored.last
        firstTime = stored.first
        firstSeq = stored.firstSeq
        savedThrough = stored.lastSeq
        sealedThrough = stored.sealedSeq
        head = stored.head
        isEnded = stored.isEnded
        let pages = stored.pages
        let segment = try OpenSegment(pod: pod, keyframe: stored.content.keyframe, header: stored.header) { reference in
            HistoryPages.number(reference).flatMap { pages[$0] }
        }
        for frame in try FrameCodec.decode(stored.content.frames[...], pod: pod) { segment.append(frame, streamSequence: 0) }
        // After a sealed segment the pages filled in it are stored once more: their numbers are not known for sure.
        open = stored.isSealed ? OpenSegment(pod: pod, engine: segment.engine, nextPage: stored.header.firstPage + stored.header.pageCount) : segment
    }

    // MARK: - Taking frames

    /// Takes a frame from the stream; those already recorded change nothing.
    func take(_ frame: Frame, stream: UInt64, now: ContinuousClock.Instant) {
        lastTouched = now
        guard frame.seq > lastSeq else { return }
        guard frame.seq == lastSeq + 1 else {
            hold(frame, stream, now)
            return
        }
        record(frame, stream, now)
        recordHeld(now)
    }

    private func hold(_ frame: Frame, _ stream: UInt64, _ now: ContinuousClock.Instant) {
        if held.updateValue((frame, stream), forKey: frame.seq) == nil { heldBytes += frame.bytes.count + 64 }
        if heldSince == nil { heldSince = now }
        if held.count > limits.heldFrames || heldBytes > limits.heldBytes { giveUpWaiting(now) }
    }

    private func recordHeld(_ now: ContinuousClock.Instant) {
        while let next = held.removeValue(forKey: lastSeq + 1) {
            heldBytes -= next.frame.bytes.count + 64
            record(next.frame, next.stream, now)
        }
        if held.isEmpty {
            heldSince = nil
            heldBytes = 0
        } else if !held.isEmpty, heldSince != nil {
            held = held.filter { $0.key > lastSeq }
            heldSince = held.isEmpty ? nil : now
        }
    }

    /// Time passes: frames that were waited for long enough are recorded as missing.
    func tick(_ now: ContinuousClock.Instant) {
        if let heldSince, now - heldSince >= limits.patience { giveUpWaiting(now) }
    }

    private func giveUpWaiting(_ now: ContinuousClock.Instant) {
        guard let first = held.keys.min(), let next = held[first] else { return }
        let missing = (lastSeq + 1)...(first - 1)
        gaps.append(missing)
        let control = Control.gap(bytes: 0, reason: "frames \(missing.lowerBound) to \(missing.upperBound) are not in the stream")
        let bytes = (try? JSON.encode(control)) ?? []
        // One frame stands for all that are missing, with the number of the last: then what follows is the next.
        let gap = Frame(pod: pod, seq: missing.upperBound, time: lastTime ?? next.frame.time, kind: .ctl, bytes: bytes)
        record(gap, next.stream, now, isGap: true)
        isStale = true
        recordHeld(now)
    }

    func takeGaps() -> [ClosedRange<UInt64>] {
        defer { gaps = [] }
        return gaps
    }

    private func record(_ given: Frame, _ stream: UInt64, _ now: ContinuousClock.Instant, isGap: Bool = false) {
        var frame = given
        // A clock that was set back must not break the order of time.
        if let lastTime, frame.time < lastTime { frame.time = lastTime }
        if open == nil { open = OpenSegment(pod: pod, engine: Self.engine(for: frame), nextPage: 0) }
        if isStale, frame.kind == .key, let engine = Self.engine(inKey: frame) {
            close()
            open = OpenSegment(pod: pod, engine: engine, nextPage: open?.nextPage ?? 0)
            isStale = false
        }
        // A gap's frame is never the first of a segment: so each segment begins with the number after its predecessor's last.
        if let current = open, !isGap, current.isFull(for: frame, limits.segment) { close() }
        open?.append(frame, streamSequence: stream)
        // The shim dropped output at a full spool: its next keyframe says what the screen really is.
        if case .gap? = FrameEffect.control(frame) { isStale = true }
        lastSeq = frame.seq
        lastTime = frame.time
        if firstTime == nil { firstTime = frame.time }
        if firstSeq == nil { firstSeq = frame.seq }
        unsavedBytes += frame.bytes.count + 64
        if dirtySince == nil { dirtySince = now }
        isEnded = false
        if open?.hasExit == true {
            isEnded = true
            close()
        }
    }

    /// Completes the open segment, if it has frames, and begins the next one.
    private func close() {
        guard let current = open, let segment = ClosedSegment(current, savedThrough: savedThrough) else { return }
        closed.append(segment)
        open = current.successor()
        dirtySince = nil
    }

    private static func engine(for frame: Frame) -> Terminal {
        let size = FrameEffect.size(FrameEffect.control(frame)) ?? (80, 24)
        return Terminal(columns: size.columns, rows: size.rows)
    }

    private static func engine(inKey frame: Frame) -> Terminal? {
        guard let snapshot = try? Zstd.decompress(frame.bytes, limit: SegmentContent.largest) else { return nil }
        return try? Terminal(snapshot: snapshot)
    }

    // MARK: - Storing

    /// The stream's oldest message that is still needed if this process dies after the closed segments, and the tail if
    /// `includingTail`, were stored; nil if none.
    func firstUnsaved(includingTail: Bool) -> UInt64? {
        [includingTail ? nil : open?.firstUnsaved(savedThrough), held.values.map(\.stream).min()].compactMap { $0 }.min()
    }

    /// The oldest frames were removed.
    func retained(from seq: UInt64, time: Timestamp) {
        firstSeq = seq
        firstTime = time
    }

    var isClean: Bool { closed.isEmpty && held.isEmpty && (open?.lastSeq ?? 0) <= savedThrough }

    /// What is to be stored now: every closed segment, and the open one if it has news and `includingTail`.
    func unsaved(includingTail: Bool) -> (closed: [ClosedSegment], tail: ClosedSegment?) {
        var tail: ClosedSegment?
        if includingTail, let open, let last = open.lastSeq, last > savedThrough { tail = ClosedSegment(open, savedThrough: savedThrough) }
        return (closed, tail)
    }

    /// Says what was stored: `count` closed segments up to link `head`, and the tail up to `tail`.
    func saved(closed count: Int, head: SHA256Digest, tail: UInt64?, now: ContinuousClock.Instant) {
        if count > 0 {
            sealedThrough = closed[count - 1].header.lastSeq
            savedThrough = max(savedThrough, sealedThrough)
            closed.removeFirst(count)
        }
        self.head = head
        if let tail { savedThrough = max(savedThrough, tail) }
        let isOpenDirty = (open?.lastSeq ?? 0) > savedThrough
        unsavedBytes = closed.reduce(0) { $0 + $1.content.frames.count } + (isOpenDirty ? open?.frames.count ?? 0 : 0) + heldBytes
        if !isOpenDirty {
            dirtySince = nil
        } else if tail != nil {
            dirtySince = now
        }
    }
}

/// What is stored at the end of a recording that goes on.
struct StoredTail: Sendable {
    var header: SegmentHeader
    var content: SegmentContent
    var isSealed: Bool
    /// The history's pages by number.
    var pages: [Int: [UInt8]]
    var first: Timestamp
    var last: Timestamp
    var firstSeq: UInt64
    var lastSeq: UInt64
    var sealedSeq: UInt64
    var head: SHA256Digest
    var isEnded: Bool
}
