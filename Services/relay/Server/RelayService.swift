public import BindingsClient
public import Bus
internal import Contract
internal import Dispatch
public import Logging
public import Redaction
internal import Metrics
internal import Sharding
internal import Synchronization
internal import ViewProtocol

/// The relay: live terminals of the shards it owns, and the one door for input.
///
/// Frames and requests are handled in the bus's callbacks; tasks exist only for what has to wait (fetching a keyframe,
/// submitting a prompt).
public final class RelayService: Sendable {
    /// Beyond this a sequence number is garbage: no pod writes so many frames.
    static let largestSeq: UInt64 = 1 << 62
    /// How every zstd frame begins (RFC 8878, section 3.1.1), and so every keyframe.
    private static let zstdMagic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]
    /// How long an ended pod stays in memory after the last request for it.
    static let keepEnded = Duration.seconds(60)

    let bus: BusConnection
    let stream: JetStream
    let logger: Logger
    let writes = WriteMemory()
    /// What pods may do to other pods; without it nothing.
    let grants: BindingGrants?
    let dialogs: DialogReader?
    private let redactor: Redactor
    private let pods = Mutex<[PodID: LivePod]>([:])
    /// The reconnects after which the pods were looked at.
    private let reconnects = Mutex<UInt64>(0)
    private let subscriptions = Mutex<[Shard: [BusSubscription]]>([:])
    private let common = Mutex<[BusSubscription]>([])
    private let views = DispatchQueue(label: "view")
    private let ownership = Mutex<ShardOwnership?>(nil)
    private let janitor = Mutex<Task<Void, Never>?>(nil)
    private let frameCount = Counter(label: "relay.frames")
    private let byteCount = Counter(label: "relay.bytes")
    private let garbledCount = Counter(label: "relay.garbled_frames")
    private let repairCount = Counter(label: "relay.repairs")
    private let deltaCount = Counter(label: "relay.view_deltas")
    private let answerCounts = Dictionary(
        uniqueKeysWithValues: (["passed"] + Applied.Result.allCases.map(\.rawValue)).map { outcome in
            (outcome, Counter(label: "relay.gate_answers", dimensions: [("outcome", outcome)]))
        })
    /// From the terminal to the change that viewers get, by the clocks of both hosts.
    private let deltaDelay = Timer(label: "relay.view_delay")
    private let podGauge = Gauge(label: "relay.pods")
    private let counting = Mutex<EndpointCounter?>(nil)

    /// - Parameter redactor: what is hidden from viewers who may not see secrets.
    public init(
        bus: BusConnection, logger: Logger, grants: BindingGrants? = nil, dialogs: DialogReader? = nil, redactor: Redactor = .standard
    ) {
        self.redactor = redactor
        self.dialogs = dialogs
        self.bus = bus
        self.grants = grants
        self.logger = logger
        stream = JetStream(bus)
    }

    // MARK: - Life

    /// Has requests counted for the NATS services protocol: how long each keeps the bus's thread.
    public func count(by micro: Microservice) {
        let count = micro.addEndpoint(name: "terminals", subject: "relay.*.*", queue: "")
        counting.withLock { $0 = count }
    }

    /// Joins the relays on the bus and takes its part of the shards.
    public func join(instance: String) async throws {
        try start()
        let joined = try await ShardOwnership.start(bus, service: "relay", instance: instance) { [weak self] change in
            self?.change(gained: change.gained, lost: change.lost)
        }
        ownership.withLock { $0 = joined }
        // Ready means that requests arrive.
        try await bus.flush()
    }

    /// Listens to what concerns all shards.
    private func start() throws {
        let subscriptions = [
            try bus.subscribe("view.*.keyframe") { [weak self] message in self?.viewKeyframe(message) },
            try bus.subscribe(Subjects.allStatus) { [weak self] message in self?.status(message) },
        ]
        common.withLock { $0 = subscriptions }
        reconnects.withLock { $0 = bus.reconnects }
        bus.onLoss { [weak self] subject in
            if let subject { self?.doubt(subject) } else { self?.noteReconnects() }
        }
        let task = Task { [weak self] in
            while (try? await Task.sleep(for: .seconds(5))) != nil { self?.tidy() }
        }
        janitor.withLock { $0 = task }
    }

    /// Takes over shards and lets others go.
    func change(gained: Set<Shard>, lost: Set<Shard>) {
        for shard in lost { disown(shard) }
        for shard in gained.sorted() {
            do throws(BusError) {
                let added = [
                    try bus.subscribe(Subjects.pty(shard)) { [weak self] message in self?.frame(message) },
                    try bus.takeRequests(Subjects.relay(shard, "*")) { [weak self] message in self?.request(message) },
                ]
                subscriptions.withLock { $0[shard] = added }
            } catch {
                logger.error("a shard could not be taken over", metadata: ["shard": "\(shard)", "error": "\(error)"])
            }
        }
    }

    private func disown(_ shard: Shard) {
        let gone = subscriptions.withLock { $0.removeValue(forKey: shard) } ?? []
        for subscription in gone { subscription.unsubscribe() }
        pods.withLock { pods in
            for pod in pods.keys where pod.shard == shard { pods[pod] = nil }
        }
    }

    /// Gives the shards to the other relays and stops listening.
    public func stop() async {
        if let ownership = ownership.withLock({ $0.take() }) { await ownership.leave() }
        janitor.withLock { $0?.cancel() }
        for subscription in common.withLock({ $0 }) { subscription.unsubscribe() }
        for shard in subscriptions.withLock({ Array($0.keys) }) { disown(shard) }
    }

    /// After a reconnect every pod is looked at. Requests may come before anybody tells of it, and viewers take the answer for the newest screen.
    private func noteReconnects() {
        let now = bus.reconnects
        let isNews = reconnects.withLock { reconnects in
            defer { reconnects = now }
            return reconnects != now
        }
        if isNews { doubt(nil) }
    }

    /// Looks at the pods whose frames may have been lost.
    private func doubt(_ subject: String?) {
        let doubted = pods.withLock { pods in pods.values.filter { subject == nil || Subjects.pty($0.pod.shard) == subject } }
        for pod in doubted where pod.doubt() { perform(.repair, pod) }
    }

    private func tidy() {
        let now = Timestamp.now()
        let held = pods.withLock { pods in
            for (id, pod) in pods where pod.isForgettable(now: now, after: Self.keepEnded) { pods[id] = nil }
            return Array(pods.values)
        }
        podGauge.record(held.count)
        for pod in held {
            if let size = pod.expireSizes(now: now) { resize(pod, to: size) }
        }
    }

    func held(_ id: PodID) -> LivePod? { pods.withLock { $0[id] } }

    func pod(_ id: PodID) -> LivePod {
        pods.withLock { pods in
            if let pod = pods[id] { return pod }
            let pod = LivePod(pod: id, now: .now(), redactor: redactor)
            pods[id] = pod
            return pod
        }
    }

    func forget(_ id: PodID) {
        pods.withLock { $0[id] = nil }
    }

    // MARK: - Frames

    private func frame(_ message: BusMessage) {
        guard let frame = Frame(subject: message.subject, header: { message.header($0) }, payload: message.payload), frame.seq < Self.largestSeq,
            frame.kind != .key || frame.bytes.starts(with: Self.zstdMagic)
        else {
            garbledCount.increment()
            return
        }
        frameCount.increment()
        byteCount.increment(by: frame.bytes.count)
        let pod = pod(frame.pod)
        perform(pod.receive(frame, now: .now()), pod)
    }

    func perform(_ next: LivePod.Next, _ pod: LivePod) {
        switch next {
        case .nothing: break
        case .publishView: publishView(pod)
        case .publishViewLater(let wait):
            views.asyncAfter(deadline: .now() + .microseconds(Int(wait.microseconds))) { [weak self] in self?.publishView(pod) }
        case .repair:
            repairCount.increment()
            Task { await repair(pod) }
        }
    }

    // MARK: - Views

    /// - Parameter force: a keyframe is about to be given: whatever is due goes before it.
    private func publishView(_ pod: LivePod, force: Bool = false) {
        pod.publishing.withLock { _ in
            guard let delta = pod.takeViewDelta(now: .now(), force: force) else { return }
            deltaCount.increment()
            deltaDelay.recordNanoseconds(max(0, (Timestamp.now() - delta.time).microseconds) * 1000)
            do throws(BusError) {
                try bus.publish(
                    Subjects.viewDelta(pod.pod), payload: delta.payload,
                    headers: [(ViewHeaders.base, String(delta.base)), (ViewHeaders.seq, String(delta.seq))])
                if let masked = delta.masked {
                    try bus.publish(
                        Subjects.viewMasked(pod.pod), payload: masked,
                        headers: [(ViewHeaders.base, String(delta.base)), (ViewHeaders.seq, String(delta.seq))])
                }
            } catch {
                // Viewers see the jump with the next change and ask for a keyframe.
                logger.debug("a view's change was not published", metadata: ["error": "\(error)"])
            }
        }
        if !force { perform(pod.nextView(now: .now()), pod) }
    }

    private func viewKeyframe(_ message: BusMessage) {
        let tokens = message.subject.split(separator: ".")
        guard tokens.count == 3, let id = PodID(tokens[1]), let pod = held(id) else { return }
        attach(pod, Attach(pod: id, format: .view), message)
    }

    private func status(_ message: BusMessage) {
        guard let id = PodID(message.subject.dropFirst("status.".count)), let pod = held(id),
            let status = try? JSON.decode(PodStatus.self, from: message.payload)
        else { return }
        pod.set(status)
    }

    // MARK: - Requests

    private func request(_ message: BusMessage) {
        let verb = message.subject.split(separator: ".").last.map(String.init) ?? ""
        let began = ContinuousClock.now
        var problem: ErrorBody?
        defer { counting.withLock { $0 }?(.now - began, problem?.message) }
        do throws(ErrorBody) {
            switch verb {
            case "attach", "screen":
                noteReconnects()
                let request = try JSON.decode(Attach.self, from: message.payload)
                try requireReader(message, request.pod)
                try whenLoaded(request.pod, message) { relay, pod in relay.attach(pod, request, message) }
            case "write":
                try write(message)
            case "approve":
                try approve(message)
            case "resize":
                try resize(message)
            case "watch":
                try watch(message)
            case "take":
                let request = try JSON.decode(ViewerRequest.self, from: message.payload)
                let decision = pod(request.pod).decide(
                    .init(
                        kind: .takeOver, author: request.author, role: request.role, isGranted: isGranted(request.author, .write, request.pod),
                        viewer: request.viewer), now: .now())
                answer(message, Self.applied(decision))
            case "release":
                let request = try JSON.decode(ViewerRequest.self, from: message.payload)
                if let pod = held(request.pod), let size = pod.release(viewer: request.viewer, now: .now()) { resize(pod, to: size) }
                bus.respond(to: message, BusReply(Reply.encode(Done())))
            case "frames":
                try frames(message)
            default:
                throw ErrorBody(.notFound, "the relay knows no request \"\(verb)\"")
            }
        } catch {
            problem = error
            bus.respond(to: message, BusReply(Reply.error(error)))
        }
    }

    /// Runs `body` at once when the pod's state is known, else after it was fetched.
    private func whenLoaded(
        _ id: PodID, _ message: BusMessage, _ body: @escaping @Sendable (RelayService, LivePod) -> Void
    ) throws(ErrorBody) {
        let pod = pod(id)
        if pod.standing == .inStep { return body(self, pod) }
        if pod.needsLoading() { perform(.repair, pod) }
        Task {
            if await loaded(pod) {
                body(self, pod)
            } else {
                bus.respond(
                    to: message,
                    BusReply(Reply.error(ErrorBody(.notFound, "the relay holds no live screen of \(id); ask for its recording"))))
            }
        }
    }

    private func attach(_ pod: LivePod, _ request: Attach, _ message: BusMessage) {
        if request.format == .view {
            // Viewers see an unfinished synchronized update never, so a new one waits for its end too.
            if let hold = pod.viewHold(now: .now()) {
                views.asyncAfter(deadline: .now() + .microseconds(Int(hold.microseconds))) { [weak self] in
                    self?.attach(pod, request, message)
                }
                return
            }
            publishView(pod, force: true)
        }
        guard let attached = pod.attach(request.format, scrollback: request.scrollback, now: .now(), masked: request.masked ?? false),
            let meta = try? JSON.encode(attached.meta)
        else {
            let error = ErrorBody(.unavailable, "the pod's screen is being fetched; try again")
            return bus.respond(to: message, BusReply(Reply.error(error)))
        }
        var headers = [(Headers.meta, String(decoding: meta, as: UTF8.self))]
        if let writer = attached.writer { headers.append((Headers.author, writer.description)) }
        bus.respond(to: message, BusReply(attached.payload, headers: headers))
    }

    private func watch(_ message: BusMessage) throws(ErrorBody) {
        let request = try JSON.decode(ViewerRequest.self, from: message.payload)
        try requireReader(message, request.pod)
        if request.columns != nil || request.rows != nil {
            if let problem = PodSpec.sizeProblem(columns: request.columns ?? 0, rows: request.rows ?? 0) { throw problem }
            let now = Timestamp.now()
            if case .refuse(let result, let words) = pod(request.pod).decide(
                .init(
                    kind: .resize, author: request.author, role: request.role, isGranted: isGranted(request.author, .write, request.pod), viewer: nil),
                now: now)
            {
                throw ErrorBody(.init(rawValue: result.rawValue), words)
            }
        }
        try whenLoaded(request.pod, message) { relay, pod in
            if let size = pod.watch(viewer: request.viewer, columns: request.columns, rows: request.rows, now: .now(), masked: request.masked ?? false) {
                relay.resize(pod, to: size)
            }
            relay.bus.respond(to: message, BusReply(Reply.encode(Done())))
            relay.perform(pod.nextView(now: .now()), pod)
        }
    }

    /// `relay.<shard>.frames` {pod, after}: what the ring holds after a frame, as ``FrameCodec`` bytes.
    private func frames(_ message: BusMessage) throws(ErrorBody) {
        struct Request: Decodable {
            var pod: PodID
            var after: UInt64
        }
        let request = try JSON.decode(Request.self, from: message.payload)
        try requireReader(message, request.pod)
        guard let frames = held(request.pod)?.frames(after: request.after) else {
            throw ErrorBody(.notFound, "the ring no longer holds what came after frame \(request.after); attach anew")
        }
        bus.respond(to: message, BusReply(FrameCodec.encode(frames)))
    }

    /// A request in the name of a pod needs its binding; one without a name comes from a service.
    private func requireReader(_ message: BusMessage, _ pod: PodID) throws(ErrorBody) {
        guard let author = message.header(Headers.author).flatMap(Author.init), author.kind == .pod, !isGranted(author, .read, pod) else { return }
        throw BindingGrants.refusal(author, .read, on: pod)
    }

    /// Whether a pod may do this to another, or to itself. Of people it says nothing.
    func isGranted(_ author: Author, _ scope: Scope, _ pod: PodID) -> Bool {
        guard author.kind == .pod else { return false }
        return author.id == pod.text || grants?.allows(author, scope, on: pod) == true
    }

    func answer(_ message: BusMessage, _ applied: Applied) {
        countAnswer(applied.result.rawValue)
        bus.respond(to: message, BusReply(Reply.encode(applied)))
    }

    /// What the gate said; `passed` where the shim has the last word.
    func countAnswer(_ outcome: String) { answerCounts[outcome]?.increment() }

    static func applied(_ decision: GateDecision) -> Applied {
        switch decision {
        case .pass: Applied(result: .applied)
        case .refuse(let result, let words): Applied(result: result, message: words)
        }
    }
}
