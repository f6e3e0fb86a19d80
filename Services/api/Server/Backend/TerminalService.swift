internal import BindingsClient
internal import Bus
internal import Contract
internal import DetectorClient
internal import Logging
internal import RegistryClient
internal import RecorderClient
internal import Redaction
internal import RelayClient
internal import Terminal

/// What terminal sockets and routes need of the other services.
final class TerminalService: Sendable {
    /// A screen with what identifies its moment.
    struct Screen: Sendable {
        var seq: UInt64
        var time: Timestamp
        var columns: Int
        var rows: Int
        var ansi: [UInt8]
    }

    let bus: BusConnection
    let relay: RelayClient
    let registry: RegistryClient
    let recorder: RecorderClient
    let bindings: BindingsClient
    let detector: DetectorClient
    let feeds: LiveFeeds
    let grants: BindingGrants
    let logger: Logger
    let redactor: Redactor

    init(bus: BusConnection, grants: BindingGrants, instance: String, logger: Logger, redactor: Redactor = .standard) {
        self.redactor = redactor
        self.grants = grants
        self.bus = bus
        self.logger = logger
        relay = RelayClient(bus: bus)
        registry = RegistryClient(bus: bus)
        recorder = RecorderClient(bus: bus)
        bindings = BindingsClient(bus: bus)
        detector = DetectorClient(bus: bus)
        feeds = LiveFeeds(bus: bus, relay: RelayWatching(relay: relay, viewer: "api-" + instance))
    }

    private init(_ other: TerminalService, asker: Author) {
        bus = other.bus
        logger = other.logger
        redactor = other.redactor
        grants = other.grants
        relay = other.relay.asking(for: asker)
        registry = other.registry
        recorder = RecorderClient(bus: other.bus, asker: asker)
        bindings = other.bindings
        detector = other.detector
        feeds = other.feeds
    }

    /// The same, asking relay and recorder in the name of an agent, so that they refuse what it has no binding for.
    func asking(for person: Person) -> TerminalService {
        person.pod == nil ? self : TerminalService(self, asker: person.author)
    }

    static func newViewer() -> String { "v" + String(PodID.random().text.dropFirst()) }

    /// A pod by id, name, or the unique beginning of an id.
    func pod(_ ref: String, at: Timestamp? = nil) async throws(ErrorBody) -> Pod {
        guard !ref.isEmpty, ref.utf8.count <= 64 else { throw ErrorBody(.notFound, "there is no pod \"\(ref.prefix(64))\"") }
        return try await registry.get(ref, at: at)
    }

    /// The pod that a socket asks for: the credential of an agent is checked here, and its binding.
    func pod(for request: TerminalRequest) async throws(ErrorBody) -> Pod {
        if let credential = request.credential {
            let agent = try await agent(credential)
            guard agent.pod == request.person.pod else { throw ErrorBody(.unauthenticated, "this credential belongs to another pod") }
        }
        let pod = try await pod(request.pod)
        try request.person.require(pod)
        try grants.require(request.person.author, .read, on: pod.pod)
        return pod
    }

    /// The screen a pod ended with.
    /// - Parameter masked: secrets are hidden.
    func lastScreen(_ pod: Pod, masked: Bool) async throws(ErrorBody) -> Screen {
        if masked {
            let (terminal, meta) = try await maskedState(pod)
            let lines = redactor.history(of: terminal, lines: 500)
            redactor.cover(terminal)
            return Screen(seq: meta.seq, time: meta.time, columns: terminal.columns, rows: terminal.rows, ansi: terminal.ansi(historyLines: lines))
        }
        do throws(ErrorBody) {
            let attached = try await relay.attach(Attach(pod: pod.pod, format: .ansi, scrollback: 500))
            return Screen(
                seq: attached.meta.seq, time: attached.meta.time, columns: attached.meta.columns, rows: attached.meta.rows,
                ansi: attached.payload)
        } catch {
            let (terminal, meta) = try await recorder.state(pod.pod)
            return Screen(
                seq: meta.seq, time: meta.time, columns: meta.columns, rows: meta.rows, ansi: terminal.ansi(history: 500))
        }
    }

    private func maskedState(_ pod: Pod) async throws(ErrorBody) -> (Terminal, (seq: UInt64, time: Timestamp)) {
        do throws(ErrorBody) {
            let attached = try await relay.attach(Attach(pod: pod.pod, format: .snapshot))
            return (try RecorderClient.terminal(compressed: attached.payload), (attached.meta.seq, attached.meta.time))
        } catch {
            let (terminal, meta) = try await recorder.state(pod.pod)
            return (terminal, (meta.seq, meta.time))
        }
    }

    /// The live screen with secrets hidden, as bytes that rebuild it.
    func maskedScreen(_ pod: PodID, scrollback: Int) async throws(ErrorBody) -> Screen {
        let attached = try await relay.attach(Attach(pod: pod, format: .snapshot))
        let terminal = try RecorderClient.terminal(compressed: attached.payload)
        let lines = redactor.history(of: terminal, lines: scrollback)
        redactor.cover(terminal)
        return Screen(
            seq: attached.meta.seq, time: attached.meta.time, columns: terminal.columns, rows: terminal.rows, ansi: terminal.ansi(historyLines: lines))
    }

    func resize(
        _ pod: PodID, columns: Int, rows: Int, viewer: String, request: TerminalRequest
    ) async throws(ErrorBody) -> Applied {
        if request.followsSmallest {
            try await relay.watch(
                ViewerRequest(
                    pod: pod, viewer: viewer, author: request.person.author, role: request.person.role, columns: columns, rows: rows))
            return Applied(result: .applied)
        }
        return try await relay.resize(
            Resize(
                pod: pod, columns: columns, rows: rows, author: request.person.author, viewer: viewer, role: request.person.role))
    }

    /// A viewer has left; nobody waits for the answer.
    func release(_ pod: PodID, viewer: String, person: Person) {
        let (relay, logger) = (self.relay, self.logger)
        Task {
            do throws(ErrorBody) {
                try await relay.release(ViewerRequest(pod: pod, viewer: viewer, author: person.author, role: person.role))
            } catch {
                logger.debug("a viewer's leave did not arrive; its lease ends by itself", metadata: ["error": "\(error)"])
            }
        }
    }
}
