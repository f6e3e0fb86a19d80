import Foundation
import Testing

@testable import LocalStack

/// A stack whose NATS and PostgreSQL are real and whose services only say that they are ready.
final class TestStack {
    let directory = TemporaryDirectory()
    let stack: Stack

    /// - Parameter services: scripts by service; where missing, one that is ready at once.
    init(services: [String: String] = [:], home: String = "/home") throws {
        let programs = directory.path + "/programs"
        mkdir(programs, 0o700)
        let ready = """
            #!/usr/bin/python3
            import os, http.server
            host, port = os.environ["SWITCHBACK_HTTP"].split(":")
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
                def log_message(self, *_): pass
            http.server.HTTPServer((host, int(port)), Handler).serve_forever()
            """
        for name in StackSettings.services + ["shim"] {
            try Files.write(services[name] ?? ready, to: programs + "/switchback-" + name, mode: 0o700)
        }
        var environment = ProcessInfo.processInfo.environment
        environment["SWITCHBACK_HOME"] = directory.path + home
        environment["SWITCHBACK_LIBEXEC"] = programs
        stack = try Stack(environment: environment)
    }

    deinit {
        _ = try? stack.down(keepPods: false) { _ in }
        // The services are scripts: a supervisor that was killed leaves them, and nobody recognizes them by their name.
        for pid in ProcessTable.all() where ProcessTable.arguments(of: pid).contains(where: { $0.hasPrefix(directory.path + "/programs/") }) {
            kill(pid, SIGKILL)
        }
        if let root = try? stack.settings()?.postgresRoot, root.hasPrefix("/var/lib/switchback/") {
            _ = try? Spawn.run("/bin/rm", ["-rf", root], environment: [:])
        }
    }

    @discardableResult
    func up(_ change: (inout Stack.UpOptions) -> Void = { _ in }) throws -> Stack.Upped {
        var options = Stack.UpOptions()
        options.port = 0
        change(&options)
        do throws(StackError) {
            return try stack.up(options) { _ in }
        } catch {
            // What the part that failed said last.
            print(error.fix ?? "")
            throw error
        }
    }

    /// Looks until it is so.
    func wait(_ seconds: Double = 20, until condition: (Stack.Report) -> Bool) throws -> Stack.Report {
        let deadline = Clock.now() + seconds
        while true {
            let report = try stack.report()
            if condition(report) || Clock.now() > deadline { return report }
            Clock.pause(0.02)
        }
    }
}

private func canStart() -> Bool {
    let programs = Programs(environment: ProcessInfo.processInfo.environment)
    return (try? programs.natsServer()) != nil && (try? programs.postgresDirectory()) != nil && Files.isProgram(programs.command)
}

