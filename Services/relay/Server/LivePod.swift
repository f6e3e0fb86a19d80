internal import Compression
internal import Contract
internal import Redaction
internal import Synchronization
internal import Terminal
internal import ViewProtocol

/// One live terminal as the relay holds it: the engine, the newest output, who writes and who watches.
///
/// Frames come in order from the bus's thread; requests from any. Nothing here talks to the network: what is to be
/// published or fetched is returned.
final class LivePod: Sendable {
    /// What the relay has to do after a frame.
    enum Next: Equatable {
        case nothing
        /// Publish the view's change now.
        case publishView
        /// Look again after this time.
        case publishViewLater(Duration)
        /// Frames are missing: fetch a keyframe, then `install` it.
        case repair
    }

    enum Standing: Equatable {
        /// Nothing is known yet.
        case empty
        case inStep
        /// A keyframe is being fetched; frames wait.
        case repairing
        /// It comes from a recording: the record has it, and nobody watches it live.
        case foreign
    }

    /// A change of the view as viewers get it.
    struct ViewChange {
        var base: UInt64
        var seq: UInt64
        /// Of the newest frame in it.
        var time: Timestamp
        var payload: [UInt8]
        /// The same with secrets hidden, when somebody follows that.
        var masked: [UInt8]?
    }

    struct Attached {
        var meta: KeyframeMeta
        var payload: [UInt8]
        var writer: Author?
    }

    static let scrollback = 10_000
    /// Output nobody looks at is not fed to the engine at once. A keyframe that comes behind so much of it takes its place: the
    /// history it holds is shorter, but of a flood that fills our own as well. What still waits is fed at the next keyframe, or here.
    static let skippedBytes = 2 << 20
    static let laggingLimit = 8 << 20
    /// Bytes of frames that may wait for a keyframe. Beyond, the oldest go, and the keyframe that comes must be newer.
    static let waitingLimit = 32 << 20

    let pod: PodID
    /// Held while a change of the view is taken and published, so that changes leave in order.
    let publishing = Mutex(())
    private let state: Mutex<State>

    /// Touched under the lock only.
    struct State {
        fileprivate var engine = Terminal(columns: 80, rows: 24, scrollback: LivePod.scrollback)
        /// Output that the engine has not been fed, because nobody looks: it is when somebody does.
        fileprivate var lagging: [[UInt8]] = []
        fileprivate var laggingBytes = 0
        var standing = Standing.empty
        var seq: UInt64 = 0
        var outSeq: UInt64 = 0
        /// When the newest output came here.
        var outAt = ContinuousClock.now
        var time = Timestamp(microseconds: 0)
        var exit: Exit?
        var waiting: [Frame] = []
        var waitingBytes = 0
        /// What is held was in step when the repair began.
        var isDoubted = false
        /// So many of the waiting frames had come when the keyframe under way was asked for.
        var waitingAtRequest = 0
        var ring = FrameRing()
        var lease = WriterLease()
        var isSubmitting = false
        var status: PodStatus?
        var view = ViewPacing()
        var sizes = SmallestSize()
        var lastTouched: Timestamp
    }

    private let redactor: Redactor

    init(pod: PodID, now: Timestamp, redactor: Redactor = .standard) {
        self.pod = pod
        self.redactor = redactor
        state = Mutex(State(lastTouched: now))
    }

    // MARK: - Frames

    /// Takes a frame as it came from the bus. Duplicates are ignored.
    func receive(_ frame: Frame, now: Timestamp) -> Next {
        state.withLock { state in
            switch state.standing {
            case .foreign:
                return .nothing
            case .empty where frame.isImportedStart:
                state.standing = .foreign
                return .nothing
            case .empty where frame.seq == 1, .inStep where frame.seq == state.seq + 1:
                state.standing = .inStep
                guard state.apply(frame) else { return state.beginRepair() }
                return state.nextView(now: now)
            case .inStep where frame.seq <= state.seq:
                return .nothing
            case .empty, .inStep, .repairing:
                if frame.kind == .key, state.install(compressed: frame.bytes, seq: frame.seq - 1, time: frame.time) {
                    _ = state.apply(frame)
                    return state.nextView(now: now)
                }
                state.wait(frame)
                return state.standing == .repairing ? .nothing : state.beginRepair()
            }
        }
    }

    /// True if a repair is to begin that has not begun: the pod is asked for and nothing is known of it.
    func needsLoading() -> Bool {
        state.withLock { state in
            guard state.standing == .empty else { return false }
            state.standing = .repairing
            return true
        }
    }

    /// Frames have come and wait for what is missing before them.
    var isAwaited: Bool { state.withLock { !$0.waiting.isEmpty } }

    var standing: Standing { state.withLock { $0.standing } }

