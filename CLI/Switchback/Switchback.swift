internal import ArgumentParser
internal import Console

/// The command people and agents use.
@main
struct Switchback: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "switchback",
        abstract: "Runs fleets of terminal agents and remembers everything they did.",
        discussion: """
            Times are RFC 3339, -5m (ago), 14:03:07 (the last one) or +90s (from the pod's start).
            POD is a pod's name, its id, or the beginning of its id.
            Exit codes: 0 done, 1 error, 2 usage, 3 gone or replaced, 4 denied, 5 blocked (needs a person), \
            6 would deadlock, 75 interrupted, 124 timed out.
            """,
        version: version,
        groupedSubcommands: [
            CommandGroup(name: "Local stack:", subcommands: [Up.self, Down.self, Status.self, DoctorCommand.self, KeysCommand.self, Supervise.self]),
            CommandGroup(
                name: "Pods:", subcommands: [Run.self, Ps.self, Attach.self, Screen.self, Send.self, Resize.self, Stop.self, Resume.self]),
            CommandGroup(
                name: "Handoffs:",
                subcommands: [
                    Bind.self, ApproveCommand.self, WaitCommand.self, ChannelCommand.self, TopologyCommand.self, AttentionCommand.self,
                    WebhookCommand.self, MCPCommand.self,
                ]),
            CommandGroup(name: "What agents do:", subcommands: [Explain.self, AgentsCommand.self, HookCommand.self]),
            CommandGroup(name: "The record:", subcommands: [Replay.self, SearchCommand.self, Export.self, Import.self, VerifyCommand.self]),
            CommandGroup(name: "People:", subcommands: [TokenCommand.self, AuditCommand.self]),
            CommandGroup(name: "What happens:", subcommands: [Events.self, Tap.self, InspectCommand.self, Completions.self]),
        ])

    static func main() async {
        Signals.ignoreBrokenPipes()
        let wantsJSON = CommandLine.arguments.prefix { $0 != "--" }.contains("--json")
        do {
            var command = try parseAsRoot(CommandWords.arranged(Array(CommandLine.arguments.dropFirst())))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.exit(error, json: wantsJSON)
        }
    }
}
