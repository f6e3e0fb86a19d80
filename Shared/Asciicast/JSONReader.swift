/// Reads JSON (RFC 8259) from bytes, with numbers kept as their digits: times must not pass through floating point.
struct JSONReader {
    struct Failure: Error {
        var message: String
        /// The text ended where more was needed.
        var isTruncated = false
    }

    enum Value: Sendable {
        case null
        case bool(Bool)
        case number(Decimal)
        case string([UInt8])
        case array([Value])
        case object([(key: String, value: Value)])

        subscript(key: String) -> Value? {
            guard case .object(let members) = self else { return nil }
            return members.last { $0.key == key }?.value
        }

        var text: String? {
            guard case .string(let bytes) = self else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }

        var integer: Int64? {
            guard case .number(let number) = self else { return nil }
            return number.scaled(by: 0)
        }
    }

    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private static let deepest = 64

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// The one value in the text; anything but blanks after it is an error.
    mutating func document() throws(Failure) -> Value {
        let value = try value(depth: 0)
        skipBlanks()
        guard position == bytes.endIndex else { throw Failure(message: "something stands after the end of the JSON value") }
        return value
    }

    private mutating func skipBlanks() {
        while position < bytes.endIndex, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
    }

    private func peek() throws(Failure) -> UInt8 {
        guard position < bytes.endIndex else { throw Failure(message: "the JSON text ends early", isTruncated: true) }
        return bytes[position]
    }

    private mutating func value(depth: Int) throws(Failure) -> Value {
        guard depth < Self.deepest else { throw Failure(message: "JSON nested deeper than \(Self.deepest)") }
        skipBlanks()
        switch try peek() {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "["):
            position += 1
            var items: [Value] = []
            skipBlanks()
            if try peek() == UInt8(ascii: "]") {
                position += 1
                return .array(items)
            }
            while true {
                items.append(try value(depth: depth + 1))
                if try endsList(with: UInt8(ascii: "]")) { return .array(items) }
            }
        case UInt8(ascii: "{"):
            position += 1
            var members: [(key: String, value: Value)] = []
            skipBlanks()
            if try peek() == UInt8(ascii: "}") {
                position += 1
                return .object(members)
            }
            while true {
                skipBlanks()
                guard try peek() == UInt8(ascii: "\"") else { throw Failure(message: "a member's name was expected") }
                let key = String(decoding: try string(), as: UTF8.self)
                skipBlanks()
                guard try peek() == UInt8(ascii: ":") else { throw Failure(message: "':' was expected") }
                position += 1
                members.append((key, try value(depth: depth + 1)))
                if try endsList(with: UInt8(ascii: "}")) { return .object(members) }
            }
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func endsList(with end: UInt8) throws(Failure) -> Bool {
        skipBlanks()
        let byte = try peek()
        guard byte == end || byte == UInt8(ascii: ",") else { throw Failure(message: "',' or '\(Character(Unicode.Scalar(end)))' was expected") }
        position += 1
        return byte == end
    }

    private mutating func word(_ text: StaticString, _ value: Value) throws(Failure) -> Value {
        for index in 0..<text.utf8CodeUnitCount {
            guard try peek() == text.utf8Start[index] else { throw Failure(message: "not a JSON value") }
            position += 1
        }
        return value
    }

    private mutating func number() throws(Failure) -> Decimal {
        let start = position
        while position < bytes.endIndex {
            switch bytes[position] {
            case 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): position += 1
            default:
                guard let number = Decimal(bytes[start..<position]) else { throw Failure(message: "not a JSON value") }
                return number
            }
        }
        guard let number = Decimal(bytes[start..<position]) else {
            throw Failure(message: "the JSON text ends early", isTruncated: position == bytes.endIndex)
        }
        return number
    }

    private mutating func string() throws(Failure) -> [UInt8] {
        position += 1
        var text: [UInt8] = []
        while true {
            var end = position
            while end < bytes.endIndex, bytes[end] != UInt8(ascii: "\""), bytes[end] != UInt8(ascii: "\\"), bytes[end] >= 0x20 { end += 1 }
            text.append(contentsOf: bytes[position..<end])
            position = end
            switch try peek() {
            case UInt8(ascii: "\""):
                position += 1
                return text
            case UInt8(ascii: "\\"):
                position += 1
                try escape(into: &text)
            default: throw Failure(message: "a control character stands unescaped in a string")
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(Failure) {
        let byte = try peek()
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            var code = UInt32(try hex())
            if (0xd800..<0xdc00).contains(code), position + 1 < bytes.endIndex, bytes[position] == UInt8(ascii: "\\"),
                bytes[position + 1] == UInt8(ascii: "u")
            {
                let before = position
                position += 2
                let low = UInt32(try hex())
                if (0xdc00..<0xe000).contains(low) {
                    code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
                } else {
                    position = before
                }
            }
            // A surrogate alone is no character: what a terminal shows for it is U+FFFD.
            let scalar = Unicode.Scalar(code) ?? "\u{fffd}"
            text.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw Failure(message: "an unknown escape stands in a string")
        }
    }

    private mutating func hex() throws(Failure) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            let byte = try peek()
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: throw Failure(message: "\\u needs four hexadecimal digits")
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}

/// A decimal number as it was written: `digits` × 10^`exponent`.
struct Decimal: Sendable {
    private var isNegative: Bool
    private var digits: ArraySlice<UInt8>
    private var exponent: Int

    /// Nil unless `text` is a JSON number.
    init?(_ text: ArraySlice<UInt8>) {
        var rest = text
        isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest.removeFirst() }
        let whole = rest.prefix { (0x30...0x39).contains($0) }
        guard !whole.isEmpty, whole.count == 1 || whole.first != 0x30 else { return nil }
        rest = rest[whole.endIndex...]
        var fraction: ArraySlice<UInt8> = []
        if rest.first == UInt8(ascii: ".") {
            fraction = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
            guard !fraction.isEmpty else { return nil }
            rest = rest[fraction.endIndex...]
        }
        exponent = 0
        if let e = rest.first, e == UInt8(ascii: "e") || e == UInt8(ascii: "E") {
            var power = rest.dropFirst()
            if power.first == UInt8(ascii: "+") { power.removeFirst() }
            guard let value = Int(String(decoding: power, as: UTF8.self)), abs(value) < 1000 else { return nil }
            exponent = value
            rest = []
        }
        guard rest.isEmpty else { return nil }
        exponent -= fraction.count
        digits = (whole + fraction).drop { $0 == 0x30 }
    }

    /// The number times 10^`power`, rounded to the nearest integer (halves away from zero); nil beyond 64 bits.
    func scaled(by power: Int) -> Int64? {
        guard !digits.isEmpty else { return 0 }
        let shift = exponent + power
        let kept = digits.count + min(0, shift)
        guard kept + max(0, shift) <= 19 else { return nil }
        guard kept >= 0 else { return 0 }
        var value: Int64 = 0
        func appended(_ digit: UInt8) -> Int64? {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowed) = product.addingReportingOverflow(Int64(digit))
            return overflow || overflowed ? nil : sum
        }
        for digit in digits.prefix(kept) {
            guard let next = appended(digit - 0x30) else { return nil }
            value = next
        }
        for _ in 0..<max(0, shift) {
            guard let next = appended(0) else { return nil }
            value = next
        }
        if shift < 0, digits[digits.startIndex + kept] >= 0x35 {
            guard value < .max else { return nil }
            value += 1
        }
        return isNegative ? -value : value
    }
}
