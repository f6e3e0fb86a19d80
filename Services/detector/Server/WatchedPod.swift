internal import Agents
internal import Compression
internal import Contract
internal import Detection
internal import Synchronization
internal import Terminal

/// One pod as the detector follows it: frames in order, each once; what is missing is fetched before it goes on.
///
/// Frames come from the bus's threads, ticks from the timer's. Nothing here talks to the network: what is to be done is returned, and
/// changes of status go to `tell`, in order, under the pod's lock.
final class WatchedPod: Sendable {
    enum Standing: Equatable {
        /// Nothing is known yet.
        case empty
        case inStep
        /// What is missing is being fetched; frames wait.
        case loading
        case ended
    }

    enum Next: Equatable {
        case nothing
        /// Fetch what is missing, then `install` or `catchUp`.
        case load
        /// Tick then, unless something comes before.
        case wake(ContinuousClock.Instant)
        /// The pod has ended.
        case ended
    }

    /// Bytes of frames that may wait. Beyond, the oldest go: they are fetched from the stream.
    static let waitingLimit = 4 << 20

    let pod: PodID
    private let rules: @Sendable () -> Rulebook
    private let waits: @Sendable (PodID) -> [Wait]?
    private let tell: @Sendable (PodID, PodStatus, _ screen: () -> [String]) -> Void
    private let state: Mutex<State>

    init(
        _ pod: PodID, rules: @escaping @Sendable () -> Rulebook, waits: @escaping @Sendable (PodID) -> [Wait]? = { _ in nil },
        tell: @escaping @Sendable (PodID, PodStatus, _ screen: () -> [String]) -> Void
    ) {
        self.pod = pod
        self.rules = rules
        self.waits = waits
        self.tell = tell
        state = Mutex(State())
    }

    /// Touched under the lock only.
    struct State {
        var standing = Standing.empty
        var detector: Detector?
        var origin: PodOrigin?
        var manifest: String?
        var rulesVersion: UInt64 = 0
        var seq: UInt64 = 0
        var time = Timestamp(microseconds: 0)
        var clock = PodClock()
        var waiting: [Frame] = []
        var waitingBytes = 0
        /// Frames may have been lost since the last look at the stream.
        var isDoubted = false
        /// The newest change that was told before us: what is not newer is not told again.
        var told: (seq: UInt64, since: Timestamp)?
        /// The ticks that are booked and did not come yet, each earlier than the one before.
        var booked: [ContinuousClock.Instant] = []
        /// Something was told by this detector.
        var hasTold = false
        /// The newest frame that the kept memory has.
        var remembered: UInt64 = 0
        var endedAt: ContinuousClock.Instant?
        /// Before this moment nothing that could be missing is fetched again.
        var restUntil: ContinuousClock.Instant?
    }

    // MARK: - Frames

    /// Takes a frame as it came from the bus. Duplicates are ignored.
    func receive(_ frame: Frame, now: ContinuousClock.Instant) -> Next {
        state.withLock { state in
            switch state.standing {
            case .ended: return .nothing
            case .inStep where frame.seq <= state.seq: return .nothing
            case .empty where frame.seq == 1, .inStep where frame.seq == state.seq + 1:
                let isFirst = state.standing == .empty
                state.standing = .inStep
                state.clock.note(frame.time, now)
                apply(frame, &state)
                // Of its wait was perhaps told before its first frame came here: on another subscription, and once.
                if isFirst, state.standing == .inStep, state.origin?.imported != true { learnWaits(now, &state) }
                return next(&state, now)
            case .empty, .inStep, .loading:
                state.wait(frame)
                return beginLoading(&state, now)
            }
        }
    }

    private func beginLoading(_ state: inout State, _ now: ContinuousClock.Instant) -> Next {
        guard state.standing != .loading, state.restUntil.map({ now >= $0 }) ?? true else { return .nothing }
        state.standing = .loading
        return .load
    }

    /// Frames may have been lost on their way, and none may come any more that would show it.
    func doubt() { state.withLock { $0.isDoubted = true } }

    /// What is to be done about it, until it was looked what the stream has.
    func settleDoubt(_ now: ContinuousClock.Instant) -> Next {
        state.withLock { state in
            guard state.isDoubted, state.standing == .inStep, state.detector != nil else { return .nothing }
            return beginLoading(&state, now)
        }
    }

    /// True if nothing is known of the pod and nobody fetches it: the caller does.
    func needsLoading() -> Bool {
        state.withLock { state in
            guard state.standing == .empty else { return false }
            state.standing = .loading
            return true
        }
    }

    private func next(_ state: inout State, _ now: ContinuousClock.Instant) -> Next {
        if state.standing == .ended {
            state.endedAt = now
            return .ended
        }
        return book(&state, now)
    }

