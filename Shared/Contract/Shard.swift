/// One of 64 parts into which pods are divided; the second token of every PTY subject.
public struct Shard: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// How many shards there are.
    public static let count = 64

    /// All shards, in order.
    public static let all: [Shard] = (0..<count).compactMap(Shard.init)

    /// 0 to 63.
    public let number: Int

    /// A shard by number; nil outside 0 to 63.
    public init?(_ number: Int) {
        guard (0..<Self.count).contains(number) else { return nil }
        self.number = number
    }

    /// A shard by its two digits; nil if the text is not one.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 2, let number = Int(text) else { return nil }
        self.init(number)
    }

    /// The shard of a pod: FNV-1a, 64 bits, of the id's bytes, modulo 64.
    public init(of pod: PodID) {
        number = Int(fnv1a(pod.text.utf8) % UInt64(Self.count))
    }

    /// Two digits: `00` to `63`.
    public var description: String { number < 10 ? "0\(number)" : "\(number)" }

    public static func < (a: Shard, b: Shard) -> Bool { a.number < b.number }
}

/// The 64-bit FNV-1a hash. Source: http://www.isthe.com/chongo/tech/comp/fnv/ (constants of the 64-bit variant).
public func fnv1a(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes {
        hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
    return hash
}
