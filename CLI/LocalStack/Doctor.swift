internal import CLaunch
internal import Glibc

/// Everything that can be wrong with a local stack, looked at without changing it.
public struct Doctor: Sendable {
    public enum Verdict: String, Codable, Sendable { case fine, warning, failed }

    public struct Finding: Codable, Sendable, Equatable {
        public var check: String
        public var verdict: Verdict
        public var message: String
        public var fix: String?
    }

    private let stack: Stack
    private let environment: [String: String]

    public init(stack: Stack) {
        self.stack = stack
        environment = stack.programs.environment
    }

    public func examine() -> [Finding] {
        var findings = [nats(), postgres(), own(), git(), directory(), disk(), socket(), clock(), openFiles(), locale()]
        findings += ports()
        findings += secrets()
        findings += bus()
        findings += running()
        return findings
    }

    // MARK: - Programs

    private func nats() -> Finding {
        do {
            let program = try stack.programs.natsServer()
            guard let version = NatsServer.version(program: program) else {
                return Finding(check: "nats-server", verdict: .failed, message: "\(program) does not say its version", fix: Programs.aptLine)
            }
            guard NatsServer.isSupported(version) else {
                return Finding(
                    check: "nats-server", verdict: .failed, message: "\(program) is version \(version); 2.9 or newer is needed",
                    fix: "Install a newer nats-server, or name one in NATS_SERVER.")
            }
            return Finding(check: "nats-server", verdict: .fine, message: "\(version) (\(program))")
        } catch {
            return Finding(check: "nats-server", error: error)
        }
    }

    private func postgres() -> Finding {
        do {
            let settings = try stack.settings()
            let wrote = settings.flatMap { PostgreSQL.dataVersion($0.postgresRoot) }
            let directory = try stack.programs.postgresDirectory(major: wrote)
            guard let version = PostgreSQL.programVersion(directory) else {
                return Finding(
                    check: "postgresql", verdict: .failed, message: "\(directory)/postgres does not say its version", fix: Programs.aptLine)
            }
            if let wrote, wrote != version.major {
                return Finding(
                    check: "postgresql", verdict: .failed, message: "the data are version \(wrote)'s, \(directory)/postgres is \(version.text)",
                    fix: "Install postgresql-\(wrote).")
            }
            if version.major < 14 {
                return Finding(check: "postgresql", verdict: .failed, message: "\(version.text) is too old", fix: "PostgreSQL 14 or newer is needed.")
            }
            _ = try SystemUser.forPostgreSQL()
            return Finding(check: "postgresql", verdict: .fine, message: "\(version.text) (\(directory))")
        } catch {
            return Finding(check: "postgresql", error: error)
        }
    }

    private func own() -> Finding {
        do {
            for service in StackSettings.services { _ = try stack.programs.own("switchback-" + service) }
            _ = try stack.programs.own("switchback-shim")
            return Finding(check: "programs", verdict: .fine, message: "all in \(stack.programs.libexec)")
        } catch {
            return Finding(check: "programs", error: error)
        }
    }

    private func git() -> Finding {
        guard let program = stack.programs.resolve("git") else {
            return Finding(check: "git", verdict: .warning, message: "not installed; --worktree needs it", fix: "sudo apt-get install git")
        }
        return Finding(check: "git", verdict: .fine, message: program)
    }

    // MARK: - The machine

    private func directory() -> Finding {
        let home = stack.home
        do {
            try home.checkVersion()
        } catch {
            return Finding(check: "data", error: error)
        }
        guard Files.exists(home.path) else {
            return Finding(check: "data", verdict: .fine, message: "\(home.path) will be made by `switchback up`")
        }
        guard Files.isDirectory(home.path), access(home.path, R_OK | W_OK | X_OK) == 0 else {
            return Finding(
                check: "data", verdict: .failed, message: "\(home.path) is not a directory you can write",
                fix: "Make it writable, or set SWITCHBACK_HOME to another directory.")
        }
        var info = stat()
        if stat(home.path, &info) == 0, info.st_mode & 0o066 != 0 {
            return Finding(check: "data", verdict: .warning, message: "\(home.path) can be read by others", fix: "chmod go-rw \(home.path)")
        }
        return Finding(check: "data", verdict: .fine, message: home.path)
    }

