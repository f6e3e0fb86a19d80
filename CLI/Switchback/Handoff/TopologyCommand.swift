internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract

struct TopologyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology", abstract: "Who is bound to whom, who waits on whom, and who is at the root of it.")

    @OptionGroup var output: JSONOption

    @Option(help: ArgumentHelp("As it was then.", valueName: "time"))
    var at: String?

    func run() async throws {
        let then = try moment(at)?.resolve(start: nil, now: .now()).description
        let api = try Backend.locate().api
        let topology = try await api.topology(at: then)
        report(topology)
    }

    /// Not inlined: Swift 6.3.1 crashes when it optimises `run` with all of this in it.
    @inline(never)
    private func report(_ topology: Topology) {
        if output.json { Out.printJSON(topology) } else { show(topology) }
    }

    @inline(never)
    private func show(_ topology: Topology) {
        let style = Style.forOutput
        let names = Names(topology)
        guard !topology.nodes.isEmpty else { return Out.print("No pod runs.") }
        var table = Table(["POD", "STATUS", "SINCE", "BLOCKS", "WAITS ON"])
        for node in topology.nodes.sorted(by: { ($1.blocks, $0.name) < ($0.blocks, $1.name) }) {
            table.add([
                style.bold(node.name), node.status + (node.reason.map { " (\($0))" } ?? ""),
                node.since.map { Say.age(since: $0, now: topology.at) } ?? "-", node.blocks == 0 ? "-" : "\(node.blocks)",
                node.blockedBy.map { names[$0] }.joined(separator: ", "),
            ])
        }
        table.print()
        let bindings = topology.edges.filter { $0.kind == "binding" }
        if !bindings.isEmpty {
            Out.print("")
            for edge in bindings {
                let pending = edge.pending?.isEmpty == false ? style.yellow("  asks for \(Names.short(edge.pending ?? []))") : ""
                let granted = edge.granted?.isEmpty == false ? Names.short(edge.granted ?? []) : edge.state?.rawValue ?? ""
                Out.print("\(names[edge.from]) → \(names[edge.to])  \(granted)\(pending)  \(style.dim(edge.id ?? ""))")
            }
        }
        let waits = topology.edges.filter { $0.kind == "wait" }
        if !waits.isEmpty {
            Out.print("")
            for edge in waits {
                Out.print(
                    "\(names[edge.from]) ⏳ \(names[edge.to])  \(edge.why ?? "")  \(edge.since.map { Say.age(since: $0, now: topology.at) } ?? "")")
            }
        }
        for cycle in topology.cycles {
            Out.print(style.red("Nobody can go on: " + (cycle + cycle.prefix(1)).map { names[$0.text] }.joined(separator: " waits on ")))
        }
        if topology.standstill { Out.print(style.red("Every agent rests although somebody waits.")) }
        for root in topology.roots.prefix(5) where root.frees > 0 {
            Out.print("\(style.bold(names[root.pod?.text ?? root.person ?? ""])) frees \(root.frees)")
        }
    }
}

struct AttentionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attention", abstract: "What needs a person now; what frees most agents comes first.")

    @OptionGroup var output: JSONOption

    @Option(help: ArgumentHelp("As it was then.", valueName: "time"))
    var at: String?

    @Flag(name: .shortAndLong, help: "What was resolved too.")
    var all = false

    func run() async throws {
        let at = try moment(at)?.resolve(start: nil, now: .now())
        let backend = try Backend.locate()
        let items = try await backend.api.attention(at: at?.description, all: all ? true : nil)
        if output.json { return Out.printJSON(AttentionPage(items: items)) }
        guard !items.isEmpty else { return Out.print("Nothing needs you.") }
        let names = await Names(backend, at: at)
        var table = Table(["KIND", "POD", "FREES", "SINCE", "WHAT", "ANSWER WITH"], whole: ["ANSWER WITH"], spare: ["KIND", "FREES", "SINCE"])
        for item in items {
            table.add([
                item.kind.rawValue, item.pod.map { names[$0.text] } ?? "-", "\(item.frees ?? 0)", Say.age(since: item.opened, now: at ?? .now()),
                names.said(item.summary), answer(item, names),
            ])
        }
        table.print()
        if items.contains(where: { $0.isOpen && $0.kind == .approval }) { Out.complain("What is asked for in full: switchback screen POD") }
    }

    private func answer(_ item: Attention, _ names: Names) -> String {
        guard item.isOpen else { return item.resolution ?? "" }
        switch item.kind {
        case .approval: return item.pod.map { "switchback approve \(names[$0.text])" } ?? ""
        case .binding: return "switchback bind accept \(item.subject)"
        case .question, .login, .quota: return item.pod.map { "switchback attach \(names[$0.text])" } ?? ""
        case .cycle, .standstill: return "switchback topology"
        case .runner: return "switchback ps"
        }
    }
}