    /// Frames may have been lost on their way, and none may come any more that would show it. True: a repair is to begin, which keeps what is held
    /// where nothing was lost.
    func doubt() -> Bool {
        state.withLock { state in
            guard state.standing == .inStep, state.exit == nil else { return false }
            _ = state.beginRepair()
            state.isDoubted = true
            return true
        }
    }

    /// A keyframe is about to be asked for.
    func noteRequest() {
        state.withLock { $0.waitingAtRequest = $0.waiting.count }
    }

    /// Takes a keyframe that was fetched: the state after frame `seq`. False: it is older than what waits; fetch again.
    func install(compressed: [UInt8], seq: UInt64, time: Timestamp) -> Bool {
        state.withLock { state in
            guard state.standing != .inStep || seq > state.seq else { return true }
            if state.isDoubted, seq == state.seq {
                state.dropForged(newest: seq)
                return state.drain()
            }
            guard state.install(compressed: compressed, seq: seq, time: time) else { return false }
            state.dropForged(newest: seq)
            return state.drain()
        }
    }

    /// Takes a whole log from its beginning or from a keyframe, as the stream holds it.
    /// - Parameter isFinal: the stream was asked often enough: what it does not lead to is not real.
    func install(_ frames: [Frame], isFinal: Bool) -> Bool {
        state.withLock { state in
            guard state.standing != .inStep else { return true }
            guard let first = frames.first, let last = frames.last else { return false }
            if state.isDoubted, last.seq <= state.seq { return state.drain() }
            if first.isImportedStart {
                state.standing = .foreign
                state.waiting = []
                state.waitingBytes = 0
                return true
            }
            if first.kind == .key {
                guard state.install(compressed: first.bytes, seq: first.seq - 1, time: first.time) else { return false }
            } else {
                guard first.seq == 1 else { return false }
                state.reset()
            }
            for frame in frames where frame.seq == state.seq + 1 {
                guard state.apply(frame) else { return false }
            }
            if isFinal { state.dropForged(newest: state.seq) }
            return state.drain()
        }
    }

    /// The repair has failed for good: the pod is not to be had.
    func giveUp() {
        state.withLock { state in
            if state.isDoubted, state.waiting.isEmpty {
                // Nothing speaks against it.
                state.standing = .inStep
                return state.isDoubted = false
            }
            state.isDoubted = false
            state.standing = .empty
            state.waiting = []
            state.waitingBytes = 0
        }
    }

    // MARK: - Requests

    /// The state now; nil if it is not known.
    func attach(_ format: Attach.Format, scrollback: Int?, now: Timestamp, masked: Bool = false) -> Attached? {
        state.withLock { state in
            guard state.standing == .inStep else { return nil }
            state.lastTouched = now
            return Attached(
                meta: KeyframeMeta(
                    seq: state.seq, time: state.time, columns: state.terminal.columns, rows: state.terminal.rows),
                payload: state.render(format, scrollback: scrollback ?? 0, writer: state.lease.current(at: now)?.author, masked: masked ? redactor : nil),
                writer: state.lease.current(at: now)?.author)
        }
    }

    /// What came after a frame, if the ring still holds it.
    func frames(after seq: UInt64) -> [Frame]? {
        state.withLock { state in state.ring.frames(after: seq).map { Array($0) } }
    }

    func decide(_ operation: GateDecision.Operation, now: Timestamp) -> GateDecision {
        state.withLock { state in
            state.lastTouched = now
            if state.isSubmitting, operation.kind == .type || operation.kind == .submit {
                return .refuse(.busy, "a prompt is being submitted at this moment; try again")
            }
            return GateDecision.decide(
                operation, scene: .init(hasExited: state.exit != nil, status: state.status), lease: &state.lease, now: now)
        }
    }

    /// What an operation on the screen as it stands is decided on.
    struct Moment {
        var decision: GateDecision
        /// The newest output that the decision knows.
        var outSeq: UInt64
        var status: PodStatus?
        /// Since when nothing came.
        var quiet: Duration

        /// The detector has judged this screen, or would have by now.
        var isSettled: Bool { status.map { $0.seq >= outSeq } ?? true || quiet >= .milliseconds(60) }
    }

    /// Decides for the one who submits, with what the decision rests on.
    func look(_ operation: GateDecision.Operation, now: Timestamp) -> Moment {
        state.withLock { state in
            let decision = GateDecision.decide(
                operation, scene: .init(hasExited: state.exit != nil, status: state.status), lease: &state.lease, now: now)
            return Moment(decision: decision, outSeq: state.outSeq, status: state.status, quiet: .now - state.outAt)
        }
    }

    /// Takes the right to submit; false while somebody else does.
    func beginSubmitting() -> Bool {
        state.withLock { state in
            defer { state.isSubmitting = true }
            return !state.isSubmitting
        }
    }

