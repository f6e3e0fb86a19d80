internal import BindingsClient
internal import Contract
internal import Hummingbird

/// Channels: rooms in which pods and people leave messages for one another.
struct ChannelRoutes {
    let service: TerminalService

    private static let query: [Route.Parameter] = [
        .init(name: "q", about: "Only messages that hold this text, in any case of its letters."),
        .init(name: "pod", about: "Only messages that this pod wrote or is mentioned in."),
        .init(name: "from", about: "Only messages from this time on."), .init(name: "to", about: "Only messages up to this time."), Route.at,
        .init(name: "limit", about: "At most so many, the newest; 100 where missing.", schema: ["type": "integer", "minimum": 1, "maximum": 1000]),
    ]

    private static let numbers: [Route.Parameter] = [
        .init(name: "after", about: "Only messages with a higher number, the oldest first.", schema: ["type": "integer", "minimum": 0]),
        .init(name: "before", about: "Only messages with a lower number.", schema: ["type": "integer", "minimum": 0]),
    ]

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/channels", name: "listChannels", about: "Channels with their members; to a pod its own.", role: .viewer,
                query: [.init(name: "member", about: "Only those of this pod, or of person:name."), Route.at], answers: [.json("ChannelPage")],
                handler: list),
            Route(
                method: .post, path: "/v1/channels", name: "createChannel",
                about: "Makes a channel. Members are pods, or people as person:name; whoever asks where none are named.", role: .operator,
                headers: [Route.idempotencyKey], body: .json("NewChannel"), answers: [.json("Channel")], status: .created, handler: create),
            Route(
                method: .get, path: "/v1/channels/{channel}", name: "getChannel", about: "One channel, by name or id.", role: .viewer,
                query: [Route.at], answers: [.json("Channel")], handler: get),
            Route(
                method: .post, path: "/v1/channels/{channel}/join", name: "joinChannel",
                about: "Makes a member, who lets others' mentions be typed into its terminal; a pod joins for itself alone.", role: .operator,
                headers: [Route.idempotencyKey], body: .json("ChannelMember"), answers: [.json("Channel")], handler: join),
            Route(
                method: .post, path: "/v1/channels/{channel}/leave", name: "leaveChannel", about: "Ends a membership; what is queued is dead.",
                role: .operator, headers: [Route.idempotencyKey], body: .json("ChannelMember"), answers: [.json("Channel")], handler: leave),
            Route(
                method: .get, path: "/v1/channels/{channel}/messages", name: "listChannelMessages",
                about: "Messages in their order with receipts, now or as they were.", role: .viewer, query: Self.numbers + Self.query + [Route.reveal],
                answers: [.json("MessagePage")], handler: messages),
            Route(
                method: .post, path: "/v1/channels/{channel}/messages", name: "postMessage",
                about: "Says something. Pods mentioned by @name get it typed once they rest; with asks they owe an answer (409 would_deadlock names the path).",
                role: .operator, headers: [Route.idempotencyKey], body: .json("NewMessage"), answers: [.json("Message")], status: .created, handler: post),
            Route(
                method: .post, path: "/v1/channels/{channel}/read", name: "readChannel", about: "Says that whoever asks has read up to a number, or all.",
                role: .operator, body: .json("ReadMark"), answers: [.json("Channel")], handler: read),
            Route(
                method: .get, path: "/v1/messages", name: "listMessages", about: "Messages of all channels; to a pod those of its own.", role: .viewer,
                query: Self.query + [Route.reveal], answers: [.json("MessagePage")], handler: messages),
            Route(
                method: .get, path: "/v1/messages/{message}", name: "getMessage", about: "One message with its receipts.", role: .viewer, query: [Route.reveal],
                answers: [.json("Message")], handler: message),
            Route(
                method: .post, path: "/v1/messages/{message}/ack", name: "acknowledgeMessage",
                about: "Says that whoever asks knows of it; of one's own question withdraws it.", role: .operator, headers: [Route.idempotencyKey],
                answers: [.json("Message")], handler: acknowledge),
        ]
    }

    // MARK: - Members

    /// A pod by name or id, or `person:name`; whoever asks where nothing is named.
    private func member(_ ref: String?, _ request: APIRequest) async throws -> CreateChannel.NewMember {
        guard let ref, !ref.isEmpty else { return .init(who: request.person.author, name: request.person.name) }
        if ref.hasPrefix("person:") {
            guard let author = Author(ref), PodSpec.isName(author.id) else {
                throw ErrorBody(.badRequest, "\"\(ref.prefix(80))\" names no person: person: and letters, digits, '.', '_' or '-'")
            }
            return .init(who: author, name: author.id)
        }
        let pod = try await service.pod(ref)
        return .init(who: Author(kind: .pod, id: pod.pod.text), name: pod.name)
    }

    private func change(_ request: APIRequest) async throws -> ChangeMember {
        struct Asked: Decodable {
            var member: String?
        }
        let asked = try await request.json(Asked.self, orElse: Asked())
        let member = try await member(asked.member, request)
        return ChangeMember(channel: channel(request), author: request.person.author, who: member.who, name: member.name)
    }

    private func channel(_ request: APIRequest) -> String { request.pathValues["channel"] ?? "" }

    /// To a pod only what is its own.
    private func asker(_ request: APIRequest) -> Author? { request.person.pod == nil ? nil : request.person.author }

    // MARK: - Channels

    @Sendable private func list(_ request: APIRequest) async throws -> Response {
        var who = asker(request)
        if who == nil, let ref = request.text("member") { who = try await member(ref, request).who }
        return try Answer.json(ChannelPage(channels: try await service.bindings.channels(ListChannels(member: who, at: try request.time("at")))))
    }

    @Sendable private func create(_ request: APIRequest) async throws -> Response {
        struct Asked: Decodable {
            var name: String
            var members: [String]?
        }
        let asked = try await request.json(Asked.self)
        var members: [CreateChannel.NewMember] = []
        for ref in asked.members ?? [] { members.append(try await member(ref, request)) }
        if asked.members == nil { members = [try await member(nil, request)] }
        let channel = try await service.bindings.createChannel(CreateChannel(name: asked.name, author: request.person.author, members: members))
        return try Answer.json(channel, status: .created)
    }

    @Sendable private func get(_ request: APIRequest) async throws -> Response {
        try Answer.json(
            try await service.bindings.channel(ListChannels(channel: channel(request), member: asker(request), at: try request.time("at"))))
    }

    @Sendable private func join(_ request: APIRequest) async throws -> Response {
        try Answer.json(try await service.bindings.join(try await change(request)))
    }

    @Sendable private func leave(_ request: APIRequest) async throws -> Response {
        try Answer.json(try await service.bindings.leave(try await change(request)))
    }

    @Sendable private func read(_ request: APIRequest) async throws -> Response {
        struct Asked: Decodable {
            var through: UInt64?
        }
        let asked = try await request.json(Asked.self, orElse: Asked())
        return try Answer.json(
            try await service.bindings.read(ReadChannel(channel: channel(request), author: request.person.author, through: asked.through)))
    }

    // MARK: - Messages

    /// Secrets are hidden from people as they are on screens; a pod reads what was written to it.
    private func shown(_ value: some Encodable, _ request: APIRequest) throws -> Response {
        let shows = try request.reveals()
        return request.person.pod != nil || shows ? try Answer.json(value) : try Answer.json(value, hiding: service.redactor)
    }

    @Sendable private func messages(_ request: APIRequest) async throws -> Response {
        var pod: PodID?
        if let ref = request.text("pod") { pod = try await service.pod(ref).pod }
        let isOfOne = request.pathValues["channel"] != nil
        return try shown(
            try await service.bindings.messages(
                ListMessages(
                    channel: isOfOne ? channel(request) : nil, reader: asker(request), pod: pod, text: request.text("q"), at: try request.time("at"),
                    after: try number("after", request), before: try number("before", request), from: try request.time("from"),
                    to: try request.time("to"), limit: try request.integer("limit", in: 1...1000))), request)
    }

    private func number(_ name: String, _ request: APIRequest) throws(ErrorBody) -> UInt64? {
        try request.integer(name, in: 0...Int.max).map { UInt64($0) }
    }

    @Sendable private func post(_ request: APIRequest) async throws -> Response {
        struct Asked: Decodable {
            var text: String
            var asks: Bool?
            var replyTo: String?
        }
        let asked = try await request.json(Asked.self)
        let message = try await service.bindings.post(
            PostMessage(
                channel: channel(request), author: request.person.author, authorName: request.person.name, text: asked.text, asks: asked.asks,
                replyTo: asked.replyTo, key: try request.idempotencyKey))
        return try Answer.json(message, status: .created)
    }

    @Sendable private func message(_ request: APIRequest) async throws -> Response {
        try shown(
            try await service.bindings.message(MessageRequest(message: request.pathValues["message"] ?? "", author: request.person.author)), request)
    }

    @Sendable private func acknowledge(_ request: APIRequest) async throws -> Response {
        try shown(
            try await service.bindings.acknowledge(MessageRequest(message: request.pathValues["message"] ?? "", author: request.person.author)), request)
    }
}
