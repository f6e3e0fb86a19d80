public import Bus
internal import Contract
internal import Synchronization

/// Answers the requests of a service that writes its events into an outbox: each is counted, and after each what it wrote is sent, also where it
/// failed, because a failure may be an event too.
public final class OutboxAnswers: Sendable {
    private let bus: BusConnection
    private let queue: String
    private let sender: EventSender
    private let micro: Microservice?
    private let subscriptions = Mutex<[BusSubscription]>([])

    /// - Parameters:
    ///   - queue: the queue group of the service's instances, one of which answers each request.
    ///   - micro: what counts, by subject.
    public init(on bus: BusConnection, queue: String, sender: EventSender, counting micro: Microservice?) {
        self.bus = bus
        self.queue = queue
        self.sender = sender
        self.micro = micro
    }

    /// Answers one subject with what `body` returns, or the error that it throws.
    /// - Parameter name: the endpoint's, where it is not the subject.
    public func answer<Question: Decodable & Sendable & SendableMetatype, Answer: Encodable & SendableMetatype>(
        _ subject: String, name: String? = nil, _ body: @escaping @Sendable (Question) async throws -> Answer
    ) throws(BusError) {
        let count = micro?.addEndpoint(name: name ?? subject.split(separator: ".").joined(separator: "-"), subject: subject, queue: queue)
        let sender = sender
        let subscription = try bus.answer(subject, queue: queue, Question.self) { question in
            let began = ContinuousClock.now
            do {
                let answer = try await body(question)
                count?(.now - began, nil)
                await sender.wake()
                return answer
            } catch {
                count?(.now - began, "\(error)")
                await sender.wake()
                throw error
            }
        }
        subscriptions.withLock { $0.append(subscription) }
    }

    /// Takes no more requests.
    public func close() {
        for subscription in subscriptions.withLock({ $0 }) { subscription.unsubscribe() }
    }
}
