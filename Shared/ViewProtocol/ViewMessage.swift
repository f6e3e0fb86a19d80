public import Contract
public import Terminal

/// What the terminal socket tells a viewer.
public enum ViewMessage: Sendable {
    /// The whole screen after frame `seq`.
    case keyframe(ScreenDelta, seq: UInt64, time: Timestamp, writer: Author?)
    /// What leads from the screen after `base` to that after `seq`; nil if nothing visible changed.
    case delta(ScreenDelta?, base: UInt64, seq: UInt64, time: Timestamp)
    case position(Position)
    case status(PodStatus)
    case timeline(Timeline)
    case notice(ViewNotice)

    /// Where the viewer is in the pod's log.
    public struct Position: Sendable, Codable, Equatable {
        public enum Mode: String, Sendable, Codable { case live, paused, playing }
        public var mode: Mode
        public var seq: UInt64
        public var time: Timestamp
        public var rate: Double?
        /// The recording's bounds.
        public var first: Timestamp?
        public var last: Timestamp?
        /// Whether frames may still come.
        public var live: Bool?
        /// When the screen changes next, as far as the segment at hand tells: until then this screen need not be asked for again.
        public var next: Timestamp?

        public init(
            mode: Mode, seq: UInt64, time: Timestamp, rate: Double? = nil, first: Timestamp? = nil, last: Timestamp? = nil,
            live: Bool? = nil, next: Timestamp? = nil
        ) {
            self.mode = mode
            self.seq = seq
            self.time = time
            self.rate = rate
            self.first = first
            self.last = last
            self.live = live
            self.next = next
        }
    }

    /// Takes a message apart. Throws `bad_request` if it is not one.
    public init(_ bytes: some Sequence<UInt8>) throws(ErrorBody) {
        let wire = try JSON.decode(Wire.self, from: bytes)
        switch wire.type {
        case "keyframe":
            let (columns, rows) = (try wire.need(wire.columns, "columns"), try wire.need(wire.rows, "rows"))
            guard case .whole(let lines) = wire.lines else { throw ErrorBody(.badRequest, "a keyframe without its lines") }
            var screen = ScreenDelta(
                columns: columns, rows: rows, changed: lines.enumerated().map { .init(row: $0.offset, runs: $0.element.map(\.run)) },
                cursor: wire.cursor?.cursor ?? Cursor())
            wire.fill(&screen)
            self = .keyframe(screen, seq: try wire.need(wire.seq, "seq"), time: try wire.need(wire.time, "time"), writer: wire.writer)
        case "delta":
            var delta: ScreenDelta?
            if let columns = wire.columns, let rows = wire.rows {
                guard case .changed(let lines) = wire.lines else { throw ErrorBody(.badRequest, "a delta without its lines") }
                var screen = ScreenDelta(
                    columns: columns, rows: rows, scroll: wire.scroll ?? 0,
                    changed: lines.map { .init(row: $0.row, runs: $0.runs.map(\.run)) }, cursor: wire.cursor?.cursor ?? Cursor())
                wire.fill(&screen)
                delta = screen
            }
            self = .delta(
                delta, base: try wire.need(wire.base, "base"), seq: try wire.need(wire.seq, "seq"), time: try wire.need(wire.time, "time"))
        case "position":
            self = .position(try JSON.decode(Position.self, from: bytes))
        case "status":
            self = .status(try JSON.decode(PodStatus.self, from: bytes))
        case "timeline":
            self = .timeline(try JSON.decode(Timeline.self, from: bytes))
        default:
            self = .notice(try JSON.decode(ViewNotice.self, from: bytes))
        }
    }
}

/// What a viewer is told besides screens: who writes, what was refused, how the pod ended, its new size.
public struct ViewNotice: Sendable, Codable, Equatable {
    public struct Writer: Codable, Sendable, Equatable {
        public var author: Author
        public var you: Bool

        public init(author: Author, you: Bool) {
            self.author = author
            self.you = you
        }
    }

    /// `error`, `exit`, `writer`, `size`, `applied`; raw sockets tell by the field that is there.
    public var type: String?
    /// Columns and rows.
    public var size: [Int]?
    public var seq: UInt64?
    public var writer: Writer?
    public var error: ErrorBody?
    public var exit: Exit?

    public init(
        type: String? = nil, size: [Int]? = nil, seq: UInt64? = nil, writer: Writer? = nil, error: ErrorBody? = nil, exit: Exit? = nil
    ) {
        self.type = type
        self.size = size
        self.seq = seq
        self.writer = writer
        self.error = error
        self.exit = exit
    }
}