    /// The screen as bytes that rebuild it, if nothing came after this output; nil when something did.
    func screen(after seq: UInt64) -> (bytes: [UInt8], columns: Int, rows: Int)? {
        state.withLock { state in
            guard state.outSeq == seq else { return nil }
            return (state.terminal.ansi(history: 0), state.terminal.columns, state.terminal.rows)
        }
    }

    var status: PodStatus? { state.withLock { $0.status } }

    /// What the registry kept, where nothing was heard yet.
    func learn(_ status: PodStatus) { state.withLock { $0.status = $0.status ?? status } }

    /// Whether text is to be marked as pasted, as the program asked.
    var wantsBracketedPaste: Bool { state.withLock { $0.terminal.modes.bracketedPaste } }
    var newestOutput: UInt64 { state.withLock { $0.outSeq } }
    var size: (columns: Int, rows: Int) { state.withLock { ($0.terminal.columns, $0.terminal.rows) } }
    /// What stands in the cursor's row.
    var cursorLine: String { state.withLock { $0.terminal.rowText($0.terminal.cursor.row) } }
    var hasExited: Bool { state.withLock { $0.exit != nil } }

    func noteExit(_ exit: Exit) { state.withLock { $0.exit = exit } }
    func setSubmitting(_ on: Bool) { state.withLock { $0.isSubmitting = on } }
    func set(_ status: PodStatus) { state.withLock { $0.status = status } }

    func writer(now: Timestamp) -> Author? { state.withLock { $0.lease.current(at: now)?.author } }

    /// A viewer keeps the view's changes coming, and may say its size. Returns the size the pod should take, if another.
    func watch(viewer: String, columns: Int?, rows: Int?, now: Timestamp, masked: Bool = false) -> (columns: Int, rows: Int)? {
        state.withLock { state in
            state.lastTouched = now
            state.view.watch(until: now + ViewPacing.lease, masked: masked)
            guard let columns, let rows else { return nil }
            return state.sizes.set(viewer, columns: columns, rows: rows, now: now, current: (state.terminal.columns, state.terminal.rows))
        }
    }

    /// A viewer left. Returns the size the pod should take, if another.
    func release(viewer: String, now: Timestamp) -> (columns: Int, rows: Int)? {
        state.withLock { state in
            _ = state.lease.release(viewer: viewer)
            return state.sizes.remove(viewer, current: (state.terminal.columns, state.terminal.rows))
        }
    }

    /// Viewers that have not said their size for a while have left. Returns the size the pod should take, if another.
    func expireSizes(now: Timestamp) -> (columns: Int, rows: Int)? {
        state.withLock { state in
            state.sizes.expire(now: now, current: (state.terminal.columns, state.terminal.rows))
        }
    }

    /// Whether the relay may forget this pod: it has ended, and nobody has asked for a while.
    func isForgettable(now: Timestamp, after idle: Duration) -> Bool {
        state.withLock { state in
            (state.exit != nil || state.standing == .empty || state.standing == .foreign) && now - state.lastTouched > idle && !state.view.isWatched(at: now)
        }
    }

    // MARK: - View

    /// A change of the view to publish, if any is due.
    func takeViewDelta(now: Timestamp, force: Bool = false) -> ViewChange? {
        state.withLock { state in
            guard state.standing == .inStep, force || state.view.isWatched(at: now) else { return nil }
            let terminal = state.terminal
            return state.view.take(terminal, seq: state.seq, time: state.time, now: now, force: force, redactor: redactor)
        }
    }

    /// How long until a view's keyframe may be given: a synchronized update is finished or given up first.
    func viewHold(now: Timestamp) -> Duration? {
        state.withLock { state in
            let terminal = state.terminal
            state.view.look(terminal, now: now)
            return state.view.hold(now: now)
        }
    }

    func nextView(now: Timestamp) -> Next {
        state.withLock { state in
            guard state.standing == .inStep else { return .nothing }
            return state.nextView(now: now)
        }
    }
}

extension Frame {
    /// Whether a recording begins here that somebody imports.
    var isImportedStart: Bool {
        guard kind == .ctl, seq == 1, case .start(let start)? = try? JSON.decode(Control.self, from: bytes) else { return false }
        return start.imported == true
    }
}

extension LivePod.State {
    /// The engine, with everything applied.
    var terminal: Terminal {
        mutating get {
            catchUp()
            return engine
        }
        set {
            lagging = []
            laggingBytes = 0
            engine = newValue
        }
    }

    private mutating func lag(_ output: [UInt8]) {
        lagging.append(output)
        laggingBytes += output.count
        if laggingBytes > LivePod.laggingLimit { catchUp() }
    }

    private mutating func catchUp() {
        guard !lagging.isEmpty else { return }
        for output in lagging {
            engine.feed(output)
            _ = engine.takeReplies()
            _ = engine.takeEvents()
        }
        lagging.removeAll(keepingCapacity: laggingBytes < 64 << 10)
        laggingBytes = 0
    }

