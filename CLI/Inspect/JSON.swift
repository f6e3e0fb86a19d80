/// The little JSON that scripts need: members keep their order, which is the order they are obeyed in.
indirect enum JSON {
    case null
    case bool(Bool)
    case number(Int)
    /// A number that is not an integer, as it was written.
    case decimal(String)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    static func parse(_ text: String) throws(InspectError) -> JSON {
        var parser = JSONParser(bytes: Array(text.utf8))
        let value = try parser.value(depth: 0)
        parser.skipBlanks()
        guard parser.at == parser.bytes.count else { throw InspectError(message: "not JSON: text after the value") }
        return value
    }

    var text: String {
        var out = ""
        write(&out)
        return out
    }

    private func write(_ out: inout String) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .number(let value): out += String(value)
        case .decimal(let value): out += value
        case .string(let value): JSON.quote(value, &out)
        case .array(let values):
            out += "["
            for (index, value) in values.enumerated() {
                if index > 0 { out += "," }
                value.write(&out)
            }
            out += "]"
        case .object(let members):
            out += "{"
            for (index, (name, value)) in members.enumerated() {
                if index > 0 { out += "," }
                JSON.quote(name, &out)
                out += ":"
                value.write(&out)
            }
            out += "}"
        }
    }

    private static func quote(_ text: String, _ out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}", "\u{2028}", "\u{2029}":
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}

/// RFC 8259.
struct JSONParser {
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func skipBlanks() {
        while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { at += 1 }
    }

    private func error(_ what: String) -> InspectError { InspectError(message: "not JSON: \(what) at byte \(at)") }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    mutating func value(depth: Int) throws(InspectError) -> JSON {
        guard depth < 32 else { throw error("too deep") }
        skipBlanks()
        guard at < bytes.count else { throw error("nothing") }
        switch bytes[at] {
        case UInt8(ascii: "{"):
            at += 1
            var members: [(String, JSON)] = []
            skipBlanks()
            if take(UInt8(ascii: "}")) { return .object(members) }
            repeat {
                skipBlanks()
                let name = try string()
                skipBlanks()
                guard take(UInt8(ascii: ":")) else { throw error("no colon") }
                members.append((name, try value(depth: depth + 1)))
                skipBlanks()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")) else { throw error("an object without end") }
            return .object(members)
        case UInt8(ascii: "["):
            at += 1
            var values: [JSON] = []
            skipBlanks()
            if take(UInt8(ascii: "]")) { return .array(values) }
            repeat {
                values.append(try value(depth: depth + 1))
                skipBlanks()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { throw error("an array without end") }
            return .array(values)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSON) throws(InspectError) -> JSON {
        guard bytes[at...].starts(with: word.utf8) else { throw error("an unknown word") }
        at += word.utf8.count
        return value
    }

    private mutating func number() throws(InspectError) -> JSON {
        let start = at
        while at < bytes.count, "+-.0123456789eE".utf8.contains(bytes[at]) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if let value = Int(text) { return .number(value) }
        guard Double(text) != nil else { throw error("an unknown value") }
        return .decimal(text)
    }

    private mutating func string() throws(InspectError) -> String {
        guard take(UInt8(ascii: "\"")) else { throw error("no string") }
        var out: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: out, as: UTF8.self)
            case 0..<0x20: throw error("a control in a string")
            case UInt8(ascii: "\\"):
                guard at < bytes.count else { throw error("a string without end") }
                let escaped = bytes[at]
                at += 1
                switch escaped {
                case UInt8(ascii: "n"): out.append(0x0A)
                case UInt8(ascii: "r"): out.append(0x0D)
                case UInt8(ascii: "t"): out.append(0x09)
                case UInt8(ascii: "b"): out.append(0x08)
                case UInt8(ascii: "f"): out.append(0x0C)
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(escaped)
                case UInt8(ascii: "u"): out.append(contentsOf: String(try scalar()).utf8)
                default: throw error("an unknown escape")
                }
            default: out.append(byte)
            }
        }
        throw error("a string without end")
    }

    private mutating func unit() throws(InspectError) -> UInt32 {
        guard at + 4 <= bytes.count, let value = UInt32(String(decoding: bytes[at..<(at + 4)], as: UTF8.self), radix: 16) else {
            throw error("an unknown escape")
        }
        at += 4
        return value
    }

    private mutating func scalar() throws(InspectError) -> Unicode.Scalar {
        let first = try unit()
        if (0xD800..<0xDC00).contains(first), at + 6 <= bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u") {
            at += 2
            let second = try unit()
            guard (0xDC00..<0xE000).contains(second) else { throw error("half a surrogate pair") }
            return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
        }
        return Unicode.Scalar(first) ?? "\u{FFFD}"
    }
}
