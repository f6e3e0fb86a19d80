public import Contract
internal import TOMLKit

/// How an agent is told to report through its lifecycle hooks: `[hooks.install]` of its manifest. The file is JSON with
/// `hooks.<event>[].hooks[]` of commands, as Claude Code, Codex and Gemini CLI have it.
public struct HookInstallation: Sendable, Equatable {
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
    /// What a person has to know or do besides.
    public var note: String?

    /// Nil for an agent without hooks that we know.
    public init?(_ manifest: AgentManifest) throws(ErrorBody) {
        let reader = try ManifestReader(name: manifest.name, text: manifest.text)
        guard let hooks = try reader.table("hooks", in: reader.root), let table = try reader.table("install", in: hooks) else { return nil }
        try reader.allow(["folder", "folder_variable", "file", "events", "matcher", "answer", "note"], in: table, of: "hooks.install")
        guard let folder = try reader.string("folder", in: table, of: "hooks.install"), let file = try reader.string("file", in: table, of: "hooks.install")
        else { throw reader.problem("hooks.install needs folder and file", near: "[hooks.install]") }
        self.folder = folder
        self.file = file
        folderVariable = try reader.string("folder_variable", in: table, of: "hooks.install")
        events = try reader.strings("events", in: table, of: "hooks.install")
        matcher = try reader.string("matcher", in: table, of: "hooks.install")
        answer = try reader.string("answer", in: table, of: "hooks.install")
        note = try reader.string("note", in: table, of: "hooks.install")
        if events.isEmpty { throw reader.problem("hooks.install.events is empty", near: "[hooks.install]") }
    }

    /// The file's path for a person.
    public func path(home: String, environment: [String: String]) -> String {
        if let variable = folderVariable, let moved = environment[variable], !moved.isEmpty { return moved + "/" + file }
        let base = folder.hasPrefix("~") ? home + folder.dropFirst() : folder
        return base + "/" + file
    }
}
