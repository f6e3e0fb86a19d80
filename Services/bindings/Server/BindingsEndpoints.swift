internal import Bus
internal import Contract
internal import Outbox
internal import Synchronization

/// Subjects to calls to replies.
final class BindingsEndpoints: Sendable {
    private let service: BindingsService
    private let sender: EventSender
    private let subscriptions = Mutex<[BusSubscription]>([])

    init(service: BindingsService, sender: EventSender) {
        self.service = service
        self.sender = sender
    }

    func open(on bus: BusConnection, counting micro: Microservice?) throws {
        let service = service
        let sender = sender
        func answer<Question: Decodable & Sendable & SendableMetatype, Answer: Encodable & SendableMetatype>(
            _ subject: String, _ body: @escaping @Sendable (Question) async throws -> Answer
        ) throws {
            let count = micro?.addEndpoint(name: subject.split(separator: ".").joined(separator: "-"), subject: subject, queue: "bindings")
            let subscription = try bus.answer(subject, queue: "bindings", Question.self) { question in
                let began = ContinuousClock.now
                do {
                    let answer = try await body(question)
                    count?(.now - began, nil)
                    await sender.wake()
                    return answer
                } catch {
                    count?(.now - began, "\(error)")
                    throw error
                }
            }
            subscriptions.withLock { $0.append(subscription) }
        }
        try answer(Subjects.bindingsRequest) { (request: RequestBinding) in try await service.request(request) }
        try answer(Subjects.bindingsAccept) { (request: DecideBinding) in try await service.accept(request) }
        try answer(Subjects.bindingsReject) { (request: DecideBinding) in try await service.reject(request) }
        try answer(Subjects.bindingsRevoke) { (request: DecideBinding) in try await service.revoke(request) }
        try answer(Subjects.bindingsGet) { (request: GetRecord) in try await service.get(request.id) }
        try answer(Subjects.bindingsList) { (request: ListBindings) in
            let all = request.all == true || request.state == .inactive
            let bindings = try await service.store.list(Binding.self, pod: request.pod, at: request.at, all: all)
            return BindingPage(bindings: bindings.filter { request.state == nil || $0.state == request.state })
        }
        try answer(Subjects.bindingsPolicy) { (request: PolicyRequest) in try await service.policy(request) }
        try answer(Subjects.bindingsSnapshot) { (request: SnapshotRequest) in try await service.store.snapshot(at: request.at) }
        try answer(Subjects.waitsCreate) { (request: CreateWait) in try await service.create(request) }
        try answer(Subjects.waitsGet) { (request: GetRecord) in try await service.wait(request.id) }
        try answer(Subjects.waitsCancel) { (request: CancelWait) in try await service.cancel(request) }
        try answer(Subjects.waitsList) { (request: ListWaits) in
            WaitPage(waits: try await service.store.list(Wait.self, pod: request.pod, at: request.at, all: request.all == true))
        }
        try answer(Subjects.attentionList) { (request: ListAttention) in
            AttentionPage(items: try await service.store.list(Attention.self, at: request.at, all: request.all == true))
        }
        try answer(Subjects.channelsCreate) { (request: CreateChannel) in try await service.create(request) }
        try answer(Subjects.channelsJoin) { (request: ChangeMember) in try await service.join(request) }
        try answer(Subjects.channelsLeave) { (request: ChangeMember) in try await service.leave(request) }
        try answer(Subjects.channelsGet) { (request: ListChannels) in try await service.channel(request) }
        try answer(Subjects.channelsList) { (request: ListChannels) in ChannelPage(channels: try await service.channels(request)) }
        try answer(Subjects.channelsPost) { (request: PostMessage) in try await service.post(request) }
        try answer(Subjects.channelsMessages) { (request: ListMessages) in try await service.messages(request) }
        try answer(Subjects.channelsMessage) { (request: MessageRequest) in try await service.message(request) }
        try answer(Subjects.channelsRead) { (request: ReadChannel) in try await service.read(request) }
        try answer(Subjects.channelsAck) { (request: MessageRequest) in try await service.acknowledge(request) }
        try answer(Subjects.webhooksAdd) { (request: AddWebhook) in try await service.store.add(request) }
        try answer(Subjects.webhooksList) { (_: Done) in WebhookPage(webhooks: try await service.store.webhooks()) }
        try answer(Subjects.webhooksRemove) { (request: GetRecord) in try await service.store.removeWebhook(request.id) }
    }

    func close() {
        for subscription in subscriptions.withLock({ $0 }) { subscription.unsubscribe() }
    }
}
