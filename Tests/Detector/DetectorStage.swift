import Bus
import Contract
import Database
import DetectorClient
import Foundation
import Logging
import RecorderServer
import RegistryClient
import RegistryServer
import Synchronization
import TestSupport

@testable import DetectorServer

let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A real bus and database, a registry, and detectors that can be killed and started again.
final class DetectorStage: Sendable {
    let nats: NATSServer
    let bus: BusConnection
    let pool: DatabasePool
    let registry: RegistryServer
    let client: DetectorClient
    let pods: RegistryClient
    let heard: Heard
    let folder: String
    private let databaseURL: String

    /// What was said on `status.*`, in the order in which a subscriber hears it.
    final class Heard: Sendable {
        private let said = Mutex<[(pod: PodID, status: PodStatus, at: ContinuousClock.Instant)]>([])

        func note(_ message: BusMessage) {
            guard let pod = PodID(message.subject.dropFirst("status.".count)), let status = try? JSON.decode(PodStatus.self, from: message.payload)
            else { return }
            said.withLock { $0.append((pod, status, .now)) }
        }

        func statuses(_ pod: PodID) -> [PodStatus] { said.withLock { $0.filter { $0.pod == pod }.map(\.status) } }
        func times(_ pod: PodID) -> [ContinuousClock.Instant] { said.withLock { $0.filter { $0.pod == pod }.map(\.at) } }
    }

    private init(
        nats: NATSServer, bus: BusConnection, pool: DatabasePool, registry: RegistryServer, heard: Heard, folder: String, databaseURL: String
    ) {
        self.nats = nats
        self.bus = bus
        self.pool = pool
        self.registry = registry
        self.heard = heard
        self.folder = folder
        self.databaseURL = databaseURL
        client = DetectorClient(bus: bus)
        pods = RegistryClient(bus: bus)
    }

    static func start() async throws -> DetectorStage {
        let nats = try await NATSServer.start()
        let bus = try await nats.connect(name: "test")
        try await JetStream(bus).ensureStreams()
        let address = try await TestPostgres.database()
        let pool = DatabasePool(.init(address: address), logger: quiet)
        let registry = try await RegistryServer.start(bus: try await nats.connect(name: "registry"), pool: pool, logger: quiet, offlineAfter: .seconds(3600))
        let heard = Heard()
        try bus.subscribe(Subjects.allStatus) { heard.note($0) }
        let folder = FileManager.default.temporaryDirectory.path + "/agents-\(PodID.random())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let stage = DetectorStage(nats: nats, bus: bus, pool: pool, registry: registry, heard: heard, folder: folder, databaseURL: address)
        try stage.write("toy.toml", Self.toy)
        return stage
    }

    /// An agent whose title says everything.
    static let toy = """
        title = "Toy"
        version = "1"
        [launch]
        command = ["toy"]
        [screen]
        kind = "tui"
        [[rules]]
        name = "works"
        region = "title"
        status = "executing"
        reason = "tool"
        all = ["BUSY"]
        [[rules]]
        name = "asks"
        region = "title"
        status = "waiting"
        reason = "approval"
        all = ["ASK"]
        [[rules]]
        name = "rests"
        region = "title"
        status = "idle"
        reason = "turn_done"
        all = ["REST"]
        [hooks.events]
        Work = "executing/tool"
        Ask = "waiting/approval"
        Done = "idle/turn_done"
        """

    func write(_ file: String, _ text: String) throws { try text.write(toFile: folder + "/" + file, atomically: true, encoding: .utf8) }

    func detector(_ instance: String = "one") async throws -> DetectorService {
        let detector = try DetectorService(
            bus: try await nats.connect(name: "detector " + instance), agentFolders: [folder], instance: instance, logger: Self.logger)
        try await detector.join()
        return detector
    }

    static let logger = ProcessInfo.processInfo.environment["SWITCHBACK_TEST_LOG"] == nil ? quiet : Logger(label: "detector")

    func recorder() async throws -> Recorder {
        let bus = try await nats.connect(name: "recorder")
        let micro = try Microservice(bus, name: "recorder", id: "r", version: "0.0.1", summary: "test", started: Timestamp.now().description)
        return try await Recorder.start(
            .init(databaseURL: databaseURL, instance: "r"), bus: bus, bulk: try await nats.connect(name: "recorder bulk"), micro: micro, logger: quiet)
    }

    /// Waits until the newest status of a pod is this.
    func said(_ pod: PodID, _ status: String, within limit: Duration = .seconds(20)) async throws {
        try await eventually(within: limit, "\(status) was not said; heard: \(heard.statuses(pod).map(\.status))") {
            heard.statuses(pod).last?.status == status
        }
    }

    /// Every status that the stream holds of a pod.
    func kept(_ pod: PodID) async throws -> [PodStatus] {
        var statuses: [PodStatus] = []
        var next: UInt64 = 1
        while let message = try await JetStream(bus).nextMessage(Streams.events, subject: Subjects.statusChanged(pod), from: next) {
            next = message.sequence + 1
            statuses.append(try JSON.decode(PodStatus.self, from: message.payload))
        }
        return statuses
    }

    /// The registry's intervals of a pod.
    func history(_ pod: PodID) async throws -> [PodHistory.Entry] {
        try await pods.history(PodRequest(pod: pod, author: Author(kind: .person, id: "test"))).entries.filter { $0.what == "status" }
    }

    func end() async {
        await registry.stop()
        await bus.close()
        pool.close()
        try? FileManager.default.removeItem(atPath: folder)
    }
}

extension ScriptedShim {
    @discardableResult
    func title(_ text: String) throws -> UInt64 { try output("\u{1b}]0;\(text)\u{7}") }
}

/// A pod whose frames have the times that a test says: it is told to be a recording, so that no clock but theirs counts.
final class TimedPod {
    let pod = PodID.random()
    private let bus: BusConnection
    private var seq: UInt64 = 0
    let start = Timestamp.now() - .seconds(36_000)

    init(_ bus: BusConnection, agent: String, columns: Int = 80, rows: Int = 24) throws {
        self.bus = bus
        try control(0, .start(.init(argv: [agent], columns: columns, rows: rows, agent: agent, imported: true)))
    }

    func output(_ seconds: Double, _ text: String) throws { try frame(seconds, .out, Array(text.utf8)) }
    func control(_ seconds: Double, _ control: Control) throws { try frame(seconds, .ctl, try JSON.encode(control)) }
    func title(_ seconds: Double, _ text: String) throws { try output(seconds, "\u{1b}]0;\(text)\u{7}") }

    private func frame(_ seconds: Double, _ kind: FrameKind, _ bytes: [UInt8]) throws {
        seq += 1
        let frame = Frame(pod: pod, seq: seq, time: start + .microseconds(Int64(seconds * 1e6)), kind: kind, bytes: bytes)
        try bus.publish(frame.subject, payload: frame.bytes, headers: frame.headers)
    }
}
