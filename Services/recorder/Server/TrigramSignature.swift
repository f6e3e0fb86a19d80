/// Which three-byte sequences the lines of a segment hold, as a small set that may say yes wrongly but never no wrongly.
///
/// It tells a search which segments cannot hold its text. Letters are folded to lower case and all digits are one, so that
/// counters and clocks do not fill it. One hash per trigram and at most 512 bytes, under one percent of a full segment: a query
/// of twelve characters has ten trigrams, and in a set half full a wrong yes for all of them is one in a thousand.
struct TrigramSignature {
    private static let bitCount = 4096
    private static let smallestBytes = 32
    /// A byte for each bit, 0 or 1: setting one does not wait for those before.
    private var marks = [UInt8](repeating: 0, count: bitCount)

    /// Adds every trigram of a line.
    mutating func insert(_ line: String) {
        var line = line
        line.withUTF8 { insert($0) }
    }

    /// Adds every trigram of lines, each ended by a line feed.
    mutating func insert(lines: [UInt8]) {
        lines.withUnsafeBufferPointer { bytes in
            var start = 0
            for index in 0..<bytes.count where bytes[index] == 0x0a {
                insert(UnsafeBufferPointer(rebasing: bytes[start..<index]))
                start = index + 1
            }
            insert(UnsafeBufferPointer(rebasing: bytes[start...]))
        }
    }

    private mutating func insert(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count >= 3 else { return }
        Self.folds.withUnsafeBufferPointer { folds in
            marks.withUnsafeMutableBufferPointer { marks in
                var window = UInt32(folds[Int(bytes[0])]) << 8 | UInt32(folds[Int(bytes[1])])
                for index in 2..<bytes.count {
                    window = (window << 8 | UInt32(folds[Int(bytes[index])])) & 0xff_ffff
                    marks[Int(Self.hash(window))] = 1
                }
            }
        }
    }

    /// `fold` of every byte.
    private static let folds = (0...255).map { fold(UInt8($0)) }

    /// The set in the fewest bytes (a power of two) of which at most half are taken.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.bitCount / 8)
        for start in stride(from: 0, to: Self.bitCount, by: 8) { bytes.append((0..<8).reduce(0) { $0 | marks[start + $1] << UInt8($1) }) }
        if !bytes.contains(where: { $0 != 0 }) { return [] }
        while bytes.count > Self.smallestBytes {
            let half = bytes.count / 2
            let folded = (0..<half).map { bytes[$0] | bytes[$0 + half] }
            let taken = folded.reduce(0) { $0 + $1.nonzeroBitCount }
            if taken * 2 > half * 8 { break }
            bytes = folded
        }
        return bytes
    }

    /// The trigrams that every match of `text` must have. Without case, sequences beyond ASCII say nothing.
    static func required(_ text: String, ignoringCase: Bool) -> [UInt32] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 3 else { return [] }
        return (0..<(bytes.count - 2)).compactMap { index in
            let part = bytes[index..<(index + 3)]
            if ignoringCase && part.contains(where: { $0 >= 0x80 }) { return nil }
            return hash(part.reduce(0) { $0 << 8 | UInt32(fold($1)) })
        }
    }

    /// Whether an encoded set may hold all of `required`.
    static func mayHold(_ encoded: [UInt8], _ required: [UInt32]) -> Bool {
        if required.isEmpty { return true }
        guard !encoded.isEmpty, encoded.count & (encoded.count - 1) == 0 else { return !encoded.isEmpty }
        let mask = UInt32(encoded.count * 8 - 1)
        return required.allSatisfy { hash in
            let bit = Int(hash & mask)
            return encoded[bit >> 3] & (1 << UInt8(bit & 7)) != 0
        }
    }

    @inline(__always)
    private static func fold(_ byte: UInt8) -> UInt8 {
        switch byte {
        case 0x41...0x5a: byte | 0x20
        case 0x30...0x39: 0x30
        default: byte
        }
    }

    @inline(__always)
    private static func hash(_ trigram: UInt32) -> UInt32 {
        // Knuth's multiplicative hash; the upper bits are the good ones.
        (trigram &* 2_654_435_761) >> 20 & UInt32(bitCount - 1)
    }
}
