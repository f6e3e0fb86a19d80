public import Bus
internal import FoundationEssentials
#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif
internal import Synchronization

/// A real nats-server with JetStream for one test: own port, own store. `NATS_SERVER` names the program, else `nats-server` in PATH.
public final class NATSServer: Sendable {
    public let port: Int
    public let directory: String
    private let store: String
    private let process: Mutex<ChildProcess?>

    /// `nats://127.0.0.1:port`
    public var url: String { "nats://127.0.0.1:\(port)" }

    /// Starts a server and waits until it takes connections.
    /// - Parameter configuration: more lines for its configuration file.
    /// - Parameter jetStream: false starts one that stores nothing.
    /// - Parameter store: the folder where it stores, if not one of its own.
    public static func start(configuration: String = "", jetStream: Bool = true, store: String? = nil) async throws -> NATSServer {
        let template = FileManager.default.temporaryDirectory.path + "/switchback-nats-XXXXXX"
        var path = Array(template.utf8CString)
        guard mkdtemp(&path) != nil else { throw TestSupportError("cannot make \(template)") }
        let directory = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // The ports file tells the port that the system chose, so tests can run side by side.
        let store = store ?? directory + "/store"
        let child = try launch(directory: directory, port: -1, configuration: configuration, store: jetStream ? store : nil)
        let file = "\(directory)/\(programName())_\(child.pid).ports"
        let port = try await eventually(within: .seconds(10), "nats-server did not write \(file); see \(directory)/log") {
            readPort(file)
        }
        return NATSServer(port: port, directory: directory, store: store, process: child)
    }

    private init(port: Int, directory: String, store: String, process: ChildProcess) {
        self.store = store
        self.port = port
        self.directory = directory
        self.process = Mutex(process)
    }

    deinit {
        process.withLock { $0 }?.end(SIGKILL)
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Ends the server as a power cut would.
    public func kill9() { process.withLock { $0.take() }?.end(SIGKILL) }

    /// Ends the server in order.
    public func stop() { process.withLock { $0.take() }?.end(SIGTERM) }

    /// Stops the server's work without closing anything (SIGSTOP), as a hung machine would.
    public func freeze() { process.withLock { $0 }?.send(SIGSTOP) }

    public func thaw() { process.withLock { $0 }?.send(SIGCONT) }

    /// Lets it read another configuration while it runs.
    public func reload(configuration: String) throws {
        try Self.write(configuration, directory)
        process.withLock { $0 }?.send(SIGHUP)
    }

    /// Starts it again on the same port with the same store, and waits until it takes connections.
    /// - Parameters:
    ///   - jetStream: false starts it without.
    ///   - empty: its disk was lost: it stores nothing from before.
    public func restart(jetStream: Bool = true, empty: Bool = false) async throws {
        stop()
        if empty { try FileManager.default.removeItem(atPath: store) }
        let child = try Self.launch(directory: directory, port: port, configuration: nil, store: jetStream ? store : nil)
        process.withLock { $0 = child }
        try await eventually(within: .seconds(10), "nats-server did not come back on port \(port)") { Self.canConnect(port) ? true : nil }
    }

    /// A new connection to this server.
    public func connect(name: String = "test", _ change: (inout BusOptions) -> Void = { _ in }) async throws -> BusConnection {
        // A machine that stands still for a while must not decide a test.
        var options = BusOptions(servers: [url], name: name, connectTimeout: .seconds(60), requestTimeout: .seconds(60))
        change(&options)
        return try await BusConnection.connect(options)
    }

    private static func program() -> String {
        let named = ProcessInfo.processInfo.environment["NATS_SERVER"] ?? ""
        return named.isEmpty ? "nats-server" : named
    }

    private static func programName() -> String { program().split(separator: "/").last.map(String.init) ?? "nats-server" }

    private static func launch(directory: String, port: Int, configuration: String?, store: String?) throws -> ChildProcess {
        if let configuration { try write(configuration, directory) }
        return try ChildProcess(
            [
                program(), "-a", "127.0.0.1", "-p", String(port), "--ports_file_dir", directory, "-c", directory + "/server.conf",
            ] + (store.map { ["-js", "-sd", $0] } ?? []), log: directory + "/log")
    }

    private static func write(_ configuration: String, _ directory: String) throws {
        try Data(("max_payload: 8MB\nmax_pending: 256MB\n" + configuration + "\n").utf8).write(to: URL(filePath: directory + "/server.conf"))
    }

    private static func readPort(_ file: String) -> Int? {
        guard let data = FileManager.default.contents(atPath: file) else { return nil }
        let text = String(decoding: data, as: UTF8.self)
        guard let start = text.firstRange(of: "127.0.0.1:")?.upperBound else { return nil }
        return Int(text[start...].prefix(while: \.isNumber))
    }

    private static func canConnect(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
