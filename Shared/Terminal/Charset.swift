/// Character sets that can be designated to G0…G3.
enum Charset: UInt8 {
    case ascii, decGraphics, british, dutch, finnish, french, frenchCanadian, german, italian, norwegian, portuguese
    case spanish, swedish, swiss

    /// After the final byte of a designation (`ESC ( F`).
    init?(final: UInt8) {
        switch final {
        case UInt8(ascii: "B"), UInt8(ascii: "1"), UInt8(ascii: "@"): self = .ascii
        case UInt8(ascii: "0"), UInt8(ascii: "2"): self = .decGraphics
        case UInt8(ascii: "A"): self = .british
        case UInt8(ascii: "4"): self = .dutch
        case UInt8(ascii: "C"), UInt8(ascii: "5"): self = .finnish
        case UInt8(ascii: "R"), UInt8(ascii: "f"): self = .french
        case UInt8(ascii: "Q"), UInt8(ascii: "9"): self = .frenchCanadian
        case UInt8(ascii: "K"): self = .german
        case UInt8(ascii: "Y"): self = .italian
        case UInt8(ascii: "`"), UInt8(ascii: "E"), UInt8(ascii: "6"): self = .norwegian
        case UInt8(ascii: "Z"): self = .spanish
        case UInt8(ascii: "7"), UInt8(ascii: "H"): self = .swedish
        case UInt8(ascii: "="): self = .swiss
        default: return nil
        }
    }

    /// The scalar a printable ASCII byte stands for.
    func scalar(_ byte: UInt8) -> UInt32 {
        switch self {
        case .ascii: return UInt32(byte)
        case .decGraphics:
            return byte >= 0x5F && byte <= 0x7E ? UInt32(Charset.graphics[Int(byte) - 0x5F]) : UInt32(byte)
        default:
            guard let replaced = Charset.national[self], let at = Charset.positions.firstIndex(of: byte) else { return UInt32(byte) }
            return UInt32(replaced[at])
        }
    }

    // VT220 Programmer Reference Manual, table 2-4.
    private static let graphics: [UInt16] = [
        0x20, 0x25C6, 0x2592, 0x2409, 0x240C, 0x240D, 0x240A, 0xB0, 0xB1, 0x2424, 0x240B, 0x2518, 0x2510, 0x250C, 0x2514, 0x253C,
        0x23BA, 0x23BB, 0x2500, 0x23BC, 0x23BD, 0x251C, 0x2524, 0x2534, 0x252C, 0x2502, 0x2264, 0x2265, 0x3C0, 0x2260, 0xA3, 0xB7,
    ]

    /// The positions that national sets replace.
    private static let positions: [UInt8] = Array("#@[\\]^_`{|}~".utf8)
    private static let national: [Charset: [UInt16]] = [
        .british: set("£@[\\]^_`{|}~"), .dutch: set("£¾ĳ½|^_`¨ƒ¼´"), .finnish: set("#@ÄÖÅÜ_éäöåü"),
        .french: set("£à°ç§^_`éùè¨"), .frenchCanadian: set("#àâçêî_ôéùèû"), .german: set("#§ÄÖÜ^_`äöüß"),
        .italian: set("£§°çé^_ùàòèì"), .norwegian: set("#ÄÆØÅÜ_äæøåü"), .portuguese: set("#@ÃÇÕ^_`ãçõ~"),
        .spanish: set("£§¡Ñ¿^_`°ñç~"), .swedish: set("#ÉÄÖÅÜ_éäöåü"), .swiss: set("ùàéçêîèôäöüû"),
    ]

    private static func set(_ text: String) -> [UInt16] { text.unicodeScalars.map { UInt16(truncatingIfNeeded: $0.value) } }
}
