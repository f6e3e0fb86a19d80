internal import Compression
internal import Contract
internal import Terminal
internal import ViewProtocol

/// The segment in which a moment is, wherever it was found.
struct LocatedSegment: Sendable {
    var header: SegmentHeader
    var content: SegmentContent
    var pages: [[UInt8]: [UInt8]]
    var isOpen: Bool
    var bounds: ShardRecorder.Known

    /// An engine at the segment's beginning.
    func engine() throws -> Terminal {
        try Terminal(snapshot: content.keyframe) { pages[$0] }
    }

    func frames() throws -> [Frame] {
        try FrameCodec.decode(content.frames[...], pod: header.pod)
    }
}

extension RecorderService {
    /// The state at a moment, rendered as asked. Throws `not_found`, `before_start`, `gone`.
    func seek(_ request: Seek) async throws -> (meta: SeekMeta, payload: [UInt8]) {
        let place: RecorderStore.Place = request.seq.map { .seq($0) } ?? request.at.map { .time($0) } ?? .newest
        let lines = max(0, min(request.scrollback ?? 0, 100_000))
        let needsHistory = request.format == .snapshot || lines > 0
        guard let located = try await locate(request.pod, place, needsHistory: needsHistory, isExact: true) else {
            throw ErrorBody(.notFound, "there is no recording of pod \(request.pod)")
        }
        return try await onWorker {
            let engine = try located.engine()
            var seq = located.header.firstSeq - 1
            var time = located.bounds.first
            for frame in try located.frames() {
                switch place {
                case .time(let bound) where frame.time > bound: break
                case .seq(let bound) where frame.seq > bound: break
                default:
                    FrameEffect.apply(frame, to: engine)
                    seq = frame.seq
                    time = frame.time
                    continue
                }
                break
            }
            let meta = SeekMeta(
                seq: seq, time: time, columns: engine.columns, rows: engine.rows, decodedBytes: located.content.byteCount,
                first: located.bounds.first, last: located.bounds.last, live: !located.bounds.isEnded)
            return (meta, try Self.render(engine, request.format, scrollback: lines, meta))
        }
    }

    private static func render(_ engine: Terminal, _ format: Attach.Format, scrollback: Int, _ meta: SeekMeta) throws -> [UInt8] {
        switch format {
        case .snapshot: try Zstd.compress(engine.snapshot(), level: 1)
        case .ansi: engine.ansi(history: scrollback)
        case .view: ViewEncoder.keyframe(engine, seq: meta.seq, time: meta.time)
        case .text: ScreenDump.text(engine, scrollback: scrollback)
        case .cells: ScreenDump.cells(engine, scrollback: scrollback)
        }
    }

    /// One segment whole: its keyframe with the history embedded, and its frames.
    func play(_ request: Play) async throws -> (meta: SliceMeta, payload: [UInt8]) {
        let place: RecorderStore.Place = request.seq.map { .seq($0) } ?? request.at.map { .time($0) } ?? .newest
        let framesOnly = request.framesOnly ?? false
        guard let located = try await locate(request.pod, place, needsHistory: !framesOnly, isExact: false) else {
            throw ErrorBody(.notFound, "there is no recording of pod \(request.pod)")
        }
        return try await onWorker {
            let keyframe = framesOnly ? [] : try located.engine().snapshot()
            let header = located.header, bounds = located.bounds
            let meta = SliceMeta(
                firstSeq: header.firstSeq, lastSeq: header.lastSeq, from: header.from, to: header.to, keyframeBytes: keyframe.count,
                open: located.isOpen, hasEarlier: header.firstSeq > bounds.firstSeq, hasLater: header.lastSeq < bounds.lastSeq,
                first: bounds.first, last: bounds.last, live: !bounds.isEnded)
            return (meta, keyframe + located.content.frames)
        }
    }

    /// The segment at a place: in memory, or else stored. Nil for a pod that has no recording. A place before the recording
    /// is an error if `isExact`, else the first segment.
    private func locate(_ pod: PodID, _ place: RecorderStore.Place, needsHistory: Bool, isExact: Bool) async throws -> LocatedSegment? {
        guard let recorder = shard(pod.shard) else { throw ErrorBody(.unavailable, "this recorder does not own shard \(pod.shard)") }
        let deadline = ContinuousClock.now + .seconds(4)
        while true {
            switch recorder.locate(pod, place) {
            case .unknown: return nil
            case .memory(let segment, let known):
                return LocatedSegment(
                    header: segment.header, content: segment.content, pages: segment.pages, isOpen: segment.isOpen, bounds: known)
            case .loading:
                guard ContinuousClock.now < deadline else { throw ErrorBody(.unavailable, "pod \(pod) is being read from the database; try again") }
                try await Task.sleep(for: .milliseconds(5))
            case .stored(let known):
                if let segment = try await stored(pod, place, known, needsHistory: needsHistory, isExact: isExact) { return segment }
                // Stored and removed from memory between the two looks, or removed for good.
                guard known.firstSeq <= known.lastSeq else {
                    throw ErrorBody(.gone, "the recording of pod \(pod) was removed by the retention rules")
                }
                guard ContinuousClock.now < deadline else { throw ErrorBody(.notFound, "the recording of pod \(pod) has no segment there") }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    private func stored(
        _ pod: PodID, _ place: RecorderStore.Place, _ known: ShardRecorder.Known, needsHistory: Bool, isExact: Bool
    ) async throws -> LocatedSegment? {
        var place = place
        let isBefore: Bool
        switch place {
        case .time(let time): isBefore = time < known.first
        case .seq(let seq): isBefore = seq < known.firstSeq
        case .newest: isBefore = false
        }
        if isBefore, known.firstSeq <= known.lastSeq {
            guard !isExact else {
                throw ErrorBody(.init(rawValue: "before_start"), "the recording of pod \(pod) begins at \(known.first), frame \(known.firstSeq)")
            }
            place = .seq(known.firstSeq)
        }
        let found = try await store.segment(pod, at: place) { header in
            // A resize can bring history back to the screen.
            needsHistory || header.hasResize
        }
        guard let found else { return nil }
        let content = try await onWorker { try SegmentContent(packed: found.packed) }
        let pages = Dictionary(found.pages.map { (HistoryPages.reference($0.key), $0.value) }, uniquingKeysWith: { first, _ in first })
        return LocatedSegment(header: found.header, content: content, pages: pages, isOpen: false, bounds: known)
    }
}
