/// Each keystroke is answered by ``Applied``. The answer to nearly all of them, "typed, in this frame", is written and read here without a JSON
/// library, which takes 50 µs for it; it is the same JSON.
extension Applied {
    private static let opening = Array(#"{"result":"applied","seq":"#.utf8)
    private static let closing = UInt8(ascii: "}")

    /// The bytes of this answer.
    public var reply: [UInt8] {
        guard result == .applied, message == nil, tookEffect == nil, let seq else { return Reply.encode(self) }
        return Self.opening + String(seq).utf8 + [Self.closing]
    }

    /// Takes the answer, or throws the error that stands in its place.
    public init(reply: [UInt8]) throws(ErrorBody) {
        let digits = reply.dropFirst(Self.opening.count).dropLast()
        if reply.starts(with: Self.opening), reply.last == Self.closing, digits.allSatisfy({ (0x30...0x39).contains($0) }), let first = digits.first,
            first != 0x30 || digits.count == 1, let seq = UInt64(String(decoding: digits, as: UTF8.self))
        {
            self.init(result: .applied, seq: seq)
        } else {
            self = try Reply.decode(Applied.self, from: reply)
        }
    }
}
