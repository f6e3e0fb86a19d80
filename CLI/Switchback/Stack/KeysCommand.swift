internal import ArgumentParser
internal import Console
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
