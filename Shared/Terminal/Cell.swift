/// One cell of the grid in eight bytes.
///
/// bits 0-20 scalar, or index of a cluster · 21 is a cluster · 22-23 kind · 24 protected (DECSCA) ·
/// 32-51 style · 52-63 link. A raw value of 0 is a blank that nothing was ever written to.
struct Cell: Equatable {
    var raw: UInt64

    static let blank = Cell(raw: 0)

    static let scalarMask: UInt64 = 0x1F_FFFF
    static let clusterBit: UInt64 = 1 << 21
    static let kindMask: UInt64 = 3 << 22
    static let wideHead: UInt64 = 1 << 22
    /// The second cell of a wide character.
    static let wideTail: UInt64 = 2 << 22
    /// The last cell of a line whose wide character went to the next one.
    static let wideSpacer: UInt64 = 3 << 22
    static let protectedBit: UInt64 = 1 << 24
    static let contentMask: UInt64 = 0x1FF_FFFF
    static let styleShift: UInt64 = 32
    static let styleMask: UInt64 = 0xF_FFFF << 32
    static let linkShift: UInt64 = 52
    static let maximumStyles = 1 << 20
    static let maximumLinks = 1 << 12

    init(raw: UInt64) { self.raw = raw }

    var scalar: UInt32 { UInt32(truncatingIfNeeded: raw & Cell.scalarMask) }
    var isCluster: Bool { raw & Cell.clusterBit != 0 }
    var isHead: Bool { raw & Cell.kindMask == Cell.wideHead }
    var isTail: Bool { raw & Cell.kindMask == Cell.wideTail }
    var isSpacer: Bool { raw & Cell.kindMask == Cell.wideSpacer }
    var isNarrow: Bool { raw & Cell.kindMask == 0 }
    var isProtected: Bool { raw & Cell.protectedBit != 0 }
    var style: Int { Int(truncatingIfNeeded: (raw >> Cell.styleShift) & 0xF_FFFF) }
    var link: Int { Int(truncatingIfNeeded: raw >> Cell.linkShift) }
    /// Nothing to see but perhaps a background.
    var isEmpty: Bool { raw & Cell.contentMask & ~Cell.protectedBit == 0 }
    /// Style and link without content and protection.
    var pen: UInt64 { raw & ~0xFFFF_FFFF }
}
