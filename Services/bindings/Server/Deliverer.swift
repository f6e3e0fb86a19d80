internal import BindingsCore
internal import Contract
internal import Logging
internal import Outbox
internal import RelayClient
internal import Traces
internal import Tracing

/// Types channel messages into the pods that they mention, each once, in their order, when the pod can take one.
///
/// A pod's mailbox is leased to one instance at a time. Whoever dies with a lease leaves it to the next one after a while, and the shim
/// knows what was typed already, so that nothing is typed twice.
actor Deliverer {
    /// How long an instance may take for one message before another one takes over.
    static let lease = Duration.seconds(15)
    /// Time for the detector to see that an agent has begun with what it was given.
    private static let settling = Duration.seconds(2)
    private static let afterRefusal = Duration.milliseconds(250)
    private static let whileBusy = Duration.seconds(1)

    private let service: BindingsService
    private let relay: RelayClient
    private let sender: EventSender
    private let holder: String
    private let lease: Duration
    private let logger: Logger
    private var atWork: Set<PodID> = []
    /// Pods that may have become free, whatever was in vain before.
    private var news: Set<PodID> = []
    private var isWanted = false
    private var isLooking = false
    private var isStopped = false
    /// What each pod was given last here.
    private var given: [PodID: (seq: UInt64, at: ContinuousClock.Instant)] = [:]

    init(
        service: BindingsService, relay: RelayClient, sender: EventSender, holder: String, lease: Duration = Deliverer.lease, logger: Logger
    ) {
        self.service = service
        self.relay = relay
        self.sender = sender
        self.holder = holder
        self.lease = lease
        self.logger = logger
    }

    /// Looks for what can be delivered; at a pod in any case that is named.
    func look(_ pod: PodID? = nil) {
        if let pod { news.insert(pod) }
        isWanted = true
        guard !isLooking, !isStopped else { return }
        isLooking = true
        // What waits belongs to other requests than the one by which we look.
        Task.detached { await self.work() }
    }

    /// Begins nothing more, and waits for what is under way.
    func stop() async {
        isStopped = true
        for _ in 0..<1500 where !atWork.isEmpty || isLooking { try? await Task.sleep(for: .milliseconds(10)) }
    }

    private func work() async {
        while isWanted && !isStopped {
            isWanted = false
            let fresh = news
            news = []
            do {
                var pods = try await service.store.waitingMailboxes(rested: true)
                if !fresh.isEmpty { pods += try await service.store.waitingMailboxes(rested: false).filter { fresh.contains($0) && !pods.contains($0) } }
                for pod in pods where !isStopped {
                    guard atWork.insert(pod).inserted else {
                        if fresh.contains(pod) { news.insert(pod) }
                        continue
                    }
                    Task { await deliver(pod) }
                }
            } catch {
                logger.info("mailboxes cannot be looked at; trying again soon", metadata: ["reason": "\(error)"])
            }
        }
        isLooking = false
    }

    private func deliver(_ pod: PodID) async {
        do {
            guard try await service.store.lease(pod, to: holder, for: lease) else {
                atWork.remove(pod)
                return
            }
            let pause = try await next(pod)
            try await service.store.release(pod, by: holder, pause: pause)
            atWork.remove(pod)
            // There may be more, or the pod became free while it was asked.
            if pause == nil || news.contains(pod) { look() }
        } catch {
            // The lease ends by itself.
            atWork.remove(pod)
            logger.info("a delivery waits", metadata: ["pod": "\(pod)", "reason": "\(error)"])
        }
    }

    /// Delivers the oldest message that waits for a pod, if the pod can take it.
    /// - Returns: how long to wait before the next try; nil when there is nothing to wait for.
    private func next(_ id: PodID) async throws -> Duration? {
        let pod = try await service.pods.pod(id)
        guard pod.lifecycle.isLive else {
            try await service.learn(pod.lifecycle, pod.exit, of: id)
            await sender.wake()
            return Self.whileBusy
        }
        guard let status = service.board.status(of: pod), Self.canTake(status) else { return Self.whileBusy }
        if let last = given[id], status.seq < last.seq, .now - last.at < Self.settling { return Self.settling }
        guard let message = try await service.store.nextMessage(for: id) else {
            try await service.store.change { try $0.settleMailbox(id) }
            return nil
        }
        guard let trace = try await service.store.trace(of: message.id) else { return try await deliver(message, to: pod, status) }
        return try await ServiceContext.withValue(trace.context) {
            try await withSampledSpan("deliver channel message", ofKind: .consumer, attributes: MessageSpans.attributes("deliver", "process")) { span in
                span?.updateAttributes { MessageSpans.tell(message, &$0) }
                return try await deliver(message, to: pod, status)
            }
        }
    }

    private func deliver(_ message: ChannelMessage, to pod: Pod, _ status: PodStatus) async throws -> Duration? {
        let id = pod.pod
        let write = Write(
            pod: id, author: message.author, role: message.author.kind == .person ? .operator : nil, via: "channel:" + message.id, ifStatus: "idle",
            submit: true, paste: true, message: message.id)
        let agent = status.agent ?? pod.agent
        let text = MessageDelivery.typed(message, isShell: agent == nil || agent == "shell")
        let applied: Applied
        // Beforehand: what it makes the pod say may come before we hear that it was typed.
        try await service.store.tell(id, message)
        do throws(ErrorBody) {
            applied = try await relay.write(write, bytes: Array(text.utf8))
        } catch {
            logger.info("a message could not be typed; trying again", metadata: ["pod": "\(id)", "message": "\(message.id)", "reason": "\(error)"])
            return Self.afterRefusal
        }
        let fact: MessageDelivery.Fact
        switch applied.result {
        case .applied:
            given[id] = (applied.seq ?? 0, .now)
            fact = .delivered(seq: applied.seq, note: applied.tookEffect == false ? applied.message : nil)
        case .denied: fact = .failed(.denied, applied.message)
        case .busy, .approvalOpen, .screenChanged, .draftPresent, .gone: return Self.afterRefusal
        }
        try await keep(fact, of: id, message.id)
        await sender.wake()
        return nil
    }

    private func keep(_ fact: MessageDelivery.Fact, of pod: PodID, _ id: String) async throws {
        let service = service
        try await service.store.change { ledger in
            guard let message = try ledger.get(ChannelMessage.self, id) else { return }
            if let change = MessageDelivery.apply(fact, of: Author(kind: .pod, id: pod.text), message, now: ledger.time) {
                try service.keep(change, in: &ledger)
            }
            try ledger.settleMailbox(pod)
        }
    }

    /// Only who rests takes a message: what cannot be told is no rest. A half-typed line may be the message itself, which waits for its
    /// Enter: the gate knows.
    static func canTake(_ status: PodStatus) -> Bool { status.onScreen.status == "idle" }
}
