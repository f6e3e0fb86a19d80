public import Bus
internal import Compression
public import Contract
internal import Synchronization
internal import Terminal

/// A pod for tests that is all on the bus: it publishes the frames it is told to, keeps an engine beside them, and answers
/// what a shim answers (`keyframe`, `write`, `resize`, `signal`), so that what follows a pod can be tested without one.
public final class ScriptedShim: Sendable {
    /// A write as it arrived.
    public struct Typed: Sendable, Equatable {
        public var bytes: [UInt8]
        public var author: String
        public var via: String
    }

    private struct State {
        var terminal: Terminal
        var seq: UInt64 = 0
        var outSeq: UInt64 = 0
        var frames: [Frame] = []
        var typed: [Typed] = []
        var signals: [String] = []
        var subscriptions: [BusSubscription] = []
        var keepsFrames = true
        var keyframes = 0
        var once: [String: UInt64] = [:]
        var newestInput: UInt64 = 0
        var lostAnswers = 0
        var onWrite: (@Sendable (Typed) -> Void)?

        mutating func next(_ pod: PodID, _ kind: FrameKind, _ bytes: [UInt8], author: Author?, via: String?) -> Frame {
            seq += 1
            if kind == .out { outSeq = seq }
            let frame = Frame(pod: pod, seq: seq, time: .now(), kind: kind, bytes: bytes, author: author, via: via)
            if keepsFrames { frames.append(frame) }
            return frame
        }
    }

    public let pod: PodID
    private let bus: BusConnection
    private let state: Mutex<State>

    /// Publishes the `start` frame.
    public init(
        _ bus: BusConnection, pod: PodID = .random(), agent: String? = nil, columns: Int = 80, rows: Int = 24, answers: Bool = true,
        keepsFrames: Bool = true
    ) throws {
        self.bus = bus
        self.pod = pod
        state = Mutex(State(terminal: Terminal(columns: columns, rows: rows, scrollback: 10_000), keepsFrames: keepsFrames))
        if answers { try answer() }
        try control(.start(.init(argv: ["script"], columns: columns, rows: rows, agent: agent)))
    }

    // MARK: - Frames

    /// The screen as an early viewer has it: rows of text.
    public var screen: [String] { state.withLock { $0.terminal.text() } }
    /// The complete state of the engine, with the frame after which it is.
    public var snapshot: (seq: UInt64, bytes: [UInt8]) { state.withLock { ($0.seq, $0.terminal.snapshot()) } }
    public var seq: UInt64 { state.withLock { $0.seq } }
    /// Every frame so far.
    public var frames: [Frame] { state.withLock { $0.frames } }
    public var typed: [Typed] { state.withLock { $0.typed } }
    public var signals: [String] { state.withLock { $0.signals } }
    public var keyframesGiven: Int { state.withLock { $0.keyframes } }
    public var size: [Int] { state.withLock { [$0.terminal.columns, $0.terminal.rows] } }

    @discardableResult
    public func output(_ text: String, publish: Bool = true) throws -> UInt64 { try output(Array(text.utf8), publish: publish) }

    /// - Parameter publish: false loses the frame on its way, as a core subscriber may.
    @discardableResult
    public func output(_ bytes: [UInt8], publish: Bool = true) throws -> UInt64 {
        try append(.out, bytes, publish: publish) { $0.feed(bytes) }
    }

    @discardableResult
    public func control(_ control: Control, publish: Bool = true) throws -> UInt64 {
        try append(.ctl, try JSON.encode(control), publish: publish) { terminal in
            if case .resize(let columns, let rows, _) = control { terminal.resize(columns: columns, rows: rows) }
        }
    }

    @discardableResult
    public func keyframe(publish: Bool = true) throws -> UInt64 {
        let bytes = try state.withLock { state in try Zstd.compress(state.terminal.snapshot()) }
        return try append(.key, bytes, publish: publish) { _ in }
    }

    /// Sends a frame again, as a shim does that got no acknowledgement.
    public func publishAgain(_ seq: UInt64) throws {
        guard let frame = frames.first(where: { $0.seq == seq }) else { throw TestSupportError("no frame \(seq)") }
        try bus.publish(frame.subject, payload: frame.bytes, headers: frame.headers)
    }

