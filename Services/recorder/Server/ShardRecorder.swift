internal import Contract
internal import Digest
internal import Logging
internal import Synchronization
internal import Terminal

/// The pods of one shard: those whose frames come, in memory, and what is known of the others.
final class ShardRecorder: Sendable {
    private enum Entry {
        case ready(PodRecorder)
        /// What is stored of the pod is being read; these frames wait for it.
        case loading([(frame: Frame, stream: UInt64)])
    }

    /// What is known of a pod without its engine.
    struct Known: Sendable {
        var first: Timestamp
        var last: Timestamp
        var firstSeq: UInt64
        var lastSeq: UInt64
        var isEnded: Bool
    }

    private struct State {
        var pods: [PodID: Entry] = [:]
        var known: [PodID: Known] = [:]
        /// The newest message of the stream that was handled.
        var handled: UInt64
        var unsavedBytes = 0
        var isClosed = false
    }

    let shard: Shard
    private let limits: PodRecorder.Limits
    private let state: Mutex<State>

    init(shard: Shard, position: UInt64, known: [PodID: Known], limits: PodRecorder.Limits) {
        self.shard = shard
        self.limits = limits
        state = Mutex(State(known: known, handled: position))
    }

    // MARK: - Frames

    struct Taken: Sendable {
        /// Bytes by which what waits to be stored has grown.
        var bytes = 0
        /// The pod must be read from the database: call `load`.
        var needsLoad = false
        var hasClosed = false
        var isEnded = false
        var gaps: [ClosedRange<UInt64>] = []
    }

    /// Takes a frame from the stream.
    func take(_ frame: Frame, stream: UInt64, now: ContinuousClock.Instant) -> Taken {
        state.withLock { state in
            var taken = Taken()
            guard !state.isClosed else { return taken }
            state.handled = max(state.handled, stream)
            switch state.pods[frame.pod] {
            case .ready(let pod)?:
                taken = Self.take(frame, stream, pod, now)
            case .loading(var waiting)?:
                state.pods[frame.pod] = nil
                waiting.append((frame, stream))
                state.pods[frame.pod] = .loading(waiting)
                taken.bytes = frame.bytes.count + 64
            case nil:
                if let known = state.known[frame.pod] {
                    if frame.seq <= known.lastSeq { return taken }
                    state.pods[frame.pod] = .loading([(frame, stream)])
                    taken.needsLoad = true
                    taken.bytes = frame.bytes.count + 64
                } else {
                    let pod = PodRecorder(pod: frame.pod, limits: limits, now: now)
                    state.pods[frame.pod] = .ready(pod)
                    taken = Self.take(frame, stream, pod, now)
                }
            }
            state.unsavedBytes += taken.bytes
            return taken
        }
    }

    private static func take(_ frame: Frame, _ stream: UInt64, _ pod: PodRecorder, _ now: ContinuousClock.Instant) -> Taken {
        let before = pod.unsavedBytes
        let closedBefore = pod.closed.count
        pod.take(frame, stream: stream, now: now)
        return Taken(
            bytes: max(0, pod.unsavedBytes - before), hasClosed: pod.closed.count > closedBefore, isEnded: pod.isEnded, gaps: pod.takeGaps())
    }

    /// A message that is no frame was passed over.
    func skip(stream: UInt64) {
        state.withLock { $0.handled = max($0.handled, stream) }
    }

    /// Gives what is stored of a pod, so that its frames can go on.
    func load(_ id: PodID, _ tail: StoredTail?, now: ContinuousClock.Instant) throws {
        try state.withLock { state in
            guard case .loading(let waiting)? = state.pods[id] else { return }
            let pod =
                try tail.map { try PodRecorder(resuming: id, $0, limits: limits, now: now) } ?? PodRecorder(pod: id, limits: limits, now: now)
            for (frame, stream) in waiting { pod.take(frame, stream: stream, now: now) }
            state.pods[id] = .ready(pod)
        }
    }

    /// Time passes: gives up on frames that do not come, and forgets pods that are stored and silent.
    func tick(_ now: ContinuousClock.Instant, forgetAfter: Duration) -> [PodID: [ClosedRange<UInt64>]] {
        state.withLock { state in
            var gaps: [PodID: [ClosedRange<UInt64>]] = [:]
            for (id, entry) in state.pods {
                guard case .ready(let pod) = entry else { continue }
                pod.tick(now)
                let found = pod.takeGaps()
                if !found.isEmpty { gaps[id] = found }
                if pod.isClean, pod.isEnded || now - pod.lastTouched > forgetAfter {
                    state.known[id] = Self.known(pod) ?? state.known[id]
                    state.pods[id] = nil
                }
            }
            return gaps
        }
    }

    private static func known(_ pod: PodRecorder) -> Known? {
        guard let first = pod.firstTime, let last = pod.lastTime, let firstSeq = pod.firstSeq else { return nil }
        return Known(first: first, last: last, firstSeq: firstSeq, lastSeq: pod.lastSeq, isEnded: pod.isEnded)
    }

