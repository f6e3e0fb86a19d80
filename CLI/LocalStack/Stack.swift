internal import Glibc

/// The local stack as a whole: up, down, what it says of itself.
public struct Stack: Sendable {
    public let home: StackHome
    public let programs: Programs

    /// - Parameter environment: usually the process's; names the home and the programs.
    public init(environment: [String: String]) throws(StackError) {
        home = try StackHome.locate(environment: environment)
        programs = Programs(environment: environment)
    }

    /// One thing that became true while the stack starts or stops.
    public struct Progress: Sendable, Equatable {
        public var subject: String
        public var message: String
        public var seconds: Double
    }

    public struct UpOptions: Sendable {
        public var port: Int?
        public var host: String?
        public var scale: [String: Int] = [:]
        public var seconds: Double = 90

        public init() {}
    }

    public struct Upped: Sendable, Equatable {
        public var wasUp: Bool
        public var address: String
        /// The address with the token that signs the browser in.
        public var link: String
    }

    // MARK: - Up

    /// Starts what is not running and waits until all is ready.
    public func up(_ options: UpOptions = UpOptions(), progress: (Progress) -> Void) throws(StackError) -> Upped {
        let began = Clock.now()
        func tell(_ subject: String, _ message: String) {
            progress(Progress(subject: subject, message: message, seconds: Clock.now() - began))
        }
        try home.prepare()
        let operation = try beginOperation()
        defer { withExtendedLifetime(operation) {} }

        if Lock.isHeld(home.lockFile), let settings = try StackSettings.load(home) {
            try refuseChanges(options, settings)
            try waitUntilReady(began: began, seconds: options.seconds, progress: { _ in })
            return Upped(wasUp: true, address: settings.address, link: link(settings))
        }

        let user = try SystemUser.forPostgreSQL()
        // All programs are looked for before anything is changed.
        let nats = try programs.natsServer()
        for service in StackSettings.services { _ = try programs.own("switchback-" + service) }
        _ = try programs.own("switchback-shim")
        _ = try programs.postgresDirectory()

        if let old = try StackSettings.load(home) {
            let stopped = Leftovers.stop(settings: old, home: home)
            if !stopped.isEmpty { tell("supervisor", "was gone; stopped what it left: \(stopped.sorted().joined(separator: ", "))") }
        }
        Files.remove(home.stateFile)

        let settings = try chooseSettings(options, user)
        try settings.save(home)
        try PostgreSQL.makeDirectories(home: home, settings: settings, user: user)
        let postgres = try programs.postgresDirectory(major: PostgreSQL.dataVersion(settings.postgresRoot))
        if PostgreSQL.dataVersion(settings.postgresRoot) == nil {
            try PostgreSQL.prepare(programs: postgres, settings: settings, user: user)
            tell("postgres", "database made")
        } else {
            try PostgreSQL.prepare(programs: postgres, settings: settings, user: user)
        }
        try NatsServer.prepare(program: nats, settings: settings, home: home, runner: StackPlan.runnerName(programs.environment))
        // What cannot be planned cannot be supervised: errors belong here, not in a log.
        _ = try StackPlan.servers(home: home, settings: settings, programs: programs, postgresUser: user)

        var environment = programs.environment
        environment["SWITCHBACK_HOME"] = home.path
        let supervisor = try Spawn.start(
            programs.command, ["supervise"], environment: environment, directory: "/", log: home.log("supervisor"), group: .session)
        do {
            try waitUntilReady(began: began, seconds: options.seconds, supervisor: supervisor, progress: progress)
        } catch {
            // Half a stack is of no use, and the next `up` should start from a clean state.
            kill(supervisor, SIGTERM)
            var status: Int32 = 0
            while waitpid(supervisor, &status, 0) < 0 && errno == EINTR {}
            throw error
        }
        return Upped(wasUp: false, address: settings.address, link: link(settings))
    }

