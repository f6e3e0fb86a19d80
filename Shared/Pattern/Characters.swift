/// What patterns know of characters.
enum Characters {
    static func isWord(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return asciiWords[Int(scalar)] }
        guard let scalar = Unicode.Scalar(scalar) else { return false }
        return scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }

    private static let asciiWords: [Bool] = (0..<128).map { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x5f }

    static func folded(_ scalar: UInt32, _ ignoresCase: Bool) -> UInt32 {
        guard ignoresCase else { return scalar }
        if scalar < 0x80 { return (0x41...0x5a).contains(scalar) ? scalar | 0x20 : scalar }
        let lower = Unicode.Scalar(scalar)?.properties.lowercaseMapping.unicodeScalars
        return lower.flatMap { $0.count == 1 ? $0.first?.value : nil } ?? scalar
    }
}