    // MARK: - Storing

    struct Batch: Sendable {
        var pods: [RecorderStore.PodBatch]
        var position: UInt64
    }

    /// What is due to be stored; nil if nothing is. Tails are due when older than `tailAge`, or for all of `pods`.
    func batch(now: ContinuousClock.Instant, tailAge: Duration, only: PodID? = nil) -> Batch? {
        state.withLock { state in
            var batches: [RecorderStore.PodBatch] = []
            var position = state.handled
            for (id, entry) in state.pods {
                switch entry {
                case .loading(let waiting):
                    if let first = waiting.map(\.stream).min() { position = min(position, first - 1) }
                case .ready(let pod):
                    let isTailDue = (pod.dirtySince.map { now - $0 >= tailAge } ?? false) && (only == nil || only == id)
                    let unsaved = pod.unsaved(includingTail: isTailDue)
                    if let first = pod.firstUnsaved(includingTail: isTailDue) { position = min(position, first - 1) }
                    guard !unsaved.closed.isEmpty || unsaved.tail != nil, let first = pod.firstTime else { continue }
                    batches.append(
                        RecorderStore.PodBatch(
                            pod: id, sealedSeq: pod.sealedThrough, head: pod.head, closed: unsaved.closed, tail: unsaved.tail, first: first,
                            isEnded: (unsaved.tail ?? unsaved.closed.last)?.hasExit ?? false))
                }
            }
            return batches.isEmpty ? nil : Batch(pods: batches, position: position)
        }
    }

    /// Says that a batch was stored. Gives the bytes that no longer wait.
    func stored(_ results: [RecorderStore.PodResult], now: ContinuousClock.Instant) -> Int {
        state.withLock { state in
            for result in results {
                guard case .ready(let pod)? = state.pods[result.pod] else { continue }
                pod.saved(closed: result.closed, head: result.head, tail: result.tail, now: now)
                state.known[result.pod] = Self.known(pod) ?? state.known[result.pod]
            }
            return recount(&state)
        }
    }

    private func recount(_ state: inout State) -> Int {
        let before = state.unsavedBytes
        state.unsavedBytes = state.pods.values.reduce(0) { sum, entry in
            switch entry {
            case .ready(let pod): sum + pod.unsavedBytes
            case .loading(let waiting): sum + waiting.reduce(0) { $0 + $1.frame.bytes.count + 64 }
            }
        }
        return before - state.unsavedBytes
    }

    /// Takes nothing more. Gives the bytes that waited.
    func close() -> Int {
        state.withLock { state in
            state.isClosed = true
            defer {
                state.pods = [:]
                state.unsavedBytes = 0
            }
            return state.unsavedBytes
        }
    }

    // MARK: - Reading

    enum Located: Sendable {
        /// A segment in memory.
        case memory(MemorySegment, Known)
        /// The database has it.
        case stored(Known)
        /// The pod is being read.
        case loading
        case unknown
    }

    struct MemorySegment: Sendable {
        var header: SegmentHeader
        var content: SegmentContent
        var pages: [[UInt8]: [UInt8]]
        var isOpen: Bool
    }

    /// Where the segment at a place is.
    func locate(_ id: PodID, _ place: RecorderStore.Place) -> Located {
        state.withLock { state in
            switch state.pods[id] {
            case .loading?: return .loading
            case nil: return state.known[id].map { .stored($0) } ?? .unknown
            case .ready(let pod)?:
                guard let known = Self.known(pod) else { return .unknown }
                func begins(_ header: SegmentHeader) -> Bool {
                    switch place {
                    case .newest: true
                    case .time(let time): header.from <= time
                    case .seq(let seq): header.firstSeq <= seq
                    }
                }
                if let open = pod.open, let header = open.header, begins(header) {
                    let pages = Dictionary(
                        open.pages.map { (HistoryPages.reference($0.number), $0.page.encoded()) }, uniquingKeysWith: { first, _ in first })
                    let content = SegmentContent(keyframe: open.keyframe, frames: open.frames)
                    return .memory(MemorySegment(header: header, content: content, pages: pages, isOpen: true), known)
                }
                if let closed = pod.closed.last(where: { begins($0.header) }) {
                    return .memory(MemorySegment(header: closed.header, content: closed.content, pages: closed.pages, isOpen: false), known)
                }
                return .stored(known)
            }
        }
    }

    /// The oldest frames of a pod were removed.
    func retained(_ id: PodID, from seq: UInt64, time: Timestamp) {
        state.withLock { state in
            if case .ready(let pod)? = state.pods[id] { pod.retained(from: seq, time: time) }
            state.known[id]?.firstSeq = seq
            state.known[id]?.first = time
        }
    }

    var pods: [PodID] { state.withLock { Array(Set($0.pods.keys).union($0.known.keys)) } }
    var handled: UInt64 { state.withLock { $0.handled } }
}