    /// Runs the supervisor in this process until it is stopped; what `up` starts in the background.
    public func supervise() throws(StackError) {
        guard let lock = try Lock.take(home.lockFile) else {
            throw StackError(.busy, "Another supervisor runs this stack already.")
        }
        guard let settings = try StackSettings.load(home) else {
            throw StackError(.badSettings, "No stack is set up in \(home.path).", fix: "Run `switchback up`.")
        }
        let specs = try StackPlan.servers(home: home, settings: settings, programs: programs, postgresUser: try SystemUser.forPostgreSQL())
        Supervisor(home: home, specs: specs).run()
        withExtendedLifetime(lock) {}
    }

    private func link(_ settings: StackSettings) -> String { settings.address + "/?token=" + settings.adminToken }

    /// One `up` or `down` at a time.
    private func beginOperation() throws(StackError) -> Lock {
        let deadline = Clock.now() + 120
        while true {
            if let lock = try Lock.take(home.runDirectory + "/operation.lock") { return lock }
            if Clock.now() > deadline {
                throw StackError(
                    .busy, "Another `switchback up` or `down` has been at work in \(home.path) for two minutes.",
                    fix: "See `ps`, and end it if it hangs.")
            }
            Clock.pause(0.1)
        }
    }

    private func refuseChanges(_ options: UpOptions, _ settings: StackSettings) throws(StackError) {
        let changesPort = options.port.map { $0 != 0 && $0 != settings.apiPort } ?? false
        let changesHost = options.host.map { $0 != settings.apiHost } ?? false
        let changesScale = options.scale.contains { settings.scale[$0.key] ?? 1 != $0.value }
        if changesPort || changesHost || changesScale {
            throw StackError(
                .busy, "The stack is up at \(settings.address) with other settings.", fix: "Run `switchback down --keep-pods` first; agents go on.")
        }
    }

    // MARK: - Settings

    static let usualPort = 7420

    private func chooseSettings(_ options: UpOptions, _ user: SystemUser?) throws(StackError) -> StackSettings {
        var settings: StackSettings
        if let old = try StackSettings.load(home) {
            settings = old
        } else {
            let id = StackSettings.secret(bytes: 4)
            let place = try PostgreSQL.choosePlace(home: home, id: id, user: user, environment: programs.environment)
            settings = StackSettings(
                id: id, apiHost: "127.0.0.1", apiPort: 0, natsPort: 0, healthPorts: [:], natsPassword: StackSettings.secret(),
                tapPassword: StackSettings.secret(), databasePassword: StackSettings.secret(), adminToken: "sb_" + StackSettings.secret(),
                postgresRoot: place.root, socketDirectory: place.socket, scale: [:])
            settings.passwords = false
        }
        // A pod that runs cannot be given another credential.
        if settings.usesPasswords { settings.passwords = Leftovers.shims(home: home).contains(where: Leftovers.knowsPassword) }
        for (service, count) in options.scale {
            guard StackSettings.services.contains(service), service != "runner", service != "api", (1...16).contains(count) else {
                throw StackError(
                    .badSettings, "--scale \(service)=\(count) is not possible.", fix: "relay, recorder, registry, bindings and detector can have 1 to 16 instances.")
            }
            settings.scale[service] = count
        }
        if let host = options.host { settings.apiHost = host }

        var taken = Set<Int>()
        func keep(_ port: Int) throws(StackError) -> Int {
            let chosen = port != 0 && Ports.isFree(port) && !taken.contains(port) ? port : try Ports.free(besides: taken)
            taken.insert(chosen)
            return chosen
        }
        settings.apiPort = try chooseAPIPort(options, remembered: settings.apiPort, host: settings.apiHost)
        taken.insert(settings.apiPort)
        if settings.natsPort != 0 {
            // Shims that outlive the stack know this port: it cannot move.
            guard Ports.isFree(settings.natsPort) else {
                throw StackError(
                    .portTaken, "Port \(settings.natsPort), where this stack's NATS server listens, is taken by another program.",
                    fix:
                        "Find it with `ss -ltnp 'sport = :\(settings.natsPort)'` and end it. When no pod of this stack runs, \"natsPort\": 0 in \(home.settingsFile) makes `up` choose another."
                )
            }
            taken.insert(settings.natsPort)
        } else {
            settings.natsPort = try keep(0)
        }
        for (_, name) in settings.instances { settings.healthPorts[name] = try keep(settings.healthPorts[name] ?? 0) }
        return settings
    }

