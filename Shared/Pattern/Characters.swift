/// What patterns know of characters.
enum Characters {
    /// Below are the letters of most alphabets, and what terminal programs draw with: looked up, since asking Unicode takes long.
    static let tableEnd: UInt32 = 0x3000

    static func isWord(_ scalar: UInt32) -> Bool { scalar < tableEnd ? words[Int(scalar)] : isWordOfUnicode(scalar) }

    private static let words: [Bool] = (0..<tableEnd).map {
        $0 < 0x80 ? (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x5f : isWordOfUnicode($0)
    }

    private static func isWordOfUnicode(_ scalar: UInt32) -> Bool {
        guard let scalar = Unicode.Scalar(scalar) else { return false }
        return scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }

    static func folded(_ scalar: UInt32, _ ignoresCase: Bool) -> UInt32 {
        guard ignoresCase else { return scalar }
        if scalar < 0x80 { return (0x41...0x5a).contains(scalar) ? scalar | 0x20 : scalar }
        return scalar < tableEnd ? small[Int(scalar)] : smallOfUnicode(scalar)
    }

    private static let small: [UInt32] = (0..<tableEnd).map { smallOfUnicode($0) }

    private static func smallOfUnicode(_ scalar: UInt32) -> UInt32 {
        let lower = Unicode.Scalar(scalar)?.properties.lowercaseMapping.unicodeScalars
        return lower.flatMap { $0.count == 1 ? $0.first?.value : nil } ?? scalar
    }
}
