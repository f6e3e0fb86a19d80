internal import Contract

extension PatternProgram {
    /// Reads the text of a regular expression.
    struct Parser {
        var scalars: [Unicode.Scalar]
        var ignoresCase: Bool
        var position = 0

        static func bad(_ why: String) -> ErrorBody { ErrorBody(.badRequest, "the regular expression is wrong: \(why)") }

        var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

        mutating func alternatives(depth: Int) throws(ErrorBody) -> Node {
            guard depth < 100 else { throw Self.bad("groups are nested too deeply") }
            var node = try sequence(depth: depth)
            while next == "|" {
                position += 1
                node = .either(node, try sequence(depth: depth))
            }
            return node
        }

        mutating func sequence(depth: Int) throws(ErrorBody) -> Node {
            var nodes: [Node] = []
            while let scalar = next, scalar != "|", scalar != ")" { nodes.append(try repeated(try atom(depth: depth))) }
            return nodes.isEmpty ? .empty : .sequence(nodes)
        }

        mutating func repeated(_ atom: Node) throws(ErrorBody) -> Node {
            var node = atom
            while let scalar = next {
                switch scalar {
                case "*": node = .repeated(node, least: 0, most: nil)
                case "+": node = .repeated(node, least: 1, most: nil)
                case "?": node = .repeated(node, least: 0, most: 1)
                case "{":
                    guard let (least, most, end) = bounds() else { return node }
                    guard least <= 1000, (most ?? least) <= 1000, (most ?? least) >= least else { throw Self.bad("a repetition is out of bounds") }
                    node = .repeated(node, least: least, most: most)
                    position = end
                    if next == "?" { position += 1 }
                    continue
                default: return node
                }
                position += 1
                // Lazy or possessive: which match is taken does not matter here.
                if next == "?" || next == "+", scalar != "?" || next == "?" { position += 1 }
            }
            return node
        }

        /// `{n}`, `{n,}` or `{n,m}` here; nil if the brace is a literal.
        func bounds() -> (Int, Int?, Int)? {
            guard let close = scalars[position...].firstIndex(of: "}") else { return nil }
            let text = String(String.UnicodeScalarView(scalars[(position + 1)..<close]))
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            guard let first = parts.first, let least = Int(first), least >= 0 else { return nil }
            if parts.count == 1 { return (least, least, close + 1) }
            guard parts.count == 2 else { return nil }
            if parts[1].isEmpty { return (least, nil, close + 1) }
            return Int(parts[1]).map { (least, $0, close + 1) }
        }

        mutating func atom(depth: Int) throws(ErrorBody) -> Node {
            guard let scalar = next else { return .empty }
            position += 1
            switch scalar {
            case ".": return .step(.any)
            case "^": return .step(.start)
            case "$": return .step(.end)
            case "*", "+", "?": throw Self.bad("'\(scalar)' has nothing to repeat")
            case "(":
                if next == "?" {
                    guard position + 1 < scalars.count, scalars[position + 1] == ":" else {
                        throw Self.bad("only (?:…) is known after '(?'; look-around is not offered")
                    }
                    position += 2
                }
                let node = try alternatives(depth: depth + 1)
                guard next == ")" else { throw Self.bad("a '(' is not closed") }
                position += 1
                return node
            case "[": return .step(try set())
            case "\\": return .step(try escape())
            default: return .step(.scalar(folded(scalar)))
            }
        }

        private func folded(_ scalar: Unicode.Scalar) -> UInt32 { Characters.folded(scalar.value, ignoresCase) }

        static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
        static let spaces: [ClosedRange<UInt32>] = [0x09...0x0d, 0x20...0x20, 0xa0...0xa0, 0x3000...0x3000]
        static let words: [ClosedRange<UInt32>] = [
            0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a, 0xaa...0xaa, 0xb5...0xb5, 0xc0...0xd6, 0xd8...0xf6, 0xf8...0x2ff,
            0x370...0x1fff, 0x2c00...0x2dff, 0x3040...0xd7ff, 0xf900...0xfdff, 0x20000...0x3ffff,
        ]

        mutating func escape() throws(ErrorBody) -> Step {
            guard let scalar = next else { throw Self.bad("it ends with '\\'") }
            position += 1
            switch scalar {
            case "d": return .oneOf(Self.digits, isNegated: false)
            case "D": return .oneOf(Self.digits, isNegated: true)
            case "s": return .oneOf(Self.spaces, isNegated: false)
            case "S": return .oneOf(Self.spaces, isNegated: true)
            case "w": return .oneOf(Self.words, isNegated: false)
            case "W": return .oneOf(Self.words, isNegated: true)
            case "b": return .wordBoundary(true)
            case "B": return .wordBoundary(false)
            case "t": return .scalar(9)
            default:
                guard !scalar.properties.isAlphabetic, !Self.digits[0].contains(scalar.value) else {
                    throw Self.bad("'\\\(scalar)' is not known")
                }
                return .scalar(scalar.value)
            }
        }

        mutating func set() throws(ErrorBody) -> Step {
            var ranges: [ClosedRange<UInt32>] = []
            let isNegated = next == "^"
            if isNegated { position += 1 }
            var isFirst = true
            while let scalar = next, scalar != "]" || isFirst {
                isFirst = false
                position += 1
                var low = scalar.value
                if scalar == "\\" {
                    switch try escape() {
                    case .oneOf(let inner, isNegated: false):
                        ranges += inner
                        continue
                    case .scalar(let value): low = value
                    default: throw Self.bad("that escape cannot stand in a set")
                    }
                }
                var high = low
                if next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                    position += 1
                    high = scalars[position].value
                    position += 1
                    if high == UInt32(UInt8(ascii: "\\")) {
                        guard case .scalar(let value) = try escape() else { throw Self.bad("a range in a set ends with no character") }
                        high = value
                    }
                }
                guard low <= high else { throw Self.bad("a range in a set is the wrong way round") }
                ranges.append(low...high)
                if ignoresCase {
                    // Letters of either case stand for the folded ones that lines have.
                    let upper = max(low, 0x41)...max(max(low, 0x41), min(high, 0x5a))
                    if low <= 0x5a, high >= 0x41 { ranges.append((upper.lowerBound | 0x20)...(upper.upperBound | 0x20)) }
                    if high < 0x2_0000, high >= 0x80, high - low < 0x400 {
                        for value in low...high { let folded = Characters.folded(value, true); ranges.append(folded...folded) }
                    }
                }
            }
            guard next == "]" else { throw Self.bad("a '[' is not closed") }
            position += 1
            return .oneOf(ranges, isNegated: isNegated)
        }
    }
}
