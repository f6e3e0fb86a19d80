internal import Agents
internal import ArgumentParser
internal import Console
internal import Contract
internal import Foundation
internal import HookFiles
internal import LocalStack

struct HookCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hook", abstract: "Let an agent report what it does through its own lifecycle hooks.",
        discussion: """
            install  adds commands to the agent's settings; outside Switchback's pods they do nothing
            remove   takes out exactly what install put in
            report   is what those commands run: it hands the event to the pod's record. It takes the agent's own JSON on standard
                     input (or as its last word), or --state with --source, --seq and --session-id. Outside a pod it does nothing.
            """)

    enum Action: String, ExpressibleByArgument, CaseIterable { case install, remove, report }

    @OptionGroup var output: JSONOption

    @Argument(help: "The agent: see `switchback agents`.") var agent: String
    @Argument(help: "install, remove or report.") var action: Action
    @Argument(help: ArgumentHelp("report: the event as JSON, where the agent gives it as an argument.", valueName: "json")) var event: String?

    @Option(help: ArgumentHelp("install, remove: another settings file than the agent's usual one.", valueName: "path")) var file: String?
    @Option(help: "report: working, blocked or idle.") var state: String?
    @Option(help: "report: the event's name.") var name: String?
    @Option(help: "report: who says it, where several may.") var source: String?
    @Option(help: "report: the reporter's own counter; an older one than was seen is ignored.") var seq: UInt64?
    @Option(help: "report: the agent's session.") var sessionId: String?
    @Option(help: "report: a word or two beside.") var message: String?

    func run() throws {
        switch action {
        case .report: try report()
        case .install, .remove: try change()
        }
    }

    // MARK: - Settings

    private func change() throws {
        let environment = ProcessInfo.processInfo.environment
        let catalog = AgentCatalog.load(folders: AgentCatalog.folders(program: Self.program, environment: environment))
        guard let manifest = catalog.manifest(named: agent) else {
            let known = catalog.manifests.keys.sorted().joined(separator: ", ")
            throw Failure(.usage, "unknown_agent", "No agent \"\(agent)\" is known here.", fix: "Known: \(known).")
        }
        guard let installation = try HookInstallation(manifest) else {
            throw Failure(
                .error, "no_hooks", "\(manifest.title) has no lifecycle hooks that its manifest describes.",
                fix: "Its status comes from its screen, title and processes; nothing has to be installed.")
        }
        let home = environment["HOME"] ?? "/"
        let path =
            file.map { $0.hasPrefix("/") ? $0 : FileManager.default.currentDirectoryPath + "/" + $0 }
            ?? installation.path(home: home, environment: environment)
        let hooks = HookFile(installation, agent: manifest.name, program: Self.program ?? "switchback")
        let change = HookChange(hooks, path: path, memory: try Stack(environment: environment).home.path + "/hooks")
        let isNew = action == .install ? try change.install() : try change.remove()
        if output.json { return Out.printJSON(["agent": manifest.name, "file": path, "changed": isNew ? "true" : "false"]) }
        switch (action, isNew) {
        case (.install, true):
            Out.print("\(manifest.title) reports to Switchback from its next start on (\(path)).")
            if let note = installation.note { Out.print(note) }
        case (.install, false): Out.print("\(manifest.title) reports to Switchback already (\(path)).")
        case (_, true): Out.print("\(manifest.title) no longer reports to Switchback (\(path)).")
        case (_, false): Out.print("Nothing of Switchback's is in \(path).")
        }
    }

    /// The command's own path, as links to it have it: an update of the program keeps it.
    private static var program: String? {
        guard let first = CommandLine.arguments.first else { return nil }
        if first.contains("/") {
            return first.hasPrefix("/") ? first : URL(filePath: FileManager.default.currentDirectoryPath + "/" + first).standardizedFileURL.path
        }
        for folder in (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") {
            let path = folder + "/" + first
            if FileManager.default.isExecutableFile(atPath: String(path)) { return String(path) }
        }
        return nil
    }

    // MARK: - Report

    private func report() throws {
        let environment = ProcessInfo.processInfo.environment
        // Agents of this kind read the hook's output.
        if agent == "gemini" || agent == "qwen" { Out.print("{}") }
        guard let socket = environment["SWITCHBACK_POD_SOCKET"], !socket.isEmpty else { return }
        var report: HookReport
        if state != nil || name != nil {
            if let state, !["working", "blocked", "idle", "executing", "waiting", "unknown"].contains(state) {
                throw Failure(.usage, "usage", "--state is working, blocked or idle, not \"\(state)\".")
            }
            report = HookReport(event: name ?? "report", state: state)
        } else {
            let text = event.map { Array($0.utf8) } ?? Self.standardInput()
            report = try JSON.decode(HookReport.self, from: text)
        }
        report.agent = report.agent ?? agent
        report.source = source ?? report.source
        report.seq = seq ?? report.seq
        report.sessionId = sessionId ?? report.sessionId
        report.detail = message ?? report.detail
        try HookReporter.send(report, socket: socket)
    }

    /// All of it, up to 16 MiB: a hook's event holds the whole input of a tool.
    private static func standardInput() -> [UInt8] {
        guard let data = try? FileHandle.standardInput.read(upToCount: 16 << 20) else { return [] }
        return [UInt8](data)
    }
}
