internal import Bus
internal import Contract
internal import Logging
internal import Synchronization

/// Takes entries from the stream and chains them, a batch at a time; each is acknowledged when it stands in the table. What cannot be kept
/// now waits in the stream.
final class AuditFollower: Sendable {
    private struct Fields {
        var waiting: [StreamMessage] = []
        var consumer: PullConsumer?
        var isWorking = false
        var isStopped = false
    }

    private let store: RegistryStore
    private let logger: Logger
    private let fields = Mutex(Fields())

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
        fields.withLock { $0.consumer = consumer }
    }

    func close() async {
        let consumer = fields.withLock { fields in
            fields.isStopped = true
            return fields.consumer
        }
        await consumer?.stop()
        for _ in 0..<150 where fields.withLock({ $0.isWorking }) { try? await Task.sleep(for: .milliseconds(10)) }
    }

    private func take(_ message: StreamMessage) {
        let begins = fields.withLock { fields in
            fields.waiting.append(message)
            defer { fields.isWorking = true }
            return !fields.isWorking && !fields.isStopped
        }
        if begins { Task { await work() } }
    }

    private func work() async {
        var pause = Duration.milliseconds(100)
        var batch: [StreamMessage] = []
        while true {
            let goesOn = fields.withLock { fields in
                batch += fields.waiting
                fields.waiting = []
                fields.isWorking = !batch.isEmpty && !fields.isStopped
                return fields.isWorking
            }
            guard goesOn else { return }
            do {
                let entries = batch.compactMap { try? JSON.decode(AuditEntry.self, from: $0.message.payload) }
                if entries.count < batch.count { logger.error("entries for the audit log are garbled and are passed over", metadata: ["count": "\(batch.count - entries.count)"]) }
                try await store.append(entries)
                let consumer = fields.withLock { $0.consumer }
                for message in batch { consumer?.ack(message) }
                batch = []
                pause = .milliseconds(100)
            } catch {
                logger.warning("the audit log waits", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }
}
