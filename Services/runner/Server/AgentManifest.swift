internal import Contract
internal import TOMLKit

/// What Switchback knows of one kind of agent: how to start it and how to go on with its session.
///
/// One file each in `Agents/<name>.toml`; see `Agents/README.md` for the fields.
struct AgentManifest: Sendable, Equatable {
    /// The file's name without its ending.
    var name: String
    /// The product's name, for people.
    var title: String
    /// Program names by which a command is recognised.
    var aliases: [String]
    /// The command when only the agent is given.
    var command: [String]
    /// Added at launch, so that the session's id is ours. `{session}` stands for a new UUID.
    var sessionArguments: [String]
    /// Added at launch for a first prompt. `{prompt}` stands for it. Empty: the agent takes none.
    var promptArguments: [String]
    /// Added to go on with a known session. `{session}` stands for its id.
    var resumeArguments: [String]
    /// Added to go on with the newest session of the directory, when no id is known.
    var resumeLastArguments: [String]
    /// Resume arguments stand right behind the program (a subcommand), not at the end.
    var resumeIsSubcommand: Bool
    /// Arguments with which the caller chose a session already: then nothing is added.
    var ownSessionArguments: [String]

    /// Reads a manifest. The error names the field and what it should be.
    init(name: String, toml text: String) throws(ErrorBody) {
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch {
            throw ErrorBody(.badRequest, "Agents/\(name).toml cannot be read: \(error)")
        }
        func strings(_ value: (any TOMLValueConvertible)?, _ field: String) throws(ErrorBody) -> [String] {
            guard let value else { return [] }
            guard let array = value.array else { throw ErrorBody(.badRequest, "Agents/\(name).toml: \(field) must be a list of texts") }
            var result: [String] = []
            for item in array {
                guard let text = item.string else { throw ErrorBody(.badRequest, "Agents/\(name).toml: \(field) must hold texts only") }
                result.append(text)
            }
            return result
        }
        let launch = table["launch"]?.table
        let resume = table["resume"]?.table
        self.name = name
        title = table["title"]?.string ?? name
        aliases = try strings(table["aliases"], "aliases")
        command = try strings(launch?["command"], "launch.command")
        sessionArguments = try strings(launch?["session_arguments"], "launch.session_arguments")
        promptArguments = try strings(launch?["prompt_arguments"], "launch.prompt_arguments")
        resumeArguments = try strings(resume?["arguments"], "resume.arguments")
        resumeLastArguments = try strings(resume?["last_arguments"], "resume.last_arguments")
        ownSessionArguments = try strings(resume?["own_session_arguments"], "resume.own_session_arguments")
        resumeIsSubcommand = resume?["subcommand"]?.bool ?? false
        guard !command.isEmpty else { throw ErrorBody(.badRequest, "Agents/\(name).toml: launch.command is missing") }
    }

    /// Whether `program` (a path or a name) is this agent's.
    func matches(program: String) -> Bool {
        let base = program.split(separator: "/").last.map(String.init) ?? program
        return base == name || aliases.contains(base)
    }
}