    private mutating func skipOrCatchUp(key: [UInt8]) {
        guard laggingBytes >= LivePod.skippedBytes, let snapshot = try? Zstd.decompress(key, limit: 256 << 20),
            let restored = try? Terminal(snapshot: snapshot)
        else { return catchUp() }
        terminal = restored
        view.restart()
    }

    mutating func nextView(now: Timestamp) -> LivePod.Next {
        guard view.isWatched(at: now) else { return .nothing }
        let terminal = terminal
        return view.next(terminal, seq: seq, now: now)
    }

    /// Applies the frame after `seq`. False: what follows cannot be known from it (output was lost).
    mutating func apply(_ frame: Frame) -> Bool {
        seq = frame.seq
        time = frame.time
        var isKnown = true
        switch frame.kind {
        case .out:
            outSeq = frame.seq
            outAt = .now
            lag(frame.bytes)
        case .ctl:
            isKnown = apply(control: frame.bytes)
        case .key:
            ring.keep(.init(seq: frame.seq - 1, snapshot: frame.bytes))
            skipOrCatchUp(key: frame.bytes)
            return true
        case .in:
            break
        }
        if !ring.append(frame), let snapshot = try? Zstd.compress(terminal.snapshot()) {
            ring.keep(.init(seq: frame.seq, snapshot: snapshot))
        }
        return isKnown
    }

    private mutating func apply(control bytes: [UInt8]) -> Bool {
        // A control frame that cannot be read keeps its place in the log and changes nothing.
        guard let control = try? JSON.decode(Control.self, from: bytes) else { return true }
        switch control {
        case .start(let start):
            terminal = Terminal(columns: start.columns, rows: start.rows, scrollback: LivePod.scrollback)
            view.restart()
        case .resize(let columns, let rows, _):
            terminal.resize(columns: columns, rows: rows)
        case .exit(let exit):
            self.exit = exit
        case .gap:
            return false
        case .signal, .marker, .held, .released, .process, .hook, .other:
            break
        }
        return true
    }

    mutating func reset() {
        terminal = Terminal(columns: 80, rows: 24, scrollback: LivePod.scrollback)
        seq = 0
        outSeq = 0
        ring.removeAll()
        view.restart()
    }

    /// Takes the state after frame `seq`.
    mutating func install(compressed: [UInt8], seq: UInt64, time: Timestamp) -> Bool {
        guard let snapshot = try? Zstd.decompress(compressed, limit: 256 << 20), let restored = try? Terminal(snapshot: snapshot)
        else { return false }
        terminal = restored
        self.seq = seq
        outSeq = max(outSeq, seq)
        self.time = time
        ring.removeAll()
        ring.keep(.init(seq: seq, snapshot: compressed))
        view.restart()
        standing = .inStep
        return true
    }

    /// Frames that came before the one who numbers them said that his newest is `newest`, and that are beyond it, are nobody's.
    mutating func dropForged(newest: UInt64) {
        let early = waiting.prefix(waitingAtRequest).filter { $0.seq <= newest }
        waiting = early + waiting.dropFirst(waitingAtRequest)
        waitingAtRequest = 0
    }

    /// Applies what has waited. False: it does not follow.
    mutating func drain() -> Bool {
        let frames = waiting
        waiting = []
        waitingBytes = 0
        for (index, frame) in frames.enumerated() where frame.seq > seq {
            guard frame.seq == seq + 1, apply(frame) else {
                waiting = Array(frames[index...])
                waitingBytes = waiting.reduce(0) { $0 + $1.bytes.count }
                standing = .repairing
                isDoubted = false
                return false
            }
        }
        standing = .inStep
        isDoubted = false
        return true
    }

    mutating func wait(_ frame: Frame) {
        waiting.append(frame)
        waitingBytes += frame.bytes.count
        while waitingBytes > LivePod.waitingLimit, waiting.count > 1 {
            waitingBytes -= waiting.removeFirst().bytes.count
            waitingAtRequest = max(0, waitingAtRequest - 1)
        }
    }

    mutating func beginRepair() -> LivePod.Next {
        standing = .repairing
        isDoubted = false
        return .repair
    }

    mutating func render(_ format: Attach.Format, scrollback: Int, writer: Author?, masked: Redactor?) -> [UInt8] {
        switch format {
        case .snapshot: (try? Zstd.compress(terminal.snapshot())) ?? []
        case .ansi: terminal.ansi(history: scrollback)
        case .view:
            ViewEncoder.keyframe(
                masked.map { ScreenRedaction(terminal, $0).screen(terminal) } ?? terminal.fullDelta(), seq: seq, time: time, writer: writer)
        case .text: ScreenDump.text(terminal, scrollback: scrollback)
        case .cells: ScreenDump.cells(terminal)
        }
    }
}
