internal import Bus
internal import Contract
internal import Logging
internal import Outbox
internal import RegistryClient
internal import Synchronization

/// Follows pods: their ends by a durable consumer, acknowledged when they are kept; their statuses as they are said. Handled in batches,
/// one at a time; what cannot be kept now waits.
final class Followers: Sendable {
    private struct Batch: Sendable {
        var pods: [StreamMessage] = []
        var runners: [StreamMessage] = []
        var statuses: [(PodID, PodStatus)] = []
    }

    private let service: BindingsService
    private let sender: EventSender
    private let logger: Logger
    private let queue = BatchQueue(Batch())
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
        await queue.close()
    }

    private func take(_ put: (inout Batch) -> Void) {
        queue.take(put, keep: { [self] in try await keep($0) }, failed: { [logger] in logger.warning("cannot keep what pods did; trying again", metadata: ["reason": "\($0)"]) })
    }

    private func keep(_ batch: Batch) async throws {
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
