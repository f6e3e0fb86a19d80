import BindingsClient
import BindingsServer
import Bus
import Contract
import Database
import Foundation
import Logging
import RegistryClient
import RegistryServer
import RelayServer
import Synchronization
import TestSupport
import Testing

/// The bindings service over a real nats-server, PostgreSQL and registry; the runner is the test's.
final class Stage: Sendable {
    let nats: NATSServer
    let bus: BusConnection
    let pool: DatabasePool
    let registry: RegistryServer
    let pods: RegistryClient
    let client: BindingsClient
    /// Every event of the service, in the order in which it came. Two instances may publish one twice, under the same id, of which the
    /// stream keeps one.
    let events = Mutex<[BusMessage]>([])
    private let servers = Mutex<[BindingsServer]>([])
    private let relays = Mutex<[RelayService]>([])
    let lease: Duration
    /// Whether the runner is heard of.
    let beats = Mutex(true)
    private let heart = Mutex<Task<Void, Never>?>(nil)

    private init(nats: NATSServer, bus: BusConnection, pool: DatabasePool, registry: RegistryServer, lease: Duration) {
        self.lease = lease
        self.nats = nats
        self.bus = bus
        self.pool = pool
        self.registry = registry
        pods = RegistryClient(bus: bus)
        client = BindingsClient(bus: bus)
    }

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func start(instances: Int = 1, lease: Duration = .seconds(30), offlineAfter: Duration = .seconds(3600)) async throws -> Stage {
        let nats = try await NATSServer.start()
        let bus = try await nats.connect()
        let pool = DatabasePool(.init(address: try await TestPostgres.database(), connections: 8), logger: quiet)
        let registry = try await RegistryServer.start(bus: bus, pool: pool, logger: quiet, offlineAfter: offlineAfter)
        let it = Stage(nats: nats, bus: bus, pool: pool, registry: registry, lease: lease)
        // One subscription: only that keeps the order between areas.
        try bus.subscribe("event.>") { message in
            guard ["binding", "wait", "attention", "channel"].contains(message.subject.split(separator: ".")[1]) else { return }
            let id = message.header(Headers.messageID)
            it.events.withLock { events in
                if !events.contains(where: { $0.header(Headers.messageID) == id }) { events.append(message) }
            }
        }
        for verb in ["start", "stop"] {
            try bus.answer(Subjects.runner("one", verb)) { (_: Done) in
                Started(pid: 1, cwd: "/w", agent: nil, worktreePath: nil, sessionID: nil, argv: ["bash"])
            }
        }
        _ = try await it.pods.heartbeat(Heartbeat(runner: "one", host: "h", version: "1", sent: .now(), pods: []))
        let heart = Task { [weak it] in
            while (try? await Task.sleep(for: .seconds(1))) != nil, let it {
                guard it.beats.withLock({ $0 }) else { continue }
                _ = try? await it.pods.heartbeat(Heartbeat(runner: "one", host: "h", version: "1", sent: .now(), pods: []))
            }
        }
        it.heart.withLock { $0 = heart }
        for _ in 0..<instances { try await it.startService() }
        return it
    }

    func startService() async throws {
        let name = "bindings-\(servers.withLock { $0.count })"
        let server = try await BindingsServer.start(bus: bus, pool: pool, logger: Self.quiet, instance: name, sweep: .milliseconds(100), lease: lease)
        servers.withLock { $0.append(server) }
    }

    func stopService() async {
        for server in servers.withLock({ servers in
            defer { servers = [] }
            return servers
        }) { await server.stop() }
    }

    func end() async {
        heart.withLock { $0 }?.cancel()
        await stopService()
        await stopRelay()
        await registry.stop()
        await bus.close()
        pool.close()
    }

    // MARK: - Terminals

    /// The gate and the screens of all pods.
    func startRelay() async throws {
        let relay = RelayService(bus: try await nats.connect(name: "relay"), logger: Self.quiet)
        try await relay.join(instance: "relay-\(relays.withLock { $0.count })")
        relays.withLock { $0.append(relay) }
    }

    func stopRelay() async {
        for relay in relays.withLock({ relays in
            defer { relays = [] }
            return relays
        }) { await relay.stop() }
    }

    /// A pod whose terminal a script plays: after each Enter it says something, as programs do.
    func scripted(_ name: String, agent: String? = "claude") async throws -> ScriptedShim {
        let id = try await pods.create(
            CreatePod(spec: PodSpec(name: name, agent: agent, command: ["bash"]), author: Author(kind: .person, id: "ada"))
        ).pod
        let shim = try ScriptedShim(try await nats.connect(name: "shim"), pod: id, agent: agent)
        shim.whenTyped { [weak shim] typed in _ = try? shim?.output(typed.bytes == [0x0d] ? "\r\nsays so\r\n" : "text") }
        try shim.output("welcome\r\n")
        return shim
    }

    /// Says a status of what is on a scripted pod's screen now.
    func say(_ status: String, _ reason: String? = nil, of shim: ScriptedShim) throws {
        let payload = try JSON.encode(
            PodStatus(status: status, reason: reason, since: .now(), seq: shim.seq, evidence: "as seen", fingerprint: reason.map { "of \($0)" }, agent: "claude"))
        for subject in [Subjects.status(shim.pod), Subjects.statusChanged(shim.pod)] { try bus.publish(subject, payload: payload) }
    }

