internal import Bus
internal import Contract
internal import RunnerClient

/// Keeps a bus connection for the shim, for ever: libnats reconnects, and when it gives up (credentials refused) we begin anew.
final class BusLink: Sendable {
    private let pod: PodID
    private let runner: String
    private let servers: [String]
    private let credentialsFile: String?
    private let tls: BusOptions.TLS?
    private let inbox: ShimInbox
    private let loop: BusLoop

    /// - Parameter loop: of the thread that takes from the inbox.
    init(_ spec: ShimSpec, inbox: ShimInbox, loop: BusLoop) {
        pod = spec.pod
        runner = spec.runner
        servers = spec.natsServers
        credentialsFile = spec.natsCredentialsFile
        tls = spec.natsCertificates.map { BusOptions.TLS(certificateAuthorities: $0.authorities, certificateChain: $0.chain, privateKey: $0.key) }
        self.inbox = inbox
        self.loop = loop
    }

    func start() {
        Task { await self.keep() }
    }

    private func keep() async {
        var options = BusOptions(
            servers: servers, name: "switchback-shim \(pod)", credentialsFile: credentialsFile, connectTimeout: nil,
            pingInterval: .seconds(20), pendingMessages: 8192, pendingBytes: 16 << 20, reconnectBufferBytes: 0, deliveryThreads: 1)
        options.sendAsSoonAsPossible = true
        options.tls = tls
        options.inbox = Subjects.inbox(shim: pod)
        options.delivery = .loop(loop)
        while true {
            do {
                let connection = try await BusConnection.connect(options)
                try listen(connection)
                inbox.post(.attached(connection))
                // Until libnats gives up for good.
                await withCheckedContinuation { continuation in
                    let once = Once(continuation)
                    connection.onStateChange { [inbox] state in
                        if case .refused(let text) = state { log("refused: \(text)") }
                        inbox.post(.busMoved)
                        if state == .closed { once.resume() }
                    }
                    if connection.isClosed { once.resume() }
                }
            } catch {
                log("no bus connection: \(error)")
            }
            try? await Task.sleep(for: .milliseconds(Int.random(in: 1000...3000)))
        }
    }

    private func listen(_ connection: BusConnection) throws(BusError) {
        let skip = Subjects.shimAll(pod).count - 1
        try connection.subscribe(Subjects.shimAll(pod)) { [inbox] message in
            inbox.post(.request(verb: String(message.subject.dropFirst(skip)), message))
        }
        try connection.subscribe(Subjects.runnerStop(runner, pod)) { [inbox] message in inbox.post(.request(verb: "stop", message)) }
    }

    /// Asks the stream, until it answers, for the newest frame it has of this pod.
    static func newestStored(_ pod: PodID, _ connection: BusConnection) async throws -> UInt64 {
        let message = try await JetStream(connection).lastMessageDirectly(Streams.terminals, subject: Subjects.pty(pod))
        return seq(of: message, pod)
    }

    private static func seq(of message: StoredMessage?, _ pod: PodID) -> UInt64 {
        message?.header(Headers.messageID).flatMap { Frame.seq(inMessageID: $0, of: pod) } ?? 0
    }

    func resolve(_ connection: BusConnection) {
        Task { [inbox, pod] in
            while !connection.isClosed {
                do {
                    let message = try await JetStream(connection).lastMessageDirectly(Streams.terminals, subject: Subjects.pty(pod))
                    let control = message.flatMap { try? JSON.decode(Control.self, from: $0.payload) }
                    var isExit = false
                    if case .exit? = control { isExit = true }
                    inbox.post(.resolved(newest: Self.seq(of: message, pod), isExit: isExit, connection))
                    return
                } catch {
                    try? await Task.sleep(for: .milliseconds(500))
                }
            }
        }
    }
}