    private func disk() -> Finding {
        var path = stack.home.path
        while !Files.exists(path), let slash = path.lastIndex(of: "/"), path.count > 1 {
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        guard let free = Files.freeBytes(path) else {
            return Finding(check: "disk", verdict: .warning, message: "cannot ask how much is free at \(path)")
        }
        let text = "\(free / 1_048_576) MB free at \(path)"
        if free < StackHome.leastFreeBytes {
            return Finding(check: "disk", verdict: .failed, message: text, fix: "Free some space, or set SWITCHBACK_HOME to a larger disk.")
        }
        if free < 4 * 1_073_741_824 {
            return Finding(
                check: "disk", verdict: .warning, message: text, fix: "Recordings and spools need room: a pod's spool alone may take 1 GB.")
        }
        return Finding(check: "disk", verdict: .fine, message: text)
    }

    private func socket() -> Finding {
        do {
            if let settings = try stack.settings() {
                guard PostgreSQL.fits(settings.socketDirectory) else {
                    return Finding(
                        check: "socket", verdict: .failed, message: "\(settings.socketDirectory) is too long for a Unix socket",
                        fix: "Set SWITCHBACK_HOME to a shorter path.")
                }
                return Finding(check: "socket", verdict: .fine, message: settings.socketDirectory)
            }
            let place = try PostgreSQL.choosePlace(home: stack.home, id: "00000000", user: try SystemUser.forPostgreSQL(), environment: environment)
            return Finding(check: "socket", verdict: .fine, message: "a path of \(place.socket.utf8.count + 14) bytes fits")
        } catch {
            return Finding(check: "socket", error: error)
        }
    }

    private func clock() -> Finding {
        let year2025: Int64 = 1_735_689_600_000_000
        if Clock.utcMicroseconds() < year2025 {
            return Finding(
                check: "clock", verdict: .failed, message: "the clock is wrong: \(Timestamp.text(Clock.utcMicroseconds()))",
                fix: "Set it, or start a time service.")
        }
        let error = claunch_clock_error_microseconds()
        if error < 0 {
            return Finding(
                check: "clock", verdict: .warning, message: "no time service keeps it right",
                fix: "Alone on this machine that does no harm; with runners on others, install systemd-timesyncd or chrony.")
        }
        return Finding(check: "clock", verdict: .fine, message: "kept by a time service (error below \(error / 1000 + 1) ms)")
    }

    private func openFiles() -> Finding {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        if limit.rlim_max < 4096 {
            return Finding(
                check: "open files", verdict: .warning, message: "at most \(limit.rlim_max) per process; hundreds of viewers need more",
                fix: "Raise the hard limit: `ulimit -Hn`, /etc/security/limits.conf.")
        }
        return Finding(check: "open files", verdict: .fine, message: "up to \(limit.rlim_max) per process")
    }

    private func locale() -> Finding {
        let name = [environment["LC_ALL"], environment["LC_CTYPE"], environment["LANG"]].compactMap { $0 }.first { !$0.isEmpty } ?? ""
        let upper = name.uppercased()
        if upper.contains("UTF-8") || upper.contains("UTF8") { return Finding(check: "locale", verdict: .fine, message: name) }
        return Finding(
            check: "locale", verdict: .warning, message: "\(name.isEmpty ? "none" : name) is not UTF-8; programs in pods may print question marks",
            fix: "export LANG=C.UTF-8")
    }

    // MARK: - The stack

    private func ports() -> [Finding] {
        guard let settings = try? stack.settings() else { return [] }
        let isUp = Lock.isHeld(stack.home.lockFile)
        if isUp { return [] }
        return [("API", settings.apiPort, settings.apiHost), ("NATS", settings.natsPort, "127.0.0.1")].map { name, port, host in
            Ports.isFree(port, host: host)
                ? Finding(check: "port", verdict: .fine, message: "\(port) is free for \(name)")
                : Finding(
                    check: "port", verdict: .failed, message: "\(port), remembered for \(name), is taken by another program",
                    fix: "`ss -ltnp 'sport = :\(port)'` shows it. `switchback up --port 0` moves the API.")
        }
    }

    private func secrets() -> [Finding] {
        [stack.home.settingsFile, stack.home.tokensFile, stack.home.natsConfiguration, stack.home.busDirectory + "/root.json"].compactMap { path in
            var info = stat()
            guard stat(path, &info) == 0, info.st_mode & 0o077 != 0 else { return nil }
            return Finding(check: "secrets", verdict: .failed, message: "\(path) can be read by others", fix: "chmod 600 \(path)")
        }
    }

    /// Whether everybody on the bus still has all rights, because of pods that know a password only.
    private func bus() -> [Finding] {
        guard let settings = try? stack.settings(), settings.usesPasswords else { return [] }
        let old = Leftovers.shims(home: stack.home).filter(Leftovers.knowsPassword).count
        return [
            Finding(
                check: "bus", verdict: .warning, message: "takes passwords as stacks before credentials did" + (old > 0 ? "; \(old) of its pods know nothing else" : ""),
                fix: old > 0 ? "When those pods have ended: `switchback down`, then `switchback up`." : "`switchback down --keep-pods`, then `switchback up`.")
        ]
    }

    private func running() -> [Finding] {
        let report: Stack.Report
        do {
            report = try stack.report()
        } catch {
            return [Finding(check: "stack", error: error)]
        }
        switch report.state {
        case "down":
            let pods = report.shims > 0 ? "; \(report.shims) pods go on without it" : ""
            return [
                Finding(check: "stack", verdict: .fine, message: "not running" + pods, fix: report.shims > 0 ? "`switchback up` adopts them." : nil)
            ]
        case "abandoned":
            return [
                Finding(
                    check: "stack", verdict: .failed,
                    message: "its supervisor is gone; \(report.servers.map(\.name).joined(separator: ", ")) still run",
                    fix: "`switchback up` takes over.")
            ]
        default:
            return report.servers.map { server in
                if server.state == .ready {
                    let restarted = server.restarts > 0
                    return Finding(
                        check: server.name, verdict: restarted ? .warning : .fine,
                        message: restarted ? "ready; started again \(server.restarts) times, last after \(server.lastEnd ?? "an end")" : "ready",
                        fix: restarted ? "Its log: \(server.log)" : nil)
                }
                return Finding(
                    check: server.name, verdict: .failed, message: "\(server.state.rawValue)\(server.detail.map { ": " + $0 } ?? "")",
                    fix: "Its log: \(server.log)")
            }
        }
    }
}

extension Doctor.Finding {
    fileprivate init(check: String, error: StackError) {
        self.init(check: check, verdict: .failed, message: error.message, fix: error.fix)
    }
}
