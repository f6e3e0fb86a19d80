internal import Database
internal import Foundation
internal import Logging
internal import PostgresPrograms
internal import Synchronization

/// A private PostgreSQL server for tests, on a Unix socket in a folder of its own, without fsync. It ends, and its
/// folder goes, when the test process ends, however that happens.
public final class TestPostgres: Sendable {
    /// Starting or stopping failed.
    public struct Failure: Error, CustomStringConvertible {
        public var description: String
    }

    private struct Running {
        var watchdog: Process
        var lifeline: FileHandle
    }

    private let programs: PostgresPrograms
    private let folder: String
    private let running = Mutex<Running?>(nil)
    private let nextDatabase = Atomic<Int>(0)

    /// Where it listens on 127.0.0.1, if it speaks TLS.
    public let port: Int?

    private init(programs: PostgresPrograms, folder: String, port: Int?) {
        self.port = port
        self.programs = programs
        self.folder = folder
    }

    deinit {
        // Closing the lifeline makes the watchdog stop the server and remove the folder.
        running.withLock { try? $0?.lifeline.close() }
    }

    // MARK: - Servers

    private static let shared = SharedServer()

    private actor SharedServer {
        private var starting: Task<TestPostgres, any Error>?

        func server() async throws -> TestPostgres {
            if let starting { return try await starting.value }
            let task = Task { try await TestPostgres.start() }
            starting = task
            return try await task.value
        }
    }

    /// The server all tests of this process share. For databases only: who kills a server starts one of their own.
    public static func sharedServer() async throws -> TestPostgres {
        try await shared.server()
    }

