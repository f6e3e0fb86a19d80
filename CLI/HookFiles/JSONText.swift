/// JSON as a text with places: enough to put a member in and to take it out again without touching any other byte.
struct JSONText {
    indirect enum Value {
        case object([(key: String, place: Place, value: Value, valuePlace: Place)], Place)
        case array([(value: Value, place: Place)], Place)
        case string(String)
        case other
    }

    /// Bytes from `start` up to `end`.
    typealias Place = Range<Int>

    struct Problem: Error { var line: Int }

    private let bytes: [UInt8]
    private var at = 0

    static func parse(_ bytes: [UInt8]) throws(Problem) -> (value: Value, place: Place) {
        var parser = JSONText(bytes: bytes)
        parser.skipSpace()
        let result = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.at == bytes.count else { throw parser.problem }
        return result
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var problem: Problem { Problem(line: bytes.prefix(at).count { $0 == 0x0a } + 1) }

    private mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
    }

    private mutating func expect(_ byte: UInt8) throws(Problem) {
        guard at < bytes.count, bytes[at] == byte else { throw problem }
        at += 1
    }

    private func isNext(_ byte: UInt8) -> Bool { at < bytes.count && bytes[at] == byte }

    private mutating func value(depth: Int) throws(Problem) -> (value: Value, place: Place) {
        guard depth < 64, at < bytes.count else { throw problem }
        let start = at
        switch bytes[at] {
        case UInt8(ascii: "{"):
            at += 1
            var members: [(key: String, place: Place, value: Value, valuePlace: Place)] = []
            skipSpace()
            while !isNext(UInt8(ascii: "}")) {
                if !members.isEmpty {
                    try expect(UInt8(ascii: ","))
                    skipSpace()
                }
                let begin = at
                let key = try string()
                skipSpace()
                try expect(UInt8(ascii: ":"))
                skipSpace()
                let (inner, place) = try value(depth: depth + 1)
                members.append((key, begin..<at, inner, place))
                skipSpace()
            }
            at += 1
            return (.object(members, start..<at), start..<at)
        case UInt8(ascii: "["):
            at += 1
            var elements: [(value: Value, place: Place)] = []
            skipSpace()
            while !isNext(UInt8(ascii: "]")) {
                if !elements.isEmpty {
                    try expect(UInt8(ascii: ","))
                    skipSpace()
                }
                elements.append(try value(depth: depth + 1))
                skipSpace()
            }
            at += 1
            return (.array(elements, start..<at), start..<at)
        case UInt8(ascii: "\""):
            let text = try string()
            return (.string(text), start..<at)
        default:
            while at < bytes.count, (0x61...0x7a).contains(bytes[at]) || (0x30...0x39).contains(bytes[at]) || "+-.E".utf8.contains(bytes[at]) { at += 1 }
            guard at > start else { throw problem }
            return (.other, start..<at)
        }
    }

    private mutating func string() throws(Problem) -> String {
        try expect(UInt8(ascii: "\""))
        var text: [UInt8] = []
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            guard bytes[at] >= 0x20 else { throw problem }
            if bytes[at] == UInt8(ascii: "\\") {
                // Escapes are kept apart well enough to find our own words, which need only these.
                at += 1
                guard at < bytes.count else { throw problem }
            }
            text.append(bytes[at])
            at += 1
        }
        try expect(UInt8(ascii: "\""))
        return String(decoding: text, as: UTF8.self)
    }
}
