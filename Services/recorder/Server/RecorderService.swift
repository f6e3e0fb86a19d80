internal import Bus
internal import Contract
internal import Database
internal import Dispatch
internal import Logging
internal import Metrics
internal import Redaction
internal import Synchronization

/// What the recorder tells the world.
struct RecorderOutlets: Sendable {
    /// A pod's recording is complete and stored. Throws if it could not be told; it is tried again.
    var complete: @Sendable (PodID) async throws -> Void
    /// Something a person should know; `isActive` false when it is over.
    var alarm: @Sendable (_ what: String, _ message: String, _ isActive: Bool) -> Void
    /// A shard must stop taking frames until `resume`.
    var pause: @Sendable (Shard) -> Void
    var resume: @Sendable (Shard) -> Void
    /// A shard must be opened anew, from what is stored.
    var reopen: @Sendable (Shard) -> Void
}

/// The recorder's work on the shards it owns: takes frames, stores segments, answers where they are. Knows no bus.
final class RecorderService: Sendable {
    struct Settings: Sendable {
        var limits = PodRecorder.Limits()
        /// How long the newest frames may be in memory only; the stream holds them as long.
        var tailAge: Duration = .seconds(5)
        /// How often complete segments are stored.
        var flushInterval: Duration = .milliseconds(200)
        /// A silent pod is forgotten after this.
        var forgetAfter: Duration = .seconds(300)
        /// Bytes of frames in memory at which no more are taken until some are stored.
        var memoryBytes = 96 << 20
        var retention = RetentionPolicy()
        var redactor = Redactor.standard
    }

    private struct State {
        var shards: [Shard: ShardRecorder] = [:]
        var paused: Set<Shard> = []
        /// Of which stream the positions are: when it was made.
        var streams: [Shard: String] = [:]
        /// Pods whose recording is complete in memory or stored, and was not told.
        var unannounced: Set<PodID> = []
        var isAway = false
        /// Why nothing could be stored at the last attempt.
        var reason: String?
        var retryAt: ContinuousClock.Instant?
        var failures = 0
        var garbled: UInt64 = 0
    }

    let store: RecorderStore
    let settings: Settings
    let logger: Logger
    private let outlets: RecorderOutlets
    private let state = Mutex(State())
    private let unsavedBytes = Atomic<Int>(0)
    private static let longestRest = Duration.seconds(5)
    private let resting = Mutex<CheckedContinuation<Void, Never>?>(nil)
    private let storedSegments = Counter(label: "recorder.segments_sealed")
    private let storedBytes = Counter(label: "recorder.bytes_stored")
    private let outputBytes = Counter(label: "recorder.bytes_recorded")
    private let garbledFrames = Counter(label: "recorder.frames_garbled")
    /// From the newest frame of a segment to its being stored, by the clocks of both hosts.
    private let storeDelay = Timer(label: "recorder.store_delay")
    private let waiting = Gauge(label: "recorder.bytes_waiting")
    private let flushing = AsyncGate()
    private let workers = DispatchQueue(label: "recorder.read", attributes: .concurrent)

    init(store: RecorderStore, settings: Settings = Settings(), outlets: RecorderOutlets, logger: Logger) {
        self.store = store
        self.settings = settings
        self.outlets = outlets
        self.logger = logger
    }

    // MARK: - Shards

    /// Those that are read from another stream than this one.
    func strangers(to created: String) -> [Shard] {
        state.withLock { state in state.streams.filter { $0.value != created && state.shards[$0.key] != nil }.map(\.key) }
    }

