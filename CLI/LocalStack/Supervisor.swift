internal import CLaunch
internal import Glibc

/// Keeps the stack's programs running: starts them in order, starts again what dies, stops them in order.
///
/// One thread, no locks: it waits for a signal or the next deadline. Its programs write to their logs
/// directly, so they go on when the supervisor itself is killed, and the next one takes over.
final class Supervisor {
    private struct Running {
        var spec: ServerSpec
        var policy = RestartPolicy()
        var pid: pid_t = 0
        var startedAt = 0.0
        /// Monotonic time of the next start, while it is down.
        var startAt: Double?
        var nextProbe = 0.0
        var wasReady = false
        var silentSince: Double?
        var stopSentAt: Double?
        var disk = DiskWatch()
        /// Why we killed it.
        var killReason: String?
        var state: ServerState
    }

    private let home: StackHome
    private var servers: [Running]
    private var state: StackState
    private var saved: StackState?
    private var stage = 0
    private var stopStage: Int?
    private var lastRotation = 0.0

    /// A program that answered once and then not at all for this long is killed and started again.
    private let longestSilence = 60.0
    private let probeInterval = 10.0
    private let startingProbeInterval = 0.05

    init(home: StackHome, specs: [ServerSpec]) {
        self.home = home
        let now = Clock.utcMicroseconds()
        servers = specs.map { spec in
            Running(
                spec: spec,
                state: ServerState(
                    name: spec.name, state: .pending, process: nil, since: now, restarts: 0, lastEnd: nil, lastEndAt: nil, detail: nil, log: spec.log)
            )
        }
        state = StackState(supervisor: ProcessTable.current, phase: .starting, startedAt: now, servers: servers.map(\.state))
    }

    // MARK: - Loop

