/// A colour as a program asked for it.
public struct TextColor: Hashable, Sendable {
    /// 0 default · 0x01_00_00_ii palette entry · 0x02_rr_gg_bb direct.
    public let raw: UInt32

    init(raw: UInt32) { self.raw = raw }

    public static let standard = TextColor(raw: 0)
    public static func indexed(_ index: UInt8) -> TextColor { TextColor(raw: 0x0100_0000 | UInt32(index)) }
    public static func rgb(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> TextColor {
        TextColor(raw: 0x0200_0000 | UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue))
    }

    public var isStandard: Bool { raw == 0 }
    /// The palette index, nil for the default and direct colours.
    public var index: UInt8? { raw >> 24 == 1 ? UInt8(truncatingIfNeeded: raw) : nil }
    /// Red, green, blue; nil for the default and palette colours.
    public var components: (red: UInt8, green: UInt8, blue: UInt8)? {
        guard raw >> 24 == 2 else { return nil }
        return (UInt8(truncatingIfNeeded: raw >> 16), UInt8(truncatingIfNeeded: raw >> 8), UInt8(truncatingIfNeeded: raw))
    }

    static func isValid(raw: UInt32) -> Bool {
        switch raw >> 24 {
        case 0: raw == 0
        case 1: raw & 0xFF_FFFF < 256
        case 2: true
        default: false
        }
    }
}

/// How SGR 4:n underlines.
public enum Underline: UInt8, Sendable, Hashable {
    case none, single, double, curly, dotted, dashed
}

/// Everything SGR says about a cell.
public struct TextStyle: Hashable, Sendable {
    public var foreground = TextColor.standard
    public var background = TextColor.standard
    public var underlineColor = TextColor.standard
    public var attributes: Attributes = []

    public init() {}

    public struct Attributes: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let bold = Attributes(rawValue: 1)
        public static let dim = Attributes(rawValue: 2)
        public static let italic = Attributes(rawValue: 4)
        public static let blink = Attributes(rawValue: 8)
        public static let inverse = Attributes(rawValue: 16)
        public static let hidden = Attributes(rawValue: 32)
        public static let strike = Attributes(rawValue: 64)
        public static let overline = Attributes(rawValue: 128)
        static let underlineShift: UInt32 = 8
        static let underlineMask: UInt32 = 7 << 8
        static let known: UInt32 = 0x7FF
    }

    public static let plain = TextStyle()

    public var underline: Underline {
        get { Underline(rawValue: UInt8(truncatingIfNeeded: attributes.rawValue >> 8 & 7)) ?? .single }
        set {
            attributes = Attributes(
                rawValue: attributes.rawValue & ~Attributes.underlineMask | UInt32(newValue.rawValue) << Attributes.underlineShift)
        }
    }

    var low: UInt64 { UInt64(foreground.raw) | UInt64(background.raw) << 32 }
    var high: UInt64 { UInt64(underlineColor.raw) | UInt64(attributes.rawValue) << 32 }

    @inline(__always)
    public static func == (a: TextStyle, b: TextStyle) -> Bool { a.low == b.low && a.high == b.high }
}

/// The target of an OSC 8 hyperlink.
public struct TextLink: Hashable, Sendable {
    public var uri: String
    /// The `id=` parameter; empty when the program gave none.
    public var id: String

    public init(uri: String, id: String = "") { self.uri = uri; self.id = id }
}