    /// Books a tick where one is needed earlier than any that is booked. Those that are booked stay: the next one that comes looks whether another is
    /// needed before the one behind it.
    private func book(_ state: inout State, _ now: ContinuousClock.Instant) -> Next {
        guard state.standing == .inStep, state.origin?.imported != true, let wakeAt = state.detector?.wakeAt else { return .nothing }
        // A frame that was made before that moment may still be on its way.
        let moment = max(now, state.clock.moment(wakeAt, now) + .milliseconds(3))
        if let booked = state.booked.last, booked <= moment { return .nothing }
        state.booked.append(moment)
        return .wake(moment)
    }

    /// A booked moment is there.
    func tick(now: ContinuousClock.Instant) -> Next {
        state.withLock { state in
            while let booked = state.booked.last, booked <= now { state.booked.removeLast() }
            guard state.standing == .inStep else { return .nothing }
            tick(until: state.clock.time(now), &state)
            return book(&state, now)
        }
    }

    /// Lets the time pass for the detector, at the moments that it named: then a replay says what was said live.
    private func tick(until time: Timestamp, _ state: inout State) {
        for _ in 0..<64 {
            guard let wakeAt = state.detector?.wakeAt, wakeAt <= time else { return }
            state.time = max(state.time, wakeAt)
            take(.tick, at: state.time, &state)
        }
        // A detector that asks for ticks without end gets one now and the next later.
        state.time = max(state.time, time)
        take(.tick, at: time, &state)
    }

    private func take(_ signal: Signal, at time: Timestamp, _ state: inout State) {
        guard let status = state.detector?.take(signal, at: time, seq: state.seq) else { return }
        if let told = state.told, (status.seq, status.since) <= told { return }
        tell(pod, status) { state.detector?.screenText() ?? [] }
        state.hasTold = true
    }

    private func apply(_ frame: Frame, _ state: inout State) {
        tick(until: frame.time, &state)
        state.seq = frame.seq
        state.time = max(state.time, frame.time)
        let time = state.time
        switch frame.kind {
        case .out: take(.output(frame.bytes), at: time, &state)
        case .in: take(.input(frame.bytes, author: frame.author), at: time, &state)
        case .key: break
        case .ctl:
            // A control frame that cannot be read keeps its place in the log and changes nothing.
            guard let control = try? JSON.decode(Control.self, from: frame.bytes) else { return }
            apply(control, at: time, &state)
        }
    }

    private func apply(_ control: Control, at time: Timestamp, _ state: inout State) {
        switch control {
        case .start(let start):
            let rules = rules()
            let origin = PodOrigin(start)
            let manifest = rules.manifest(origin)
            state.origin = origin
            state.use(manifest, rules)
            state.detector = Detector(manifest: manifest, fallback: rules.fallback, columns: origin.columns, rows: origin.rows)
        case .resize(let columns, let rows, _):
            state.origin?.columns = columns
            state.origin?.rows = rows
            take(.resize(columns: columns, rows: rows), at: time, &state)
        case .process(let report):
            follow(report, &state)
            take(.process(report), at: time, &state)
        case .hook(let report): take(.hook(report), at: time, &state)
        case .exit(let exit):
            take(.exit(exit), at: time, &state)
            state.standing = .ended
        case .gap, .signal, .marker, .held, .released, .other: break
        }
    }

    private func follow(_ report: ProcessReport, _ state: inout State) {
        let rules = rules()
        guard let origin = state.origin else { return }
        let wanted = rules.manifest(origin, running: report)
        guard wanted?.name != state.manifest else { return }
        state.use(wanted, rules)
        state.detector?.use(wanted, fallback: rules.fallback)
    }

    // MARK: - Loading

    /// Where to go on, for whoever fetches what is missing; nil where nothing is known.
    var position: UInt64? { state.withLock { $0.detector == nil ? nil : $0.seq } }

    var standing: Standing { state.withLock { $0.standing } }

    var origin: PodOrigin? { state.withLock { $0.origin } }

    /// The newest frame that waits.
    var newestWaiting: UInt64? { state.withLock { $0.waiting.last?.seq } }

    /// What was told of the pod before.
    func note(told: PodStatus?) {
        guard let told else { return }
        state.withLock { $0.told = (told.seq, told.since) }
    }

    /// Goes on from a state of the engine.
    /// - Parameter memory: what a detector remembered beside it.
    func install(snapshot: [UInt8], seq: UInt64, time: Timestamp, origin: PodOrigin, manifest: String?, memory: DetectorMemory?) -> Bool {
        state.withLock { state in
            guard let terminal = try? Terminal(snapshot: snapshot) else { return false }
            let rules = rules()
            let used = manifest.flatMap { rules.manifest(named: $0) } ?? rules.manifest(origin)
            state.use(used, rules)
            state.origin = origin
            // A keyframe that a shim gave in the middle of its work: what was known of the pod beyond its screen stands.
            let memory = memory ?? state.detector?.carried
            state.detector = Detector(manifest: used, fallback: rules.fallback, terminal: terminal, carried: memory)
            state.seq = seq
            state.time = max(state.time, time)
            state.remembered = seq
            return true
        }
    }

