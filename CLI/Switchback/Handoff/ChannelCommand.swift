internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials

struct ChannelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "channel", abstract: "Rooms in which pods and people leave messages for one another.",
        discussion: """
            Who is mentioned by @name gets the message: a pod has it typed into its terminal once it rests, with who says it; everybody else \
            reads the channel. Inside a pod the commands speak for that pod.
            """,
        subcommands: [Create.self, Join.self, Leave.self, Post.self, Read.self, List.self, Ack.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a channel. Prints its id.")

        @OptionGroup var output: JSONOption
        @OptionGroup var channel: ChannelArgument

        @Option(name: .customLong("member"), help: ArgumentHelp("A pod, or person:NAME; you where none is named.", valueName: "member"))
        var members: [String] = []

        func run() async throws {
            let made = try await Backend.locate().api.createChannel(
                channel.name, members: members.isEmpty ? nil : members, idempotencyKey: UUID().uuidString)
            if output.json { return Out.printJSON(made) }
            Out.print(made.id)
        }
    }

    struct Join: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Become a member, or make a pod one. Members let mentions be typed into their terminal.")

        @OptionGroup var output: JSONOption
        @OptionGroup var channel: ChannelArgument

        @Argument(help: ArgumentHelp("Pods, or person:NAME; you where none is named.", valueName: "member"))
        var members: [String] = []

        func run() async throws {
            let api = try Backend.locate().api
            var joined: Channel?
            for member in members.isEmpty ? [nil] : members.map(Optional.some) { joined = try await api.joinChannel(channel.name, member: member) }
            try ChannelCommand.say(joined, output)
        }
    }

    struct Leave: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End a membership. What has not been delivered will not be.")

        @OptionGroup var output: JSONOption
        @OptionGroup var channel: ChannelArgument

        @Argument(help: ArgumentHelp("A pod, or person:NAME; you where none is named.", valueName: "member"))
        var member: String?

        func run() async throws {
            try ChannelCommand.say(try await Backend.locate().api.leaveChannel(channel.name, member: member), output)
        }
    }

    struct Post: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say something. Prints the message's id.",
            discussion: """
                With --question those who are mentioned owe an answer: until they give it you are shown as blocked on them, and a question \
                that would make pods wait for one another is refused (exit code 6). `switchback wait ID` waits for the answer.
                """)

        @OptionGroup var output: JSONOption
        @OptionGroup var channel: ChannelArgument

        @Argument(help: ArgumentHelp("What is said; @name mentions a member. `-` reads it from standard input.", valueName: "text"))
        var text: String

        @Flag(help: "It needs an answer.")
        var question = false

        @Option(help: ArgumentHelp("It answers this message.", valueName: "message"))
        var replyTo: String?

        func run() async throws {
            let said = text == "-" ? ChannelCommand.standardInput() : text
            let message = try await Backend.locate().api.postMessage(
                said, to: channel.name, asks: question ? true : nil, replyTo: replyTo, idempotencyKey: UUID().uuidString)
            if output.json { return Out.printJSON(message) }
            Out.print(message.id)
            for name in message.unknown ?? [] { Out.complain("@\(name) is no member of #\(message.channelName); nobody was told") }
            for delivery in message.deliveries where delivery.state == .dead { Out.complain("not delivered to \(delivery.name): \(delivery.note ?? "")") }
        }
    }

    struct Read: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show messages; what you see counts as read by you.", discussion: "Without a channel those of all are searched.")

        @OptionGroup var output: JSONOption

        @Argument(help: ArgumentHelp("The channel; all where missing.", valueName: "channel"))
        var channel: String?

        @Flag(help: "Only what you have not read.")
        var unread = false

        @Option(help: ArgumentHelp("Only messages behind this number.", valueName: "number"))
        var behind: UInt64?

        @Option(help: ArgumentHelp("At most so many, the newest.", valueName: "number"))
        var limit: Int = 50

        @Option(help: ArgumentHelp("Only messages that hold this text.", valueName: "text"))
        var search: String?

        @Option(help: ArgumentHelp("Only messages of this pod, or that mention it.", valueName: "pod"))
        var pod: String?

        @Option(help: ArgumentHelp("As it was then.", valueName: "time"))
        var at: String?

        @Flag(help: "Do not count it as read.")
        var peek = false

        func validate() throws {
            if channel == nil && (unread || behind != nil) { throw ValidationError("--unread and --behind need a channel") }
            if !(1...1000).contains(limit) { throw ValidationError("--limit goes from 1 to 1000") }
        }

        func run() async throws {
            let then = try moment(at)?.resolve(start: nil, now: .now())
            let api = try Backend.locate().api
            var me: Channel.Member?
            if let channel, then == nil {
                let who = try await api.me().author
                me = try await api.channel(channel).members.first { $0.who == who }
            }
            var after = behind
            if unread { after = max(after ?? 0, me?.read ?? 0) }
            let page = try await api.messages(
                .init(channel: channel, pod: pod, text: search, at: then?.description, after: after, limit: limit))
            // What was left out was not read.
            if let channel, let me, !peek, search == nil, pod == nil, behind == nil, let newest = page.messages.last?.number, newest > me.read {
                _ = try await api.readChannel(channel, through: newest)
            }
            if output.json { return Out.printJSON(page) }
            guard !page.messages.isEmpty else { return Out.print(unread ? "Nothing new." : "Nothing was said.") }
            for message in page.messages { ChannelCommand.show(message, withChannel: channel == nil) }
            if page.more { Out.complain("There is more: --limit, --behind.") }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List channels with their members.", aliases: ["ls"])

        @OptionGroup var output: JSONOption

        @Option(help: ArgumentHelp("As it was then.", valueName: "time"))
        var at: String?

        func run() async throws {
            let then = try moment(at)?.resolve(start: nil, now: .now()).description
            let api = try Backend.locate().api
            let channels = try await api.channels(at: then)
            show(channels)
        }

        /// Not inlined: Swift 6.3.1 crashes when it optimises `run` with all of this in it.
        @inline(never)
        private func show(_ channels: [Channel]) {
            if output.json { return Out.printJSON(ChannelPage(channels: channels)) }
            guard !channels.isEmpty else { return Out.print("There is no channel. Make one: switchback channel create NAME") }
            var table = Table(["CHANNEL", "ID", "MEMBERS"])
            for channel in channels { table.add(["#" + channel.name, channel.id, channel.members.map(\.name).joined(separator: ", ")]) }
            table.print()
        }
    }

    struct Ack: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say that you know of a message; of a question of your own: withdraw it.")

        @OptionGroup var output: JSONOption

        @Argument(help: ArgumentHelp("The message's id, M-….", valueName: "message"))
        var message: String

        func run() async throws {
            let message = try await Backend.locate().api.acknowledgeMessage(message)
            if output.json { return Out.printJSON(message) }
            Out.print(message.closed == nil ? "acknowledged" : "withdrawn")
        }
    }

    private static func say(_ channel: Channel?, _ output: JSONOption) throws {
        guard let channel else { return }
        if output.json { return Out.printJSON(channel) }
        Out.print("#\(channel.name): \(channel.members.isEmpty ? "nobody" : channel.members.map(\.name).joined(separator: ", "))")
    }

    private static func show(_ message: ChannelMessage, withChannel: Bool) {
        let style = Style.forOutput
        let place = withChannel ? "#\(message.channelName) " : ""
        let asks = message.isOpenQuestion ? style.yellow(" waits for an answer") : ""
        Out.print("\(place)\(message.number) \(style.bold(message.authorName)) \(style.dim("\(Say.local(message.created)) \(message.id)"))\(asks)")
        for line in message.text.split(separator: "\n", omittingEmptySubsequences: false) { Out.print("    " + line) }
        let receipts = message.deliveries.map { "\($0.name) \($0.state.rawValue)\($0.reason.map { " (\($0.rawValue))" } ?? "")" }
        if !receipts.isEmpty { Out.print(style.dim("    " + receipts.joined(separator: ", "))) }
    }

    private static func standardInput() -> String {
        var text = ""
        while let line = readLine(strippingNewline: false) { text += line }
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}

struct ChannelArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The channel's name or id.", valueName: "channel"))
    var name: String
}
