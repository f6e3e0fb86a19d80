internal import Agents
internal import ArgumentParser
internal import Console
internal import FoundationEssentials
internal import Inspect

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "The engine on a script, without a network: JSON Lines in, JSON Lines out.", subcommands: [VT.self, StatusOfScript.self])

    struct VT: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The terminal engine.",
            discussion:
                #"Lines: {"feed_b64":"…"} {"resize":[100,30]} {"reset":true} {"dump":true} {"dump":"cells"} {"snapshot":true} {"restore_b64":"…"}"#)

        @Option(help: "Columns.") var cols: Int = 80
        @Option(help: "Rows.") var rows: Int = 24
        @Option(help: "Lines of scrollback to keep.") var scrollback: Int = 1000

        func validate() throws {
            guard (1...1000).contains(cols), (1...500).contains(rows), (0...1_000_000).contains(scrollback) else {
                throw ValidationError("--cols goes from 1 to 1000, --rows from 1 to 500, --scrollback from 0 to 1000000")
            }
        }

        func run() throws {
            InspectVT.run(columns: cols, rows: rows, scrollback: scrollback, input: { readLine() }, output: { Out.print($0) })
        }
    }
}

extension InspectCommand {
    struct StatusOfScript: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "The detector: what an agent is doing.",
            discussion: """
                Lines: {"at_ms":0,"feed_b64":"…"} {"at_ms":40,"screen":"whole screen as text"} {"at_ms":1500,"tick":true} {"at_ms":90,"input_b64":"…"}
                {"at_ms":90,"resize":[60,20]} {"at_ms":0,"assume":"executing"} {"at_ms":90,"hook":{…}} {"at_ms":90,"process":{…}} {"at_ms":90,"exit":{"code":0}}
                """)

        @Option(help: "The agent whose rules are used; without one, those of programs that nobody described.") var agent: String?
        @Option(help: "Columns.") var cols: Int = 80
        @Option(help: "Rows.") var rows: Int = 24
        @Flag(help: "Print only the last status.") var final = false
        @Flag(help: "At the end, print every piece of evidence.") var explain = false

        func validate() throws {
            guard (1...1000).contains(cols), (1...400).contains(rows) else {
                throw ValidationError("--cols goes from 1 to 1000, --rows from 1 to 400")
            }
        }

        func run() throws {
            let folders = AgentCatalog.folders(program: AgentCatalog.ownProgram, environment: ProcessInfo.processInfo.environment)
            guard !folders.isEmpty else {
                throw Failure(.error, "unavailable", "The agents' manifests are not beside this program; name their folder in SWITCHBACK_AGENTS.")
            }
            let catalog = AgentCatalog.load(folders: folders, only: agent)
            for problem in catalog.problems { Out.complain(problem) }
            InspectStatus.run(
                agent: agent, catalog: catalog, columns: cols, rows: rows, final: final, explain: explain, input: { readLine() }, output: { Out.print($0) })
        }
    }
}

struct Completions: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a completion script for bash, zsh or fish.",
        discussion: "For bash:  switchback completions bash > ~/.local/share/bash-completion/completions/switchback")

    @Argument(help: "bash, zsh or fish.")
    var shell: String

    func run() throws {
        guard let shell = CompletionShell(rawValue: shell) else {
            throw Failure(.usage, "usage", "There are completions for bash, zsh and fish, not for \"\(shell)\".")
        }
        Out.print(Switchback.completionScript(for: shell))
    }
}
