internal import Contract
internal import Terminal

/// The segment that is being written, and the engine behind it.
///
/// It is cut before 64 KiB of frames, so that no seek decodes more; after 8192 frames or an hour. The size of the screen does
/// not cut: a resize is a frame like others. Silence does not cut either: what makes the tail durable is that it is stored
/// unsealed every few seconds and replaced as it grows, so a slow terminal does not cost a keyframe every half minute.
final class OpenSegment {
    struct Limits: Sendable {
        var bytes = 64 << 10
        var frames = 8192
        var span: Duration = .seconds(3600)
    }

    let pod: PodID
    let engine: Terminal
    let keyframe: [UInt8]
    /// Every page the keyframe names, by its number.
    let pages: [(number: Int, page: HistoryPage)]
    let firstPage: Int
    /// Pages stored with this segment: those its keyframe names first, and those that were filled since, in order.
    private(set) var ownPages: [HistoryPage] = []
    private(set) var frames: [UInt8] = []
    private(set) var header: SegmentHeader?
    private(set) var signature = TrigramSignature()
    private(set) var summary = SegmentSummary()
    /// The stream's sequence of each frame.
    private(set) var streamSequences: [UInt64] = []
    private var activity: ActivityTracker
    private var rowTexts: [String] = []
    /// The last frame said that the process ended.
    private(set) var hasExit = false

    /// Begins a segment at the engine's state. `nextPage` is the number of the next page of history to be stored.
    init(pod: PodID, engine: Terminal, nextPage: Int, activity: ActivityTracker = ActivityTracker()) {
        self.pod = pod
        self.engine = engine
        self.activity = activity
        self.activity.startSegment()
        firstPage = nextPage
        ownPages = Self.adoptPages(of: engine, from: nextPage)
        pages = engine.historyPages.compactMap { page in page.reference.flatMap(HistoryPages.number).map { ($0, page) } }
        keyframe = engine.snapshot { $0.reference ?? [] }
        _ = engine.takeChangedRows()
        rowTexts = engine.text()
        for text in rowTexts { signature.insert(text) }
    }

    /// Begins again at a stored segment's keyframe, whose frames are then added anew.
    init(pod: PodID, keyframe: [UInt8], header: SegmentHeader, page: @escaping ([UInt8]) -> [UInt8]?) throws {
        self.pod = pod
        engine = try Terminal(snapshot: keyframe, page: page)
        self.keyframe = keyframe
        activity = ActivityTracker()
        pages = engine.historyPages.compactMap { page in page.reference.flatMap(HistoryPages.number).map { ($0, page) } }
        firstPage = header.firstPage
        ownPages = pages.filter { $0.number >= header.firstPage }.map(\.page)
        _ = engine.takeChangedRows()
        rowTexts = engine.text()
        for text in rowTexts { signature.insert(text) }
    }

    var isEmpty: Bool { header == nil }
    var nextPage: Int { firstPage + ownPages.count }
    var lastSeq: UInt64? { header?.lastSeq }

    /// Gives numbers to the pages of history that were filled since; gives the bytes of all that are stored with this segment.
    func adoptPages() -> [[UInt8]] {
        ownPages += Self.adoptPages(of: engine, from: nextPage)
        header?.pageCount = ownPages.count
        return ownPages.map { $0.encoded() }
    }

    private static func adoptPages(of engine: Terminal, from number: Int) -> [HistoryPage] {
        var adopted: [HistoryPage] = []
        for page in engine.historyPages where page.reference.flatMap(HistoryPages.number) == nil {
            page.reference = HistoryPages.reference(number + adopted.count)
            adopted.append(page)
        }
        return adopted
    }

    /// Whether the frame must begin another segment.
    func isFull(for frame: Frame, _ limits: Limits) -> Bool {
        guard let header else { return false }
        return frames.count + frame.bytes.count + 32 > limits.bytes || header.frameCount >= limits.frames
            || frame.time - header.from > limits.span
    }

