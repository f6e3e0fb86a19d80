public import Contract
internal import NIOHTTP1

/// Bindings, waits, who waits on whom.
extension APIClient {
    // MARK: - Bindings

    public func bindings(pod: String? = nil, state: String? = nil, at: String? = nil, all: Bool? = nil) async throws(ErrorBody) -> [Binding] {
        let page: BindingPage = try await get(
            "/v1/bindings", [("pod", pod), ("state", state), ("at", at), ("all", all.map { "\($0)" })])
        return page.bindings
    }

    public func binding(_ id: String) async throws(ErrorBody) -> Binding {
        try await get("/v1/bindings/" + Self.escaped(id))
    }

    /// - Parameter from: the pod that asks; the caller's own where missing.
    public func requestBinding(
        from: String?, to: String, scopes: [Scope], note: String? = nil, idempotencyKey: String? = nil
    ) async throws(ErrorBody) -> Binding {
        struct Asked: Encodable {
            var from: String?
            var to: String
            var scopes: [Scope]
            var note: String?
        }
        return try await post("/v1/bindings", Asked(from: from, to: to, scopes: scopes, note: note), key: idempotencyKey)
    }

    public enum BindingAnswer: String, Sendable { case accept, reject, revoke }

    public func answerBinding(
        _ id: String, _ answer: BindingAnswer, scopes: [Scope]? = nil, reason: String? = nil
    ) async throws(ErrorBody) -> Binding {
        struct Decision: Encodable {
            var scopes: [Scope]?
            var reason: String?
        }
        return try await post("/v1/bindings/\(Self.escaped(id))/\(answer.rawValue)", Decision(scopes: scopes, reason: reason))
    }

    public func bindingPolicy(pod: String? = nil) async throws(ErrorBody) -> PolicyRequest {
        try await get("/v1/bindings/policy", [("pod", pod)])
    }

    public func setBindingPolicy(_ policy: BindingPolicy, pod: String? = nil) async throws(ErrorBody) -> PolicyRequest {
        struct New: Encodable {
            var pod: String?
            var policy: BindingPolicy
        }
        return try await post("/v1/bindings/policy", New(pod: pod, policy: policy))
    }

    // MARK: - Waits

    /// What a wait is asked for.
    public struct WaitRequest: Codable, Sendable {
        public var pods: [String]
        public var bindings: [String]?
        public var messages: [String]?
        public var mode: Wait.Mode?
        public var until: Wait.Until?
        public var text: String?
        public var turn: UInt64?
        public var detached: Bool?
        public var timeoutMs: Int64?

        public init(
            pods: [String], bindings: [String]? = nil, messages: [String]? = nil, mode: Wait.Mode? = nil, until: Wait.Until? = nil,
            text: String? = nil, turn: UInt64? = nil, detached: Bool? = nil, timeoutMs: Int64? = nil
        ) {
            self.messages = messages
            self.pods = pods
            self.bindings = bindings
            self.mode = mode
            self.until = until
            self.text = text
            self.turn = turn
            self.detached = detached
            self.timeoutMs = timeoutMs
        }
    }

    public func createWait(_ request: WaitRequest, idempotencyKey: String? = nil) async throws(ErrorBody) -> Wait {
        try await post("/v1/waits", request, key: idempotencyKey)
    }

    /// A wait; held until it ends, at most so many seconds (up to 55).
    public func wait(_ id: String, hold: Int? = nil) async throws(ErrorBody) -> Wait {
        try await get("/v1/waits/" + Self.escaped(id), [("hold", hold.map(String.init))])
    }

    public func waits(pod: String? = nil, at: String? = nil, all: Bool? = nil) async throws(ErrorBody) -> [Wait] {
        let page: WaitPage = try await get("/v1/waits", [("pod", pod), ("at", at), ("all", all.map { "\($0)" })])
        return page.waits
    }

    public func cancelWait(_ id: String) async throws(ErrorBody) -> Wait {
        try await decoded(try await send(.DELETE, "/v1/waits/" + Self.escaped(id)))
    }

    // MARK: - Channels

    /// - Parameter members: pods by name or id, people as `person:name`; whoever asks is one where missing.
    public func createChannel(_ name: String, members: [String]? = nil, idempotencyKey: String? = nil) async throws(ErrorBody) -> Channel {
        struct New: Encodable {
            var name: String
            var members: [String]?
        }
        return try await post("/v1/channels", New(name: name, members: members), key: idempotencyKey)
    }

    public func channels(member: String? = nil, at: String? = nil) async throws(ErrorBody) -> [Channel] {
        let page: ChannelPage = try await get("/v1/channels", [("member", member), ("at", at)])
        return page.channels
    }

    public func channel(_ ref: String, at: String? = nil) async throws(ErrorBody) -> Channel {
        try await get("/v1/channels/" + Self.escaped(ref), [("at", at)])
    }

    private struct MemberName: Encodable {
        var member: String?
    }

    /// - Parameter member: a pod, or `person:name`; whoever asks where missing.
    public func joinChannel(_ ref: String, member: String? = nil) async throws(ErrorBody) -> Channel {
        try await post("/v1/channels/\(Self.escaped(ref))/join", MemberName(member: member))
    }

    public func leaveChannel(_ ref: String, member: String? = nil) async throws(ErrorBody) -> Channel {
        try await post("/v1/channels/\(Self.escaped(ref))/leave", MemberName(member: member))
    }

