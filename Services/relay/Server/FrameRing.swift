internal import Contract

/// The newest output of one pod, and the keyframe from which to replay it (contract, section 3).
///
/// The ring begins somewhere inside the pod's log; `keyframe` is the newest one at or before that place, so that
/// `keyframe` + `frames` is always the pod's state now. A frame larger than the whole ring asks for a keyframe after it.
struct FrameRing {
    struct Limits: Sendable {
        var bytes = 256 << 10
        var messages = 200
    }

    struct Keyframe: Equatable {
        /// The state is the one after this frame.
        var seq: UInt64
        /// zstd(engine snapshot)
        var snapshot: [UInt8]
    }

    let limits: Limits
    private(set) var frames: [Frame] = []
    private var start = 0
    private(set) var bytes = 0
    /// Oldest first; the first is at or before the first frame held.
    private var keyframes: [Keyframe] = []
    private var newest: UInt64 = 0

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    var count: Int { frames.count - start }
    var held: ArraySlice<Frame> { frames[start...] }
    /// The newest keyframe at or before the first frame held.
    var keyframe: Keyframe? { keyframes.first }
    var firstSeq: UInt64? { held.first?.seq }

    /// Whether the ring can do without a keyframe after `frame`: false means the caller gives one to `keep`.
    mutating func append(_ frame: Frame) -> Bool {
        newest = frame.seq
        guard frame.bytes.count <= limits.bytes else {
            removeAll()
            return false
        }
        frames.append(frame)
        bytes += frame.bytes.count
        while bytes > limits.bytes || count > limits.messages {
            bytes -= frames[start].bytes.count
            frames[start].bytes = []
            start += 1
        }
        if start > 64, start * 2 > frames.count {
            frames.removeFirst(start)
            start = 0
        }
        trimKeyframes()
        return true
    }

    /// Takes a keyframe of the state after frame `seq`.
    mutating func keep(_ keyframe: Keyframe) {
        if let last = keyframes.last, last.seq >= keyframe.seq { return }
        keyframes.append(keyframe)
        trimKeyframes()
    }

    /// What came after `seq`, in order; nil if the ring no longer holds all of it.
    func frames(after seq: UInt64) -> ArraySlice<Frame>? {
        if seq >= newest { return [] }
        guard let first = firstSeq, first <= seq + 1 else { return nil }
        return held.drop { $0.seq <= seq }
    }

    mutating func removeAll() {
        frames = []
        start = 0
        bytes = 0
        keyframes = []
    }

    private mutating func trimKeyframes() {
        guard let first = firstSeq else {
            if keyframes.count > 1 { keyframes.removeFirst(keyframes.count - 1) }
            return
        }
        while keyframes.count > 1, keyframes[1].seq < first { keyframes.removeFirst() }
    }
}
