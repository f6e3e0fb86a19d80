internal import Bus
internal import Contract
internal import Database
internal import Logging
internal import Outbox
internal import Synchronization

/// Follows what shims, the recorder and the detector say, and keeps it. Messages are handled in batches, one batch at a time,
/// and acknowledged when they are kept; what cannot be kept now waits.
final class Followers: Sendable {
    private struct Batch: Sendable {
        var controls: [StreamMessage] = []
        var completions: [StreamMessage] = []
        var statuses: [StreamMessage] = []
    }

    private let service: RegistryService
    private let sender: EventSender
    private let logger: Logger
    private let queue = BatchQueue(Batch())
    private let consumers = Mutex<[PullConsumer]>([])

    init(service: RegistryService, sender: EventSender, logger: Logger) {
        self.service = service
        self.sender = sender
        self.logger = logger
    }

    func open(on bus: BusConnection) async throws {
        let logger = logger
        func follow(_ stream: String, _ filter: String, _ durable: String, _ take: @escaping @Sendable (inout Batch, StreamMessage) -> Void)
            async throws
        {
            let consumer = try await PullConsumer.start(
                bus,
                .init(
                    stream: stream, filter: filter, ack: .explicit(durable: durable, wait: .seconds(30), maxPending: 2000), batch: 256),
                onTrouble: { logger.info("following anew", metadata: ["subject": "\(filter)", "reason": "\($0)"]) },
                handler: { [weak self] message in self?.take { take(&$0, message) } })
            consumers.withLock { $0.append(consumer) }
        }
        try await follow(Streams.terminals, Subjects.allControl, "registry-control") { $0.controls.append($1) }
        try await follow(Streams.events, "event.recording.*.complete", "registry-recorded") { $0.completions.append($1) }
        try await follow(Streams.events, Subjects.allStatusChanges, "registry-status") { $0.statuses.append($1) }
    }

    /// Stops taking and waits for the batch in work; what was not kept is delivered again to the next registry.
    func close() async {
        for consumer in consumers.withLock({ $0 }) { await consumer.stop() }
        await queue.close()
    }

    // MARK: - Work

    private func take(_ put: (inout Batch) -> Void) {
        queue.take(put, keep: { [self] in try await keep($0) }, failed: { [logger] in logger.warning("cannot keep what pods said; trying again", metadata: ["reason": "\($0)"]) })
    }

    private func keep(_ batch: Batch) async throws {
        var facts: [(pod: PodID, fact: PodFact, time: Timestamp)] = []
        var starts: [PodID: (start: Control.Start, time: Timestamp)] = [:]
        for message in batch.controls {
            guard let frame = Frame(subject: message.subject, header: { message.message.header($0) }, payload: message.message.payload),
                let control = try? JSON.decode(Control.self, from: frame.bytes)
            else {
                logger.warning("a control frame is garbled and is passed over", metadata: ["subject": "\(message.subject)"])
                continue
            }
            switch control {
            // Signals for the detector change nothing here.
            case .process, .hook: continue
            default: break
            }
            if case .start(let start) = control { starts[frame.pod] = (start, frame.time) }
            facts.append((frame.pod, .control(control, seq: frame.seq), frame.time))
        }
        for message in batch.completions {
            let tokens = message.subject.split(separator: ".")
            guard tokens.count == 4, let pod = PodID(tokens[2]) else { continue }
            facts.append((pod, .recordComplete, service.now()))
        }
        let unknown = try await service.store.learn(facts)
        if !unknown.isEmpty {
            for pod in unknown {
                guard let (start, time) = starts[pod] else { continue }
                logger.notice("a pod runs that the registry did not know", metadata: ["pod": "\(pod)"])
                try await service.adopt(pod, start, at: time)
            }
            try await service.store.learn(facts.filter { unknown.contains($0.pod) })
        }
        try await service.store.learn(
            batch.statuses.compactMap { message in
                let tokens = message.subject.split(separator: ".")
                guard tokens.count == 4, let pod = PodID(tokens[2]), let status = try? JSON.decode(PodStatus.self, from: message.message.payload) else {
                    logger.warning("a status is garbled and is passed over", metadata: ["subject": "\(message.subject)"])
                    return nil
                }
                return (pod, status)
            })
        let consumers = consumers.withLock { $0 }
        for (consumer, messages) in zip(consumers, [batch.controls, batch.completions, batch.statuses]) {
            for message in messages { consumer.ack(message) }
        }
        await sender.wake()
    }
}