    private func chooseAPIPort(_ options: UpOptions, remembered: Int, host: String) throws(StackError) -> Int {
        if let port = options.port, port != 0 {
            guard Ports.isFree(port, host: host) else {
                throw StackError(
                    .portTaken, "Port \(port) on \(host) is taken or not allowed.",
                    fix: "Choose another one, or `switchback up --port 0` for any free one. `ss -ltnp 'sport = :\(port)'` shows what holds it.")
            }
            return port
        }
        if options.port == 0 { return try Ports.free() }
        if remembered != 0 {
            guard Ports.isFree(remembered, host: host) else {
                throw StackError(
                    .portTaken, "Port \(remembered), which this stack used before, is taken by another program.",
                    fix: "End that program (`ss -ltnp 'sport = :\(remembered)'` shows it), or choose another port: `switchback up --port 0`.")
            }
            return remembered
        }
        return Ports.isFree(Self.usualPort, host: host) ? Self.usualPort : try Ports.free()
    }

    // MARK: - Waiting

    private func waitUntilReady(
        began: Double, seconds: Double, supervisor: pid_t? = nil, progress: (Progress) -> Void
    ) throws(StackError) {
        let deadline = Clock.now() + seconds
        var told = Set<String>()
        var deaths: [String: Int] = [:]
        while true {
            let state = StackState.load(home)
            for server in state?.servers ?? [] {
                if server.state == .ready, told.insert(server.name).inserted {
                    progress(Progress(subject: server.name, message: "ready", seconds: Clock.now() - began))
                }
                if server.restarts > deaths[server.name, default: 0] {
                    deaths[server.name] = server.restarts
                    let end = server.lastEnd ?? "it ended"
                    if !told.contains(server.name) {
                        progress(Progress(subject: server.name, message: "\(end); trying again", seconds: Clock.now() - began))
                        if server.restarts >= 4 { throw failure(server, "keeps ending (\(end))") }
                    }
                }
            }
            if let state, state.phase == .ready, state.supervisor.isAlive { return }
            if let supervisor {
                var status: Int32 = 0
                if waitpid(supervisor, &status, WNOHANG) == supervisor {
                    let said = Files.tail(home.log("supervisor"), lines: 3).joined(separator: "\n")
                    throw StackError(.startFailed, "The supervisor ended (\(ProcessEnd(waitStatus: status))).", fix: said)
                }
            } else if !Lock.isHeld(home.lockFile) {
                throw StackError(.startFailed, "The stack's supervisor is gone.", fix: "Run `switchback up` again.")
            }
            if Clock.now() > deadline {
                let slow = state?.servers.first { $0.state != .ready && $0.state != .pending }
                if let slow { throw failure(slow, "was not ready after \(Int(seconds)) s\(slow.detail.map { " (\($0))" } ?? "")") }
                throw StackError(.timedOut, "The stack was not ready after \(Int(seconds)) s.", fix: "See \(home.logDirectory).")
            }
            Clock.pause(0.03)
        }
    }

    private func failure(_ server: ServerState, _ what: String) -> StackError {
        let lines = Files.tail(server.log, lines: 8)
        return StackError(
            .startFailed, "\(server.name) \(what).",
            fix: (lines.isEmpty ? "It said nothing." : "It last said:\n" + lines.map { "  " + $0 }.joined(separator: "\n"))
                + "\nIts log: \(server.log)")
    }

    // MARK: - Down

    public struct Downed: Sendable, Equatable {
        public var wasUp: Bool
        public var podsStopped: Int
        public var podsKept: Int
    }