    public func postMessage(
        _ text: String, to channel: String, asks: Bool? = nil, replyTo: String? = nil, idempotencyKey: String? = nil
    ) async throws(ErrorBody) -> ChannelMessage {
        struct New: Encodable {
            var text: String
            var asks: Bool?
            var replyTo: String?
        }
        return try await post(
            "/v1/channels/\(Self.escaped(channel))/messages", New(text: text, asks: asks, replyTo: replyTo), key: idempotencyKey)
    }

    /// Which messages; what is missing asks nothing.
    public struct MessageQuery: Sendable {
        public var channel: String?
        public var pod: String?
        public var text: String?
        public var at: String?
        public var after: UInt64?
        public var before: UInt64?
        public var limit: Int?

        public init(
            channel: String? = nil, pod: String? = nil, text: String? = nil, at: String? = nil, after: UInt64? = nil, before: UInt64? = nil,
            limit: Int? = nil
        ) {
            self.channel = channel
            self.pod = pod
            self.text = text
            self.at = at
            self.after = after
            self.before = before
            self.limit = limit
        }
    }

    /// Messages of a channel, or of all, in their order.
    public func messages(_ query: MessageQuery) async throws(ErrorBody) -> MessagePage {
        try await get(
            query.channel.map { "/v1/channels/\(Self.escaped($0))/messages" } ?? "/v1/messages",
            [
                ("pod", query.pod), ("q", query.text), ("at", query.at), ("after", query.after.map(String.init)), ("before", query.before.map(String.init)),
                ("limit", query.limit.map(String.init)),
            ])
    }

    public func message(_ id: String) async throws(ErrorBody) -> ChannelMessage {
        try await get("/v1/messages/" + Self.escaped(id))
    }

    /// Says that whoever asks has read a channel, up to a number or all of it.
    public func readChannel(_ ref: String, through: UInt64? = nil) async throws(ErrorBody) -> Channel {
        struct Mark: Encodable {
            var through: UInt64?
        }
        return try await post("/v1/channels/\(Self.escaped(ref))/read", Mark(through: through))
    }

    public func acknowledgeMessage(_ id: String) async throws(ErrorBody) -> ChannelMessage {
        struct Nothing: Encodable {}
        return try await post("/v1/messages/\(Self.escaped(id))/ack", Nothing())
    }

    // MARK: - The whole

    public func topology(at: String? = nil) async throws(ErrorBody) -> Topology {
        try await get("/v1/topology", [("at", at)])
    }

    public func attention(at: String? = nil, all: Bool? = nil) async throws(ErrorBody) -> [Attention] {
        let page: AttentionPage = try await get("/v1/attention", [("at", at), ("all", all.map { "\($0)" })])
        return page.items
    }

    // MARK: - Webhooks

    public func webhooks() async throws(ErrorBody) -> [Webhook] {
        let page: WebhookPage = try await get("/v1/webhooks")
        return page.webhooks
    }

    public func addWebhook(url: String, format: Webhook.Format = .json, secret: String? = nil, kinds: [Attention.Kind]? = nil) async throws(ErrorBody) -> Webhook {
        struct Asked: Encodable {
            var url: String
            var format: Webhook.Format
            var secret: String?
            var kinds: [Attention.Kind]?
        }
        return try await post("/v1/webhooks", Asked(url: url, format: format, secret: secret, kinds: kinds))
    }

    public func removeWebhook(_ id: String) async throws(ErrorBody) {
        let _: WebhookPage = try await decoded(try await send(.DELETE, "/v1/webhooks/" + Self.escaped(id)))
    }
}

// MARK: - Through the gate

extension APIClient {
    /// Answers the dialog with this fingerprint; a refusal throws, its code is the result.
    public func approve(_ ref: String, fingerprint: String, option: Int? = nil, reject: Bool? = nil) async throws(ErrorBody) -> Applied {
        struct Approval: Encodable {
            var fingerprint: String
            var option: Int?
            var reject: Bool?
        }
        return try await post(path(ref, "approve"), Approval(fingerprint: fingerprint, option: option, reject: reject))
    }

    /// Types once the pod is idle: a wait, then the input, again and again while something is in the way.
    /// - Throws: `timed_out`, `gone`, `denied`, `would_deadlock`.
    public func inputWhenIdle(_ ref: String, _ input: Input, within limit: Duration, idempotencyKey: String? = nil) async throws(ErrorBody) -> Applied {
        let deadline = ContinuousClock.now + limit
        var tries = 0
        while true {
            let left = deadline - .now
            guard left > .zero else { throw ErrorBody(.timedOut, "\(ref) was not idle within \(limit)") }
            var wait = try await createWait(.init(pods: [ref], until: .idle, timeoutMs: max(1, left.microseconds / 1000)))
            while wait.isOpen { wait = try await self.wait(wait.id, hold: 50) }
            switch wait.outcome {
            case .matched: break
            case .gone: throw ErrorBody(.gone, "\(ref) has ended")
            default: throw ErrorBody(.timedOut, "\(ref) was not idle within \(limit)")
            }
            do throws(ErrorBody) {
                tries += 1
                // A refused try is answered anew, not from memory.
                return try await self.input(ref, input, idempotencyKey: idempotencyKey.map { "\($0)-\(tries)" })
            } catch {
                guard ["busy", "approval_open", "screen_changed", "draft_present"].contains(error.code.rawValue) else { throw error }
                do { try await Task.sleep(for: .milliseconds(250)) } catch { throw ErrorBody(.timedOut, "interrupted") }
            }
        }
    }
}
