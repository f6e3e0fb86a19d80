/// The unfinished part of a UTF-8 sequence, and the rules of The Unicode Standard, table 3-7.
struct UTF8Decoder: Hashable {
    /// Bytes still missing; 0 between characters.
    var missing: UInt8 = 0
    /// Range of the next byte.
    var low: UInt8 = 0x80
    var high: UInt8 = 0xBF
    var value: UInt32 = 0

    /// Begins a sequence; false when `byte` cannot begin one.
    @inline(__always)
    mutating func begin(_ byte: UInt8) -> Bool {
        low = 0x80
        high = 0xBF
        switch byte {
        case 0xC2...0xDF:
            missing = 1
            value = UInt32(byte & 0x1F)
        case 0xE0...0xEF:
            missing = 2
            value = UInt32(byte & 0x0F)
            if byte == 0xE0 { low = 0xA0 }
            if byte == 0xED { high = 0x9F }
        case 0xF0...0xF4:
            missing = 3
            value = UInt32(byte & 0x07)
            if byte == 0xF0 { low = 0x90 }
            if byte == 0xF4 { high = 0x8F }
        default:
            return false
        }
        return true
    }

    /// Goes on with a sequence; false when `byte` does not belong to it (the sequence is then given up).
    @inline(__always)
    mutating func accept(_ byte: UInt8) -> Bool {
        guard byte >= low && byte <= high else {
            missing = 0
            return false
        }
        low = 0x80
        high = 0xBF
        value = value << 6 | UInt32(byte & 0x3F)
        missing -= 1
        return true
    }
}
