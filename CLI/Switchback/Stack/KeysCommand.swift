internal import ArgumentParser
internal import Console
internal import LocalStack

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make the credentials, passwords and tokens of a deployment, as files.",
        discussion: """
            Passwords and tokens that exist stay as they are; credentials of the bus are made anew when this version needs other rights than the \
            one that made them. --revoke takes credentials back: a .creds file, in whose place a new one is made if it is one of these, or its owner's public \
            key (U…), as nats-server's log shows it; then say `nats-server --signal reload` to each server, which closes what is open by it. compose.yaml runs this by itself at every start. For another host: --runner NAME, and take runners/NAME.creds there.
            """)

    @OptionGroup var output: JSONOption

    @Argument(help: "The folder for them; one is made in it for each who needs some.")
    var folder: String

    @Option(name: .customLong("runner"), help: ArgumentHelp("A runner that gets credentials; may be given again.", valueName: "name"))
    var runners: [String] = []

    @Option(
        name: .customLong("tls"),
        help: ArgumentHelp("A host or service that gets a certificate; may be given again. Said again near its end, it is made anew.", valueName: "host"))
    var hosts: [String] = []

    @Option(
        name: .customLong("revoke"),
        help: ArgumentHelp("A credentials file, or a user's public key, that counts no more; may be given again.", valueName: "file-or-key"))
    var revoked: [String] = []

    @Option(help: ArgumentHelp("Where PostgreSQL listens.", valueName: "host:port"))
    var database = "postgres:5432"

    func run() throws {
        let gone = try revoked.map { try Keys.revoke($0, in: folder) }
        if !output.json { for what in gone { Out.print("revoked \(what)") } }
        let written = try Keys.make(in: folder, runners: runners, hosts: hosts, database: database)
        if output.json { return Out.printJSON(["revoked": gone, "made": written]) }
        for file in written { Out.print("made \(file)") }
        if !revoked.isEmpty { Out.print("Now let each nats-server read its configuration: nats-server --signal reload") }
        if written.isEmpty && revoked.isEmpty { Out.print("All of them exist in \(folder); nothing was changed.") }
    }
}
