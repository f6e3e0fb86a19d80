import Bus
import BusRights
import Contract
import Foundation
import Synchronization
import TestSupport
import Testing

/// The whole stack as processes of its own, without the local stack's supervisor, so that a test can kill and start each part.
final class Stack: Sendable {
    /// The parts that are programs of ours, in the order in which they start.
    enum Part: String, CaseIterable {
        case registry, bindings, recorder, relay, detector, api, runner

        /// For tests that say the statuses themselves.
        static let withoutDetector = allCases.filter { $0 != .detector }

        /// Who it is on the bus.
        var identity: BusIdentity { BusIdentity.Service(rawValue: rawValue).map { .service($0) } ?? .runner("local") }
    }

    let authority: BusAuthority
    private let certificates: TestCertificates?
    /// Settings besides the usual ones, for every part.
    private let settings: [String: String]
    let nats: NATSServer
    let postgres: TestPostgres
    let directory: String
    let bus: BusConnection
    let apiURL: String
    let token = "test-admin-token"
    let viewerToken = "test-viewer-token"
    let databaseURL: String
    private let apiListen: String
    let programsDirectory: String
    private let running = Mutex<[Part: ChildProcess]>([:])
    /// Runners of other hosts.
    private let runners = Mutex<[ChildProcess]>([])

    static let person = Author(kind: .person, id: "test")

    /// Starts everything and waits until each part is ready.
    /// - Parameters:
    ///   - certificates: for a bus that speaks TLS; they have `server` and `client`.
    ///   - settings: environment variables of every part, besides the usual ones.
    static func start(_ parts: [Part] = Part.allCases, certificates: TestCertificates? = nil, settings: [String: String] = [:]) async throws -> Stack {
        let stack = try await Stack(certificates, settings)
        for part in parts { try await stack.start(part) }
        return stack
    }

    private init(_ certificates: TestCertificates?, _ settings: [String: String]) async throws {
        self.certificates = certificates
        self.settings = settings
        // The credentials and rights of production, so that a right that is missing shows here.
        authority = BusAuthority()
        nats = try await NATSServer.start(configuration: authority.serverConfiguration() + (certificates?.server ?? ""))
        postgres = try await TestPostgres.start()
        databaseURL = try await postgres.makeDatabase()
        directory = FileManager.default.temporaryDirectory.path + "/switchback-e2e-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: directory + "/runner", withIntermediateDirectories: true)
        try Data("\(token) admin test\n\(viewerToken) viewer watcher\n".utf8).write(to: URL(filePath: directory + "/tokens"))
        // Programs stand beside the test bundle.
        programsDirectory =
            ProcessInfo.processInfo.environment["SWITCHBACK_BIN"]
            ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
        let port = try freePort()
        apiListen = "127.0.0.1:\(port)"
        apiURL = "http://127.0.0.1:\(port)"
        try Data(authority.shimSigner.text.utf8).write(to: URL(filePath: directory + "/shim-signer"))
        for part in Part.allCases {
            try Data(authority.credentials(part.identity).utf8).write(to: URL(filePath: "\(directory)/\(part.rawValue).creds"))
        }
        let mine = directory + "/admin.creds"
        try Data(authority.credentials(.admin).utf8).write(to: URL(filePath: mine))
        bus = try await nats.connect(name: "end-to-end") {
            $0.credentialsFile = mine
            $0.inbox = Subjects.inbox(service: "admin")
            $0.tls = certificates?.client()
        }
    }

    deinit {
        for (part, process) in running.withLock({ $0 }) { end(process, of: part, SIGKILL) }
        for process in runners.withLock({ $0 }) { end(process, of: .runner, SIGKILL) }
        for part in Part.allCases {
            let text = (try? String(contentsOfFile: log(part), encoding: .utf8)) ?? ""
            if let line = text.split(separator: "\n").first(where: { $0.contains("the bus refused") }) {
                Issue.record("\(part) has not all the rights that it needs: \(line)")
            }
            // It may be at its backtrace still when it is ended.
            if let crash = text.range(of: "*** Signal ") { Issue.record("\(part) crashed by signal: \(text[crash.lowerBound...].prefix(4000))") }
        }
        Self.killShims(under: directory)
        try? FileManager.default.removeItem(atPath: directory)
    }

    func log(_ part: Part) -> String { "\(directory)/\(part.rawValue).log" }

    /// Starts a part and waits until it says that it is ready.
    func start(_ part: Part) async throws {
        let process = try await launch(part, environment(of: part), log: log(part))
        running.withLock { $0[part] = process }
    }