    /// A server of one's own.
    /// - Parameters: PEM files, for one that listens on 127.0.0.1 too, by TLS.
    public static func start(certificate: String? = nil, key: String? = nil) async throws -> TestPostgres {
        let environment = ProcessInfo.processInfo.environment
        let programs = try PostgresPrograms.find(environment: environment)
        // Short: a Unix socket's path has at most 107 bytes.
        let folder = "/tmp/sbpg-\(UUID().uuidString.prefix(8).lowercased())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        if let account = programs.account {
            try FileManager.default.setAttributes([.ownerAccountName: account], ofItemAtPath: folder)
        }
        let server = TestPostgres(programs: programs, folder: folder, port: certificate == nil ? nil : Int.random(in: 20_000..<32_000))
        for (file, name) in [(certificate, "server.crt"), (key, "server.key")] {
            guard let file else { continue }
            try FileManager.default.copyItem(atPath: file, toPath: "\(folder)/\(name)")
            var attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
            if let account = programs.account { attributes[.ownerAccountName] = account }
            try FileManager.default.setAttributes(attributes, ofItemAtPath: "\(folder)/\(name)")
        }
        try await onThread {
            try server.makeCluster()
            try server.launch()
        }
        try await server.waitUntilReady()
        return server
    }

    /// Kills the server and all its processes at once, as a crash would.
    public func kill9() async throws {
        guard let current = running.withLock({ $0 }) else { throw Failure(description: "the server does not run") }
        try await onThread { [self] in
            let pid = try postmaster()
            kill(pid, SIGKILL)
            waitForEnd(of: current.watchdog)
        }
        running.withLock { $0 = nil }
    }

    /// Starts the server again after `kill9`, on the same socket and data.
    public func restart() async throws {
        // The killed server's processes may hold its shared memory a moment longer.
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            try await onThread { [self] in try launch() }
            do {
                return try await waitUntilReady()
            } catch {
                running.withLock { $0 = nil }
                guard ContinuousClock.now < deadline else { throw error }
            }
        }
    }

    // MARK: - Databases

    /// The connection URL of a database of this server.
    public func url(database: String) -> String {
        "postgresql://switchback@/\(database)?host=\(folder)" + (port.map { "&port=\($0)" } ?? "")
    }

    /// A new, empty database; gives its connection URL.
    public func makeDatabase() async throws -> String {
        let name = "test_\(nextDatabase.add(1, ordering: .relaxed).newValue)"
        let pool = DatabasePool(
            DatabaseConfiguration(address: url(database: "postgres"), connections: 1), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        defer { pool.close() }
        try await pool.withConnection { try $0.execute("CREATE DATABASE \(name) TEMPLATE template0") }
        return url(database: name)
    }

    /// A new, empty database whose tables are on another disk; gives its connection URL.
    public func makeDatabase(on disk: SmallDisk) async throws -> String {
        let tables = disk.folder + "/tables"
        try FileManager.default.createDirectory(atPath: tables, withIntermediateDirectories: false)
        if let account = programs.account { try FileManager.default.setAttributes([.ownerAccountName: account], ofItemAtPath: tables) }
        let name = "test_\(nextDatabase.add(1, ordering: .relaxed).newValue)"
        let pool = DatabasePool(
            DatabaseConfiguration(address: url(database: "postgres"), connections: 1), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        defer { pool.close() }
        try await pool.withConnection { connection in
            try connection.execute("CREATE TABLESPACE \(name) LOCATION '\(tables)'")
            try connection.execute("CREATE DATABASE \(name) TEMPLATE template0 TABLESPACE \(name)")
        }
        return url(database: name)
    }

    /// A new, empty database of the shared server; gives its connection URL.
    public static func database() async throws -> String {
        try await sharedServer().makeDatabase()
    }

    // MARK: - Processes

    private var dataFolder: String { folder + "/data" }

    private func makeCluster() throws {
        let command = programs.command(
            "initdb",
            ["-D", dataFolder, "--username=switchback", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        waitForEnd(of: process)
        guard process.terminationStatus == 0 else { throw Failure(description: "initdb failed: \(text)") }
    }

    private func launch() throws {
        let arguments = PostgresPrograms.privateServerArguments(
            dataFolder: dataFolder, socketFolder: folder,
            settings: [
                // Commits stay synchronous: only then does what was committed survive kill9.
                "fsync": "off", "full_page_writes": "off", "max_connections": "1000",
                "shared_buffers": "64MB", "max_wal_size": "2GB",
            ].merging(
                port.map {
                    [
                        "listen_addresses": "127.0.0.1", "port": "\($0)", "ssl": "on", "ssl_cert_file": folder + "/server.crt",
                        "ssl_key_file": folder + "/server.key",
                    ]
                } ?? [:]
            ) { $1 })
        let command = programs.command("postgres", arguments)
        // The shell is a watchdog: it ends with the server, and ends the server when its standard input, whose other
        // end only this process holds, is closed.
        let script = """
            exec 3<&0
            "$@" </dev/null >>"$0/log" 2>&1 3<&- &
            server=$!
            { read line <&3; : >"$0/over"; kill -QUIT $server; } 2>/dev/null &
            reader=$!
            wait $server
            status=$?
            kill $reader 2>/dev/null
            [ -e "$0/over" ] && rm -rf "$0"
            exit $status
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script, folder] + command
        // Close-on-exec from the beginning: a process that another thread starts now must not hold the other end.
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Failure(description: "no socket pair: errno \(errno)") }
        let input = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        let lifeline = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        running.withLock { $0 = Running(watchdog: process, lifeline: lifeline) }
    }

    private func postmaster() throws -> pid_t {
        let text = try String(contentsOfFile: dataFolder + "/postmaster.pid", encoding: .utf8)
        guard let pid = text.split(separator: "\n").first.flatMap({ pid_t($0) }) else {
            throw Failure(description: "postmaster.pid is not readable: \(text)")
        }
        return pid
    }

    private func waitUntilReady() async throws {
        let pool = DatabasePool(
            DatabaseConfiguration(address: url(database: "postgres"), connections: 1), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        defer { pool.close() }
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            do {
                return try await pool.waitUntilReachable(timeout: .milliseconds(250))
            } catch {
                let isAlive = running.withLock { $0?.watchdog.isRunning ?? false }
                guard isAlive, ContinuousClock.now < deadline else {
                    let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
                    throw Failure(description: "PostgreSQL did not start (\(error)): \(log.suffix(2000))")
                }
            }
        }
    }
}

/// Foundation's own `waitUntilExit` spins a run loop, which never ends on a thread that is not the main one.
private func waitForEnd(of process: Process) {
    while process.isRunning { usleep(2000) }
}

/// Runs blocking work on a thread that is nobody else's.
private func onThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            // Threads made by Dispatch block signals, and so would the processes started here: a shell then waits for ever.
            var none = sigset_t()
            sigemptyset(&none)
            pthread_sigmask(SIG_SETMASK, &none, nil)
            continuation.resume(with: Result(catching: work))
        }
    }
}
