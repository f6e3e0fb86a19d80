internal import Agents
internal import Contract

/// The manifests that are in force. A value; a newer one replaces it whole.
struct Rulebook: Sendable {
    var catalog: AgentCatalog
    /// Rises with every change.
    var version: UInt64 = 1

    var fallback: AgentManifest? { catalog.fallback }

    /// The manifest of a pod, by the agent it was started as, or by its program.
    func manifest(_ origin: PodOrigin) -> AgentManifest? {
        if let agent = origin.agent, let manifest = catalog.manifest(named: agent) { return manifest }
        return origin.command.first.flatMap { catalog.manifest(program: $0) }
    }

    func manifest(named name: String) -> AgentManifest? { catalog.manifests[name] }

    /// The manifest of a pod in which this runs: a shell in which somebody started an agent is that agent for as long as it runs.
    func manifest(_ origin: PodOrigin, running report: ProcessReport) -> AgentManifest? {
        let own = manifest(origin)
        guard own == nil || own?.rules.kind == .shell, let group = report.fg, group != report.shell,
            let leader = report.procs?.first(where: { $0.pid == group }), let manifest = catalog.manifest(program: leader.comm),
            manifest.rules.kind != .shell
        else { return own }
        return manifest
    }

    /// What `detector.agents` answers.
    var known: KnownAgents {
        let agents = catalog.manifests.values.sorted { $0.name < $1.name }.map { manifest in
            KnownAgent(
                name: manifest.name, title: manifest.title, aliases: manifest.aliases, version: manifest.version,
                agentVersions: manifest.agentVersions, source: manifest.file ?? "built in", origin: origin(manifest),
                rules: manifest.rules.rules.count, hasHooks: !manifest.rules.hooks.isEmpty,
                problem: catalog.problems.first { problem in manifest.file.map { problem.hasPrefix($0) } ?? false })
        }
        return KnownAgents(agents: agents, problems: catalog.problems)
    }

    private func origin(_ manifest: AgentManifest) -> String? {
        guard let file = manifest.file, let shipped = catalog.shippedFolder else { return nil }
        return file.hasPrefix(shipped + "/") ? "shipped" : "local"
    }
}
