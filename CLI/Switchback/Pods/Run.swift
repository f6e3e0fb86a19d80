internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start an agent, or any program, in a pod; prints the pod's id.",
        usage: "switchback run [options] [--] <command> ...",
        discussion: "Without a command, --agent's own launch command runs. The pod goes on when this command has ended.")

    @OptionGroup var output: JSONOption

    @Option(help: "A name, unique among running pods.")
    var name: String?

    @Option(help: "The agent's manifest: claude, codex, gemini, opencode, aider, shell. Found from the command where missing.")
    var agent: String?

    @Option(help: ArgumentHelp("Make a git worktree of the repository's branch and run there.", valueName: "repo#branch"))
    var worktree: String?

    @Option(help: "The directory to start in; the current one where missing.")
    var cwd: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("Set a variable; NAME alone takes its value from here.", valueName: "name[=value]"))
    var env: [String] = []

    @Option(help: ArgumentHelp("Columns and rows of the terminal.", valueName: "columns x rows"))
    var size: String?

    @Option(help: "The agent's first prompt; for agents that take one on their command line.")
    var prompt: String?

    @Option(help: "The runner to run on; the least loaded where missing.")
    var runner: String?

    @Option(help: "What happens when the spool on the agent's host is full: hold (the agent waits) or drop.")
    var onFull: String?

    @Option(help: "record: hide secrets before anything is recorded. Else they are hidden when the record is shown.")
    var redact: String?

    @Flag(name: .shortAndLong, help: "Attach to it at once.")
    var attach = false

    @Argument(parsing: .captureForPassthrough, help: "The program and its arguments.")
    var command: [String] = []

    /// What the parser does not know it takes for the program, so that the program's own options need no `--`.
    func validate() throws {
        guard let first = command.first, first.hasPrefix("-"), first != "--" else { return }
        if first == "-h" || first == "--help" { throw CleanExit.helpRequest(self) }
        throw ValidationError("Unknown option '\(first)'; a program whose name begins so is given after --")
    }

    func run() async throws {
        let backend = try Backend.locate()
        var spec = PodSpec(command: command.first == "--" ? Array(command.dropFirst()) : command)
        spec.name = name
        spec.agent = agent
        spec.prompt = prompt
        spec.runner = runner
        spec.cwd = try directory(backend)
        spec.env = try variables()
        spec.worktree = try worktree.map { try repository($0, backend) }
        if let onFull {
            guard let choice = PodSpec.OnFull(rawValue: onFull) else {
                throw Failure(.usage, "usage", "--on-full is hold or drop, not \"\(onFull)\".")
            }
            spec.onFull = choice
        }
        if let redact {
            guard let choice = PodSpec.Redact(rawValue: redact) else { throw Failure(.usage, "usage", "--redact is record, not \"\(redact)\".") }
            spec.redact = choice
        }
        if let size {
            (spec.columns, spec.rows) = try Resize.parse(size)
        } else if attach, let size = ConsoleTerminal.size() {
            (spec.columns, spec.rows) = size
        }
        if let problem = spec.problem() { throw Failure(.usage, problem.code.rawValue, problem.message) }
        let pod = try await backend.api.create(spec, idempotencyKey: UUID().uuidString)
        if attach {
            try await Attachment(backend: backend, pod: pod, isReadOnly: false, takes: false).run()
            return
        }
        if output.json {
            Out.printJSON(pod)
        } else {
            Out.print(pod.pod.text)
        }
    }

    private func directory(_ backend: Backend) throws -> String? {
        if let cwd { return cwd.hasPrefix("/") ? cwd : FileManager.default.currentDirectoryPath + "/" + cwd }
        // Elsewhere this machine's directories mean nothing.
        return backend.isLocal && worktree == nil ? FileManager.default.currentDirectoryPath : nil
    }

    private func repository(_ text: String, _ backend: Backend) throws -> String {
        guard let mark = text.lastIndex(of: "#"), mark != text.startIndex, text.index(after: mark) != text.endIndex else {
            throw Failure(.usage, "usage", "--worktree wants REPO#BRANCH, for example .#fix-login, not \"\(text)\".")
        }
        let path = String(text[..<mark])
        if path.hasPrefix("/") || !backend.isLocal || path.contains("://") { return text }
        let here = FileManager.default.currentDirectoryPath
        return (path == "." ? here : here + "/" + path) + text[mark...]
    }

    private func variables() throws -> [String: String] {
        var result: [String: String] = [:]
        for text in env {
            if let equals = text.firstIndex(of: "="), equals != text.startIndex {
                result[String(text[..<equals])] = String(text[text.index(after: equals)...])
            } else if let value = ProcessInfo.processInfo.environment[text] {
                result[text] = value
            } else {
                throw Failure(.usage, "usage", "--env \(text): there is no such variable here; give NAME=VALUE.")
            }
        }
        return result
    }
}