@Suite("The local stack", .serialized, .enabled(if: canStart(), "nats-server, PostgreSQL and the switchback program are needed"))
struct StackTests {
    @Test("Up starts all, twice is once, down stops all and keeps the data")
    func upAndDown() throws {
        let it = try TestStack()
        let first = try it.up()
        #expect(!first.wasUp)
        #expect(first.link.hasPrefix(first.address + "/?token=sb_"))
        let report = try it.stack.report()
        #expect(report.state == "ready")
        #expect(report.servers.map(\.name) == ["nats", "postgres", "relay", "recorder", "registry", "bindings", "detector", "api", "runner"])
        let again = try it.up { $0.port = nil }
        #expect(again.wasUp && again.address == first.address)
        #expect(throws: StackError.self) { try it.up { $0.port = 1 } }

        let processes = report.servers.compactMap(\.process) + [try #require(report.supervisor)]
        #expect(try it.stack.down(keepPods: false) { _ in }.wasUp)
        #expect(processes.allSatisfy { !$0.isAlive })
        #expect(try it.stack.report().state == "down")
        #expect(try !it.stack.down(keepPods: false) { _ in }.wasUp)

        // Data, ports and passwords are the same the next time.
        let settings = try it.stack.settings()
        let second = try it.up { $0.port = nil }
        #expect(second.address == first.address)
        #expect(try it.stack.settings() == settings)
    }

    @Test("What is killed starts again, and the status says how often and why")
    func restarts() throws {
        let it = try TestStack()
        try it.up()
        for name in ["relay", "nats", "postgres"] {
            let old = try #require(try it.stack.report().servers.first { $0.name == name }?.process)
            kill(old.pid, SIGKILL)
            let report = try it.wait { report in
                report.servers.contains { $0.name == name && $0.restarts > 0 && $0.state == .ready && $0.process != old }
            }
            let server = try #require(report.servers.first { $0.name == name })
            #expect(server.state == .ready, "\(name): \(server)")
            #expect(server.lastEnd != nil)
            if name == "relay" {
                #expect(server.restarts == 1)
                #expect(server.lastEnd == "signal 9 (Killed)")
            }
        }
        #expect(Doctor(stack: it.stack).examine().contains { $0.check == "relay" && $0.verdict == .warning && $0.message.contains("signal 9") })
    }

    @Test("A killed supervisor leaves its servers running; the next up takes over, and strangers are left alone")
    func takeOver() throws {
        let it = try TestStack()
        try it.up()
        let before = try it.stack.report()
        let supervisor = try #require(before.supervisor)
        let nats = try #require(before.servers.first { $0.name == "nats" }?.process)
        let settings = try #require(try it.stack.settings())
        // As an agent that inherited the environment would be.
        let stranger = try Spawn.start("/bin/sleep", ["100"], environment: [StackPlan.marker: settings.id + "/nats"], group: .group)
        defer {
            kill(stranger, SIGKILL)
            var status: Int32 = 0
            waitpid(stranger, &status, 0)
        }
        kill(supervisor.pid, SIGKILL)
        let abandoned = try it.wait { $0.state == "abandoned" }
        #expect(abandoned.state == "abandoned")
        #expect(nats.isAlive)
        #expect(Doctor(stack: it.stack).examine().contains { $0.check == "stack" && $0.verdict == .failed })

        #expect(try !it.up { $0.port = nil }.wasUp)
        #expect(!nats.isAlive)
        #expect(try it.stack.report().state == "ready")
        #expect(ProcessTable.identity(of: stranger) != nil)
    }

    @Test("Down cleans up after a killed supervisor as well")
    func downAfterKill() throws {
        let it = try TestStack()
        try it.up()
        let report = try it.stack.report()
        kill(try #require(report.supervisor).pid, SIGKILL)
        let servers = report.servers.filter { ["nats", "postgres"].contains($0.name) }.compactMap(\.process)
        _ = try it.wait { $0.state == "abandoned" }
        #expect(try it.stack.down(keepPods: false) { _ in }.wasUp)
        #expect(servers.count == 2 && servers.allSatisfy { !$0.isAlive })
    }

    @Test("A service that cannot start fails the start with its last words, and nothing is left")
    func failedStart() throws {
        let it = try TestStack(services: ["recorder": "#!/bin/sh\necho 'no such table: segments' >&2\nexit 3\n"])
        let error = #expect(throws: StackError.self) { try it.up() }
        #expect(error?.code == .startFailed)
        #expect(error?.message.contains("recorder") == true)
        #expect(error?.message.contains("exit code 3") == true)
        #expect(error?.fix?.contains("no such table: segments") == true)
        #expect(try it.stack.report().state == "down")
    }

    @Test("A service that never becomes ready is named when the time is over")
    func neverReady() throws {
        let it = try TestStack(services: ["api": "#!/bin/sh\nexec sleep 100\n"])
        let error = #expect(throws: StackError.self) { try it.up { $0.seconds = 4 } }
        #expect(error?.message.contains("api was not ready after 4 s") == true)
        #expect(try it.stack.report().state == "down")
    }

    @Test("A port that is taken is refused with what to do, at the first start and at later ones")
    func takenPort() throws {
        let it = try TestStack()
        let port = try Ports.free()
        func listen() throws -> pid_t {
            let pid = try Spawn.start(
                "/usr/bin/python3", ["-c", "import socket,time\ns=socket.socket();s.bind(('127.0.0.1',\(port)));s.listen();time.sleep(100)"],
                environment: [:],
                group: .group)
            let deadline = Clock.now() + 10
            while Ports.isFree(port) && Clock.now() < deadline { Clock.pause(0.01) }
            return pid
        }
        func end(_ pid: pid_t) {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        var stranger = try listen()
        let first = #expect(throws: StackError.self) { try it.up { $0.port = port } }
        #expect(first?.code == .portTaken)
        #expect(first?.fix?.contains("--port 0") == true)
        end(stranger)
        #expect(try it.up { $0.port = port }.address.hasSuffix(":\(port)"))
        _ = try it.stack.down(keepPods: false) { _ in }
        stranger = try listen()
        let second = #expect(throws: StackError.self) { try it.up { $0.port = nil } }
        #expect(second?.code == .portTaken)
        #expect(ProcessTable.identity(of: stranger) != nil)
        end(stranger)
        #expect(try it.up { $0.port = nil }.address.hasSuffix(":\(port)"))
    }

    @Test("Two stacks run side by side, also below a path too long for a socket")
    func sideBySide() throws {
        let one = try TestStack()
        let two = try TestStack(home: "/" + String(repeating: "a-long-name/", count: 9) + "home")
        let first = try one.up()
        let second = try two.up()
        #expect(first.address != second.address)
        _ = try one.stack.down(keepPods: false) { _ in }
        #expect(try two.stack.report().state == "ready")
    }

    @Test("Data of another PostgreSQL are refused by name, and stay")
    func otherDatabaseVersion() throws {
        let it = try TestStack()
        try it.up()
        _ = try it.stack.down(keepPods: false) { _ in }
        let file = try #require(try it.stack.settings()).postgresRoot + "/data/PG_VERSION"
        try Files.write("9\n", to: file, mode: 0o644)
        let error = #expect(throws: StackError.self) { try it.up { $0.port = nil } }
        #expect(error?.code == .wrongDatabaseVersion)
        #expect(error?.fix?.contains("postgresql-9") == true)
        #expect(Files.exists(file))
    }

    @Test("The secrets in the data directory are for their owner only")
    func modes() throws {
        let it = try TestStack()
        try it.up()
        let settings = try #require(try it.stack.settings())
        for path in [it.stack.home.settingsFile, it.stack.home.tokensFile, it.stack.home.natsConfiguration] {
            var info = stat()
            #expect(stat(path, &info) == 0)
            #expect(info.st_mode & 0o077 == 0, "\(path)")
        }
        for directory in [settings.socketDirectory, settings.postgresRoot + "/data"] {
            var info = stat()
            #expect(stat(directory, &info) == 0)
            #expect(info.st_mode & 0o077 == 0, "\(directory)")
        }
        var info = stat()
        #expect(stat(it.stack.home.path, &info) == 0)
        #expect(info.st_mode & 0o066 == 0)
    }
}
