import Bus
import BusRights
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import Synchronization
import TestSupport
import Testing

@testable import ServiceKit

/// A service that wants the bus and its streams, and nothing else.
private struct Starting: Sendable {
    let context: ServiceContext
    let task: Task<Void, any Error>
    /// Its connection, once it has one.
    let bus = Shared<BusConnection>()

    init(_ environment: [String: String]) throws {
        let configuration = try ServiceConfiguration(service: "relay", environment: environment)
        let context = ServiceContext(
            configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, health: Health(),
            metrics: PrometheusRegistry())
        self.context = context
        task = Task { [bus = self.bus] in
            _ = try await ServiceProgram.begin(context, pause: .milliseconds(100)) { context in
                let connection = try await context.connect()
                try await context.ensureStreams(connection)
                bus.value = connection
                return [Running { await connection.close() }]
            }
        }
    }

    /// What `/readyz` says is wrong; nil when nothing is.
    var problem: String? {
        get async { await context.health.report().compactMap(\.problem).first }
    }

    func says(_ text: String) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            if let problem = await problem, problem.contains(text) {
                #expect(!problem.contains("\n"))
                #expect(await HealthServer.readiness(context.health).status == .serviceUnavailable)
                return
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("/readyz said \(await problem ?? "nothing"), not \(text)")
    }

    func becomesReady() async throws {
        try await task.value
        #expect(await problem == nil)
        #expect(await HealthServer.readiness(context.health).status == .ok)
    }
}

private final class Shared<Value: Sendable>: Sendable {
    private let box = Mutex<Value?>(nil)

    var value: Value? {
        get { box.withLock { $0 } }
        set { box.withLock { $0 = newValue } }
    }
}

@Suite("A service that cannot start yet", .serialized)
struct StartTests {
    private static func folder() throws -> String {
        let folder = FileManager.default.temporaryDirectory.path + "/switchback-start-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test("With another deployment's credential it says that it is refused, and starts when the file is mended")
    func credentials() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let authority = BusAuthority()
        let server = try await NATSServer.start(configuration: authority.serverConfiguration())
        let file = folder + "/bus.creds"
        try Data(BusAuthority().credentials(.service(.relay)).utf8).write(to: URL(filePath: file))
        let service = try Starting(["SWITCHBACK_NATS_URL": server.url, "SWITCHBACK_NATS_CREDS": file])
        try await service.says("refused the credentials of switchback-relay")
        try Data(authority.credentials(.service(.relay)).utf8).write(to: URL(filePath: file))
        try await service.becomesReady()
    }

    @Test("With a wrong password it says that it is refused")
    func password() async throws {
        let server = try await NATSServer.start(configuration: "authorization { user: a, password: right }")
        let service = try Starting(["SWITCHBACK_NATS_URL": "nats://a:wrong@127.0.0.1:\(server.port)"])
        try await service.says("refused the credentials")
        #expect(await service.problem?.contains("wrong") == false)
        service.task.cancel()
    }

    @Test("Without a server it says so, and starts when there is one")
    func noServer() async throws {
        let server = try await NATSServer.start()
        server.kill9()
        let service = try Starting(["SWITCHBACK_NATS_URL": server.url])
        try await service.says("no NATS server answered")
        try await server.restart()
        try await service.becomesReady()
    }

    @Test("With a server that has no JetStream it says so, and starts when it has")
    func noJetStream() async throws {
        let server = try await NATSServer.start(jetStream: false)
        let service = try Starting(["SWITCHBACK_NATS_URL": server.url])
        try await service.says("JetStream is not enabled on this server (start nats-server with -js)")
        try await server.restart()
        try await service.becomesReady()
    }

    @Test("A service that runs says that JetStream went away, and makes the streams anew on a server that lost its disk")
    func lostDisk() async throws {
        let server = try await NATSServer.start()
        let service = try Starting(["SWITCHBACK_NATS_URL": server.url])
        try await service.becomesReady()
        try await server.restart(jetStream: false)
        try await service.says("JetStream is not enabled")
        try await server.restart(empty: true)
        let bus = try await server.connect()
        // Nobody asks for /readyz: the reconnect is enough.
        try await eventually(within: .seconds(60), "the stream was not made") { (try? await JetStream(bus).streamInfo("PTY")) != nil }
        try await eventually(within: .seconds(60), "it is not ready again") { await service.problem == nil }
    }

    @Test(
        "On a bus whose disk is full it says so, and is well again when it has room: nothing that was kept is lost",
        .enabled(if: SmallDisk.isAvailable, "mounting a small disk needs root"))
    func fullDisk() async throws {
        let disk = try SmallDisk(megabytes: 24)
        let server = try await NATSServer.start(configuration: "jetstream { max_file_store: 20GB }", store: disk.folder + "/store")
        let service = try Starting(["SWITCHBACK_NATS_URL": server.url])
        try await service.becomesReady()
        let bus = try #require(service.bus.value)
        func store() async throws -> UInt64 {
            try await bus.store("event.pod.p1.said", payload: [UInt8](repeating: 1, count: 64 << 10), timeout: .seconds(2))
        }
        var kept: UInt64 = 0
        try disk.fill(sparing: 1 << 20)
        await #expect(throws: BusError.self) { while true { kept = try await store() } }
        #expect(kept > 0)
        try await service.says("the bus does not keep event.*")
        try disk.empty()
        // As whoever watches nats-server does: of 2.9, 2.10 and 2.15 only 2.10 goes on without.
        server.kill9()
        try await server.restart()
        try await eventually(within: .seconds(60), "it keeps nothing yet") { (try? await store()) != nil }
        try await service.becomesReady()
        #expect(try await JetStream(bus).streamInfo("EVENTS").messages > kept)
    }

    @Test("A setting that cannot be used ends the start")
    func setting() async throws {
        let configuration = try ServiceConfiguration(service: "relay", environment: [:])
        let context = ServiceContext(
            configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, health: Health(),
            metrics: PrometheusRegistry())
        await #expect(throws: ConfigurationError.self) {
            _ = try await ServiceProgram.begin(context) { _ in throw ConfigurationError("SWITCHBACK_X is missing") }
        }
        #expect(throws: ConfigurationError.self) {
            try ServiceConfiguration(service: "relay", environment: ["SWITCHBACK_NATS_CERT": "/a"])
        }
    }
}