    /// Stops everything; data stay. Pods end too, their recordings complete, unless they are to be kept: then
    /// their shims go on, and the runner of the next `up` adopts them.
    public func down(keepPods: Bool, progress: (Progress) -> Void) throws(StackError) -> Downed {
        let began = Clock.now()
        func tell(_ subject: String, _ message: String) {
            progress(Progress(subject: subject, message: message, seconds: Clock.now() - began))
        }
        guard home.isSetUp, let settings = try StackSettings.load(home) else { return Downed(wasUp: false, podsStopped: 0, podsKept: 0) }
        let operation = try beginOperation()
        defer { withExtendedLifetime(operation) {} }
        let isUp = Lock.isHeld(home.lockFile)

        let shims = Leftovers.shims(home: home)
        if !keepPods && !shims.isEmpty {
            // While the bus and the recorder still run, so that each pod's end is recorded.
            for shim in shims { Leftovers.signal(shim, SIGHUP) }
            let processes = shims.map(\.process)
            if !Leftovers.waitForEnd(processes, seconds: isUp ? 4 : 2) {
                for shim in shims { Leftovers.signal(shim, SIGKILL) }
                if !Leftovers.waitForEnd(processes, seconds: isUp ? 4 : 1) {
                    // The bus is away: what a shim could not send stays in its spool, and the next runner sends it.
                    for shim in shims where shim.process.isAlive { kill(shim.process.pid, SIGKILL) }
                }
            }
            tell("pods", "stopped \(shims.count)")
        }
        if isUp, let state = StackState.load(home), state.supervisor.isAlive {
            kill(state.supervisor.pid, SIGTERM)
            if !Leftovers.waitForEnd([state.supervisor], seconds: 30) {
                kill(state.supervisor.pid, SIGKILL)
                tell("supervisor", "did not end within 30 s and was killed")
            }
        }
        let left = Leftovers.stop(settings: settings, home: home)
        if !left.isEmpty { tell("supervisor", "had left \(left.sorted().joined(separator: ", ")); stopped") }
        Files.remove(home.stateFile)
        return Downed(wasUp: isUp || !left.isEmpty, podsStopped: keepPods ? 0 : shims.count, podsKept: keepPods ? shims.count : 0)
    }

    // MARK: - Status

    public struct Report: Sendable, Codable, Equatable {
        public var home: String
        /// `down`, `starting`, `ready`, `degraded` (something is not ready), `stopping`, `abandoned` (no supervisor, programs left).
        public var state: String
        public var address: String?
        public var supervisor: ProcessIdentity?
        /// UTC microseconds.
        public var startedAt: Int64?
        public var servers: [ServerState]
        public var shims: Int
    }

    public func report() throws(StackError) -> Report {
        try home.checkVersion()
        guard let settings = try StackSettings.load(home) else {
            return Report(home: home.path, state: "down", address: nil, supervisor: nil, startedAt: nil, servers: [], shims: 0)
        }
        let shims = Leftovers.shims(home: home).count
        let held = Lock.isHeld(home.lockFile)
        guard held, let state = StackState.load(home) else {
            let left = Leftovers.find(settings: settings, home: home)
            let servers = left.map { name, process in
                ServerState(
                    name: name, state: .unready, process: process, since: Clock.utcMicroseconds(), restarts: 0, lastEnd: nil, lastEndAt: nil,
                    detail: "runs without a supervisor", log: home.log(name))
            }
            let word = held ? "starting" : left.isEmpty ? "down" : "abandoned"
            return Report(home: home.path, state: word, address: settings.address, supervisor: nil, startedAt: nil, servers: servers, shims: shims)
        }
        let isWell = state.servers.allSatisfy { $0.state == .ready }
        return Report(
            home: home.path, state: state.phase == .ready && !isWell ? "degraded" : state.phase.rawValue, address: settings.address,
            supervisor: state.supervisor, startedAt: state.startedAt, servers: state.servers, shims: shims)
    }

    /// Whether anybody can answer at the stack's address: a supervisor runs, or left something that listens there.
    public func mayAnswer(_ settings: StackSettings) -> Bool {
        Lock.isHeld(home.lockFile) || !Ports.isFree(settings.apiPort, host: settings.apiHost)
    }

    /// What the command needs to talk to this stack, nil when none was set up here.
    public func settings() throws(StackError) -> StackSettings? { try StackSettings.load(home) }
}
