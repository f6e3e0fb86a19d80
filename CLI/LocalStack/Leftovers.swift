internal import FoundationEssentials
internal import Glibc

/// Processes a killed supervisor left behind.
enum Leftovers {
    /// Everything that carries this stack's marker and is what the marker says. Agents inherit environments,
    /// so the marker alone is not enough: the program's name, and for NATS and PostgreSQL our own paths among
    /// the arguments, must fit as well.
    static func find(settings: StackSettings, home: StackHome) -> [(name: String, process: ProcessIdentity)] {
        let prefix = StackPlan.marker + "=" + settings.id + "/"
        let names = Set(settings.instances.map(\.name) + ["nats", "postgres"])
        var found: [(String, ProcessIdentity)] = []
        for pid in ProcessTable.all() where pid != getpid() {
            guard let identity = ProcessTable.identity(of: pid) else { continue }
            guard let mark = ProcessTable.environment(of: pid).first(where: { $0.hasPrefix(prefix) }) else { continue }
            let name = String(mark.dropFirst(prefix.count))
            guard names.contains(name), fits(name, ProcessTable.arguments(of: pid), settings, home) else { continue }
            guard identity.isAlive else { continue }
            found.append((name, identity))
        }
        return found
    }

    static func fits(_ name: String, _ arguments: [String], _ settings: StackSettings, _ home: StackHome) -> Bool {
        guard let program = arguments.first?.split(separator: "/").last else { return false }
        switch name {
        case "nats": return arguments.contains(home.natsConfiguration)
        case "postgres": return program == "postgres" && arguments.contains(settings.postgresRoot + "/data")
        default:
            let service = name.split(separator: "-").first ?? ""
            return program == "switchback-" + service
        }
    }

    /// Stops them: services first, then PostgreSQL and NATS; kills what does not listen.
    /// - Returns: the names of what was stopped.
    static func stop(settings: StackSettings, home: StackHome) -> [String] {
        let all = find(settings: settings, home: home)
        for isServer in [false, true] {
            let part = all.filter { ["nats", "postgres"].contains($0.name) == isServer }
            for (name, process) in part where process.isAlive { kill(process.pid, name == "postgres" ? SIGINT : SIGTERM) }
            if !waitForEnd(part.map(\.process), seconds: isServer ? 8 : 4) {
                for (_, process) in part where process.isAlive { kill(process.pid, SIGKILL) }
                _ = waitForEnd(part.map(\.process), seconds: 2)
            }
        }
        return all.map(\.name)
    }

    static func waitForEnd(_ processes: [ProcessIdentity], seconds: Double) -> Bool {
        let deadline = Clock.now() + seconds
        while processes.contains(where: \.isAlive) {
            if Clock.now() > deadline { return false }
            Clock.pause(0.02)
        }
        return true
    }

    /// A pod's shim, which outlives everything else, with its directory.
    struct Shim: Equatable {
        var process: ProcessIdentity
        var directory: String
    }

    /// The shims of this stack's pods: `switchback-shim [--recover] DIR` with DIR below the runner's directory.
    static func shims(home: StackHome) -> [Shim] {
        ProcessTable.all().compactMap { pid in
            guard let identity = ProcessTable.identity(of: pid) else { return nil }
            let arguments = ProcessTable.arguments(of: pid)
            guard arguments.first?.split(separator: "/").last == "switchback-shim",
                let directory = arguments.dropFirst().first(where: { $0.hasPrefix(home.runnerDirectory + "/") })
            else { return nil }
            return Shim(process: identity, directory: directory)
        }
    }

    /// Whether a shim came to the bus by a password, as those of stacks before credentials do.
    static func knowsPassword(_ shim: Shim) -> Bool {
        struct Spec: Decodable {
            var servers: [String]
            enum CodingKeys: String, CodingKey { case servers = "nats_servers" }
        }
        guard let bytes = Files.readBytes(shim.directory + "/spec.json"), let spec = try? JSONDecoder().decode(Spec.self, from: Data(bytes)) else {
            return false
        }
        return spec.servers.contains { $0.contains("@") }
    }

    /// Sends a signal to the program of a shim's pod and all that belongs to it. A shim ends by itself when its program has
    /// ended and everything is recorded.
    static func signal(_ shim: Shim, _ number: Int32) {
        struct State: Decodable {
            var pid: Int32
            var phase: String
        }
        guard shim.process.isAlive, let bytes = Files.readBytes(shim.directory + "/state.json"),
            let state = try? JSONDecoder().decode(State.self, from: Data(bytes)), state.phase == "running", state.pid > 1,
            let child = ProcessTable.identity(of: state.pid),
            ProcessTable.Stat(Files.read("/proc/\(child.pid)/stat") ?? "")?.parent == shim.process.pid
        else { return }
        kill(-child.pid, number)
        // What is stopped does not hear.
        if number != SIGKILL { kill(-child.pid, SIGCONT) }
    }
}
