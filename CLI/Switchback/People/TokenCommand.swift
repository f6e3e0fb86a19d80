internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials
internal import LocalStack

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Tokens by which people sign in.",
        discussion: "Without a subcommand: print the token with which this stack was made, for signing in.",
        subcommands: [First.self, Create.self, List.self, Revoke.self], defaultSubcommand: First.self)

    struct First: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Print the token with which this stack was made.",
            discussion: "From the file that SWITCHBACK_TOKENS names, else from the local stack.")

        @OptionGroup var output: JSONOption

        @Option(help: "admin, operator or viewer.")
        var role = "admin"

        func run() throws {
            let environment = ProcessInfo.processInfo.environment
            let file: String
            if let named = environment["SWITCHBACK_TOKENS"], !named.isEmpty { file = named } else { file = try Stack(environment: environment).home.tokensFile }
            guard let token = Keys.token(role: role, inFile: file) else {
                throw Failure(
                    .error, "no_token", "\(file) has no token of the role \(role).",
                    fix: "Start the stack first: `switchback up`; or make one: `switchback token create NAME --role \(role)`.")
            }
            if output.json { return Out.printJSON(["token": token, "role": role]) }
            Out.print(token)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and print it; nobody can show it again.", discussion: "Needs the role admin.")

        @OptionGroup var output: JSONOption

        @Argument(help: "Whose it is; stands beside everything that is done by it.")
        var name: String

        @Option(help: "viewer (looks), operator (types, approves, starts and stops) or admin.")
        var role = "viewer"

        @Option(help: ArgumentHelp("Good for this pod only: id, name, or beginning of a name with * behind. Several may be given.", valueName: "pod"))
        var pod: [String] = []

        @Option(help: ArgumentHelp("Ends by itself after this time: 90s, 30m, 12h, 30d.", valueName: "duration"))
        var expires: String?

        @Option(help: "What it is for.")
        var note: String?

        func run() async throws {
            guard let role = Role(rawValue: role) else {
                let fix =
                    role == "agent" ? "An agent's credential is made with its pod and ends with it: switchback run." : "Use viewer, operator or admin."
                throw Failure(.usage, "bad_role", "\"\(role)\" is no role that a token can have.", fix: fix)
            }
            let seconds = try expires.map { text throws(CommandFailure) -> Int in
                guard let seconds = Self.seconds(text) else {
                    throw Failure(.usage, "bad_duration", "\"\(text)\" is no duration; write 90s, 30m, 12h or 30d.")
                }
                return seconds
            }
            let issued = try await Backend.locate().api.createCredential(
                name: name, role: role, pods: pod.isEmpty ? nil : pod, note: note, expiresIn: seconds)
            if output.json { return Out.printJSON(issued) }
            Out.print(issued.token)
            Out.complain(
                "\(issued.credential.id) for \(name), \(role.rawValue)\(issued.credential.expires.map { ", until \(Say.local($0))" } ?? ""). It is shown this once.")
        }

        /// `90s`, `30m`, `12h`, `30d` as seconds.
        static func seconds(_ text: String) -> Int? {
            let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
            guard let unit = text.last.flatMap({ units[$0] }), let number = Int(text.dropLast()), number > 0 else { return nil }
            let (seconds, overflow) = number.multipliedReportingOverflow(by: unit)
            return overflow ? nil : seconds
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show who has tokens.", aliases: ["ls"])

        @OptionGroup var output: JSONOption

        @Flag(name: .shortAndLong, help: "Also those that are over.")
        var all = false

        func run() async throws {
            let credentials = try await Backend.locate().api.credentials(all: all ? true : nil)
            if output.json { return Out.printJSON(credentials) }
            let style = Style.forOutput
            var table = Table(["ID", "NAME", "ROLE", "STATE", "PODS", "EXPIRES", "NOTE"], whole: ["ID"], spare: ["NOTE"])
            for credential in credentials {
                table.add([
                    credential.source == "file" ? style.dim("(file)") : credential.id, style.bold(credential.name), credential.role.rawValue,
                    credential.state == "active" ? style.green("active") : style.red(credential.state),
                    credential.pods?.joined(separator: ",") ?? "all", credential.expires.map { Say.local($0) } ?? "never", credential.note ?? "",
                ])
            }
            table.print()
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a token for good.", discussion: "What is open by it closes within a second.")

        @OptionGroup var output: JSONOption

        @Argument(help: ArgumentHelp("Its id, from `switchback token list`.", valueName: "id"))
        var id: String

        func run() async throws {
            let credential = try await Backend.locate().api.revokeCredential(id)
            if output.json { return Out.printJSON(credential) }
            Out.print("\(credential.id) of \(credential.name) is revoked.")
        }
    }
}
