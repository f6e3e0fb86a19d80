public import Contract
internal import TOMLKit

/// How an agent is told to report through its lifecycle hooks: `[hooks.install]` of its manifest.
public struct HookInstallation: Sendable, Equatable {
    /// What kind of file it is.
    public enum Format: String, Sendable, CaseIterable {
        /// JSON with `hooks.<event>[].hooks[]` of commands, as Claude Code and Gemini CLI have it.
        case json
        /// TOML with `notify`, one command that gets the event as its last argument, as Codex has it.
        case notify
    }

    public var format: Format
    /// The agent's own folder, `~` for the person's home, and the environment variable that moves it.
    public var folder: String
    public var folderVariable: String?
    public var file: String
    /// The events to subscribe to.
    public var events: [String]
    /// Where the agent wants one beside each list of hooks.
    public var matcher: String?
    /// What the agent reads of a hook's output; nothing where missing.
    public var answer: String?

    /// Nil for an agent without hooks that we know.
    public init?(_ manifest: AgentManifest) throws(ErrorBody) {
        let reader = try ManifestReader(name: manifest.name, text: manifest.text)
        guard let hooks = try reader.table("hooks", in: reader.root), let table = try reader.table("install", in: hooks) else { return nil }
        try reader.allow(["format", "folder", "folder_variable", "file", "events", "matcher", "answer"], in: table, of: "hooks.install")
        let text = try reader.string("format", in: table, of: "hooks.install") ?? "json"
        guard let format = Format(rawValue: text) else {
            throw reader.problem("hooks.install.format is \"\(text)\"; known: \(Format.allCases.map(\.rawValue).joined(separator: ", "))", near: "format")
        }
        guard let folder = try reader.string("folder", in: table, of: "hooks.install"), let file = try reader.string("file", in: table, of: "hooks.install")
        else { throw reader.problem("hooks.install needs folder and file", near: "[hooks.install]") }
        self.format = format
        self.folder = folder
        self.file = file
        folderVariable = try reader.string("folder_variable", in: table, of: "hooks.install")
        events = try reader.strings("events", in: table, of: "hooks.install")
        matcher = try reader.string("matcher", in: table, of: "hooks.install")
        answer = try reader.string("answer", in: table, of: "hooks.install")
        if format == .json && events.isEmpty { throw reader.problem("hooks.install.events is empty", near: "[hooks.install]") }
    }

    /// The file's path for a person.
    public func path(home: String, environment: [String: String]) -> String {
        if let variable = folderVariable, let moved = environment[variable], !moved.isEmpty { return moved + "/" + file }
        let base = folder.hasPrefix("~") ? home + folder.dropFirst() : folder
        return base + "/" + file
    }
}
