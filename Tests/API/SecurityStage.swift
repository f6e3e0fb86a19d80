import APIClient
import Bus
import Contract
import Database
import Foundation
import Logging
import RegistryServer
import RelayServer
import ServiceKit
import Synchronization
import TestSupport

@testable import APIServer

/// The API over a real registry (with PostgreSQL), a real relay and a runner whose pods are scripts; each pod has the credential that the
/// registry made for it.
final class SecurityStage: Sendable {
    static let admin = APIStage.admin
    static let operatorToken = APIStage.operatorToken
    static let viewer = APIStage.viewer

    let nats: NATSServer
    let bus: BusConnection
    let pool: DatabasePool
    let database: String
    let address: String
    let log = CollectedLog()
    let health = Health()
    /// With TLS: whom clients trust.
    private let authority: String?
    private let registry = Mutex<RegistryServer?>(nil)
    private let relay: RelayService
    private let task: Task<Void, Never>
    private let started = Mutex<[PodID: (shim: ScriptedShim, credential: String)]>([:])

    init(proxies: Set<String> = [], patience: Duration = .seconds(30), tls: TestCertificates? = nil) async throws {
        nats = try await NATSServer.start()
        authority = try tls.map {
            let copy = "\($0.folder)/stage-ca.crt"
            try FileManager.default.copyItem(atPath: $0.authority, toPath: copy)
            return copy
        }
        bus = try await nats.connect(name: "test")
        database = try await TestPostgres.database()
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        pool = DatabasePool(.init(address: database), logger: quiet)
        try await JetStream(bus).ensureStreams()
        let first = try await RegistryServer.start(bus: try await nats.connect(name: "registry"), pool: pool, logger: quiet, offlineAfter: .seconds(3600))
        registry.withLock { $0 = first }
        relay = RelayService(bus: try await nats.connect(name: "relay"), logger: quiet)
        try await relay.join(instance: "one")
        let tokens = nats.directory + "/tokens"
        let lines = "\(Self.admin) admin ada\n\(Self.operatorToken) operator olga\n\(Self.viewer) viewer vera\n"
        try lines.write(toFile: tokens, atomically: true, encoding: .utf8)
        let web = nats.directory + "/web"
        try FileManager.default.createDirectory(atPath: web, withIntermediateDirectories: true)
        try "<p>page</p>".write(toFile: web + "/index.html", atomically: true, encoding: .utf8)
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let log = log
        var loud = Logger(label: "api") { _ in log }
        loud.logLevel = .trace
        var configuration = APIConfiguration(
            listen: try ListenAddress("127.0.0.1:0", variable: "listen"), tokenFile: tokens, webDirectory: web, proxies: proxies, instance: "test",
            version: "0")
        configuration.patience = patience
        configuration.certificate = tls.map { ($0.certificate("server"), $0.key("server")) }
        let api = try APIServer(
            configuration, bus: try await nats.connect(name: "api"), bulk: try await nats.connect(name: "bulk"),
            health: health, metrics: PrometheusRegistry(), logger: loud
        ) { port in continuation.yield(port) }
        task = Task { try? await api.run() }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else { throw TestSupportError("the API did not start") }
        address = "\(tls == nil ? "http" : "https")://127.0.0.1:\(port)"
        for verb in ["start", "resume"] {
            try bus.answer(Subjects.runner("one", verb), StartPod.self) { [weak self] request in
                guard let self else { throw ErrorBody(.unavailable, "gone") }
                let shim = try ScriptedShim(self.bus, pod: request.pod)
                self.started.withLock { $0[request.pod] = (shim, request.credential ?? "") }
                return Started(pid: 42, cwd: "/w", agent: nil, worktreePath: nil, sessionID: nil, argv: ["script"])
            }
        }
        try bus.answer(Subjects.runner("one", "stop"), StopPod.self) { _ in Done() }
        let _: HeartbeatReply = try await bus.ask(
            Subjects.runnersHeartbeat, Heartbeat(runner: "one", host: "h", version: "1", sent: .now(), pods: []))
    }

    deinit {
        task.cancel()
        let (registry, pool) = (registry.withLock { $0 }, pool)
        Task {
            await registry?.stop()
            pool.close()
        }
    }

    func client(_ token: String?) -> APIClient { APIClient(address: address, token: token, authority: authority) }
    var ada: APIClient { client(Self.admin) }

    /// Starts a pod that a script plays.
    func pod(_ name: String) async throws -> (pod: PodID, shim: ScriptedShim, credential: String) {
        let _: HeartbeatReply = try await bus.ask(
            Subjects.runnersHeartbeat, Heartbeat(runner: "one", host: "h", version: "1", sent: .now(), pods: []))
        let pod = try await ada.create(PodSpec(name: name, command: ["script"]))
        guard let entry = started.withLock({ $0[pod.pod] }) else { throw TestSupportError("the runner was not asked") }
        return (pod.pod, entry.shim, entry.credential)
    }

    func stopRegistry() async {
        let server = registry.withLock { $0.take() }
        await server?.stop()
    }

    func startRegistry() async throws {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = try await RegistryServer.start(bus: try await nats.connect(name: "registry"), pool: pool, logger: quiet, offlineAfter: .seconds(3600))
        registry.withLock { $0 = server }
    }
}

/// Every line that was logged, with its metadata.
final class CollectedLog: LogHandler, Sendable {
    private let lines = Mutex<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) { lines.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") } }
}
