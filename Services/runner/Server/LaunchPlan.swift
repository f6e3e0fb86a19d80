internal import Agents
internal import Contract

/// The command that a pod really runs.
struct LaunchPlan: Sendable, Equatable {
    var argv: [String]
    var agent: String?
    /// The agent's session, if its id is ours to know.
    var sessionID: String?

    /// Makes the plan. `newSession` is taken where the agent lets us name its session.
    /// - Parameter resuming: the pod goes on where another left off; `sessionID` is that one's, if known.
    static func make(
        spec: PodSpec, catalog: AgentCatalog, resuming: Bool, sessionID: String?, newSession: () -> String
    ) throws(ErrorBody) -> LaunchPlan {
        let manifest = try catalog.manifest(agent: spec.agent, command: spec.command)
        var argv = spec.command.isEmpty ? manifest?.command ?? [] : spec.command
        guard !argv.isEmpty else { throw ErrorBody(.badRequest, "give a command or an agent to run") }
        guard let manifest else {
            guard spec.prompt == nil else { throw promptProblem(spec.agent ?? argv[0]) }
            return LaunchPlan(argv: argv, agent: spec.agent, sessionID: nil)
        }
        let chosen = argv.dropFirst().contains { argument in
            manifest.ownSessionArguments.contains { argument == $0 || argument.hasPrefix($0 + "=") }
        }
        var session: String?
        if chosen {
            // The caller's own choice of a session stands.
        } else if resuming {
            session = sessionID
            let arguments =
                if let sessionID, !manifest.resumeArguments.isEmpty {
                    manifest.resumeArguments.map { $0.replacing("{session}", with: sessionID) }
                } else {
                    manifest.resumeLastArguments
                }
            argv.insert(contentsOf: arguments, at: manifest.resumeIsSubcommand ? 1 : argv.count)
        } else if !manifest.sessionArguments.isEmpty {
            let id = newSession()
            session = id
            argv += manifest.sessionArguments.map { $0.replacing("{session}", with: id) }
        }
        if let prompt = spec.prompt, !resuming {
            guard !manifest.promptArguments.isEmpty else { throw promptProblem(manifest.title) }
            argv += manifest.promptArguments.map { $0.replacing("{prompt}", with: prompt) }
        }
        return LaunchPlan(argv: argv, agent: manifest.name, sessionID: session)
    }

    private static func promptProblem(_ agent: String) -> ErrorBody {
        ErrorBody(.badRequest, "\(agent) takes no prompt on its command line; start it without one and use `switchback send`")
    }

    /// The environment of a pod's program: the runner's, without what belongs to the runner, and with what a terminal promises.
    /// - Parameter commands: the folder of the `switchback` command, for agents that hand work over.
    static func environment(
        base: [String: String], spec: PodSpec, pod: PodID, name: String, credential: String? = nil, commands: String? = nil
    ) -> [String: String] {
        let ofOtherTerminals: Set = ["TMUX", "TMUX_PANE", "STY", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLUMNS", "LINES", "SHLVL", "NOTIFY_SOCKET"]
        var environment = base.filter { !$0.key.hasPrefix("SWITCHBACK_") && !ofOtherTerminals.contains($0.key) }
        environment["TERM"] = "xterm-256color"
        environment["COLORTERM"] = "truecolor"
        environment["TERM_PROGRAM"] = "switchback"
        if environment["LANG"] == nil && environment["LC_ALL"] == nil { environment["LANG"] = "C.UTF-8" }
        environment.merge(spec.env) { $1 }
        if let commands, !commands.isEmpty {
            // Behind the person's own: what they have under that name goes before.
            let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
            if !path.split(separator: ":").contains(Substring(commands)) { environment["PATH"] = path + ":" + commands }
        }
        environment["SWITCHBACK_POD"] = pod.text
        environment["SWITCHBACK_POD_NAME"] = name
        // With these the command works inside the pod, as the pod.
        environment["SWITCHBACK_URL"] = base["SWITCHBACK_URL"]
        environment["SWITCHBACK_CA"] = base["SWITCHBACK_CA"]
        environment["SWITCHBACK_TOKEN"] = credential
        return environment
    }
}
