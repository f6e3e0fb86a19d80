internal import ArgumentParser
internal import Console
internal import Inspect

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "The engine on a script, without a network: JSON Lines in, JSON Lines out.", subcommands: [VT.self])

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
