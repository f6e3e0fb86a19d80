internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials
internal import LocalStack

struct JSONOption: ParsableArguments {
    @Flag(name: .long, help: "Print JSON; errors are one JSON object on standard error.")
    var json = false
}

struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start the local stack: NATS, PostgreSQL, the services and a runner.",
        discussion: """
            Data and settings are in SWITCHBACK_HOME (~/.switchback where that is not set). The first start chooses \
            ports and passwords and remembers them. A supervisor goes on in the background and starts again what dies.
            NATS_SERVER names another nats-server, SWITCHBACK_POSTGRES the directory of another PostgreSQL.
            """)

    @OptionGroup var output: JSONOption

    @Option(help: "The port of the address people open; 0 for any free one. 7420 or a free one at the first start.")
    var port: Int?

    @Option(help: "The IPv4 address to listen on. Anything but 127.0.0.1 lets others in who have a token.")
    var listen: String?

    @Option(help: ArgumentHelp("How many instances of a service to run.", valueName: "service=n"))
    var scale: [String] = []

    @Option(help: "Seconds to wait until all is ready.")
    var timeout: Double = 90

    func validate() throws {
        if let port, !(0...65535).contains(port) { throw ValidationError("a port is a number from 0 to 65535, not \(port)") }
        if !(timeout > 0) { throw ValidationError("--timeout must be more than 0 seconds") }
        _ = try scales()
    }

    private func scales() throws -> [String: Int] {
        var result: [String: Int] = [:]
        for text in scale {
            let parts = text.split(separator: "=")
            guard parts.count == 2, let count = Int(parts[1]) else {
                throw ValidationError("--scale wants service=number, for example relay=2, not \"\(text)\"")
            }
            result[String(parts[0])] = count
        }
        return result
    }

    func run() throws {
        let stack = try Stack(environment: ProcessInfo.processInfo.environment)
        var options = Stack.UpOptions()
        options.port = port
        options.host = listen
        options.scale = try scales()
        options.seconds = timeout
        let style = Style.forOutput
        let result = try stack.up(options) { progress in
            if output.json { return }
            let isGood = progress.message == "ready" || progress.message == "database made"
            Out.print(
                "  \(isGood ? style.green("✓") : style.yellow("…")) \(pad(progress.subject, 10)) \(progress.message) \(style.dim("(" + Say.seconds(progress.seconds) + ")"))"
            )
        }
        if output.json {
            struct Answer: Encodable { var address, link, home: String; var wasUp: Bool }
            Out.printJSON(Answer(address: result.address, link: result.link, home: stack.home.path, wasUp: result.wasUp))
            return
        }
        Out.print(result.wasUp ? "Switchback is already up at \(style.bold(result.address))" : "Switchback is up at \(style.bold(result.address))")
        Out.print("  in a browser:  \(result.link)")
        Out.print("  a first pod:   switchback run --name hello -- bash")
    }

    private func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
}

