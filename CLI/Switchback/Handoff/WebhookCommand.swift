internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials

struct WebhookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook", abstract: "Have what needs a person posted somewhere.",
        discussion: """
            Each item of `switchback attention` is posted once when it opens; a post that fails is tried again for a day.
            json: the item, with Switchback-Signature (t=SECONDS,v1=HMAC-SHA-256 of SECONDS.BODY in hexadecimal digits) where there is a secret.
            text: one line with Title, Priority, Tags and Click headers, as an ntfy topic takes it.
            """, subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Post there from now on. Prints the webhook's id.")
        @OptionGroup var output: JSONOption
        @Argument(help: "An address, http or https.") var url: String
        @Option(help: "json or text.") var format = "json"
        @Option(help: ArgumentHelp("A file whose content signs each post; `-` reads it from standard input.", valueName: "file")) var secretFile: String?
        @Option(help: ArgumentHelp("Only these kinds, with commas: approval, question, login, quota, binding, cycle, runner, standstill.", valueName: "kinds"))
        var kind: [String] = []

        func run() async throws {
            guard let format = Webhook.Format(rawValue: format) else { throw Failure(.usage, "usage", "--format \(format): use json or text.") }
            let kinds = try kind.flatMap { $0.split(separator: ",") }.map { word in
                guard let kind = Attention.Kind(rawValue: String(word)) else {
                    throw Failure(.usage, "usage", "--kind \(word): there is no such kind of item; see switchback webhook add --help.")
                }
                return kind
            }
            var secret: String?
            if let secretFile {
                let text = secretFile == "-" ? readLine() : try? String(contentsOfFile: secretFile, encoding: .utf8)
                guard let text else { throw Failure(.error, "unreadable", "\(secretFile) cannot be read.") }
                secret = String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
            }
            let webhook = try await Backend.locate().api.addWebhook(url: url, format: format, secret: secret, kinds: kinds.isEmpty ? nil : kinds)
            if output.json { Out.printJSON(webhook) } else { Out.print(webhook.id) }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "Where items are posted to, and how the last post went.", aliases: ["list"])
        @OptionGroup var output: JSONOption

        func run() async throws {
            let webhooks = try await Backend.locate().api.webhooks()
            if output.json { return Out.printJSON(WebhookPage(webhooks: webhooks)) }
            guard !webhooks.isEmpty else { return Out.print("Nothing is posted anywhere.") }
            var table = Table(["ID", "ADDRESS", "FORMAT", "KINDS", "SIGNED", "WAITING", "LAST POST"], whole: ["ID"], spare: ["SIGNED", "FORMAT"])
            for webhook in webhooks {
                let last = webhook.lastPost.map { Say.age(since: $0) + " ago" + (webhook.lastProblem.map { ": \($0)" } ?? "") } ?? "-"
                table.add([
                    webhook.id, webhook.url, webhook.format.rawValue, webhook.kinds?.map(\.rawValue).joined(separator: ",") ?? "all",
                    webhook.isSigned ? "yes" : "no", "\(webhook.waiting)", last,
                ])
            }
            table.print()
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "rm", abstract: "Post nothing there any more.")
        @OptionGroup var output: JSONOption
        @Argument(help: "The webhook's id.") var id: String

        func run() async throws {
            try await Backend.locate().api.removeWebhook(id)
            if output.json { Out.printJSON(["id": id]) } else { Out.print("\(id) is removed.") }
        }
    }
}
