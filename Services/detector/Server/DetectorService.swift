internal import Agents
internal import BindingsClient
public import Bus
internal import Contract
internal import CoreMetrics
internal import Foundation
public import Logging
internal import Metrics
internal import RecorderClient
internal import RegistryClient
internal import Sharding
internal import Synchronization

/// The detector: says on `status.<pod>` what every live pod of its shards is doing, whenever that changes.
///
/// Frames are handled in the bus's callbacks; tasks exist only for what has to be fetched.
public final class DetectorService: Sendable {
    /// Beyond this a sequence number is garbage: no pod writes so many frames.
    static let largestSeq: UInt64 = 1 << 62
    /// How often the shards' pods are looked after: memory, rules, what has ended.
    static let beat = Duration.seconds(5)
    /// An instance says that it lives this often, and is gone after three silent beats: a pod is without an owner for less than 3 s.
    static let aliveEvery = Duration.milliseconds(700)

    let bus: BusConnection
    /// A line is judged once its viewer has it.
    private let linger = Linger(.milliseconds(2))
    let stream: JetStream
    let logger: Logger
    let registry: RegistryClient
    let recorder: RecorderClient
    let instance: String
    private let streams: StreamPlan
    private let publisher: StatusPublisher
    private let rulebook: Mutex<Rulebook>
    private let pods = Mutex<[PodID: WatchedPod]>([:])
    private let subscriptions = Mutex<[Shard: [BusSubscription]]>([:])
    private let common = Mutex<[BusSubscription]>([])
    private let ownership = Mutex<ShardOwnership?>(nil)
    private let tasks = Mutex<[Task<Void, Never>]>([])
    private let wakeUps = Mutex<WakeUps?>(nil)
    private let openWaits = Mutex<OpenWaits?>(nil)
    let floors = Mutex(StreamFloors())
    /// Shards whose pods still have to be looked for.
    let unlisted = Mutex<Set<Shard>>([])
    let loads = LoadLimit(16)
    private let frameCount = Counter(label: "detector.frames")
    private let byteCount = Counter(label: "detector.bytes")
    private let garbledCount = Counter(label: "detector.garbled_frames")
    let loadCount = Counter(label: "detector.loads")
    private let podGauge = Gauge(label: "detector.pods")
    private let counting = Mutex<EndpointCounter?>(nil)

    /// - Parameters:
    ///   - agentFolders: where manifests are; later folders override earlier ones.
    ///   - streams: what the streams are made like, where they are missing.
    public init(bus: BusConnection, agentFolders: [String], instance: String, streams: StreamPlan = StreamPlan(), logger: Logger) throws {
        self.bus = bus
        self.logger = logger
        self.instance = instance
        self.streams = streams
        stream = JetStream(bus)
        registry = RegistryClient(bus: bus)
        recorder = RecorderClient(bus: bus)
        publisher = try StatusPublisher(bus: bus, instance: instance, logger: logger)
        rulebook = Mutex(Rulebook(catalog: AgentCatalog.load(folders: agentFolders)))
    }

    // MARK: - Life

    /// Has requests counted for the NATS services protocol.
    public func count(by micro: Microservice) {
        let count = micro.addEndpoint(name: "explain", subject: "detector.*.explain", queue: "")
        counting.withLock { $0 = count }
    }

