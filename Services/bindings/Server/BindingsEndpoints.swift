internal import Bus
internal import Contract
internal import Outbox
internal import Synchronization

/// Subjects to calls to replies.
final class BindingsEndpoints: Sendable {
    private let service: BindingsService
    private let sender: EventSender
    private let answers = Mutex<OutboxAnswers?>(nil)

    init(service: BindingsService, sender: EventSender) {
        self.service = service
        self.sender = sender
    }

    func open(on bus: BusConnection, counting micro: Microservice?) throws {
        let service = service
        let answers = OutboxAnswers(on: bus, queue: "bindings", sender: sender, counting: micro)
        self.answers.withLock { $0 = answers }
        try answers.answer(Subjects.bindingsRequest) { (request: RequestBinding) in try await service.request(request) }
        try answers.answer(Subjects.bindingsAccept) { (request: DecideBinding) in try await service.accept(request) }
        try answers.answer(Subjects.bindingsReject) { (request: DecideBinding) in try await service.reject(request) }
        try answers.answer(Subjects.bindingsRevoke) { (request: DecideBinding) in try await service.revoke(request) }
        try answers.answer(Subjects.bindingsGet) { (request: GetRecord) in try await service.get(request.id) }
        try answers.answer(Subjects.bindingsList) { (request: ListBindings) in
            let all = request.all == true || request.state == .inactive
            let bindings = try await service.store.list(Binding.self, pod: request.pod, at: request.at, all: all)
            return BindingPage(bindings: bindings.filter { request.state == nil || $0.state == request.state })
        }
        try answers.answer(Subjects.bindingsPolicy) { (request: PolicyRequest) in try await service.policy(request) }
        try answers.answer(Subjects.bindingsSnapshot) { (request: SnapshotRequest) in try await service.store.snapshot(at: request.at) }
        try answers.answer(Subjects.waitsCreate) { (request: CreateWait) in try await service.create(request) }
        try answers.answer(Subjects.waitsGet) { (request: GetRecord) in try await service.wait(request.id) }
        try answers.answer(Subjects.waitsCancel) { (request: CancelWait) in try await service.cancel(request) }
        try answers.answer(Subjects.waitsList) { (request: ListWaits) in
            WaitPage(waits: try await service.store.list(Wait.self, pod: request.pod, at: request.at, all: request.all == true))
        }
        try answers.answer(Subjects.attentionList) { (request: ListAttention) in
            AttentionPage(items: try await service.store.list(Attention.self, at: request.at, all: request.all == true))
        }
        try answers.answer(Subjects.channelsCreate) { (request: CreateChannel) in try await service.create(request) }
        try answers.answer(Subjects.channelsJoin) { (request: ChangeMember) in try await service.join(request) }
        try answers.answer(Subjects.channelsLeave) { (request: ChangeMember) in try await service.leave(request) }
        try answers.answer(Subjects.channelsGet) { (request: ListChannels) in try await service.channel(request) }
        try answers.answer(Subjects.channelsList) { (request: ListChannels) in ChannelPage(channels: try await service.channels(request)) }
        try answers.answer(Subjects.channelsPost) { (request: PostMessage) in try await service.post(request) }
        try answers.answer(Subjects.channelsMessages) { (request: ListMessages) in try await service.messages(request) }
        try answers.answer(Subjects.channelsMessage) { (request: MessageRequest) in try await service.message(request) }
        try answers.answer(Subjects.channelsRead) { (request: ReadChannel) in try await service.read(request) }
        try answers.answer(Subjects.channelsAck) { (request: MessageRequest) in try await service.acknowledge(request) }
        try answers.answer(Subjects.webhooksAdd) { (request: AddWebhook) in try await service.store.add(request) }
        try answers.answer(Subjects.webhooksList) { (_: Done) in WebhookPage(webhooks: try await service.store.webhooks()) }
        try answers.answer(Subjects.webhooksRemove) { (request: GetRecord) in try await service.store.removeWebhook(request.id) }
    }

    func close() {
        answers.withLock { $0 }?.close()
    }
}