    /// Runs until it is told to stop by SIGTERM or SIGINT and everything has ended.
    func run() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        say("supervisor \(getpid()) for \(home.path)")
        startDueServers()
        save()
        while true {
            var timeout = timespec(milliseconds: pauseMilliseconds())
            let signal = sigtimedwait(&signals, nil, &timeout)
            if signal == SIGTERM || signal == SIGINT { beginStop() }
            reap()
            if stopStage != nil {
                if advanceStop() { break }
            } else {
                probe()
                advanceStage()
                startDueServers()
                rotateLogs()
            }
            save()
        }
        say("all stopped")
        Files.remove(home.stateFile)
    }

    private func pauseMilliseconds() -> Int {
        let now = Clock.now()
        var next = now + probeInterval
        for server in servers {
            if let startAt = server.startAt { next = min(next, startAt) }
            if server.pid != 0 && stopStage == nil { next = min(next, server.nextProbe) }
            if let sent = server.stopSentAt, server.pid != 0 { next = min(next, sent + server.spec.patience) }
        }
        return max(5, Int((next - now) * 1000))
    }

    // MARK: - Starting

    private func startDueServers() {
        let now = Clock.now()
        for index in servers.indices where servers[index].pid == 0 && servers[index].spec.startStage <= stage {
            if let startAt = servers[index].startAt, startAt > now { continue }
            start(index, now)
        }
    }

    private func start(_ index: Int, _ now: Double) {
        let spec = servers[index].spec
        servers[index].startAt = nil
        servers[index].startedAt = now
        servers[index].nextProbe = now + startingProbeInterval
        servers[index].silentSince = nil
        servers[index].killReason = nil
        do {
            let pid = try Spawn.start(
                spec.program, spec.arguments, environment: spec.environment, directory: spec.directory, log: spec.log, group: .group)
            if let soft = spec.openFiles { _ = claunch_set_open_files(pid, soft) }
            servers[index].pid = pid
            servers[index].state.process = ProcessTable.identity(of: pid)
            change(index, .starting, detail: nil)
        } catch {
            ended(index, reason: error.message, now)
        }
    }

    private func advanceStage() {
        guard state.phase == .starting else { return }
        let waiting = servers.contains { $0.spec.startStage <= stage && !$0.wasReady }
        if waiting { return }
        if servers.contains(where: { $0.spec.startStage > stage }) {
            stage += 1
        } else {
            state.phase = .ready
            say("ready")
        }
    }

    // MARK: - Watching

    private func probe() {
        for index in servers.indices where servers[index].pid != 0 && servers[index].nextProbe <= Clock.now() {
            let answer = lookAtDisk(index) ?? Self.ask(servers[index].spec.readiness, pid: servers[index].pid)
            let now = Clock.now()
            switch answer {
            case .ready:
                servers[index].wasReady = true
                servers[index].silentSince = nil
                change(index, .ready, detail: nil)
            case .notReady(let reason):
                servers[index].silentSince = nil
                change(index, servers[index].state.state == .starting ? .starting : .unready, detail: reason)
            case .silent:
                let since = servers[index].silentSince ?? now
                servers[index].silentSince = since
                if servers[index].state.state != .starting { change(index, .unready, detail: "does not answer") }
                if servers[index].wasReady && now - since > longestSilence { end(index, because: "did not answer for \(Int(longestSilence)) s") }
            }
            servers[index].nextProbe =
                switch servers[index].state.state {
                case .starting: now + startingProbeInterval * (now - servers[index].startedAt > 5 ? 10 : 1)
                case .unready: now + 1
                // All at the same times: an idle machine is woken once.
                default: ((now / probeInterval).rounded(.down) + 1) * probeInterval
                }
        }
    }

    /// What the disk has to say about a server, if anything.
    private func lookAtDisk(_ index: Int) -> Answer? {
        guard let folder = servers[index].spec.disk else { return nil }
        switch servers[index].disk.look(free: Files.freeBytes(folder)) {
        case .roomy: return nil
        case .full(let free):
            return .notReady("the disk of \(folder) is full (\(free >> 20) MB left); free some space, and it goes on by itself")
        case .roomAgain:
            end(index, because: "its disk had been full, and it does not get over that by itself")
            return .notReady("its disk has room again")
        }
    }

    private func end(_ index: Int, because reason: String) {
        guard servers[index].killReason == nil else { return }
        servers[index].killReason = reason
        kill(servers[index].pid, SIGKILL)
    }

    enum Answer: Equatable {
        case ready
        case notReady(String)
        case silent
    }

    static func ask(_ readiness: ServerSpec.Readiness, pid: Int32?) -> Answer {
        switch readiness {
        case .nats(let port):
            return Probe.natsInfo(port: port) != nil ? .ready : .silent
        case .postgres(let directory):
            guard let server = PostgreSQL.state(dataDirectory: directory) else { return .notReady("starting") }
            if let pid, server.pid != pid { return .notReady("starting") }
            return server.isReady ? .ready : .notReady("starting")
        case .http(let port):
            guard let answer = Probe.http(port: port, path: "/readyz") else { return .silent }
            if answer.status == 200 { return .ready }
            let reason = answer.body.split(whereSeparator: \.isNewline).joined(separator: " ")
            return .notReady(reason.isEmpty ? "status \(answer.status)" : String(reason.prefix(200)))
        }
    }

    private func reap() {
        var status: Int32 = 0
        while true {
            let pid = waitpid(-1, &status, WNOHANG)
            if pid < 0 && errno == EINTR { continue }
            guard pid > 0 else { return }
            guard let index = servers.firstIndex(where: { $0.pid == pid }) else { continue }
            let end = ProcessEnd(waitStatus: status)
            ended(index, reason: servers[index].killReason ?? end.description, Clock.now())
        }
    }

    private func ended(_ index: Int, reason: String, _ now: Double) {
        servers[index].pid = 0
        servers[index].state.process = nil
        if stopStage != nil {
            change(index, .stopped, detail: nil)
            return
        }
        let delay = servers[index].policy.died(ranFor: now - servers[index].startedAt, chance: Double.random(in: 0...1))
        servers[index].startAt = now + delay
        servers[index].state.restarts += 1
        servers[index].state.lastEnd = reason
        servers[index].state.lastEndAt = Clock.utcMicroseconds()
        say("\(servers[index].spec.name) ended: \(reason); starts again in \(Int(delay * 1000)) ms")
        change(index, .waiting, detail: "starts again in \(Self.tenths(delay)) s")
    }

    private static func tenths(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10).rounded(.up))
        return "\(tenths / 10).\(tenths % 10)"
    }

    // MARK: - Stopping

    private func beginStop() {
        guard stopStage == nil else { return }
        say("stopping")
        state.phase = .stopping
        stopStage = 0
        for index in servers.indices where servers[index].pid == 0 {
            servers[index].startAt = nil
            change(index, .stopped, detail: nil)
        }
        _ = advanceStop()
    }

    /// True when nothing is left.
    private func advanceStop() -> Bool {
        let now = Clock.now()
        while let current = stopStage {
            let left = servers.indices.filter { servers[$0].spec.stopStage == current && servers[$0].pid != 0 }
            if left.isEmpty {
                if current >= (servers.map(\.spec.stopStage).max() ?? 0) { return true }
                stopStage = current + 1
                continue
            }
            for index in left {
                if let sent = servers[index].stopSentAt {
                    if now - sent >= servers[index].spec.patience {
                        say("\(servers[index].spec.name) did not stop within \(servers[index].spec.patience) s and is killed")
                        kill(servers[index].pid, SIGKILL)
                    }
                } else {
                    servers[index].stopSentAt = now
                    kill(servers[index].pid, servers[index].spec.stopSignal)
                }
            }
            return false
        }
        return true
    }

    // MARK: - Telling

    private func change(_ index: Int, _ new: ServerState.State, detail: String?) {
        if servers[index].state.state != new {
            servers[index].state.state = new
            servers[index].state.since = Clock.utcMicroseconds()
        }
        servers[index].state.detail = detail
    }

    private func save() {
        state.servers = servers.map(\.state)
        guard state != saved else { return }
        do {
            try state.save(home)
            saved = state
        } catch {
            say(error.message)
        }
    }

    private func rotateLogs() {
        let now = Clock.now()
        guard now - lastRotation > 30 else { return }
        lastRotation = now
        for path in servers.map(\.spec.log) + [home.log("supervisor")] { LogRotation.rotate(path) }
    }

    /// To the supervisor's log, which is its standard error.
    private func say(_ text: String) {
        let line = Timestamp.text(Clock.utcMicroseconds()) + " " + text + "\n"
        _ = line.withCString { write(2, $0, strlen($0)) }
    }
}

extension timespec {
    fileprivate init(milliseconds: Int) {
        self.init(tv_sec: milliseconds / 1000, tv_nsec: (milliseconds % 1000) * 1_000_000)
    }
}

/// RFC 3339 for logs.
enum Timestamp {
    static func text(_ microseconds: Int64) -> String {
        var seconds = time_t(microseconds / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let milliseconds = Int(microseconds % 1_000_000) / 1000
        let fraction = String(repeating: "0", count: 3 - String(milliseconds).count) + String(milliseconds)
        return
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(fraction)Z"
    }
}
