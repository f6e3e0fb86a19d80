internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract

struct AgentsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agents", abstract: "List the agents that are known, their manifests' versions and where they come from.")

    @OptionGroup var output: JSONOption

    func run() async throws {
        let known = try await Backend.locate().api.agents()
        if output.json { return Out.printJSON(known) }
        let style = Style.forOutput
        var table = Table(["AGENT", "NAME", "MANIFEST", "FOR VERSIONS", "RULES", "HOOKS", "FROM"])
        for agent in known.agents {
            table.add([
                style.bold(agent.name), agent.title, agent.version ?? "-", agent.agentVersions ?? "-", "\(agent.rules)", agent.hasHooks ? "yes" : "-",
                (agent.origin.map { "\($0): " } ?? "") + agent.source,
            ])
        }
        table.print()
        for problem in known.problems { Out.complain(Style.forErrors.yellow("not used: ") + problem) }
    }
}
