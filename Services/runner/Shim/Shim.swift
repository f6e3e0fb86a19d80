internal import Bus
internal import CPty
internal import Compression
public import Contract
internal import RunnerClient
internal import Terminal
internal import Traces

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// One pod: owns its terminal, numbers its frames, keeps them until the stream has them, and obeys requests.
///
/// Everything happens on the thread that calls `run`; other threads only leave things in its inbox.
public final class Shim {
    let spec: ShimSpec
    let directory: PodDirectory
    let spool: Spool
    let busLoop = BusLoop()
    let inbox: ShimInbox
    let publisher: FramePublisher
    let link: BusLink
    let terminal: Terminal
    let pty: PseudoTerminal
    private let lock: Int32
    private let signalled: Int32
    var signals: PodSignals
    private let hooks: HookSocket?

    /// Output that was read and is no frame yet.
    var output: [UInt8] = []
    var pacing = OutputPacing()
    /// For pods whose secrets are not to be recorded at all.
    var hiding: RecordHiding?
    var keyPacing = KeyframePacing(.now)
    /// The newest output or resize that changed what is on the screen: what a write's `if_seq` is compared with.
    var newestChange: UInt64 = 0
    /// The newest input, and those that may be typed but once, by their names. The shim ends with its program: nobody else can type.
    var newestInput: UInt64 = 0
    var onceWritten: [String: UInt64] = [:]
    var onceOrder: [String] = []
    /// Frames that the disk refused; tried again.
    private var unwritten: [Frame] = []
    private var nextSeq: UInt64
    private var lastTime: Timestamp

    private var limit: SpoolLimit
    /// Bytes dropped since the spool became full (`on_full = drop`).
    private var droppedBytes: UInt64 = 0
    private var isHolding = false

    private var state: ShimState
    private var exit: Exit?
    private var drainDeadline: ContinuousClock.Instant?
    private var quietDeadline: ContinuousClock.Instant?
    private var isFinished = false
    /// Something was typed in this turn.
    var hasTyped = false
    var stopDeadline: ContinuousClock.Instant?
    private var stopAuthor: Author?
    private var nextSync: ContinuousClock.Instant?
    private var nextRetry: ContinuousClock.Instant?

    /// Starts the pod's program as `spec.json` in `path` says.
    /// - Throws: what whoever wanted the pod should read; nothing runs then.
    public init(directory path: String) throws(ErrorBody) {
        directory = PodDirectory(path)
        do { spec = try directory.readSpec() } catch { throw ErrorBody(.badRequest, "cannot use \(path)/spec.json: \(error)") }
        guard let lock = directory.takeLock() else { throw ErrorBody(.conflict, "another shim runs pod \(spec.pod)") }
        self.lock = lock
        if directory.readState() != nil { throw ErrorBody(.conflict, "pod \(spec.pod) was started before") }
        signalled = cpty_signals()
        guard signalled >= 0 else { throw ErrorBody(.unavailable, "no signal descriptor: \(String(cString: strerror(errno)))") }
        spool = try Spool(directory: directory.spool, pod: spec.pod)
        nextSeq = spool.newest + 1
        lastTime = spool.newestTime
        inbox = ShimInbox(loop: busLoop)
        publisher = FramePublisher(pod: spec.pod, spool: spool, inbox: inbox)
        link = BusLink(spec, inbox: inbox, loop: busLoop)
        limit = SpoolLimit(cap: spec.spoolCapBytes)
        terminal = Terminal(columns: spec.columns, rows: spec.rows)
        hiding = try spec.hides.map { lines throws(ErrorBody) in try RecordHiding(lines: lines) }
        hooks = HookSocket(directory: path, pod: spec.pod, inbox: inbox)
        var environment = spec.environment
        environment[PodSocket.variable] = hooks?.path
        pty = try PseudoTerminal(
            argv: spec.argv, environment: environment, directory: spec.cwd, columns: spec.columns, rows: spec.rows)
        signals = PodSignals(root: pty.pid, agent: spec.agent, .now)
        state = ShimState(phase: .running, shimPid: getpid(), pid: pty.pid)
        do { try directory.write(state) } catch { log("cannot write state.json: \(error)") }
        if let trace = spec.traceparent.flatMap({ TraceContext($0) }) { log("started", trace: trace) }
        emit(
            .start(
                .init(
                    argv: hiding?.command(spec.argv) ?? spec.argv, cwd: spec.cwd, columns: spec.columns, rows: spec.rows, pid: pty.pid, runner: spec.runner,
                    name: spec.name, agent: spec.agent, resumedFrom: spec.resumedFrom)))
    }

