/// A message that a consumer of a stream got.
public struct StreamMessage: Sendable {
    public let message: BusMessage
    /// Its sequence in the stream.
    public let streamSequence: UInt64
    /// Its number among what the consumer delivered: 1, 2, 3 …
    public let consumerSequence: UInt64
    /// How often it was delivered, 1 the first time.
    public let deliveries: Int
    /// When the server stored it, nanoseconds since 1970.
    public let storedNanoseconds: Int64
    /// Messages that wait behind it.
    public let pending: UInt64

    public var subject: String { message.subject }

    /// Reads `$JS.ACK.[domain.hash.]stream.consumer.deliveries.streamSeq.consumerSeq.time.pending[.random]`.
    /// Source: NATS ADR-15.
    init?(_ message: BusMessage) {
        guard let reply = message.reply else { return nil }
        let tokens = reply.split(separator: ".", omittingEmptySubsequences: false)
        guard tokens.count >= 9, tokens[0] == "$JS", tokens[1] == "ACK" else { return nil }
        let at = tokens.count >= 11 ? 4 : 2
        guard tokens.count >= at + 7, let deliveries = Int(tokens[at + 2]), let stream = UInt64(tokens[at + 3]),
            let consumer = UInt64(tokens[at + 4]), let time = Int64(tokens[at + 5]), let pending = UInt64(tokens[at + 6])
        else { return nil }
        self.message = message
        streamSequence = stream
        consumerSequence = consumer
        self.deliveries = deliveries
        storedNanoseconds = time
        self.pending = pending
    }
}