struct Down: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop the local stack and its pods; data stay.",
        discussion: """
            Pods end, as containers do with `docker compose down`; their recordings are completed, and `switchback resume` \
            starts them anew later. With --keep-pods the agents go on without the stack, and the next `switchback up` takes \
            them over: what they print in between is spooled and recorded then. That is the way to upgrade.
            """)

    @OptionGroup var output: JSONOption

    @Flag(help: "Let the agents go on; the next `up` takes them over.")
    var keepPods = false

    func run() throws {
        let stack = try Stack(environment: ProcessInfo.processInfo.environment)
        let result = try stack.down(keepPods: keepPods) { progress in
            if !output.json { Out.print("  \(progress.subject): \(progress.message)") }
        }
        if output.json {
            struct Answer: Encodable { var wasUp: Bool; var podsStopped, podsKept: Int }
            Out.printJSON(Answer(wasUp: result.wasUp, podsStopped: result.podsStopped, podsKept: result.podsKept))
            return
        }
        Out.print(result.wasUp ? "Switchback is down; its data stay in \(stack.home.path)." : "Switchback was not up.")
        if result.podsKept > 0 { Out.print("\(result.podsKept) pods go on; `switchback up` takes them over.") }
    }
}

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what runs, what was started again and why.")

    @OptionGroup var output: JSONOption

    func run() throws {
        let stack = try Stack(environment: ProcessInfo.processInfo.environment)
        let report = try stack.report()
        if output.json {
            Out.printJSON(report)
        } else {
            show(report)
        }
        if report.state != "ready" { throw ExitCode(Failure.Exit.error.rawValue) }
    }

    private func show(_ report: Stack.Report) {
        let style = Style.forOutput
        let now = Timestamp.now()
        let word =
            switch report.state {
            case "ready": style.green("ready")
            case "down": style.dim("down")
            default: style.yellow(report.state)
            }
        Out.print("Switchback is \(word)\(report.address.map { " at " + $0 } ?? "")")
        Out.print(style.dim("data in \(report.home)\(report.shims > 0 ? " · \(report.shims) pods run" : "")"))
        if report.state == "abandoned" { Out.print("Its supervisor is gone. `switchback up` takes over.") }
        if let other = ProcessInfo.processInfo.environment["SWITCHBACK_URL"], !other.isEmpty {
            Out.print("SWITCHBACK_URL is set: commands talk to \(other), whatever runs here.")
        } else if report.state == "down" {
            Out.print("`switchback up` starts it.")
        }
        guard !report.servers.isEmpty else { return }
        var table = Table(["NAME", "STATE", "FOR", "PID", "RESTARTS", "LAST END"])
        for server in report.servers {
            let state: String
            switch server.state {
            case .ready: state = style.green("ready")
            case .starting, .pending: state = style.dim(server.state.rawValue)
            default: state = style.yellow(server.state.rawValue)
            }
            var end = server.lastEnd ?? ""
            if let at = server.lastEndAt { end += ", \(Say.age(since: Timestamp(microseconds: at), now: now)) ago" }
            if let detail = server.detail { end += (end.isEmpty ? "" : " · ") + detail }
            table.add([
                server.name, state, Say.age(since: Timestamp(microseconds: server.since), now: now), server.process.map { String($0.pid) } ?? "-",
                server.restarts == 0 ? "0" : style.yellow(String(server.restarts)), end,
            ])
        }
        Out.print("")
        table.print()
    }
}

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check programs, ports, disk, clock, limits and the running services.")

    @OptionGroup var output: JSONOption

    func run() throws {
        let stack = try Stack(environment: ProcessInfo.processInfo.environment)
        let findings = Doctor(stack: stack).examine()
        if output.json {
            struct Answer: Encodable { var ok: Bool; var findings: [Doctor.Finding] }
            Out.printJSON(Answer(ok: !findings.contains { $0.verdict == .failed }, findings: findings))
        } else {
            let style = Style.forOutput
            for finding in findings {
                let mark =
                    switch finding.verdict {
                    case .fine: style.green("✓")
                    case .warning: style.yellow("!")
                    case .failed: style.red("✗")
                    }
                Out.print("\(mark) \(style.bold(finding.check)): \(finding.message)")
                if let fix = finding.fix {
                    for line in fix.split(separator: "\n") { Out.print("    \(line)") }
                }
            }
            let failed = findings.filter { $0.verdict == .failed }.count
            Out.print(failed == 0 ? "All is well enough to run." : "\(failed) \(failed == 1 ? "thing needs" : "things need") your attention.")
        }
        if findings.contains(where: { $0.verdict == .failed }) { throw ExitCode(Failure.Exit.error.rawValue) }
    }
}

/// What `up` starts in the background.
struct Supervise: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the local stack in the foreground until a signal ends it; `up` does this in the background.", shouldDisplay: false)

    func run() throws {
        try Stack(environment: ProcessInfo.processInfo.environment).supervise()
    }
}