    /// The program's process.
    public var pid: Int32 { pty.pid }

    /// Runs until the program has ended and the stream holds every frame.
    public func run() {
        link.start()
        hooks?.start()
        while !(isFinished && unwritten.isEmpty && spool.acked >= spool.newest) {
            turn()
        }
        state.phase = .done
        do { try directory.write(state) } catch { log("cannot write state.json: \(error)") }
        hooks?.stop()
        publisher.detach()
        spool.destroy()
    }

    // MARK: - The loop

    private func turn() {
        var descriptors = [
            pollfd(fd: inbox.descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: signalled, events: Int16(POLLIN), revents: 0),
        ]
        var wantsTerminal = false
        if !isFinished && !pty.isHungUp {
            let events = (reads ? Int16(POLLIN) : 0) | (pty.waitingBytes > 0 ? Int16(POLLOUT) : 0)
            // Without any event wanted, a hang-up would still wake us, again and again.
            wantsTerminal = events != 0
            if wantsTerminal { descriptors.append(pollfd(fd: pty.master, events: events, revents: 0)) }
        }
        let busStart = descriptors.count
        busLoop.appendDescriptors(to: &descriptors)
        poll(&descriptors, nfds_t(descriptors.count), timeout())

        busLoop.turn(descriptors[busStart...])
        for event in inbox.take(isSignalled: descriptors[0].revents != 0) { obey(event) }
        hearEcho()
        if descriptors[1].revents != 0 { takeSignals() }
        if (wantsTerminal && descriptors[2].revents != 0) || isDraining {
            if pty.waitingBytes > 0 { pty.flush() }
            if reads { readOutput() }
        }
        let now = ContinuousClock.now
        if pacing.isDue(now, waitingBytes: output.count) { emitOutput(now) }
        if let deadline = hiding?.deadline, now >= deadline { releaseHidden(now) }
        if !limit.isFull { lookAtSignals(now) }
        if let deadline = keyPacing.deadline, now >= deadline, !limit.isFull, !isFinished { emitKeyframe(now) }
        enforceStop(now)
        finishIfDrained(now)
        retryUnwritten(now)
        do throws(ErrorBody) { try publisher.pump() } catch { log("\(error)") }
        checkLimit()
        syncWhileAlone(now)
        busLoop.flush()
    }

    var hasExited: Bool { exit != nil }

    var readsNow: Bool { reads && !isFinished }

    private var isDraining: Bool { exit != nil && !isFinished }

    /// Whether output is read now: a held program waits at its full terminal, except to say its last words.
    private var reads: Bool { isDraining || (!isHolding && unwritten.isEmpty) }