    /// Takes frames that were fetched, as far as they follow. True: everything up to `newest`, and all that waited, is done.
    func catchUp(_ frames: [Frame], newest: UInt64, now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            for frame in frames { applyIfNext(frame, &state) }
            let waiting = state.waiting
            state.waiting = []
            state.waitingBytes = 0
            for frame in waiting { applyIfNext(frame, &state) }
            if state.standing == .ended { return true }
            for frame in waiting where frame.seq > state.seq { state.wait(frame) }
            return state.seq >= newest && state.waiting.isEmpty
        }
    }

    private func applyIfNext(_ frame: Frame, _ state: inout State) {
        guard state.standing != .ended, frame.seq == state.seq + 1, state.detector != nil || frame.seq == 1 else { return }
        apply(frame, &state)
    }

    /// Loading is over: what waits and does not follow is dropped, since it is nobody's.
    /// - Parameters:
    ///   - isLive: the pod may go on; false: nothing of it is to be had.
    ///   - isWhole: the stream had no more.
    func endLoading(isLive: Bool, isWhole: Bool = true, now: ContinuousClock.Instant) -> Next {
        state.withLock { state in
            if isWhole { state.isDoubted = false } else if state.detector != nil, !state.waiting.isEmpty { state.isDoubted = true }
            state.waiting = []
            state.waitingBytes = 0
            if state.standing == .ended { return next(&state, now) }
            guard isLive, state.detector != nil else {
                state.standing = .empty
                state.restUntil = now + .seconds(2)
                return .nothing
            }
            state.standing = .inStep
            // From here on the clock counts, for a pod whose newest frame is old.
            state.clock.note(max(state.time, .now()), now)
            if state.origin?.imported != true {
                learnWaits(now, &state)
            }
            return next(&state, now)
        }
    }

    func end(now: ContinuousClock.Instant) {
        state.withLock { state in
            state.standing = .ended
            state.detector = nil
            state.waiting = []
            state.endedAt = now
        }
    }

    // MARK: - Looks

    var status: PodStatus? { state.withLock { $0.detector?.status } }

    func isForgettable(_ now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in state.standing == .ended && state.endedAt.map { now - $0 > .seconds(60) } ?? true }
    }

    func explanation(now: ContinuousClock.Instant) -> StatusExplanation? {
        state.withLock { state in
            guard state.standing == .inStep, let detector = state.detector else { return nil }
            let time = state.origin?.imported == true ? state.time : max(state.time, state.clock.time(now))
            var explanation = detector.explanation(at: time)
            explanation.pod = pod
            return explanation
        }
    }

    /// Whether something was told and nothing is kept yet: from a first memory on, the stream says the rest.
    var needsFirstMemory: Bool { state.withLock { $0.hasTold && $0.remembered == 0 } }

    /// What another detector would need to go on; nil when that is kept already.
    func memory(streamFloor: UInt64, isForced: Bool) -> (meta: PodMemory, snapshot: [UInt8])? {
        state.withLock { state in
            guard state.standing == .inStep, let detector = state.detector, let origin = state.origin, isForced || state.seq != state.remembered
            else { return nil }
            state.remembered = state.seq
            return (
                PodMemory(
                    seq: state.seq, time: state.time, streamFloor: streamFloor, origin: origin, manifest: state.manifest, memory: detector.carried),
                detector.keyframe()
            )
        }
    }

    private func learnWaits(_ now: ContinuousClock.Instant, _ state: inout State) {
        let time = state.clock.time(now)
        tick(until: time, &state)
        guard let waits = waits(pod) else { return }
        state.time = max(state.time, time)
        take(.waits(waits), at: state.time, &state)
    }

    /// Its waits are others than before.
    func refreshWaits(now: ContinuousClock.Instant) -> Next {
        state.withLock { state in
            guard state.standing == .inStep, state.origin?.imported != true else { return .nothing }
            learnWaits(now, &state)
            return book(&state, now)
        }
    }

    /// Takes newer rules, if they concern this pod.
    func refreshRules(now: ContinuousClock.Instant) -> Next {
        state.withLock { state in
            let rules = rules()
            guard let origin = state.origin, state.detector != nil, state.rulesVersion != rules.version else { return .nothing }
            let manifest = state.manifest.flatMap { rules.manifest(named: $0) } ?? rules.manifest(origin)
            state.use(manifest, rules)
            state.detector?.use(manifest, fallback: rules.fallback)
            take(.tick, at: max(state.time, origin.imported ? state.time : state.clock.time(now)), &state)
            return book(&state, now)
        }
    }
}

extension WatchedPod.State {
    mutating func use(_ manifest: AgentManifest?, _ rules: Rulebook) {
        self.manifest = manifest?.name
        rulesVersion = rules.version
    }

    mutating func wait(_ frame: Frame) {
        waiting.append(frame)
        waitingBytes += frame.bytes.count
        while waitingBytes > WatchedPod.waitingLimit, waiting.count > 1 { waitingBytes -= waiting.removeFirst().bytes.count }
    }
}
