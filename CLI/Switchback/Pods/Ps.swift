internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract

struct Ps: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the pods that run; with --all those that ended too.")

    @OptionGroup var output: JSONOption

    @Flag(name: .shortAndLong, help: "Ended pods too.")
    var all = false

    @Option(help: ArgumentHelp("As it was then.", valueName: "time"))
    var at: String?

    @Option(help: "Only pods on this runner.")
    var runner: String?

    @Option(help: "Only pods that are executing, waiting, idle or unknown.")
    var status: String?

    @Option(help: "At most this many.")
    var limit: Int?

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    func run() async throws {
        let moment = try moment(at)?.resolve(start: nil, now: .now())
        let backend = try Backend.locate()
        var pods: [Pod] = []
        var cursor: String?
        repeat {
            let page = try await backend.api.pods(
                at: moment?.description, status: status, runner: runner, live: all ? nil : true, limit: limit.map { min($0 - pods.count, 1000) },
                cursor: cursor)
            pods += page.pods
            cursor = page.next
        } while cursor != nil && pods.count < limit ?? 10_000
        if output.json { return Out.printJSON(PodPage(pods: pods, next: cursor)) }
        // Without the service that knows of waits, the pods are still worth showing.
        let topology = pods.isEmpty ? nil : try? await backend.api.topology(at: moment?.description)
        show(pods, waitingFor: Self.waitingFor(topology), at: moment)
        for runner in (try? await backend.api.runners()) ?? [] { warn(runner) }
    }

    /// For whom each pod waits, by its id: other pods and people by name.
    private static func waitingFor(_ topology: Topology?) -> [PodID: String] {
        guard let topology else { return [:] }
        let names = Names(topology)
        var result: [PodID: String] = [:]
        for node in topology.nodes where !node.blockedBy.isEmpty {
            result[node.pod] = node.blockedBy.map { names[$0] }.joined(separator: ", ")
        }
        return result
    }

    private func show(_ pods: [Pod], waitingFor: [PodID: String], at: Timestamp?) {
        let style = Style.forOutput
        let now = at ?? .now()
        if pods.isEmpty {
            Out.print(
                all || at != nil
                    ? "There is no pod." : "No pod runs. Start one: switchback run --name hello -- bash    (ended ones: switchback ps --all)")
            return
        }
        var table = Table(
            ["NAME", "POD", "STATE", "STATUS", "WAITS FOR", "RUNNER", "AGE", "SIZE", "COMMAND"], whole: ["POD"], spare: ["SIZE", "RUNNER", "COMMAND", "AGE"])
        for pod in pods {
            table.add([
                style.bold(pod.name), pod.pod.text, Self.state(pod, style, now), Self.status(pod, now), waitingFor[pod.pod] ?? "-", pod.runner ?? "-",
                Say.age(since: pod.started ?? pod.created, now: now), "\(pod.columns)x\(pod.rows)",
                pod.spec.command.isEmpty ? pod.agent ?? "" : pod.spec.command.joined(separator: " "),
            ])
        }
        table.print()
    }

    private static func status(_ pod: Pod, _ now: Timestamp) -> String {
        guard let status = pod.status else { return "-" }
        return "\(StatusWords.coloured(status, .forOutput)) \(Say.age(since: status.since, now: now))"
    }

    /// What became of it, and how long ago.
    static func state(_ pod: Pod, _ style: Style, _ now: Timestamp) -> String {
        if pod.lifecycle == .running { return style.green("running") }
        if pod.lifecycle == .starting { return style.yellow("starting") }
        if pod.imported { return "imported" }
        let how: String
        switch pod.exit {
        case .code(let code): how = code == 0 ? "exited" : style.red("exited \(code)")
        case .signal(let signal): how = style.red("killed by signal \(signal)")
        case .lost: how = style.red("lost")
        // The whole reason stands in --json.
        case nil: return pod.reason.map { style.red("not started: \(Table.width($0) > 40 ? Table.cut($0, to: 40) : $0)") } ?? pod.lifecycle.rawValue
        }
        return how + ((pod.exited ?? pod.ended).map { ", \(Say.age(since: $0, now: now)) ago" } ?? "")
    }

    /// Clocks that differ shift what is shown beside each other.
    private func warn(_ runner: Runner) {
        let style = Style.forOutput
        if runner.state != "online" {
            Out.print(style.yellow("The runner \(runner.runner) is offline; its last beat came \(Say.age(since: runner.lastBeat)) ago."))
        }
        let milliseconds = runner.clockOffset / 1000
        if abs(milliseconds) > 50 {
            Out.print(style.yellow("The clock of the runner \(runner.runner) is \(abs(milliseconds)) ms \(milliseconds > 0 ? "ahead" : "behind")."))
        }
    }
}