    /// Stores a frame that was not published by another connection, as a shim does that is back on the bus before the others; waits until the stream has it.
    public func store(_ seq: UInt64, by early: BusConnection) async throws {
        guard let frame = frames.first(where: { $0.seq == seq }) else { throw TestSupportError("no frame \(seq)") }
        try await eventually("the stream did not take frame \(seq)") {
            guard let answer = try? await early.request(frame.subject, payload: frame.bytes, headers: frame.headers, timeout: .seconds(2)) else { return false }
            if case .stored = PublishAck(answer) { return true }
            return false
        }
    }

    private func append(
        _ kind: FrameKind, _ bytes: [UInt8], publish: Bool, author: Author? = nil, via: String? = nil, _ apply: (Terminal) -> Void
    ) throws -> UInt64 {
        try state.withLock { state in
            apply(state.terminal)
            _ = state.terminal.takeReplies()
            let frame = state.next(pod, kind, bytes, author: author, via: via)
            if publish { try bus.publish(frame.subject, payload: frame.bytes, headers: frame.headers) }
            return frame.seq
        }
    }

    // MARK: - Requests

    private func answer() throws {
        let subscription = try bus.serve(Subjects.shimAll(pod)) { [weak self] message in
            guard let self else { return nil }
            do {
                return try self.answer(message)
            } catch {
                return BusReply(Reply.error(ErrorBody(describing: error)))
            }
        }
        state.withLock { $0.subscriptions = [subscription] }
    }

    /// From here on nobody answers, as after the host is cut off.
    public func hangUp() {
        let subscriptions = state.withLock { state in
            defer { state.subscriptions = [] }
            return state.subscriptions
        }
        for subscription in subscriptions { subscription.unsubscribe() }
    }

    /// The next so many writes are typed, and nobody hears of it: as when who asked, or the way back, is gone by then.
    public func loseAnswers(_ count: Int) { state.withLock { $0.lostAnswers = count } }

    /// Called after each write, before it is answered.
    public func whenTyped(_ body: @escaping @Sendable (Typed) -> Void) { state.withLock { $0.onWrite = body } }

    private func answer(_ message: BusMessage) throws -> BusReply? {
        switch message.subject.split(separator: ".").last {
        case "keyframe":
            return try state.withLock { state in
                state.keyframes += 1
                let meta = KeyframeMeta(
                    seq: state.seq, time: .now(), columns: state.terminal.columns, rows: state.terminal.rows)
                return BusReply(
                    try Zstd.compress(state.terminal.snapshot()),
                    headers: [(Headers.meta, String(decoding: try JSON.encode(meta), as: UTF8.self))])
            }
        case "written":
            let request = try JSON.decode(AskWritten.self, from: message.payload)
            return BusReply(
                Reply.encode(state.withLock { state in Written(frames: request.names.map { state.once[$0] ?? 0 }, newestInput: state.newestInput) }))
        case "write":
            let once = message.header(Headers.once)
            let author = message.header(Headers.author) ?? ""
            let via = message.header(Headers.via)
            let seen = message.integerHeader(Headers.ifSeq).flatMap { UInt64(exactly: $0) }
            // Judged and written in one step, as a shim does in one turn of its loop.
            let (applied, isLost, typed) = try state.withLock { state in
                if let once, let seq = state.once[once] { return (Applied(result: .applied, seq: seq), false, Typed?.none) }
                if let seen, state.outSeq > seen {
                    return (Applied(result: .screenChanged, seq: state.outSeq, message: "changed"), false, nil)
                }
                let typed = Typed(bytes: message.payload, author: author, via: via ?? "")
                state.typed.append(typed)
                let frame = state.next(pod, .in, message.payload, author: Author(author), via: via)
                try bus.publish(frame.subject, payload: frame.bytes, headers: frame.headers)
                state.newestInput = frame.seq
                if let once { state.once[once] = frame.seq }
                defer { state.lostAnswers = max(0, state.lostAnswers - 1) }
                return (Applied(result: .applied, seq: frame.seq), state.lostAnswers > 0, typed)
            }
            if let typed { state.withLock { $0.onWrite }?(typed) }
            return isLost ? nil : BusReply(Reply.encode(applied))
        case "resize":
            let resize = try JSON.decode(Resize.self, from: message.payload)
            let seq = try control(.resize(columns: resize.columns, rows: resize.rows, author: resize.author))
            return BusReply(Reply.encode(Applied(result: .applied, seq: seq)))
        case "signal":
            let signal = try JSON.decode(SendSignal.self, from: message.payload)
            state.withLock { $0.signals.append(signal.name) }
            return BusReply(Reply.encode(Done()))
        default:
            return BusReply(Reply.error(ErrorBody(.notFound, "no such request")))
        }
    }
}
