internal import Bus
internal import Compression
internal import Contract
internal import Logging
internal import Metrics
internal import Synchronization

/// Says statuses on the bus, in order, and has the stream keep them.
final class StatusPublisher: Sendable {
    private struct Fields {
        /// Changes that the publisher has no room for, in order.
        var overflow: [(subject: String, payload: [UInt8], headers: [(String, String)])] = []
        var drifting: Set<PodID> = []
    }

    private let bus: BusConnection
    private let events: AckedPublisher
    private let instance: String
    private let logger: Logger
    private let fields = Mutex(Fields())
    private let changeCount = Counter(label: "detector.status_changes")
    /// From the moment that the change tells of to its being told, by the clocks of both hosts.
    private let delay = Timer(label: "detector.status_delay")

    init(bus: BusConnection, instance: String, logger: Logger) throws {
        self.bus = bus
        self.instance = instance
        self.logger = logger
        events = try AckedPublisher(
            bus, windowBytes: 32 << 20, windowMessages: 32768,
            onRefused: { error in logger.warning("the stream refuses a status, which waits", metadata: ["reason": "\(error)"]) })
    }

    func tell(_ pod: PodID, _ status: PodStatus, screen: () -> [String]) {
        let payload: [UInt8]
        do {
            payload = try JSON.encode(status)
        } catch {
            return logger.error("a status could not be encoded", metadata: ["pod": "\(pod)", "error": "\(error)"])
        }
        changeCount.increment()
        delay.recordNanoseconds(max(0, (Timestamp.now() - status.since).microseconds) * 1000)
        do throws(BusError) {
            try bus.publish(Subjects.status(pod), payload: payload)
        } catch {
            // The event follows when the bus is back.
            logger.debug("a status was not published", metadata: ["pod": "\(pod)", "error": "\(error)"])
        }
        let headers = [(Headers.messageID, "\(pod).status.\(status.seq).\(status.since.microseconds).\(status.status).\(status.reason ?? "")")]
        send(Subjects.statusChanged(pod), payload, headers)
        noteDrift(pod, status, screen: screen)
    }

    /// The alarm for an agent whose screen no rule knows any more, once for each time it begins and ends.
    private func noteDrift(_ pod: PodID, _ status: PodStatus, screen: () -> [String]) {
        let isDrifting = status.drift == true
        let isNew = fields.withLock { fields in
            isDrifting ? fields.drifting.insert(pod).inserted : fields.drifting.remove(pod) != nil
        }
        guard isNew else { return }
        let agent = status.agent ?? "the agent"
        let alarm = Alarm(
            time: .now(), service: "detector", instance: instance, what: "drift",
            message: isDrifting
                ? "\(agent) in pod \(pod) shows nothing that its manifest knows; it may be a newer version" : "\(agent) in pod \(pod) is understood again",
            active: isDrifting, pod: pod, screen: isDrifting ? screen() : nil)
        guard let payload = try? JSON.encode(alarm) else { return }
        send(alarm.subject, payload, [])
    }

    private func send(_ subject: String, _ payload: [UInt8], _ headers: [(String, String)]) {
        fields.withLock { fields in
            if fields.overflow.isEmpty, events.publish(subject, payload: payload, headers: headers) != nil { return }
            // An hour without a stream: the newest matter most.
            if fields.overflow.count >= 200_000 { fields.overflow.removeFirst(10_000) }
            fields.overflow.append((subject, payload, headers))
        }
        drain()
    }

    /// Hands over what had no room.
    func drain() {
        fields.withLock { fields in
            while let first = fields.overflow.first {
                guard events.publish(first.subject, payload: first.payload, headers: first.headers) != nil else { break }
                fields.overflow.removeFirst()
            }
        }
    }

    /// Keeps what a detector remembers. Lost memory costs only work.
    func keep(_ meta: PodMemory, snapshot: [UInt8], of pod: PodID) {
        guard let packed = try? Zstd.compress(snapshot, level: 1), packed.count < 900 << 10, let text = try? JSON.text(meta) else { return }
        try? bus.publish(Subjects.detectorMemory(pod), payload: packed, headers: [(Headers.meta, text)])
    }

    func forget(_ pod: PodID) {
        fields.withLock { _ = $0.drifting.remove(pod) }
    }

    /// Waits until the stream has every change, for a second at most.
    func stop() async {
        _ = await events.waitUntilStored(timeout: .seconds(1))
        events.close()
    }
}
