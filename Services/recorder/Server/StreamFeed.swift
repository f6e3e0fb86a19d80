internal import Bus
internal import Contract
internal import Logging
internal import Metrics
internal import Synchronization

/// Follows the stream for every shard owned: one ephemeral consumer a shard, from where the database says.
final class StreamFeed: Sendable {
    private struct Feed {
        /// Rises with every change; work for an older number is dropped.
        var generation: UInt64 = 0
        var consumer: PullConsumer?
    }

    private let bus: BusConnection
    /// The stream's state: at a start every shard asks for it at once.
    private let stream: SharedQuestion<StreamInfo>
    private let logger: Logger
    private let feeds = Mutex<[Shard: Feed]>([:])
    private let service = Mutex<RecorderService?>(nil)
    private let lag = Gauge(label: "recorder.lag_messages")
    private let lagSeconds = Gauge(label: "recorder.lag_seconds")
    private let newest = Mutex<(pending: [Shard: UInt64], storedNanoseconds: Int64)>(([:], 0))
    /// One shard's openings and closings happen in order.
    private let gate = AsyncGate()

    init(bus: BusConnection, logger: Logger) {
        self.bus = bus
        stream = SharedQuestion { try await JetStream(bus).streamInfo(Streams.terminals) }
        self.logger = logger
    }

    func start(_ service: RecorderService) {
        self.service.withLock { $0 = service }
    }

    /// Takes a shard over.
    func gain(_ shard: Shard) {
        let generation = next(shard)
        Task { await gate.whileAlone(shard) { await open(shard, generation) } }
    }

    /// Gives a shard away.
    func lose(_ shard: Shard) {
        let generation = next(shard)
        Task { await gate.whileAlone(shard) { await close(shard, generation, storing: true) } }
    }

    /// Begins a shard again from what is stored, without storing what is in memory.
    func reopen(_ shard: Shard) {
        let generation = next(shard)
        Task {
            await gate.whileAlone(shard) {
                await close(shard, generation, storing: false)
                await open(shard, generation)
            }
        }
    }

    func pause(_ shard: Shard) {
        logger.warning("frames wait in the stream: memory is full", metadata: ["shard": "\(shard)"])
        feeds.withLock { $0[shard]?.consumer }?.pause()
    }

    func resume(_ shard: Shard) {
        feeds.withLock { $0[shard]?.consumer }?.resume()
    }

    /// Stops following and stores nothing.
    func abandon() async {
        for shard in feeds.withLock({ Array($0.keys) }) { await close(shard, next(shard), storing: false) }
    }

    /// Stops following and stores what is in memory.
    func stop() async {
        let shards = feeds.withLock { Array($0.keys) }
        await withTaskGroup(of: Void.self) { group in
            for shard in shards {
                let generation = next(shard)
                group.addTask { await self.gate.whileAlone(shard) { await self.close(shard, generation, storing: true) } }
            }
        }
    }

    /// Messages of the stream that were not handled yet, and how old the newest handled one is, for the metrics.
    func measure() {
        let (pending, stored) = newest.withLock { ($0.pending.values.reduce(0, +), $0.storedNanoseconds) }
        lag.record(Double(pending))
        let age = pending == 0 || stored == 0 ? 0 : Double(Timestamp.now().microseconds - stored / 1000) / 1e6
        lagSeconds.record(max(0, age))
    }

    /// How near the stream is to dropping frames that were not handled; nil when nothing waits.
    func risk() async throws -> LagRisk? {
        let behind = newest.withLock { newest in newest.pending.filter { $0.value > 0 }.map(\.key) }
        guard let service = service.withLock({ $0 }) else { return nil }
        guard let handled = behind.compactMap({ service.shard($0)?.handled }).min() else { return nil }
        let info = try await JetStream(bus).streamInfo(Streams.terminals)
        return LagRisk(handled: handled, first: info.firstSequence, last: info.lastSequence, bytes: info.bytes, maxBytes: info.maxBytes)
    }

    /// Begins anew where the bus has another stream than the one that is followed.
    func compareStreams() async throws {
        guard let service = service.withLock({ $0 }) else { return }
        let stream = try await JetStream(bus).streamInfo(Streams.terminals)
        for shard in service.strangers(to: stream.created) {
            let generation = next(shard)
            // What is in memory stands in no stream any more.
            await gate.whileAlone(shard) {
                await close(shard, generation, storing: true)
                await open(shard, generation)
            }
        }
    }

    private func next(_ shard: Shard) -> UInt64 {
        feeds.withLock { feeds in
            feeds[shard, default: Feed()].generation += 1
            return feeds[shard]?.generation ?? 0
        }
    }

    private func isCurrent(_ shard: Shard, _ generation: UInt64) -> Bool {
        feeds.withLock { $0[shard]?.generation == generation }
    }

    private func open(_ shard: Shard, _ generation: UInt64) async {
        guard let service = service.withLock({ $0 }) else { return }
        var pause = Duration.milliseconds(50)
        var isNews = true
        while isCurrent(shard, generation) {
            do {
                let stream = try await stream.put().value
                let position = try await service.open(shard, stream)
                let consumer = try await PullConsumer.start(
                    bus, .init(stream: Streams.terminals, filter: Subjects.pty(shard), start: .sequence(position + 1), batch: 1024, maxBytes: 4 << 20),
                    onTrouble: { [logger] in logger.info("following a shard anew", metadata: ["shard": "\(shard)", "reason": "\($0)"]) },
                    handler: { [weak self] in self?.handle($0, shard, service) })
                let isWanted = feeds.withLock { feeds in
                    guard feeds[shard]?.generation == generation else { return false }
                    feeds[shard]?.consumer = consumer
                    return true
                }
                if !isWanted { await consumer.stop() }
                return
            } catch {
                if isNews { logger.warning("cannot take a shard over yet", metadata: ["shard": "\(shard)", "reason": "\(error)"]) }
                isNews = false
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }

    private func close(_ shard: Shard, _ generation: UInt64, storing: Bool) async {
        let consumer = feeds.withLock { feeds in
            defer { feeds[shard]?.consumer = nil }
            return feeds[shard]?.consumer
        }
        await consumer?.stop()
        await service.withLock { $0 }?.close(shard, storing: storing)
    }

    private func handle(_ message: StreamMessage, _ shard: Shard, _ service: RecorderService) {
        let frame = Frame(subject: message.subject, header: { message.message.header($0) }, payload: message.message.payload)
        if let frame {
            service.take(frame, stream: message.streamSequence)
        } else {
            service.skip(shard, stream: message.streamSequence, subject: message.subject)
        }
        newest.withLock { newest in
            newest.pending[shard] = message.pending
            newest.storedNanoseconds = max(newest.storedNanoseconds, message.storedNanoseconds)
        }
    }
}
