/// Keys as the scrubber knows them.
public enum Key: Equatable, Sendable {
    case character(Character)
    case left, right, up, down
    case shiftLeft, shiftRight
    case home, end, pageUp, pageDown
    case enter, backspace, escape
    case interrupt
}

/// Takes keys out of a raw terminal's bytes. Pure.
public enum KeyParser {
    /// The keys in one read. A lone ESC is the escape key: terminals send the rest of a sequence in the same read.
    public static func keys(in bytes: [UInt8]) -> [Key] {
        var keys: [Key] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            switch byte {
            case 0x03: keys.append(.interrupt)
            case 0x0d, 0x0a: keys.append(.enter)
            case 0x7f, 0x08: keys.append(.backspace)
            case 0x1b:
                if let key = sequence(&rest) { keys.append(key) }
            case 0x20..<0x7f: keys.append(.character(Character(Unicode.Scalar(byte))))
            default: break
            }
        }
        return keys
    }

    private static func sequence(_ rest: inout ArraySlice<UInt8>) -> Key? {
        guard let first = rest.first, first == UInt8(ascii: "[") || first == UInt8(ascii: "O") else { return .escape }
        rest.removeFirst()
        var parameters: [UInt8] = []
        while let byte = rest.popFirst() {
            guard (0x40...0x7e).contains(byte) else {
                parameters.append(byte)
                continue
            }
            let text = String(decoding: parameters, as: UTF8.self)
            let isShifted = text.hasSuffix(";2") || text.hasSuffix(";5")
            switch Character(Unicode.Scalar(byte)) {
            case "A": return .up
            case "B": return .down
            case "C": return isShifted ? .shiftRight : .right
            case "D": return isShifted ? .shiftLeft : .left
            case "H": return .home
            case "F": return .end
            case "~":
                switch text {
                case "1", "7": return .home
                case "4", "8": return .end
                case "5": return .pageUp
                case "6": return .pageDown
                default: return nil
                }
            default: return nil
            }
        }
        return nil
    }
}