    // MARK: - Channels

    static func author(_ pod: PodID) -> Author { Author(kind: .pod, id: pod.text) }
    static let ada = Author(kind: .person, id: "ada")

    func channel(_ name: String, _ members: [(PodID, String)], people: [String] = []) async throws -> Channel {
        try await client.createChannel(
            CreateChannel(
                name: name, author: Self.ada,
                members: members.map { .init(who: Self.author($0.0), name: $0.1) } + people.map { .init(who: Author(kind: .person, id: $0), name: $0) }))
    }

    @discardableResult
    func post(
        _ text: String, to channel: String = "design", by author: Author = Stage.ada, _ name: String = "ada", asks: Bool? = nil, replyTo: String? = nil,
        key: String? = nil
    ) async throws(ErrorBody) -> ChannelMessage {
        try await client.post(PostMessage(channel: channel, author: author, authorName: name, text: text, asks: asks, replyTo: replyTo, key: key))
    }

    /// Waits until the receipt of a message for a member says this.
    @discardableResult
    func receipt(_ message: ChannelMessage, _ member: PodID, _ state: ChannelMessage.Delivery.State) async throws -> ChannelMessage.Delivery {
        var last: ChannelMessage.Delivery?
        return try await eventually(within: .seconds(30), "\(message.text) is \(last?.state.rawValue ?? "nothing"), not \(state)") {
            last = try await self.client.message(MessageRequest(message: message.id, author: nil)).delivery(Self.author(member))
            return last?.state == state ? last : nil
        }
    }

    // MARK: - Pods

    func pod(_ name: String, owner: String = "ada") async throws -> PodID {
        try await pods.create(
            CreatePod(spec: PodSpec(name: name, command: ["bash"]), author: Author(kind: .person, id: owner))
        ).pod
    }

    func say(
        _ status: String, _ reason: String? = nil, of pod: PodID, seq: UInt64 = 1, fingerprint: String? = nil, since: Timestamp = .now(),
        asks: (question: String, about: String?)? = nil
    ) throws {
        var said = PodStatus(status: status, reason: reason, since: since, seq: seq, evidence: "as seen", question: asks?.question, fingerprint: fingerprint)
        said.about = asks?.about
        let payload = try JSON.encode(said)
        // As a detector does: for who listens now, and for the record.
        for subject in [Subjects.status(pod), Subjects.statusChanged(pod)] { try bus.publish(subject, payload: payload) }
    }

    func exit(_ pod: PodID) async throws {
        for (seq, control) in [Control.start(.init(argv: ["bash"], columns: 80, rows: 24)), .exit(.code(0))].enumerated() {
            let frame = Frame(pod: pod, seq: UInt64(seq + 1), time: .now(), kind: .ctl, bytes: try JSON.encode(control))
            _ = try await bus.request(frame.subject, payload: frame.bytes, headers: frame.headers)
        }
    }

    // MARK: - Asking

    func request(_ from: PodID, _ to: PodID, _ scopes: [Scope] = [.read]) async throws(ErrorBody) -> Binding {
        try await client.request(RequestBinding(from: from, to: to, scopes: scopes, author: Author(kind: .pod, id: from.text)))
    }

    func accept(_ binding: Binding, _ scopes: [Scope]? = nil) async throws(ErrorBody) -> Binding {
        try await client.accept(DecideBinding(id: binding.id, author: Author(kind: .pod, id: binding.to.text), scopes: scopes))
    }

    func wait(
        _ waiter: PodID?, on pods: [PodID], _ mode: Wait.Mode = .all, until: Wait.Until = .idle, timeout: Int64 = 60_000, turn: UInt64? = nil
    ) async throws(ErrorBody) -> Wait {
        try await client.wait(
            CreateWait(
                waiter: waiter.map { Author(kind: .pod, id: $0.text) } ?? Author(kind: .person, id: "ada"), pods: pods, mode: mode, until: until,
                turn: turn, timeoutMs: timeout))
    }

    /// Waits until the wait has ended.
    func outcome(_ wait: Wait) async throws -> Wait {
        try await eventually(within: .seconds(20), "the wait did not end") {
            let wait = try await self.client.wait(wait.id)
            return wait.isOpen ? nil : wait
        }
    }

    func rows() async throws -> Int {
        try await pool.withConnection { try $0.query("SELECT count(*) FROM bindings.records WHERE kind = 'binding'")[0].decode(0) }
    }

    /// The last tokens of the events of an area, in their order.
    func told(_ area: String, _ id: String? = nil) -> [String] {
        events.withLock { events in
            events.compactMap { message in
                let tokens = message.subject.split(separator: ".")
                return tokens[1] == area && (id == nil || tokens[2] == id!) ? String(tokens[3]) : nil
            }
        }
    }
}

/// The code of the error that `body` throws.
func code(_ body: () async throws -> Any) async -> ErrorBody.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? ErrorBody)?.code
    }
}