    /// Joins the detectors on the bus and takes its part of the shards.
    public func join() async throws {
        try await stream.ensureStreams(streams)
        try await stream.ensureStream(Streams.detector, subjects: [Subjects.allDetectorMemory], streams.memory)
        // A bus that lost its disk comes back without it.
        let limits = streams.memory
        bus.onStateChange { [stream, logger] state in
            guard state == .reconnected else { return }
            Task {
                do throws(BusError) {
                    try await stream.ensureStream(Streams.detector, subjects: [Subjects.allDetectorMemory], limits)
                } catch {
                    logger.warning("what is remembered cannot be kept", metadata: ["reason": "\(error)"])
                }
            }
        }
        bus.onLoss { [weak self] subject in
            guard let self else { return }
            let doubted = self.pods.withLock { pods in pods.values.filter { subject == nil || Subjects.pty($0.pod.shard) == subject } }
            for pod in doubted { pod.doubt() }
            self.settleDoubts(doubted)
        }
        for problem in rules.catalog.problems { logger.warning("a manifest is not used", metadata: ["problem": "\(problem)"]) }
        if rules.catalog.manifests.isEmpty { logger.error("no agent manifests were found: every status will be unknown") }
        await noteStreamPosition()
        let wakeUps = WakeUps { [weak self] pod in
            self?.perform(pod.tick(now: .now), pod)
            if pod.needsFirstMemory { self?.remember(pod, isForced: true) }
        }
        wakeUps.start()
        self.wakeUps.withLock { $0 = wakeUps }
        // Waits come from another service; without it, or before it, every status is what the screen says.
        let waits = try OpenWaits(bus: bus, logger: logger) { [weak self] ids in
            guard let self else { return }
            let concerned = self.pods.withLock { pods in ids.map { $0.compactMap { pods[$0] } } ?? Array(pods.values) }
            for pod in concerned {
                self.perform(pod.refreshWaits(now: .now), pod)
                // No frame tells of a wait: the next detector has it from here.
                if ids != nil { self.remember(pod, isForced: true) }
            }
        }
        openWaits.withLock { $0 = waits }
        let agents = try bus.serve(Subjects.detectorAgents, queue: "detector") { [weak self] _ in
            self.map { BusReply(Reply.encode($0.rules.known)) }
        }
        common.withLock { $0 = [agents] }
        let joined = try await ShardOwnership.start(bus, service: "detector", instance: instance, every: Self.aliveEvery) { [weak self] change in
            self?.change(gained: change.gained, lost: change.lost)
        }
        ownership.withLock { $0 = joined }
        let care = Task { [weak self] in
            while (try? await Task.sleep(for: Self.beat)) != nil { await self?.care() }
        }
        let list = Task { [weak self] in
            var pause = Duration.milliseconds(50)
            while let self, !Task.isCancelled {
                pause = await self.listPods() ? .milliseconds(50) : min(pause * 2, .seconds(2))
                try? await Task.sleep(for: pause)
                await self.waitForShards()
            }
        }
        tasks.withLock { $0 = [care, list] }
        try await bus.flush()
    }

    /// Takes over shards and lets others go.
    func change(gained: Set<Shard>, lost: Set<Shard>) {
        for shard in lost { disown(shard) }
        for shard in gained.sorted() {
            do throws(BusError) {
                let added = [
                    try bus.subscribe(Subjects.pty(shard), linger: linger) { [weak self] message in self?.frame(message) },
                    try bus.takeRequests(Subjects.detector(shard, "*")) { [weak self] message in self?.request(message) },
                ]
                subscriptions.withLock { $0[shard] = added }
            } catch {
                logger.error("a shard could not be taken over", metadata: ["shard": "\(shard)", "error": "\(error)"])
            }
        }
        unlisted.withLock { $0 = $0.union(gained).subtracting(lost) }
        newShards.withLock { $0.take() }?.resume()
    }

    /// Whoever waits for shards to list.
    private let newShards = Mutex<CheckedContinuation<Void, Never>?>(nil)

