import Bus
import BusRights
import Contract
import Foundation
import Synchronization
import TestSupport

/// A real nats-server that trusts one authority, and connections to it in anybody's name.
final class TrustedBus: Sendable {
    let trusted: BusAuthority
    let server: NATSServer
    /// What the server was started with.
    let configuration: String
    private let directory: String
    private let count = Mutex(0)

    private let tls: BusOptions.TLS?

    /// - Parameter more: further lines of the server's configuration.
    static func start(more: String = "", tls: BusOptions.TLS? = nil) async throws -> TrustedBus {
        let authority = BusAuthority()
        let configuration = authority.serverConfiguration() + more
        return TrustedBus(authority, try await NATSServer.start(configuration: configuration), configuration, tls)
    }

    private init(_ authority: BusAuthority, _ server: NATSServer, _ configuration: String, _ tls: BusOptions.TLS?) {
        self.configuration = configuration
        self.tls = tls
        trusted = authority
        self.server = server
        directory = server.directory
    }

    /// What one connection was refused, in the server's words.
    final class Refusals: Sendable {
        private let all = Mutex<[String]>([])

        func note(_ text: String) { all.withLock { $0.append(text) } }
        var texts: [String] { all.withLock { $0 } }
    }

    struct Connection: Sendable {
        let bus: BusConnection
        let refusals: Refusals

        /// Whether the server refused something of this subject. All that was asked before has been answered when this returns.
        func wasRefused(_ subject: String) async throws -> Bool {
            try await bus.flush()
            // Errors come on a thread of their own: a moment after the flush.
            for _ in 0..<20 {
                if refusals.texts.contains(where: { $0.contains("\"\(subject)\"") }) { return true }
                try await Task.sleep(for: .milliseconds(5))
            }
            return false
        }

        func publishIsRefused(_ subject: String, reply: String? = nil) async throws -> Bool {
            try bus.publish(subject, payload: [1], reply: reply)
            return try await wasRefused(subject)
        }

        func subscribeIsRefused(_ subject: String) async throws -> Bool {
            try bus.subscribe(subject) { _ in }
            return try await wasRefused(subject)
        }
    }

    func connect(_ identity: BusIdentity) async throws -> Connection {
        let inbox =
            switch identity {
            case .service(let service): Subjects.inbox(service: service.rawValue)
            case .runner(let name): Subjects.inbox(runner: name)
            case .tap: Subjects.inbox(service: "tap")
            case .admin: Subjects.inbox(service: "admin")
            }
        return try await connect(trusted.credentials(identity), inbox: inbox)
    }

    func connect(shim pod: PodID, runner: String = "local") async throws -> Connection {
        try await connect(trusted.shimSigner.credentials(pod: pod, runner: runner), inbox: Subjects.inbox(shim: pod))
    }

    func connect(_ credentials: String, inbox: String) async throws -> Connection {
        let number = count.withLock { count in
            count += 1
            return count
        }
        let file = "\(directory)/\(number).creds"
        try Data(credentials.utf8).write(to: URL(filePath: file))
        let bus: BusConnection
        do {
            bus = try await server.connect {
                $0.credentialsFile = file
                $0.inbox = inbox
                $0.tls = tls
            }
        } catch {
            print("nats-server says: \((try? String(contentsOfFile: server.directory + "/log", encoding: .utf8))?.suffix(1500) ?? "")")
            throw error
        }
        let refusals = Refusals()
        bus.onStateChange { if case .refused(let text) = $0 { refusals.note(text) } }
        return Connection(bus: bus, refusals: refusals)
    }
}
