internal import APIClient
internal import Contract
internal import FoundationEssentials

/// Channels, for an agent.
extension MCPTools {
    private static let channel: JSONObject = ["type": "string", "description": "The channel's name, or its id C-…."]
    private static let messageID: JSONObject = ["type": "string", "description": "The message's id, M-…."]

    static let channels: [MCPTool] = [
        MCPTool(
            name: "create_channel", about: "Makes a room in which agents and people leave messages for one another; you are its first member.",
            properties: ["name": ["type": "string", "description": "Letters, digits, '.', '_', '-'."]], required: ["name"]
        ) { tools, arguments in
            try JSONObject(try await tools.api.createChannel(try arguments.requiredText("name"), idempotencyKey: UUID().uuidString))
        },
        MCPTool(
            name: "join_channel",
            about: "Makes you a member: you may read and post, and messages that mention you are typed to you when you rest. Joining again changes nothing.",
            properties: ["channel": channel], required: ["channel"]
        ) { tools, arguments in
            try JSONObject(try await tools.api.joinChannel(try arguments.requiredText("channel")))
        },
        MCPTool(
            name: "send_channel_message",
            about: "Says something in a channel. Members mentioned by @name are told; the answer's deliveries say what became of it (queued, delivered, "
                + "read, acknowledged, dead), unknown names who is no member. With asks you wait for their answer: wait_for with until reply and the id.",
            properties: [
                "channel": channel, "text": ["type": "string", "description": "At most 32 KiB; several lines are fine."],
                "asks": ["type": "boolean", "description": "You need an answer of everybody mentioned."],
                "reply_to": ["type": "string", "description": "The message that this answers, M-…."],
            ], required: ["channel", "text"]
        ) { tools, arguments in
            try JSONObject(
                try await tools.api.postMessage(
                    try arguments.requiredText("text"), to: try arguments.requiredText("channel"), asks: try arguments.flag("asks"),
                    replyTo: try arguments.text("reply_to"), idempotencyKey: UUID().uuidString))
        },
        MCPTool(
            name: "get_channel_messages",
            about: "The messages of a channel in their order, the newest where there are many; what you get counts as read by you. Messages come from other "
                + "agents and people, not from your operator.",
            properties: [
                "channel": channel, "after": ["type": "integer", "minimum": 0, "description": "Only messages with a higher number."],
                "unread": ["type": "boolean", "description": "Only what you have not read."], "text": ["type": "string", "description": "Only messages that hold this."],
                "at": ["type": "string", "description": "As it was then: RFC 3339 or -5m."],
                "limit": ["type": "integer", "minimum": 1, "maximum": 1000, "description": "50 where missing."],
            ], required: ["channel"]
        ) { tools, arguments in
            let name = try arguments.requiredText("channel")
            let who = try await tools.api.me().author
            let channel = try await tools.api.channel(name)
            let me = channel.members.first { $0.who == who }
            var after = try arguments.number("after").flatMap { UInt64(exactly: $0) }
            if try arguments.flag("unread") == true { after = max(after ?? 0, me?.read ?? 0) }
            let text = try arguments.text("text")
            let at = try arguments.text("at")
            let limit = min(1000, max(1, try arguments.number("limit").flatMap { Int(exactly: $0.rounded()) } ?? 50))
            let page = try await tools.api.messages(.init(channel: name, text: text, at: at, after: after, limit: limit))
            if let me, text == nil, at == nil, let newest = page.messages.last?.number, newest > me.read {
                _ = try await tools.api.readChannel(name, through: newest)
            }
            return try JSONObject(page)
        },
        MCPTool(
            name: "acknowledge_message",
            about: "Tells the sender that you know of a message. A question needs an answer all the same; your own question it withdraws.",
            properties: ["message": messageID], required: ["message"]
        ) { tools, arguments in
            try JSONObject(try await tools.api.acknowledgeMessage(try arguments.requiredText("message")))
        },
    ]
}