    /// Starts one more runner, as another host's: its own name, folder and credential.
    func startRunner(_ name: String) async throws {
        let folder = directory + "/runner-" + name
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(authority.credentials(.runner(name)).utf8).write(to: URL(filePath: folder + ".creds"))
        let environment = environment(of: .runner).merging([
            "SWITCHBACK_NATS_CREDS": folder + ".creds", "SWITCHBACK_RUNNER_DIR": folder, "SWITCHBACK_RUNNER_NAME": name, "SWITCHBACK_INSTANCE": name,
        ]) { $1 }
        let process = try await launch(.runner, environment, log: folder + ".log")
        runners.withLock { $0.append(process) }
    }

    private func environment(of part: Part) -> [String: String] {
        var environment = [
            "SWITCHBACK_NATS_URL": nats.url,
            "SWITCHBACK_NATS_CREDS": "\(directory)/\(part.rawValue).creds",
            "SWITCHBACK_SHIM_SIGNER": directory + "/shim-signer",
            "SWITCHBACK_DATABASE_URL": databaseURL,
            "SWITCHBACK_HTTP": "127.0.0.1:0",
            "SWITCHBACK_INSTANCE": "\(part.rawValue)-test",
            "SWITCHBACK_API_LISTEN": apiListen,
            "SWITCHBACK_TOKENS": directory + "/tokens",
            "SWITCHBACK_RUNNER_DIR": directory + "/runner",
            "SWITCHBACK_RUNNER_NAME": "local",
            "SWITCHBACK_SHIM": programsDirectory + "/switchback-shim",
        ]
        if let certificates {
            environment["SWITCHBACK_NATS_CA"] = certificates.authority
            environment["SWITCHBACK_NATS_CERT"] = certificates.certificate("client")
            environment["SWITCHBACK_NATS_KEY"] = certificates.key("client")
        }
        return environment.merging(settings) { $1 }
    }

    private func launch(_ part: Part, _ environment: [String: String], log: String) async throws -> ChildProcess {
        let before = (try? String(contentsOfFile: log, encoding: .utf8))?.utf8.count ?? 0
        let process = try ChildProcess(["\(programsDirectory)/switchback-\(part.rawValue)"], environment: environment, log: log)
        try await eventually(within: .seconds(30), "\(part) was not ready; its log: \(tail(log))") { () -> Bool? in
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            return text.utf8.dropFirst(before).split(separator: UInt8(ascii: "\n")).contains {
                String(decoding: $0, as: UTF8.self).contains("\"message\":\"ready\"")
            } ? true : nil
        }
        return process
    }

    /// Kills a part at once, as a crash would.
    func kill9(_ part: Part) {
        if let process = running.withLock({ $0.removeValue(forKey: part) }) { end(process, of: part, SIGKILL) }
    }

    /// Asks a part to stop. Gives the seconds it took.
    func stop(_ part: Part) -> Duration {
        let start = ContinuousClock.now
        // Long enough that a part which does not end by itself is told from a slow machine.
        if let process = running.withLock({ $0.removeValue(forKey: part) }) { end(process, of: part, SIGTERM, seconds: 60) }
        return ContinuousClock.now - start
    }

    /// Whatever a test is about, no part may crash meanwhile.
    private func end(_ process: ChildProcess, of part: Part, _ signal: Int32, seconds: Int = 5) {
        guard let crash = process.end(signal, seconds: seconds) else { return }
        Issue.record("\(part) crashed by signal \(crash)")
    }

    func pid(_ part: Part) -> Int32? { running.withLock { $0[part]?.pid } }

    private static func killShims(under directory: String) {
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = Int32(entry), let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline"),
                String(decoding: line, as: UTF8.self).contains(directory)
            else { continue }
            kill(pid, SIGKILL)
        }
    }
}

/// The end of a log, for a failure's message.
func tail(_ file: String) -> String {
    String(((try? String(contentsOfFile: file, encoding: .utf8)) ?? "no \(file)").suffix(1500))
}

/// A port that was free a moment ago, from below those that outgoing connections get (`ip_local_port_range`).
func freePort() throws -> Int {
    for _ in 0..<64 {
        let port = Int.random(in: 20_000..<32_000)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = in_port_t(port).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let free = withUnsafePointer(to: &address) { pointer in pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) == 0 } }
        if free { return port }
    }
    throw TestSupportError("no free port")
}