    private func timeout() -> Int32 {
        let now = ContinuousClock.now
        var deadlines: [ContinuousClock.Instant?] = [pacing.deadline, hiding?.deadline, nextSync, nextRetry, stopDeadline]
        if !limit.isFull { deadlines.append(signals.pacing.deadline) }
        if !limit.isFull && !isFinished { deadlines.append(keyPacing.deadline) }
        if isDraining { deadlines += [quietDeadline, drainDeadline] }
        if limit.isFull { deadlines.append(now + .seconds(1)) }
        if pty.isHungUp && exit == nil { deadlines.append(now + .seconds(1)) }
        guard let first = deadlines.compactMap({ $0 }).min() else { return -1 }
        // Rounded up, so that a deadline is over when we wake.
        let wait = (first - now).components
        let milliseconds = wait.seconds * 1000 + (wait.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(clamping: max(0, milliseconds))
    }

    private func takeSignals() {
        while true {
            switch cpty_signals_next(signalled) {
            case 0: return
            case SIGCHLD:
                guard exit == nil, let status = pty.reap() else { continue }
                exit = status
                state.exit = status
                state.phase = .exited
                do { try directory.write(state) } catch { log("cannot write state.json: \(error)") }
                let now = ContinuousClock.now
                drainDeadline = now + .seconds(2)
                quietDeadline = now + .milliseconds(100)
            default:
                // Whoever wants us gone must end the program first: the terminal lives as long as we do.
                log("a signal was ignored; stop the pod to end it")
            }
        }
    }

    private func obey(_ event: ShimInbox.Event) {
        switch event {
        case .request(let verb, let message): answer(verb, message)
        case .hook(let report): take(report)
        case .attached(let connection):
            if spool.acked == 0 && publisher.current == nil {
                attach(connection, newest: 0)
            } else {
                link.resolve(connection)
            }
        case .resolved(let newest, _, let connection): attach(connection, newest: newest)
        case .busMoved: break
        }
    }

    private func attach(_ connection: BusConnection, newest: UInt64) {
        do throws(BusError) { try publisher.attach(connection, newest: newest) } catch { log("cannot publish: \(error)") }
    }

    // MARK: - Output

    /// How long what was typed waits for its echo.
    private static let echoPatience = Duration.microseconds(400)

    /// Most programs echo at once: what was typed, the answer to who typed it, and the echo then leave together, and everybody who
    /// follows the pod wakes up once instead of twice.
    private func hearEcho() {
        guard hasTyped else { return }
        hasTyped = false
        guard readsNow, output.isEmpty, pty.waitForOutput(Self.echoPatience) else { return }
        readOutput()
    }

    /// What Linux' terminals hand over at most, less a little.
    private static let pageOfTerminal = 2048

    /// Reads what is there, at most one frame's worth.
    func readOutput() {
        while output.count < OutputPacing.largest {
            switch pty.read(into: &output, atMost: OutputPacing.largest - output.count) {
            case .bytes(let count):
                let now = ContinuousClock.now
                pacing.received(now)
                signals.pacing.activity(now)
                if isDraining { quietDeadline = now + .milliseconds(100) }
                // A terminal gives up to a page at once: less means that no more is there, or that the poll will say so.
                if count < Self.pageOfTerminal { return }
            case .nothing, .hungUp: return
            }
        }
    }

    func emitOutput(_ now: ContinuousClock.Instant) {
        let bytes = output
        output.removeAll(keepingCapacity: bytes.count < 4096)
        pacing.emitted(now)
        guard !bytes.isEmpty else { return }
        show(hiding?.pass(bytes, now) ?? bytes, now)
    }

    /// What was held back, as it may have become a secret, and what the record says of those that did.
    private func releaseHidden(_ now: ContinuousClock.Instant, isLast: Bool = false) {
        show(hiding?.release() ?? [], now)
        if let text = hiding?.mark(now, isLast: isLast) { emit(.marker(text: text, author: Author(kind: .system, id: "redaction"))) }
    }

    /// Publishes output and looks at it ourselves.
    private func show(_ bytes: [UInt8], _ now: ContinuousClock.Instant) {
        guard !bytes.isEmpty else { return }
        var seq: UInt64?
        if limit.isFull && spec.onFull == .drop {
            droppedBytes += UInt64(bytes.count)
        } else {
            // It leaves before we look at it ourselves: somebody waits for it.
            seq = emit(.out, bytes)
            busLoop.flush()
        }
        let version = terminal.screenVersion
        terminal.feed(bytes)
        // We are the terminal: its answers go back here and nowhere else.
        let replies = terminal.takeReplies()
        _ = terminal.takeEvents()
        keyPacing.output(bytes.count, now)
        if let seq, terminal.screenVersion != version { newestChange = seq }
        if !replies.isEmpty { pty.write(replies) }
    }

    func emitKeyframe(_ now: ContinuousClock.Instant) {
        keyPacing.made(now)
        guard let packed = packedScreen() else { return }
        // Larger than a stock server's messages: consumers then go on from the one before.
        guard packed.count < 900 << 10 else { return log("a keyframe of \(packed.count) bytes was left out") }
        emit(.key, packed)
    }

    func packedScreen() -> [UInt8]? {
        do {
            return try Zstd.compress(terminal.snapshot())
        } catch {
            log("a keyframe could not be compressed: \(error)")
            return nil
        }
    }

    @discardableResult
    func emit(_ control: Control) -> UInt64 {
        do {
            return emit(.ctl, try JSON.encode(control))
        } catch {
            log("a control frame could not be encoded: \(error)")
            return nextSeq - 1
        }
    }

    /// Adds a frame to the log. The number is given even when the disk refuses: the frame is tried again before any other.
    @discardableResult
    func emit(_ kind: FrameKind, _ bytes: [UInt8], author: Author? = nil, via: String? = nil) -> UInt64 {
        lastTime = max(lastTime, .now())
        let frame = Frame(pod: spec.pod, seq: nextSeq, time: lastTime, kind: kind, bytes: bytes, author: author, via: via)
        nextSeq += 1
        guard unwritten.isEmpty else {
            unwritten.append(frame)
            return frame.seq
        }
        do throws(ErrorBody) {
            try spool.append(frame)
            publisher.offer(frame)
        } catch {
            log("\(error); the agent waits until the disk takes it")
            unwritten.append(frame)
        }
        return frame.seq
    }

    /// The newest frame's number and time.
    var newestSeq: UInt64 { nextSeq - 1 }
    var newestTime: Timestamp { lastTime }

    private func retryUnwritten(_ now: ContinuousClock.Instant) {
        guard !unwritten.isEmpty else { return nextRetry = nil }
        guard nextRetry.map({ now >= $0 }) ?? true else { return }
        nextRetry = now + .seconds(1)
        while let frame = unwritten.first {
            do throws(ErrorBody) { try spool.append(frame) } catch { return }
            unwritten.removeFirst()
            publisher.offer(frame)
        }
        nextRetry = nil
    }

    // MARK: - The spool's room

    private func checkLimit() {
        let wasFull = limit.isFull
        var disk: (free: UInt64, total: UInt64)?
        if limit.wantsDisk(spoolBytes: spool.bytes) {
            var free: UInt64 = 0
            var total: UInt64 = 0
            if cpty_disk(directory.path, &free, &total) == 0 { disk = (free, total) }
        }
        let isFull = limit.update(spoolBytes: spool.bytes, disk: disk)
        guard isFull != wasFull else { return }
        if isFull {
            log("the spool is full at \(spool.bytes) bytes; \(spec.onFull == .hold ? "the agent waits" : "output is dropped")")
            isHolding = spec.onFull == .hold
            if isHolding { emit(.held(spoolBytes: spool.bytes)) }
            raiseAlarm()
        } else {
            if isHolding { emit(.released) }
            isHolding = false
            endGap()
        }
    }

    private func endGap() {
        guard droppedBytes > 0 else { return }
        emit(.gap(bytes: droppedBytes, reason: "the spool was full"))
        droppedBytes = 0
        // Whoever followed the output needs the state behind the gap.
        emitKeyframe(.now)
    }

    private func raiseAlarm() {
        struct Alarm: Encodable {
            var pod: PodID
            var time: Timestamp
            var spoolBytes: UInt64
            var onFull: PodSpec.OnFull
        }
        guard let connection = publisher.current, connection.isConnected,
            let payload = try? JSON.encode(Alarm(pod: spec.pod, time: .now(), spoolBytes: spool.bytes, onFull: spec.onFull))
        else { return }
        do {
            try connection.publish(Subjects.event("pod", spec.pod.text, "spool_full"), payload: payload)
        } catch {
            log("the alarm could not be sent: \(error)")
        }
    }

    /// Once a second while frames wait for the stream, so that a power cut costs little.
    private func syncWhileAlone(_ now: ContinuousClock.Instant) {
        guard spool.acked < spool.newest else { return nextSync = nil }
        guard let due = nextSync else { return nextSync = now + .seconds(1) }
        guard now >= due else { return }
        // Without this, an unacknowledged frame of a silent pod would wake us for ever.
        nextSync = spool.sync() ? now + .seconds(1) : now + .seconds(30)
    }

    // MARK: - The end

    /// Asks the program politely to end, and by force after `grace`.
    func stop(grace: Duration, author: Author) {
        stopDeadline = .now + grace
        stopAuthor = author
        // To the leader's own group as well: an interactive shell ignores SIGTERM and passes SIGHUP on to its jobs.
        for signal in [SIGHUP, SIGTERM] {
            _ = pty.signal(signal)
            kill(-pty.pid, signal)
        }
        // A stopped program hears nothing.
        kill(-pty.pid, SIGCONT)
    }

    private func enforceStop(_ now: ContinuousClock.Instant) {
        guard let deadline = stopDeadline, now >= deadline else { return }
        stopDeadline = nil
        guard exit == nil else { return }
        emit(.signal(name: "KILL", author: stopAuthor))
        _ = pty.signal(SIGKILL)
        kill(-pty.pid, SIGKILL)
    }

    /// The program's last output comes before its exit. Others may keep its terminal open: they get a moment.
    private func finishIfDrained(_ now: ContinuousClock.Instant) {
        guard isDraining, let exit else { return }
        let isQuiet = output.isEmpty && (quietDeadline.map { now >= $0 } ?? true)
        guard pty.isHungUp || isQuiet || (drainDeadline.map { now >= $0 } ?? true) else { return }
        emitOutput(now)
        releaseHidden(now, isLast: true)
        if droppedBytes > 0 { endGap() } else { emitKeyframe(now) }
        emit(.exit(exit))
        spool.sync()
        isFinished = true
        nextSync = nil
        pty.dropWaiting()
    }
}
