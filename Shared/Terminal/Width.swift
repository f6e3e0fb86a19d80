/// What a scalar does to the width of the character it belongs to.
struct ScalarClass {
    let raw: UInt8

    /// Cells: 0, 1 or 2.
    var width: Int { Int(raw & 3) }
    var isPictograph: Bool { raw & 4 != 0 }
    /// A narrow character that U+FE0F makes wide.
    var widensWithVS16: Bool { raw & 8 != 0 }
    var isRegionalIndicator: Bool { raw & 16 != 0 }
    /// A wide emoji that U+FE0E makes narrow.
    var narrowsWithVS15: Bool { raw & 32 != 0 }

    init(_ scalar: UInt32) {
        guard scalar < 0x110000 else { raw = 1; return }
        let stage = WidthTables.blocks.utf8Start + Int(scalar >> 8) * 2
        let block = (Int(stage[0]) - 0x30) << 4 | (Int(stage[1]) - 0x30)
        raw = WidthTables.classes.utf8Start[block << 8 | Int(scalar & 0xFF)] &- 0x30
    }
}

enum Scalars {
    static let zeroWidthJoiner: UInt32 = 0x200D
    static let textPresentation: UInt32 = 0xFE0E
    static let emojiPresentation: UInt32 = 0xFE0F
    static let replacement: UInt32 = 0xFFFD

    /// Fitzpatrick skin tones join the emoji before them.
    static func isSkinTone(_ scalar: UInt32) -> Bool { (0x1F3FB...0x1F3FF).contains(scalar) }
    /// Tag characters spell out subdivision flags.
    static func isTag(_ scalar: UInt32) -> Bool { (0xE0020...0xE007F).contains(scalar) }
}
