internal import ArgumentParser
internal import Console
internal import LocalStack

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make the credentials, passwords and tokens of a deployment, as files.",
        discussion: """
            Passwords and tokens that exist stay as they are; credentials of the bus are made anew when this version needs other rights than the
            one that made them. compose.yaml runs this by itself at every start. For another host: --runner NAME, and take runners/NAME.creds there.
            """)

    @Argument(help: "The folder for them; one is made in it for each who needs some.")
    var folder: String

    @Option(name: .customLong("runner"), help: ArgumentHelp("A runner that gets credentials; may be given again.", valueName: "name"))
    var runners: [String] = []

    @Option(
        name: .customLong("tls"),
        help: ArgumentHelp("A host or service that gets a certificate; may be given again. Said again near its end, it is made anew.", valueName: "host"))
    var hosts: [String] = []

    @Option(help: ArgumentHelp("Where PostgreSQL listens.", valueName: "host:port"))
    var database = "postgres:5432"

    func run() throws {
        let written = try Keys.make(in: folder, runners: runners, hosts: hosts, database: database)
        for file in written { Out.print("made \(file)") }
        if written.isEmpty { Out.print("All of them exist in \(folder); nothing was changed.") }
    }
}