    /// Takes over a shard. Gives the stream's sequence after which its frames are wanted.
    ///
    /// Of another stream than the one that was followed before (a backup was restored, or the bus lost its disk) it is the beginning: sequences
    /// begin anew there, and frames that are recorded already are known by their own.
    /// - Parameter stream: the stream as it is now; nil in tests that have none.
    func open(_ shard: Shard, _ stream: StreamInfo? = nil) async throws -> UInt64 {
        var stored = try await store.shard(shard)
        if let stream, stored.position > 0, stored.stream.map({ $0 != stream.created }) ?? (stored.position > stream.lastSequence) {
            logger.notice("the stream is another one than before; reading it from its beginning", metadata: ["shard": "\(shard)", "was": "\(stored.position)"])
            stored.position = 0
        }
        let known = Dictionary(
            stored.pods.map {
                ($0.pod, ShardRecorder.Known(first: $0.first, last: $0.last, firstSeq: $0.firstSeq, lastSeq: $0.lastSeq, isEnded: $0.isEnded))
            }, uniquingKeysWith: { first, _ in first })
        let recorder = ShardRecorder(shard: shard, position: stored.position, known: known, limits: settings.limits)
        state.withLock { state in
            state.shards[shard] = recorder
            state.streams[shard] = stream?.created
            state.unannounced.formUnion(stored.unannounced)
        }
        return stored.position
    }

    /// Gives a shard away, after storing what is in memory if `storing`.
    func close(_ shard: Shard, storing: Bool) async {
        if storing {
            do {
                try await flush(shard, tailAge: .zero)
            } catch {
                // The next owner finds the frames in the stream.
                logger.info("a shard was given away with frames that are not stored", metadata: ["shard": "\(shard)", "reason": "\(error)"])
            }
        }
        let recorder = state.withLock { state in
            state.paused.remove(shard)
            return state.shards.removeValue(forKey: shard)
        }
        if let recorder { unsavedBytes.subtract(recorder.close(), ordering: .relaxed) }
    }

