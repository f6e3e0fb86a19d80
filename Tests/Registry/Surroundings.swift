import Bus
import Contract
import Database
import Foundation
import Logging
import RegistryClient
import Synchronization
import TestSupport
import Testing

@testable import RegistryServer

/// A registry over a real nats-server and a real PostgreSQL, with runners that the test plays.
final class Surroundings: Sendable {
    let nats: NATSServer
    let bus: BusConnection
    let pool: DatabasePool
    let server: RegistryServer
    let client: RegistryClient

    private init(nats: NATSServer, bus: BusConnection, pool: DatabasePool, server: RegistryServer) {
        self.nats = nats
        self.bus = bus
        self.pool = pool
        self.server = server
        client = RegistryClient(bus: bus)
    }

    static func start(database: String? = nil) async throws -> Surroundings {
        let nats = try await NATSServer.start()
        let bus = try await nats.connect()
        let address = if let database { database } else { try await TestPostgres.database() }
        let pool = DatabasePool(.init(address: address), logger: Logger(label: "test"))
        // Runners of these tests beat once: however slow the machine is, they are not missed.
        let server = try await RegistryServer.start(
            bus: bus, pool: pool, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, offlineAfter: .seconds(3600))
        return Surroundings(nats: nats, bus: bus, pool: pool, server: server)
    }

    func end() async {
        await server.stop()
        await bus.close()
        pool.close()
    }

    /// A runner that beats once and answers starts as told.
    func addRunner(_ name: String = "one", start: @escaping @Sendable (StartPod) async throws(ErrorBody) -> Started = { _ in .sample }) async throws {
        for verb in ["start", "resume"] {
            try bus.answer(Subjects.runner(name, verb)) { (request: StartPod) in try await start(request) }
        }
        try await beat(name)
    }

    func beat(_ name: String = "one", pods: [PodID] = [], offset: Int64? = nil) async throws {
        _ = try await client.heartbeat(Heartbeat(runner: name, host: "h", version: "1", sent: .now(), clockOffset: offset, pods: pods))
    }

    func create(_ name: String?, key: String? = nil, command: [String] = ["bash"]) async throws -> Pod {
        try await client.create(CreatePod(spec: PodSpec(name: name, command: command), author: .alice, idempotencyKey: key))
    }

    /// Publishes a control frame as a shim does.
    func say(_ pod: PodID, _ control: Control, seq: UInt64, at time: Timestamp = .now()) async throws {
        let frame = Frame(pod: pod, seq: seq, time: time, kind: .ctl, bytes: try JSON.encode(control))
        let answer = try await bus.request(frame.subject, payload: frame.bytes, headers: frame.headers)
        guard case .stored = PublishAck(answer) else { throw TestSupportError("the frame was not stored") }
    }

    /// Waits until the pod is as wanted.
    @discardableResult
    func pod(_ ref: String, _ message: String = "the pod did not get there", is condition: @escaping (Pod) -> Bool) async throws -> Pod {
        try await eventually(message) {
            do {
                let pod = try await self.client.get(ref)
                return condition(pod) ? pod : nil
            } catch let error as ErrorBody where error.code == .notFound {
                return nil
            }
        }
    }
}

extension Author {
    static let alice = Author(kind: .person, id: "alice")
}

extension Started {
    static let sample = Started(pid: 42, cwd: "/w", agent: nil, worktreePath: nil, sessionID: nil, argv: ["bash"])
}
