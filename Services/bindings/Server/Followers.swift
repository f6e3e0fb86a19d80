internal import Bus
internal import Contract
internal import Logging
internal import Outbox
internal import RegistryClient
internal import Synchronization

/// Follows pods: their ends by a durable consumer, acknowledged when they are kept; their statuses as they are said. Handled in batches,
/// one at a time; what cannot be kept now waits.
final class Followers: Sendable {
    private struct Waiting {
        var pods: [StreamMessage] = []
        var runners: [StreamMessage] = []
        var statuses: [(PodID, PodStatus)] = []
        var isWorking = false
        var isStopped = false
    }

    private let service: BindingsService
    private let sender: EventSender
    private let logger: Logger
    private let waiting = Mutex(Waiting())
    private let consumers = Mutex<(pods: PullConsumer, runners: PullConsumer)?>(nil)
    private let subscriptions = Mutex<[BusSubscription]>([])

    init(service: BindingsService, sender: EventSender, logger: Logger) {
        self.service = service
        self.sender = sender
        self.logger = logger
    }

    func open(on bus: BusConnection) async throws {
        let logger = logger
        let pods = try await PullConsumer.start(
            bus,
            .init(
                stream: Streams.events, filter: "event.pod.*.*", ack: .explicit(durable: "bindings-pods", wait: .seconds(30), maxPending: 2000),
                batch: 256),
            onTrouble: { logger.info("following anew", metadata: ["reason": "\($0)"]) },
            handler: { [weak self] message in self?.take { $0.pods.append(message) } })
        let runners = try await PullConsumer.start(
            bus,
            .init(
                stream: Streams.events, filter: "event.runner.*.*", ack: .explicit(durable: "bindings-runners", wait: .seconds(30), maxPending: 2000),
                batch: 256),
            onTrouble: { logger.info("following anew", metadata: ["reason": "\($0)"]) },
            handler: { [weak self] message in self?.take { $0.runners.append(message) } })
        consumers.withLock { $0 = (pods, runners) }
        let board = service.board
        // Each instance hears all statuses, to know the newest; one of them does what follows.
        let all = try bus.subscribe(Subjects.allStatus) { message in
            if let (pod, status) = Self.status(message) { board.hear(status, of: pod) }
        }
        let mine = try bus.subscribe(Subjects.allStatus, queue: "bindings") { [weak self] message in
            if let heard = Self.status(message) { self?.take { $0.statuses.append(heard) } }
        }
        subscriptions.withLock { $0 = [all, mine] }
    }

    private static func status(_ message: BusMessage) -> (PodID, PodStatus)? {
        guard let pod = PodID(message.subject.dropFirst("status.".count)), let status = try? JSON.decode(PodStatus.self, from: message.payload)
        else { return nil }
        return (pod, status)
    }

    /// Stops taking and waits for the batch in work; what was not kept is delivered again to the next instance.
    func close() async {
        for subscription in subscriptions.withLock({ $0 }) { subscription.unsubscribe() }
        if let consumers = consumers.withLock({ $0 }) {
            await consumers.pods.stop()
            await consumers.runners.stop()
        }
        waiting.withLock { $0.isStopped = true }
        for _ in 0..<150 where waiting.withLock({ $0.isWorking }) { try? await Task.sleep(for: .milliseconds(10)) }
    }

    private func take(_ put: (inout Waiting) -> Void) {
        let begins = waiting.withLock { waiting in
            put(&waiting)
            defer { waiting.isWorking = true }
            return !waiting.isWorking && !waiting.isStopped
        }
        if begins { Task { await work() } }
    }

    private func work() async {
        var pause = Duration.milliseconds(100)
        while true {
            let batch: Waiting? = waiting.withLock { waiting in
                if waiting.isStopped || (waiting.pods.isEmpty && waiting.runners.isEmpty && waiting.statuses.isEmpty) {
                    waiting.isWorking = false
                    return nil
                }
                defer {
                    waiting.pods = []
                    waiting.runners = []
                    waiting.statuses = []
                }
                return waiting
            }
            guard let batch else { return }
            while true {
                do {
                    try await keep(batch)
                    pause = .milliseconds(100)
                    break
                } catch {
                    if waiting.withLock({ $0.isStopped }) {
                        waiting.withLock { $0.isWorking = false }
                        return
                    }
                    logger.warning("cannot keep what pods did; trying again", metadata: ["reason": "\(error)"])
                    try? await Task.sleep(for: pause)
                    pause = min(pause * 2, .seconds(5))
                }
            }
        }
    }

    private func keep(_ batch: Waiting) async throws {
        for (pod, status) in batch.statuses {
            service.board.hear(status, of: pod)
            try await service.learn(status, of: pod)
            if Deliverer.canTake(status) { await service.mail?.look(pod) }
        }
        for message in batch.pods {
            guard let event = try? JSON.decode(PodEvent.self, from: message.message.payload) else {
                logger.warning("a pod's event is garbled and is passed over", metadata: ["subject": "\(message.subject)"])
                continue
            }
            try await service.learn(event.pod.lifecycle, event.pod.exit, of: event.pod.pod)
        }
        for message in batch.runners {
            guard let event = try? JSON.decode(RunnerEvent.self, from: message.message.payload) else { continue }
            try await service.learn(event)
        }
        if let consumers = consumers.withLock({ $0 }) {
            for message in batch.pods { consumers.pods.ack(message) }
            for message in batch.runners { consumers.runners.ack(message) }
        }
        if !batch.pods.isEmpty { await service.mail?.look() }
        await sender.wake()
    }
}