    /// A shard that is being taken over answers when it is; nobody is left without an answer.
    func waitUntilOpen(_ shard: Shard) async throws {
        let deadline = ContinuousClock.now + .seconds(4)
        while self.shard(shard) == nil {
            guard ContinuousClock.now < deadline else {
                throw ErrorBody(.unavailable, "shard \(shard) is being taken over by this recorder; try again")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func shard(_ shard: Shard) -> ShardRecorder? { state.withLock { $0.shards[shard] } }
    var shards: [Shard] { state.withLock { Array($0.shards.keys) } }
    var isDatabaseAway: Bool { state.withLock { $0.isAway } }
    /// Why nothing can be stored; nil when it can.
    var trouble: String? { state.withLock { $0.isAway ? $0.reason ?? "the database is away" : nil } }
    var unsaved: Int { unsavedBytes.load(ordering: .relaxed) }

    // MARK: - Frames

    /// Takes a frame of the stream; called on the bus's thread.
    func take(_ frame: Frame, stream: UInt64) {
        let shard = frame.pod.shard
        guard let recorder = self.shard(shard) else { return }
        let taken = recorder.take(frame, stream: stream, now: .now)
        for gap in taken.gaps { report(gap, of: frame.pod) }
        if frame.kind == .out { outputBytes.increment(by: frame.bytes.count) }
        if taken.needsLoad { load(frame.pod, into: recorder) }
        if taken.isEnded { state.withLock { _ = $0.unannounced.insert(frame.pod) } }
        guard taken.bytes > 0 else { return }
        let total = unsavedBytes.add(taken.bytes, ordering: .relaxed).newValue
        if total == taken.bytes { resting.withLock { $0.take() }?.resume() }
        if total > settings.memoryBytes, state.withLock({ $0.paused.insert(shard).inserted }) { outlets.pause(shard) }
    }

    /// A message of the stream is no frame.
    func skip(_ shard: Shard, stream: UInt64, subject: String) {
        self.shard(shard)?.skip(stream: stream)
        garbledFrames.increment()
        let count = state.withLock { state in
            state.garbled += 1
            return state.garbled
        }
        // The first says all; a flood must not fill the log.
        if count == 1 || count % 1000 == 0 {
            logger.warning("a message is no frame and is passed over", metadata: ["subject": "\(subject)", "so far": "\(count)"])
        }
    }

    private func report(_ gap: ClosedRange<UInt64>, of pod: PodID) {
        logger.error("frames are missing", metadata: ["pod": "\(pod)", "first": "\(gap.lowerBound)", "last": "\(gap.upperBound)"])
        outlets.alarm("gap", "frames \(gap.lowerBound) to \(gap.upperBound) of pod \(pod) are not in the stream", true)
    }

    private func load(_ pod: PodID, into recorder: ShardRecorder) {
        Task {
            var pause = Duration.milliseconds(50)
            while self.shard(recorder.shard) === recorder {
                do {
                    try recorder.load(pod, try await store.tail(pod), now: .now)
                    return
                } catch {
                    noteTrouble(error, doing: "reading pod \(pod)")
                    try? await Task.sleep(for: pause)
                    pause = min(pause * 2, .seconds(2))
                }
            }
        }
    }

    // MARK: - Storing

    /// With nothing to store there is little to do: waits until there is, some seconds at most.
    private func rest() async {
        let timer = Task {
            try? await Task.sleep(for: Self.longestRest)
            resting.withLock { $0.take() }?.resume()
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                resting.withLock { $0 = continuation }
                // What came in between has nobody to wake.
                if unsaved > 0 || Task.isCancelled { resting.withLock { $0.take() }?.resume() }
            }
        } onCancel: {
            resting.withLock { $0.take() }?.resume()
        }
        timer.cancel()
    }

    /// Stores what is due, tells what is complete and gives up on what does not come, until the task is cancelled.
    func run() async {
        var nextRetention = ContinuousClock.now + .seconds(5)
        while !Task.isCancelled {
            if unsaved == 0 { await rest() }
            try? await Task.sleep(for: settings.flushInterval)
            let now = ContinuousClock.now
            if let retryAt = state.withLock({ $0.retryAt }), now < retryAt { continue }
            let isCrowded = unsaved > settings.memoryBytes / 2
            for (shard, recorder) in state.withLock({ $0.shards }) {
                for (pod, gaps) in recorder.tick(now, forgetAfter: settings.forgetAfter) {
                    for gap in gaps { report(gap, of: pod) }
                }
                do {
                    try await flush(shard, tailAge: isCrowded ? .zero : settings.tailAge)
                } catch {
                    // `flush` has noted it.
                    break
                }
            }
            waiting.record(unsaved)
            await announce()
            if now >= nextRetention, !isDatabaseAway {
                nextRetention = now + .seconds(60)
                await applyRetention(now: .now())
            }
        }
    }

    /// Stores what is due of a shard: every closed segment, tails older than `tailAge` (of `only`, if given).
    func flush(_ shard: Shard, tailAge: Duration, only: PodID? = nil) async throws {
        try await flushing.whileAlone(shard) {
            guard let recorder = self.shard(shard), let batch = recorder.batch(now: .now, tailAge: tailAge, only: only) else { return }
            // Better compression is for when there is time.
            let bytes = batch.pods.reduce(0) { $0 + $1.closed.reduce(0) { $0 + $1.content.byteCount } }
            let level: Int32 = bytes > 3 << 20 ? 1 : bytes > 1 << 20 ? 3 : bytes > 512 << 10 ? 9 : 15
            do {
                let results = try await store.write(batch.pods, shard: shard, position: batch.position, of: state.withLock { $0.streams[shard] }, level: level)
                for segment in batch.pods.flatMap({ $0.closed + ($0.tail.map { [$0] } ?? []) }) {
                    storeDelay.recordNanoseconds(max(0, (Timestamp.now() - segment.header.to).microseconds) * 1000)
                }
                unsavedBytes.subtract(recorder.stored(results, now: .now), ordering: .relaxed)
                storedSegments.increment(by: results.reduce(0) { $0 + $1.closed })
                storedBytes.increment(by: results.reduce(0) { $0 + $1.storedBytes })
                noteSuccess()
            } catch let conflict as RecorderStore.Conflict {
                logger.warning("another recorder was faster; reading again", metadata: ["pods": "\(conflict.pods)", "shard": "\(shard)"])
                outlets.reopen(shard)
            } catch {
                noteTrouble(error, doing: "storing shard \(shard)")
                throw error
            }
        }
    }

    func alarm(_ what: String, _ message: String, _ isActive: Bool) {
        logger.log(level: isActive ? .error : .notice, "\(message)", metadata: ["alarm": "\(what)"])
        outlets.alarm(what, message, isActive)
    }

    /// Stores everything that is in memory of a pod, or of all.
    func flushAll(of pod: PodID? = nil) async throws {
        for shard in pod.map({ [$0.shard] }) ?? shards { try await flush(shard, tailAge: .zero, only: pod) }
    }

    private func noteSuccess() {
        let (wasAway, resumed) = state.withLock { state in
            defer {
                state.isAway = false
                state.failures = 0
                state.retryAt = nil
            }
            var resumed: Set<Shard> = []
            if unsavedBytes.load(ordering: .relaxed) < settings.memoryBytes / 2 {
                resumed = state.paused
                state.paused = []
            }
            return (state.isAway, resumed)
        }
        if wasAway {
            logger.notice("storing again")
            outlets.alarm("storage", "the recorder's database is back; recording goes on", false)
        }
        for shard in resumed { outlets.resume(shard) }
    }

    private func noteTrouble(_ error: any Error, doing what: String) {
        if error is CancellationError { return }
        let isNews = state.withLock { state in
            state.failures += 1
            state.retryAt = .now + min(.seconds(2), .milliseconds(100) * (1 << min(state.failures - 1, 5)))
            state.reason = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
            defer { state.isAway = true }
            return !state.isAway
        }
        guard isNews else { return }
        logger.error("cannot store", metadata: ["doing": "\(what)", "reason": "\(error)"])
        outlets.alarm("storage", "the recorder cannot store (\(error)); the stream holds what comes meanwhile", true)
    }

    // MARK: - Complete recordings

    private func announce() async {
        for pod in state.withLock({ $0.unannounced }) {
            guard let recorder = self.shard(pod.shard), case .stored(let known) = recorder.locate(pod, .newest), known.isEnded else { continue }
            do {
                try await outlets.complete(pod)
                try await store.announced(pod)
                state.withLock { _ = $0.unannounced.remove(pod) }
            } catch {
                logger.info("a complete recording could not be told yet", metadata: ["pod": "\(pod)", "reason": "\(error)"])
                return
            }
        }
    }

    // MARK: - Retention

    private func applyRetention(now: Timestamp) async {
        do {
            for removed in try await store.applyRetention(settings.retention, now: now) {
                self.shard(removed.pod.shard)?.retained(removed.pod, from: removed.firstSeq, time: removed.first)
                logger.info("old segments were removed", metadata: ["pod": "\(removed.pod)", "segments": "\(removed.segments)"])
            }
        } catch {
            noteTrouble(error, doing: "removing old segments")
        }
    }

    /// Runs work that takes a while on a thread of its own kind, so that no cooperative thread is held.
    func onWorker<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            workers.async { continuation.resume(with: Result(catching: work)) }
        }
    }
}

/// Lets one caller per shard at a time do its work, in order.
final class AsyncGate: Sendable {
    private let state = Mutex<[Shard: [CheckedContinuation<Void, Never>]]>([:])

    func whileAlone<Value>(_ shard: Shard, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value) async rethrows -> Value {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state[shard] != nil {
                    state[shard]?.append(continuation)
                    return false
                }
                state[shard] = []
                return true
            }
            if isFree { continuation.resume() }
        }
        defer { leave(shard) }
        return try await body()
    }

    private func leave(_ shard: Shard) {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard var queue = state[shard], !queue.isEmpty else {
                state[shard] = nil
                return nil
            }
            let next = queue.removeFirst()
            state[shard] = queue
            return next
        }
        next?.resume()
    }
}
