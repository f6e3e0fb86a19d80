public import Bus
public import Contract

/// Asks the bindings service: bindings, waits, what needs a person. Every call throws the service's own ``ErrorBody``, or one that
/// says that the bus did not answer (`unavailable`, `timed_out`).
public struct BindingsClient: Sendable {
    private let bus: BusConnection

    public init(bus: BusConnection) {
        self.bus = bus
    }

    // MARK: - Bindings

    /// - Throws: `bad_request` (itself, no scope), `not_found` (a pod nobody knows), `gone` (a pod that has ended), `denied`.
    public func request(_ request: RequestBinding) async throws(ErrorBody) -> Binding {
        try await bus.ask(Subjects.bindingsRequest, request)
    }

    /// - Throws: `denied`, `gone` (inactive, lapsed), `conflict` (nothing is pending), `bad_request` (a scope that is not).
    public func accept(_ decision: DecideBinding) async throws(ErrorBody) -> Binding {
        try await bus.ask(Subjects.bindingsAccept, decision)
    }

    public func reject(_ decision: DecideBinding) async throws(ErrorBody) -> Binding {
        try await bus.ask(Subjects.bindingsReject, decision)
    }

    public func revoke(_ decision: DecideBinding) async throws(ErrorBody) -> Binding {
        try await bus.ask(Subjects.bindingsRevoke, decision)
    }

    public func get(_ id: String) async throws(ErrorBody) -> Binding {
        try await bus.ask(Subjects.bindingsGet, GetRecord(id: id))
    }

    public func list(_ request: ListBindings = ListBindings()) async throws(ErrorBody) -> [Binding] {
        let page: BindingPage = try await bus.ask(Subjects.bindingsList, request)
        return page.bindings
    }

    /// The policy of a pod, or of the mesh; sets it where the request holds one.
    public func policy(_ request: PolicyRequest) async throws(ErrorBody) -> PolicyRequest {
        try await bus.ask(Subjects.bindingsPolicy, request)
    }

    /// What is live, now or at a time.
    public func snapshot(at: Timestamp? = nil) async throws(ErrorBody) -> BindingSnapshot {
        try await bus.ask(Subjects.bindingsSnapshot, SnapshotRequest(at: at))
    }

    // MARK: - Waits

    /// - Throws: `would_deadlock` with the path, `not_found`, `bad_request`.
    public func wait(_ request: CreateWait) async throws(ErrorBody) -> Wait {
        try await bus.ask(Subjects.waitsCreate, request)
    }

    public func wait(_ id: String) async throws(ErrorBody) -> Wait {
        try await bus.ask(Subjects.waitsGet, GetRecord(id: id))
    }

    public func waits(_ request: ListWaits = ListWaits()) async throws(ErrorBody) -> [Wait] {
        let page: WaitPage = try await bus.ask(Subjects.waitsList, request)
        return page.waits
    }

    /// A wait that has ended stays as it ended.
    public func cancel(_ request: CancelWait) async throws(ErrorBody) -> Wait {
        try await bus.ask(Subjects.waitsCancel, request)
    }

    // MARK: - Attention

    /// - Throws: `bad_request` for an address that nothing can be posted to.
    public func add(_ webhook: AddWebhook) async throws(ErrorBody) -> Webhook {
        try await bus.ask(Subjects.webhooksAdd, webhook)
    }

    public func webhooks() async throws(ErrorBody) -> [Webhook] {
        let page: WebhookPage = try await bus.ask(Subjects.webhooksList, Done())
        return page.webhooks
    }

    /// What it was still owed is not posted.
    public func removeWebhook(_ id: String) async throws(ErrorBody) {
        let _: Done = try await bus.ask(Subjects.webhooksRemove, GetRecord(id: id))
    }

    public func attention(_ request: ListAttention = ListAttention()) async throws(ErrorBody) -> [Attention] {
        let page: AttentionPage = try await bus.ask(Subjects.attentionList, request)
        return page.items
    }

    // MARK: - Channels

    /// - Throws: `conflict` for a name that is taken, `bad_request`, `denied`.
    public func createChannel(_ request: CreateChannel) async throws(ErrorBody) -> Channel {
        try await bus.ask(Subjects.channelsCreate, request)
    }

    /// A member already changes nothing.
    public func join(_ request: ChangeMember) async throws(ErrorBody) -> Channel {
        try await bus.ask(Subjects.channelsJoin, request)
    }

    public func leave(_ request: ChangeMember) async throws(ErrorBody) -> Channel {
        try await bus.ask(Subjects.channelsLeave, request)
    }

    public func channels(_ request: ListChannels = ListChannels()) async throws(ErrorBody) -> [Channel] {
        let page: ChannelPage = try await bus.ask(Subjects.channelsList, request)
        return page.channels
    }

    /// - Throws: `not_found`, also for a pod that is no member.
    public func channel(_ request: ListChannels) async throws(ErrorBody) -> Channel {
        try await bus.ask(Subjects.channelsGet, request)
    }

    /// - Throws: `denied` to a pod that is no member, `would_deadlock` with the path, `bad_request`, `too_large`.
    public func post(_ request: PostMessage) async throws(ErrorBody) -> ChannelMessage {
        try await bus.ask(Subjects.channelsPost, request)
    }

    public func messages(_ request: ListMessages = ListMessages()) async throws(ErrorBody) -> MessagePage {
        try await bus.ask(Subjects.channelsMessages, request)
    }

    public func message(_ request: MessageRequest) async throws(ErrorBody) -> ChannelMessage {
        try await bus.ask(Subjects.channelsMessage, request)
    }

    public func read(_ request: ReadChannel) async throws(ErrorBody) -> Channel {
        try await bus.ask(Subjects.channelsRead, request)
    }

    public func acknowledge(_ request: MessageRequest) async throws(ErrorBody) -> ChannelMessage {
        try await bus.ask(Subjects.channelsAck, request)
    }
}
