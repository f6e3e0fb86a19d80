/// The name of one pod: `p` and 12 lower-case base32 characters (RFC 4648 alphabet), never reused.
public struct PodID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The text form, as it stands in subjects and on the command line.
    public let text: String

    /// Takes a pod id as text; nil if it is not one.
    public init?(_ text: some StringProtocol) {
        guard Self.isOne(text.utf8) else { return nil }
        self.text = String(text)
    }

    /// The same for its bytes.
    init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        guard Self.isOne(bytes) else { return nil }
        text = String(decoding: bytes, as: UTF8.self)
    }

    @inline(__always)
    private static func isOne(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.count == 13 && bytes.first == UInt8(ascii: "p") && bytes.dropFirst().allSatisfy { isBase32($0) }
    }

    private init(unchecked text: String) {
        self.text = text
    }

    /// A new id with 60 random bits.
    public static func random() -> PodID {
        var generator = SystemRandomNumberGenerator()
        return random(using: &generator)
    }

    /// A new id with 60 bits of `generator`.
    public static func random(using generator: inout some RandomNumberGenerator) -> PodID {
        var bits = generator.next() as UInt64
        var text = "p"
        for _ in 0..<12 {
            let digit = UInt8(bits & 31)
            text.unicodeScalars.append(
                Unicode.Scalar(digit < 26 ? UInt8(ascii: "a") + digit : UInt8(ascii: "2") + digit - 26))
            bits >>= 5
        }
        return PodID(unchecked: text)
    }

    /// The shard this pod belongs to.
    public var shard: Shard { Shard(of: self) }

    public var description: String { text }

    public static func < (a: PodID, b: PodID) -> Bool { a.text < b.text }

    private static func isBase32(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "2")...UInt8(ascii: "7")).contains(byte)
    }
}

extension PodID: Codable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let id = PodID(text) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "\"\(text)\" is not a pod id (p and 12 of a-z2-7)"))
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
