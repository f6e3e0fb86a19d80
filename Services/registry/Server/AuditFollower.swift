internal import Bus
internal import Contract
internal import Logging
internal import Synchronization

/// Takes entries from the stream and chains them, a batch at a time; each is acknowledged when it stands in the table. What cannot be kept
/// now waits in the stream.
final class AuditFollower: Sendable {
    private let store: RegistryStore
    private let logger: Logger
    private let queue = BatchQueue<[StreamMessage]>([])
    private let consumer = Mutex<PullConsumer?>(nil)

    init(store: RegistryStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    func open(on bus: BusConnection) async throws {
        try await JetStream(bus).ensureAuditStream()
        let logger = logger
        let consumer = try await PullConsumer.start(
            bus,
            .init(
                stream: Streams.audit, filter: Subjects.auditEntry, ack: .explicit(durable: "registry-audit", wait: .seconds(30), maxPending: 2000),
                batch: 256),
            onTrouble: { logger.info("following anew", metadata: ["subject": "\(Subjects.auditEntry)", "reason": "\($0)"]) },
            handler: { [weak self] message in self?.take(message) })
        self.consumer.withLock { $0 = consumer }
    }

    func close() async {
        await consumer.withLock { $0 }?.stop()
        await queue.close()
    }

    private func take(_ message: StreamMessage) {
        queue.take({ $0.append(message) }, keep: { [self] in try await keep($0) }, failed: { [logger] in logger.warning("the audit log waits", metadata: ["reason": "\($0)"]) })
    }

    private func keep(_ batch: [StreamMessage]) async throws {
        let entries = batch.compactMap { try? JSON.decode(AuditEntry.self, from: $0.message.payload) }
        if entries.count < batch.count { logger.error("entries for the audit log are garbled and are passed over", metadata: ["count": "\(batch.count - entries.count)"]) }
        try await store.append(entries)
        let consumer = consumer.withLock { $0 }
        for message in batch { consumer?.ack(message) }
    }
}
