/// Finds ctrl-b d among keystrokes. Pure.
public struct DetachFilter: Sendable {
    public enum Result: Equatable, Sendable {
        /// To be sent on; may be empty.
        case keys([UInt8])
        /// The person leaves; what was typed before is to be sent.
        case detach([UInt8])
    }

    public static let prefix: UInt8 = 0x02
    private var isAfterPrefix = false

    public init() {}

    /// ctrl-b d leaves, ctrl-b ctrl-b sends one ctrl-b, ctrl-b and any other key sends both.
    public mutating func filter(_ bytes: some Sequence<UInt8>) -> Result {
        var keys: [UInt8] = []
        for byte in bytes {
            if isAfterPrefix {
                isAfterPrefix = false
                switch byte {
                case UInt8(ascii: "d"), UInt8(ascii: "D"), 0x04: return .detach(keys)
                case Self.prefix: keys.append(Self.prefix)
                default: keys += [Self.prefix, byte]
                }
            } else if byte == Self.prefix {
                isAfterPrefix = true
            } else {
                keys.append(byte)
            }
        }
        return .keys(keys)
    }
}
