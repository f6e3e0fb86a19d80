/// Whether frames that were not handled yet may soon be dropped by the stream, which removes its oldest messages when it is full.
struct LagRisk: Equatable, Sendable {
    /// The newest message of the stream that was handled, of the shard that is furthest behind.
    var handled: UInt64
    var first: UInt64
    var last: UInt64
    var bytes: UInt64
    /// Bytes at which the stream drops its oldest; zero or less for no bound.
    var maxBytes: Int64

    /// The stream is more than half full, and more than half of it is not handled.
    var isNear: Bool {
        guard maxBytes > 0, last >= first, last > handled else { return false }
        let isFilling = bytes > UInt64(maxBytes) / 2
        let unhandled = last - max(handled, first - min(first, 1))
        return isFilling && unhandled > (last - first + 1) / 2
    }
}
