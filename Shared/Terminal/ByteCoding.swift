/// Why bytes are not a keyframe.
public struct SnapshotError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable { case truncated, malformed, version, checksum }
    public var code: Code
    public var message: String

    public var description: String { "keyframe: \(message)" }

    static let truncated = SnapshotError(code: .truncated, message: "ends too early")
    static func malformed(_ what: String) -> SnapshotError { SnapshotError(code: .malformed, message: "not valid: \(what)") }
}

struct ByteWriter {
    var bytes: [UInt8] = []

    /// Takes back what was written behind so many bytes.
    mutating func cut(to count: Int) { bytes.removeLast(bytes.count - count) }

    mutating func byte(_ value: UInt8) { bytes.append(value) }
    mutating func flag(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// LEB128.
    @inline(__always)
    mutating func number(_ value: Int) {
        var rest = UInt64(bitPattern: Int64(value))
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func data(_ value: [UInt8]) {
        number(value.count)
        bytes.append(contentsOf: value)
    }

    mutating func text(_ value: String) { data(Array(value.utf8)) }

    /// The low seven bits of each cell, for cells that are known to be ASCII.
    mutating func ascii(_ cells: UnsafeBufferPointer<UInt64>) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: cells.count) { scratch in
            for index in 0..<cells.count { scratch[index] = UInt8(truncatingIfNeeded: cells[index] & 0x7F) }
            bytes.append(contentsOf: UnsafeBufferPointer(scratch))
        }
    }

    @inline(__always)
    mutating func utf8(_ scalar: UInt32) {
        switch scalar {
        case 0..<0x80: bytes.append(UInt8(truncatingIfNeeded: scalar))
        case 0x80..<0x800:
            bytes.append(0xC0 | UInt8(truncatingIfNeeded: scalar >> 6))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
        case 0x800..<0x10000:
            bytes.append(0xE0 | UInt8(truncatingIfNeeded: scalar >> 12))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
        default:
            bytes.append(0xF0 | UInt8(truncatingIfNeeded: scalar >> 18))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 12 & 0x3F))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F))
            bytes.append(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
        }
    }
}

/// Reads what `ByteWriter` wrote, and trusts nothing.
struct ByteReader {
    let bytes: [UInt8]
    var at: Int
    let end: Int

    init(_ bytes: [UInt8], end: Int? = nil) {
        self.bytes = bytes
        at = 0
        self.end = end ?? bytes.count
    }

    var remaining: Int { end - at }

    mutating func byte() throws(SnapshotError) -> UInt8 {
        guard at < end else { throw .truncated }
        at += 1
        return bytes[at - 1]
    }

    mutating func flag() throws(SnapshotError) -> Bool {
        let value = try byte()
        guard value <= 1 else { throw .malformed("flag") }
        return value == 1
    }

    mutating func number() throws(SnapshotError) -> Int {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            guard shift < 63 || (shift == 63 && next <= 1) else { throw .malformed("number") }
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 { break }
            shift += 7
        }
        return Int(Int64(bitPattern: value))
    }

    /// A number in a range.
    mutating func number(_ range: ClosedRange<Int>, _ what: String) throws(SnapshotError) -> Int {
        let value = try number()
        guard range.contains(value) else { throw .malformed(what) }
        return value
    }

    /// A count of things that take at least `size` bytes each, so that no count can claim more memory than was sent.
    mutating func count(atMost limit: Int, size: Int = 1, _ what: String) throws(SnapshotError) -> Int {
        let value = try number(0...limit, what)
        guard value * size <= remaining else { throw .malformed(what) }
        return value
    }

    mutating func data(atMost limit: Int, _ what: String) throws(SnapshotError) -> [UInt8] {
        let count = try count(atMost: limit, what)
        at += count
        return Array(bytes[(at - count)..<at])
    }

    mutating func text(atMost limit: Int, _ what: String) throws(SnapshotError) -> String {
        String(decoding: try data(atMost: limit, what), as: UTF8.self)
    }

    /// Passes over so many characters of UTF-8.
    mutating func skipText(_ characters: Int) throws(SnapshotError) {
        var left = characters
        while left > 0 {
            let ascii = bytes[at..<min(end, at + left)].withUnsafeBufferPointer { text in text.firstIndex { $0 >= 0x80 } ?? text.count }
            at += ascii
            left -= ascii
            guard left > 0 else { return }
            _ = try utf8()
            left -= 1
        }
    }

    mutating func utf8() throws(SnapshotError) -> UInt32 {
        let first = try byte()
        if first < 0x80 { return UInt32(first) }
        var decoder = UTF8Decoder()
        guard decoder.begin(first) else { throw .malformed("text") }
        while decoder.missing > 0 {
            guard decoder.accept(try byte()) else { throw .malformed("text") }
        }
        return decoder.value
    }
}
