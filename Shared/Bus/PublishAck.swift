internal import FoundationEssentials

/// JetStream's answer to a publish.
public enum PublishAck: Sendable {
    /// Stored at this sequence of the stream; `isDuplicate` when it was there already.
    case stored(sequence: UInt64, isDuplicate: Bool)
    case refused(BusError)

    /// Reads the answer in `message`.
    public init(_ message: BusMessage) {
        if message.isNoResponders {
            self = .refused(Self.nobodyStores)
            return
        }
        self = message.withPayload { Self.parse($0) }
    }

    static let nobodyStores = BusError(.noResponders, "no stream takes this subject (is JetStream up?)")

    static func parse(_ bytes: UnsafeRawBufferPointer) -> PublishAck {
        struct Ack: Decodable {
            var seq: UInt64?
            var duplicate: Bool?
            var error: JetStreamAPI.Failure?
        }
        if let sequence = fastSequence(bytes) { return .stored(sequence: sequence, isDuplicate: false) }
        do {
            let ack = try JSONDecoder().decode(Ack.self, from: Data(bytes))
            if let error = ack.error { return .refused(JetStream.error(error, "publish")) }
            guard let sequence = ack.seq, sequence > 0 else { return .refused(BusError(.badReply, "an ack without a sequence")) }
            return .stored(sequence: sequence, isDuplicate: ack.duplicate ?? false)
        } catch {
            return .refused(BusError(.badReply, "an ack that cannot be read: \(error)"))
        }
    }

    /// The common shape `{"stream":"NAME", "seq":123}` without the cost of a JSON decoder; nil for any other.
    private static func fastSequence(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard bytes.count < 200, bytes.starts(with: Array(#"{"stream":""#.utf8)) else { return nil }
        guard var index = bytes.dropFirst(11).firstIndex(of: UInt8(ascii: "\"")) else { return nil }
        index += 1
        for expected in #","seq":"#.utf8 {
            while index < bytes.count, bytes[index] == UInt8(ascii: " ") { index += 1 }
            guard index < bytes.count, bytes[index] == expected else { return nil }
            index += 1
        }
        var value: UInt64 = 0
        var digits = 0
        while index < bytes.count, (0x30...0x39).contains(bytes[index]), digits < 19 {
            value = value * 10 + UInt64(bytes[index] - 0x30)
            digits += 1
            index += 1
        }
        while index < bytes.count, bytes[index] == UInt8(ascii: " ") { index += 1 }
        guard digits > 0, index == bytes.count - 1, bytes[index] == UInt8(ascii: "}") else { return nil }
        return value
    }
}
