internal import ArgumentParser
internal import Console
internal import FoundationEssentials
internal import LocalStack

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make the passwords and tokens of a deployment by compose, as files.",
        discussion: "What exists already stays as it is. compose.yaml runs this by itself at the first start.")

    @Argument(help: "The folder for them; bus, database and api are made in it.")
    var folder: String

    @Option(help: ArgumentHelp("Where the NATS servers listen.", valueName: "host:port,…"))
    var bus = "nats:4222"

    @Option(help: ArgumentHelp("Where PostgreSQL listens.", valueName: "host:port"))
    var database = "postgres:5432"

    func run() throws {
        let written = try Keys.make(in: folder, bus: bus.split(separator: ",").map(String.init), database: database)
        for file in written { Out.print("made \(file)") }
        if written.isEmpty { Out.print("All of them exist in \(folder); nothing was changed.") }
    }
}

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Print an access token of this stack, for signing in.",
        discussion: "From the file that SWITCHBACK_TOKENS names, else from the local stack.")

    @Option(help: "admin, operator or viewer.")
    var role = "admin"

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let file: String
        if let named = environment["SWITCHBACK_TOKENS"], !named.isEmpty { file = named } else { file = try Stack(environment: environment).home.tokensFile }
        guard let token = Keys.token(role: role, inFile: file) else {
            throw Failure(.error, "no_token", "\(file) has no token of the role \(role).", fix: "Start the stack first: `switchback up`.")
        }
        Out.print(token)
    }
}
