internal import Contract

/// A regular expression that takes time in proportion to the line, whatever the pattern: a set of states, no backtracking.
///
/// Literals, `.`, `[…]`, `\d \w \s \b` and their opposites, `^ $`, groups, `|`, `* + ? {n,m}` (also with `?`, which changes
/// nothing for whether a line matches). No back references and no look-around: they cannot be had in linear time.
struct LinePattern: Sendable {
    private enum Step: Sendable {
        case scalar(UInt32)
        case any
        case oneOf([ClosedRange<UInt32>], isNegated: Bool)
        case start, end, wordBoundary(Bool)
        case split(Int, Int)
        case jump(Int)
        case match
    }

    private var steps: [Step] = []
    private let ignoresCase: Bool
    private static let largest = 5000

    /// Throws `bad_request` with what is wrong in the pattern.
    init(_ pattern: String, ignoringCase: Bool) throws(ErrorBody) {
        ignoresCase = ignoringCase
        var parser = Parser(scalars: Array(pattern.unicodeScalars), ignoresCase: ignoringCase)
        let node = try parser.alternatives(depth: 0)
        guard parser.position == parser.scalars.count else { throw Parser.bad("a ')' has no '('") }
        try emit(node)
        steps.append(.match)
    }

    /// Whether the pattern is found anywhere in the line.
    func matches(_ line: String) -> Bool {
        let scalars = line.unicodeScalars.map { Self.folded($0.value, ignoresCase) }
        var current = States(steps.count), next = States(steps.count)
        for index in 0...scalars.count {
            add(0, index, scalars, &current)
            if current.hasMatch { return true }
            guard index < scalars.count else { break }
            let scalar = scalars[index]
            for state in current.list {
                let isMatch =
                    switch steps[state] {
                    case .scalar(let wanted): wanted == scalar
                    case .any: true
                    case .oneOf(let ranges, let isNegated): ranges.contains { $0.contains(scalar) } != isNegated
                    default: false
                    }
                if isMatch { add(state + 1, index + 1, scalars, &next) }
            }
            if next.hasMatch { return true }
            swap(&current, &next)
            next.removeAll()
        }
        return false
    }

    private struct States {
        var list: [Int] = []
        var isIn: [Bool]
        var hasMatch = false

        init(_ count: Int) { isIn = Array(repeating: false, count: count) }

        mutating func removeAll() {
            for state in list { isIn[state] = false }
            for state in passed { isIn[state] = false }
            list.removeAll(keepingCapacity: true)
            passed.removeAll(keepingCapacity: true)
            hasMatch = false
        }
        /// States that took no character.
        var passed: [Int] = []
    }

    private func add(_ first: Int, _ index: Int, _ scalars: [UInt32], _ states: inout States) {
        var stack = [first]
        while let state = stack.popLast() {
            if states.isIn[state] { continue }
            states.isIn[state] = true
            switch steps[state] {
            case .jump(let target):
                states.passed.append(state)
                stack.append(target)
            case .split(let a, let b):
                states.passed.append(state)
                stack.append(b)
                stack.append(a)
            case .start:
                states.passed.append(state)
                if index == 0 { stack.append(state + 1) }
            case .end:
                states.passed.append(state)
                if index == scalars.count { stack.append(state + 1) }
            case .wordBoundary(let wanted):
                states.passed.append(state)
                let before = index > 0 && Self.isWord(scalars[index - 1])
                let after = index < scalars.count && Self.isWord(scalars[index])
                if (before != after) == wanted { stack.append(state + 1) }
            case .match:
                states.passed.append(state)
                states.hasMatch = true
            case .scalar, .any, .oneOf: states.list.append(state)
            }
        }
    }

    static func isWord(_ scalar: UInt32) -> Bool {
        guard let scalar = Unicode.Scalar(scalar) else { return false }
        return scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }

    static func folded(_ scalar: UInt32, _ ignoresCase: Bool) -> UInt32 {
        guard ignoresCase else { return scalar }
        if scalar < 0x80 { return (0x41...0x5a).contains(scalar) ? scalar | 0x20 : scalar }
        let lower = Unicode.Scalar(scalar)?.properties.lowercaseMapping.unicodeScalars
        return lower.flatMap { $0.count == 1 ? $0.first?.value : nil } ?? scalar
    }

    // MARK: - Compiling

    private indirect enum Node {
        case empty
        case step(Step)
        case sequence([Node])
        case either(Node, Node)
        case repeated(Node, least: Int, most: Int?)
    }

    private mutating func emit(_ node: Node) throws(ErrorBody) {
        guard steps.count < Self.largest else { throw Parser.bad("it is too large") }
        switch node {
        case .empty: break
        case .step(let step): steps.append(step)
        case .sequence(let nodes): for node in nodes { try emit(node) }
        case .either(let a, let b):
            let split = steps.count
            steps.append(.match)
            try emit(a)
            let jump = steps.count
            steps.append(.match)
            steps[split] = .split(split + 1, steps.count)
            try emit(b)
            steps[jump] = .jump(steps.count)
        case .repeated(let inner, let least, let most):
            for _ in 0..<least { try emit(inner) }
            guard let most else {
                let split = steps.count
                steps.append(.match)
                try emit(inner)
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
                return
            }
            var splits: [Int] = []
            for _ in least..<max(least, most) {
                splits.append(steps.count)
                steps.append(.match)
                try emit(inner)
            }
            for split in splits { steps[split] = .split(split + 1, steps.count) }
        }
    }

    private struct Parser {
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

        private func folded(_ scalar: Unicode.Scalar) -> UInt32 { LinePattern.folded(scalar.value, ignoresCase) }

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
                        for value in low...high { let folded = LinePattern.folded(value, true); ranges.append(folded...folded) }
                    }
                }
            }
            guard next == "]" else { throw Self.bad("a '[' is not closed") }
            position += 1
            return .oneOf(ranges, isNegated: isNegated)
        }
    }

    /// Text that every match must contain: runs of plain characters outside groups, sets and repetitions. Empty if the pattern
    /// has alternatives.
    static func requiredTexts(_ pattern: String) -> [String] {
        if pattern.contains("|") { return [] }
        var texts: [String] = []
        var run = String.UnicodeScalarView()
        var depth = 0
        var inSet = false
        let scalars = Array(pattern.unicodeScalars)
        var index = 0
        func isRepeated(_ at: Int) -> Bool { at < scalars.count && "*+?{".unicodeScalars.contains(scalars[at]) }
        func endRun() {
            if run.count >= 3 { texts.append(String(run)) }
            run = String.UnicodeScalarView()
        }
        while index < scalars.count {
            let scalar = scalars[index]
            if inSet {
                if scalar == "\\" { index += 1 } else if scalar == "]", index > 0, scalars[index - 1] != "[" { inSet = false }
            } else if "([{).^$*+?}".unicodeScalars.contains(scalar) {
                endRun()
                if scalar == "[" { inSet = true }
                if scalar == "(" { depth += 1 }
                if scalar == ")" { depth -= 1 }
                if scalar == "{" { while index < scalars.count, scalars[index] != "}" { index += 1 } }
            } else {
                var literal: Unicode.Scalar? = scalar
                if scalar == "\\" {
                    index += 1
                    literal = index < scalars.count && !scalars[index].properties.isAlphabetic ? scalars[index] : nil
                }
                if let literal, depth == 0, !isRepeated(index + 1) { run.append(literal) } else { endRun() }
            }
            index += 1
        }
        endRun()
        return texts
    }
}
