/// Texts as Unicode scalar values, compared as texts are: "é" may be one code point or two.
enum Scalars {
    /// No code point below joins the one before it.
    static let firstMark: UInt32 = 0x300

    /// Whether two texts are canonically equivalent.
    static func areEqual(_ a: [UInt32], _ b: [UInt32]) -> Bool {
        if a == b { return true }
        if a.allSatisfy(isPlain) && b.allSatisfy(isPlain) { return false }
        return ScreenRow.string(a[...]) == ScreenRow.string(b[...])
    }

    /// Characters that are equivalent to nothing but themselves: Latin, the punctuation and the drawing characters of terminal programs.
    @inline(__always)
    private static func isPlain(_ scalar: UInt32) -> Bool {
        scalar < firstMark || (0x2010...0x2027).contains(scalar) || (0x2400...0x2a00).contains(scalar)
    }
}