    private func waitForShards() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWanted = unlisted.withLock { !$0.isEmpty }
                if isWanted || Task.isCancelled { return continuation.resume() }
                newShards.withLock { $0 = continuation }
                // Shards may have come between the look and the booking.
                if unlisted.withLock({ !$0.isEmpty }) { newShards.withLock { $0.take() }?.resume() }
            }
        } onCancel: {
            newShards.withLock { $0.take() }?.resume()
        }
    }

    private func disown(_ shard: Shard) {
        let gone = subscriptions.withLock { $0.removeValue(forKey: shard) } ?? []
        for subscription in gone { subscription.unsubscribe() }
        let left = pods.withLock { pods in
            let left = pods.filter { $0.key.shard == shard }
            for pod in left.keys { pods[pod] = nil }
            return left
        }
        // The next owner goes on from exactly here.
        for pod in left.values { remember(pod, isForced: true) }
    }

    /// Keeps what it remembers, gives the shards to the other detectors and stops listening.
    public func stop() async {
        for task in tasks.withLock({ $0 }) { task.cancel() }
        for shard in subscriptions.withLock({ Array($0.keys) }) { disown(shard) }
        for subscription in common.withLock({ $0 }) { subscription.unsubscribe() }
        try? await bus.flush(timeout: .milliseconds(500))
        openWaits.withLock { $0.take() }?.stop()
        await publisher.stop()
        if let ownership = ownership.withLock({ $0.take() }) { await ownership.leave() }
        wakeUps.withLock { $0.take() }?.stop()
    }

    /// As kill -9 does it, as far as one process can: nothing more is kept or said.
    func abandon() {
        for task in tasks.withLock({ $0 }) { task.cancel() }
        let gone = subscriptions.withLock { subscriptions in
            defer { subscriptions = [:] }
            return subscriptions.values.flatMap(\.self)
        }
        for subscription in gone + common.withLock({ $0 }) { subscription.unsubscribe() }
        pods.withLock { $0 = [:] }
        openWaits.withLock { $0.take() }?.stop()
        wakeUps.withLock { $0.take() }?.stop()
        ownership.withLock { $0.take() }?.abandon()
    }

    // MARK: - Care

    var rules: Rulebook { rulebook.withLock { $0 } }

    /// Looks in the stream where frames may have been lost; where it does not answer, with the next beat again.
    private func settleDoubts(_ pods: [WatchedPod]) {
        for pod in pods { perform(pod.settleDoubt(.now), pod) }
    }

    private func care() async {
        let now = ContinuousClock.now
        let held = pods.withLock { pods in
            for (id, pod) in pods where pod.isForgettable(now) { pods[id] = nil }
            return Array(pods.values)
        }
        podGauge.record(held.count)
        if let newer = rules.catalog.refreshed() {
            rulebook.withLock { rulebook in
                rulebook.catalog = newer
                rulebook.version += 1
            }
            for problem in newer.problems { logger.warning("a manifest is not used", metadata: ["problem": "\(problem)"]) }
            logger.info("manifests were read anew", metadata: ["agents": "\(newer.manifests.count)"])
            for pod in held { perform(pod.refreshRules(now: .now), pod) }
        }
        settleDoubts(held)
        publisher.drain()
        var isBusy = false
        for pod in held where remember(pod, isForced: false) {
            isBusy = true
            // Hundreds at once would keep frames waiting.
            try? await Task.sleep(for: .milliseconds(10))
        }
        // Nothing came: the stream's position is where it was, as far as we are concerned.
        if isBusy { await noteStreamPosition() }
    }

    private func noteStreamPosition() async {
        guard let info = try? await stream.streamInfo(Streams.terminals) else { return }
        floors.withLock { $0.note(info.lastSequence) }
    }

    /// Keeps what another detector would need. False: nothing is new.
    @discardableResult
    private func remember(_ pod: WatchedPod, isForced: Bool) -> Bool {
        guard let memory = pod.memory(streamFloor: floors.withLock { $0.floor }, isForced: isForced) else { return false }
        publisher.keep(memory.meta, snapshot: memory.snapshot, of: pod.pod)
        return true
    }

    // MARK: - Pods

    func held(_ id: PodID) -> WatchedPod? { pods.withLock { $0[id] } }

    func owns(_ shard: Shard) -> Bool { subscriptions.withLock { $0[shard] != nil } }

    func pod(_ id: PodID) -> WatchedPod {
        pods.withLock { pods in
            if let pod = pods[id] { return pod }
            let pod = WatchedPod(
                id, rules: { [weak self] in self?.rules ?? Rulebook(catalog: AgentCatalog(manifests: [])) },
                waits: { [weak self] id in self?.openWaits.withLock { $0 }?.waits(of: id) },
                tell: { [publisher] id, status, screen in publisher.tell(id, status, screen: screen) })
            pods[id] = pod
            return pod
        }
    }

    func perform(_ next: WatchedPod.Next, _ pod: WatchedPod) {
        switch next {
        case .nothing: break
        case .wake(let moment): wakeUps.withLock { $0 }?.book(pod, at: moment)
        case .load: Task { await load(pod) }
        case .ended:
            publisher.forget(pod.pod)
            Task { [stream] in try? await stream.purge(Streams.detector, subject: Subjects.detectorMemory(pod.pod)) }
        }
    }

    private func frame(_ message: BusMessage) {
        guard let frame = Frame(subject: message.subject, header: { message.header($0) }, payload: message.payload), frame.seq < Self.largestSeq
        else {
            garbledCount.increment()
            return
        }
        frameCount.increment()
        byteCount.increment(by: frame.bytes.count)
        let pod = pod(frame.pod)
        perform(pod.receive(frame, now: .now), pod)
        if pod.needsFirstMemory { remember(pod, isForced: true) }
    }

    // MARK: - Requests

    private func request(_ message: BusMessage) {
        let verb = message.subject.split(separator: ".").last.map(String.init) ?? ""
        guard verb == "explain" else {
            return bus.respond(to: message, BusReply(Reply.error(ErrorBody(.notFound, "the detector knows no request \"\(verb)\""))))
        }
        Task {
            let began = ContinuousClock.now
            var problem: String?
            do {
                let request = try JSON.decode(ExplainStatus.self, from: message.payload)
                bus.respond(to: message, BusReply(Reply.encode(try await explain(request))))
            } catch {
                problem = "\(error)"
                bus.respond(to: message, BusReply(Reply.error(ErrorBody(describing: error))))
            }
            counting.withLock { $0 }?(.now - began, problem)
        }
    }
}

/// Sequence numbers of stream `PTY` of the last looks. What a pod's memory names is one look old: frames that were stored before it
/// have long been delivered.
struct StreamFloors {
    private var last: UInt64 = 0
    private(set) var floor: UInt64 = 0

    mutating func note(_ sequence: UInt64) {
        floor = last
        last = sequence
    }
}
