public import Contract
internal import Pattern
internal import TOMLKit

/// What Switchback knows of one kind of agent: how to start it, how to go on with its session, and how its screen reads.
///
/// One file each in `Agents/<name>.toml`; see `Agents/README.md` for the fields.
public struct AgentManifest: Sendable {
    /// The file's name without its ending.
    public var name: String
    /// The product's name, for people.
    public var title: String
    /// The manifest's own version, for people.
    public var version: String?
    /// The agent's versions that it was written for, as its author words it.
    public var agentVersions: String?
    /// Program names by which a command is recognised.
    public var aliases: [String]
    /// The command when only the agent is given.
    public var command: [String]
    /// Added at launch, so that the session's id is ours. `{session}` stands for a new UUID.
    public var sessionArguments: [String]
    /// Added at launch for a first prompt. `{prompt}` stands for it. Empty: the agent takes none.
    public var promptArguments: [String]
    /// Added to go on with a known session. `{session}` stands for its id.
    public var resumeArguments: [String]
    /// Added to go on with the newest session of the directory, when no id is known.
    public var resumeLastArguments: [String]
    /// Resume arguments stand right behind the program (a subcommand), not at the end.
    public var resumeIsSubcommand: Bool
    /// Arguments with which the caller chose a session already: then nothing is added.
    public var ownSessionArguments: [String]
    /// How its screen, title and hooks read; in a catalog the fallback's rules stand behind them.
    public var rules: AgentRules
    /// What its own file says.
    let ownRules: AgentRules
    /// The file it was read from; nil for text.
    public var file: String?
    /// The manifest's text, by which versions of it are told apart.
    public let text: String

    /// The manifest of programs that nobody described: its rules stand behind every agent's own.
    public static let fallbackName = "generic"

    /// Reads a manifest. The error names the file, the line where it is known, the field and what it should be.
    public init(name: String, toml text: String) throws(ErrorBody) {
        let reader = try ManifestReader(name: name, text: text)
        let launch = try reader.table("launch", in: reader.root)
        let resume = try reader.table("resume", in: reader.root)
        self.name = name
        self.text = text
        title = try reader.string("title", in: reader.root) ?? name
        version = try reader.string("version", in: reader.root)
        agentVersions = try reader.string("agent_versions", in: reader.root)
        aliases = try reader.strings("aliases", in: reader.root)
        command = try reader.strings("command", in: launch, of: "launch")
        sessionArguments = try reader.strings("session_arguments", in: launch, of: "launch")
        promptArguments = try reader.strings("prompt_arguments", in: launch, of: "launch")
        resumeArguments = try reader.strings("arguments", in: resume, of: "resume")
        resumeLastArguments = try reader.strings("last_arguments", in: resume, of: "resume")
        ownSessionArguments = try reader.strings("own_session_arguments", in: resume, of: "resume")
        resumeIsSubcommand = resume?["subcommand"]?.bool ?? false
        guard !command.isEmpty || name == Self.fallbackName else { throw reader.problem("launch.command is missing", near: "[launch]") }
        ownRules = try AgentRules(reader)
        rules = ownRules
    }

    /// Whether `program` (a path or a name) is this agent's.
    public func matches(program: String) -> Bool {
        let base = program.split(separator: "/").last.map(String.init) ?? program
        return base == name || aliases.contains(base)
    }
}

extension AgentManifest: Equatable {
    public static func == (a: AgentManifest, b: AgentManifest) -> Bool { a.name == b.name && a.text == b.text && a.file == b.file }
}