    /// Adds the next frame. Its time must not be before the last one's.
    func append(_ frame: Frame, streamSequence: UInt64) {
        let previous = header.map { ($0.lastSeq, $0.to) }
        var kept = frame
        if frame.kind == .key { kept.bytes = [] }
        FrameCodec.append(kept, after: previous, to: &frames)
        streamSequences.append(streamSequence)
        if header == nil {
            header = SegmentHeader(
                pod: pod, firstSeq: frame.seq, lastSeq: frame.seq, from: frame.time, to: frame.time, outputBytes: 0, frameCount: 0,
                hasResize: false, firstPage: firstPage, pageCount: ownPages.count,
                oldestPage: pages.map(\.number).min() ?? firstPage)
        }
        header?.lastSeq = frame.seq
        header?.to = frame.time
        header?.frameCount += 1
        switch frame.kind {
        case .out:
            header?.outputBytes += frame.bytes.count
            engine.feed(frame.bytes)
            discardOutlets()
            index(frame)
        case .in:
            summary.note(frame, nil)
            activity.happened(at: frame.time)
        case .ctl:
            let control = FrameEffect.control(frame)
            summary.note(frame, control)
            activity.happened(at: frame.time)
            if let size = FrameEffect.size(control) {
                header?.hasResize = true
                engine.resize(columns: size.columns, rows: size.rows)
                index(frame)
            }
            if case .exit? = control { hasExit = true }
        case .key: break
        }
        summary.activity = activity.spans
    }

    /// What goes on into the next segment.
    func successor() -> OpenSegment {
        OpenSegment(pod: pod, engine: engine, nextPage: nextPage, activity: activity)
    }

    private func discardOutlets() {
        _ = engine.takeReplies()
        _ = engine.takeEvents()
    }

    private func index(_ frame: Frame) {
        let changes = engine.takeChangedRows()
        signature.insert(lines: changes.scrolledText)
        let rows = engine.rows
        var isNews = changes.scrollCount >= rows
        if changes.scrollCount > 0 {
            let gone = min(changes.scrollCount, rowTexts.count)
            rowTexts.removeFirst(gone)
        }
        if rowTexts.count > rows { rowTexts.removeLast(rowTexts.count - rows) }
        while rowTexts.count < rows { rowTexts.append("") }
        for row in changes.rows {
            let text = engine.rowText(row)
            if row < rowTexts.count, rowTexts[row] == text { continue }
            if row < rowTexts.count { rowTexts[row] = text }
            signature.insert(text)
            if !isNews, activity.changed(row: row, to: text) { isNews = true }
        }
        if isNews { activity.happened(at: frame.time) }
    }
}

/// What a frame does to a terminal.
enum FrameEffect {
    /// The control in a `ctl` frame; nil if it is garbled.
    static func control(_ frame: Frame) -> Control? {
        guard frame.kind == .ctl else { return nil }
        return try? JSON.decode(Control.self, from: frame.bytes)
    }

    /// The size that a control gives the terminal; nil if none, or one that cannot be.
    static func size(_ control: Control?) -> (columns: Int, rows: Int)? {
        let size: (columns: Int, rows: Int)
        switch control {
        case .start(let start)?: size = (start.columns, start.rows)
        case .resize(let columns, let rows, _)?: size = (columns, rows)
        default: return nil
        }
        return PodSpec.sizeProblem(columns: size.columns, rows: size.rows) == nil ? size : nil
    }

    /// Applies a frame to an engine.
    static func apply(_ frame: Frame, to engine: Terminal) {
        switch frame.kind {
        case .out:
            engine.feed(frame.bytes)
            _ = engine.takeReplies()
            _ = engine.takeEvents()
        case .ctl:
            if let size = size(control(frame)) { engine.resize(columns: size.columns, rows: size.rows) }
        case .in, .key: break
        }
    }
}
