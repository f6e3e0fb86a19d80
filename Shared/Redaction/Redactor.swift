public import Contract
internal import Pattern

/// A secret in a line.
public struct Redaction: Sendable, Equatable {
    /// Scalars of the line, or cells.
    public var range: Range<Int>
    /// The rule's name; never anything of the secret.
    public var rule: String

    public init(range: Range<Int>, rule: String) {
        self.range = range
        self.rule = rule
    }
}

/// Finds secrets in text: keys and tokens of providers, JSON web tokens, bearer tokens, passwords in addresses and assignments, bodies of
/// private keys, and what the user's own patterns find.
///
/// One pass over a line, without backtracking; a user's pattern costs its own time only in lines where it is found.
public struct Redactor: Sendable {
    /// What stands where a secret was.
    public static let mark: Unicode.Scalar = "•"

    /// A pattern of the user's own.
    private struct Own: Sendable {
        var name: String
        /// Anchored at both ends, and at the beginning only.
        var whole: PatternSet
        var beginning: PatternSet
    }

    /// Longer lines in which a pattern is found are redacted whole.
    private static let longestOwn = 1000

    private let own: [Own]
    private let ownAnywhere: PatternSet

    /// The built-in rules.
    public static let standard = Redactor()

    private init() {
        own = []
        ownAnywhere = .none
    }

    /// The built-in rules and the user's own patterns (as ``LinePattern`` reads them).
    /// - Throws: `bad_request` with what is wrong with which.
    public init(patterns: [(name: String, pattern: String)]) throws(ErrorBody) {
        var own: [Own] = []
        for (name, pattern) in patterns {
            guard PodSpec.isName(name) else { throw ErrorBody(.badRequest, "\"\(name.prefix(64))\" cannot be a redaction's name") }
            let whole = try PatternSet(["^(\(pattern))$"], ignoringCase: false)
            guard whole.matches([UInt32]()[...]).isEmpty else { throw ErrorBody(.badRequest, "\(name): the pattern finds nothing at all everywhere") }
            own.append(Own(name: name, whole: whole, beginning: try PatternSet(["^(\(pattern))"], ignoringCase: false)))
        }
        self.own = own
        ownAnywhere = try PatternSet(patterns.map { "(\($0.pattern))" }, ignoringCase: false)
    }

    /// Reads `name pattern` lines; `#` begins a comment line.
    public init(lines text: String) throws(ErrorBody) {
        var patterns: [(name: String, pattern: String)] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            guard words.count == 2 else { throw ErrorBody(.badRequest, "line \(number + 1) of the redactions: expected `name pattern`") }
            patterns.append((first, words[1]))
        }
        try self.init(patterns: patterns)
    }

    // MARK: - Text

    /// The text with every scalar of a secret replaced.
    public func redacted(_ text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.unicodeScalars.map(\.value) }
        let found = redactions(in: lines) { _ in false }
        guard found.contains(where: { !$0.isEmpty }) else { return text }
        return zip(lines, found).map { Self.text($0, without: $1) }.joined(separator: "\n")
    }

    static func text(_ line: [UInt32], without redactions: [Redaction]) -> String {
        var line = line
        for redaction in redactions { for index in redaction.range.clamped(to: 0..<line.count) { line[index] = mark.value } }
        return String(String.UnicodeScalarView(line.map { Unicode.Scalar($0) ?? "\u{FFFD}" }))
    }

    // MARK: - Lines

    /// The secrets of a text whose lines may go on in the next one.
    /// - Parameter joins: whether a line was wrapped: its secrets go on in the next line.
    public func redactions(in lines: [[UInt32]], joins: (Int) -> Bool) -> [[Redaction]] {
        var result = [[Redaction]](repeating: [], count: lines.count)
        var start = 0
        while start < lines.count {
            var end = start
            while end + 1 < lines.count, joins(end) { end += 1 }
            if start == end {
                result[start] = redactions(in: lines[start])
            } else {
                var whole: [UInt32] = []
                for line in lines[start...end] { whole += line }
                var offset = 0
                let found = redactions(in: whole)
                for index in start...end where !found.isEmpty {
                    let place = offset..<(offset + lines[index].count)
                    for redaction in found where redaction.range.overlaps(place) {
                        let part = redaction.range.clamped(to: place)
                        result[index].append(Redaction(range: (part.lowerBound - offset)..<(part.upperBound - offset), rule: redaction.rule))
                    }
                    offset = place.upperBound
                }
            }
            start = end + 1
        }
        PrivateKeys.add(to: &result, lines)
        return result
    }

    /// The secrets of one line by itself, in their order.
    public func redactions(in line: [UInt32]) -> [Redaction] {
        var found = line.withUnsafeBufferPointer { LineScan.redactions(in: $0) }
        if !own.isEmpty { addOwn(&found, line) }
        return found
    }

    private func addOwn(_ found: inout [Redaction], _ line: [UInt32]) {
        let matches = ownAnywhere.matches(line[...])
        guard !matches.isEmpty else { return }
        for (number, own) in own.enumerated() where matches.contains(number) {
            guard line.count <= Self.longestOwn else {
                found.append(Redaction(range: 0..<line.count, rule: own.name))
                continue
            }
            var start = 0
            while start < line.count {
                guard !own.beginning.matches(line[start...]).isEmpty,
                    let end = (start + 1...line.count).last(where: { !own.whole.matches(line[start..<$0]).isEmpty })
                else {
                    start += 1
                    continue
                }
                found.append(Redaction(range: start..<end, rule: own.name))
                start = end
            }
        }
        found.sort { $0.range.lowerBound < $1.range.lowerBound }
    }
}

/// Bodies of private keys: the lines between `-----BEGIN … PRIVATE KEY-----` and its end, also when one of the two is out of sight.
enum PrivateKeys {
    static let rule = "private_key"
    static let dashes = [UInt32](repeating: 0x2d, count: 5)
    private static let begin = Array("-----BEGIN ".unicodeScalars.map(\.value))
    private static let end = Array("-----END ".unicodeScalars.map(\.value))
    private static let key = Array("PRIVATE KEY".unicodeScalars.map(\.value))

    static func add(to result: inout [[Redaction]], _ lines: [[UInt32]]) {
        var isInside = false
        var hasBegun = false
        for (index, line) in lines.enumerated() {
            guard let dashes = position(of: 0x2d, in: line) else {
                if isInside { isInside = cover(&result[index], line) }
                continue
            }
            if let place = place(of: begin, in: line, from: dashes), contains(line, key, after: place) {
                isInside = true
                hasBegun = true
                // A whole key on one line, its line feeds written as such.
                if let stop = self.place(of: end, in: line, from: place + begin.count) {
                    let bodyStart = min(stop, (self.place(of: Array("KEY-----".unicodeScalars.map(\.value)), in: line, from: place) ?? stop - 8) + 8)
                    if bodyStart < stop { result[index].append(Redaction(range: bodyStart..<stop, rule: rule)) }
                    isInside = false
                }
            } else if let place = place(of: end, in: line, from: dashes), contains(line, key, after: place) {
                if !isInside, !hasBegun { coverAbove(&result, lines, below: index) }
                isInside = false
            } else if isInside {
                isInside = cover(&result[index], line)
            }
        }
    }

    /// What has no beginning in sight reaches up as far as lines look like a key's.
    private static func coverAbove(_ result: inout [[Redaction]], _ lines: [[UInt32]], below: Int) {
        for index in (0..<below).reversed() {
            guard longestRun(lines[index]) >= 16 || (index == below - 1 && longestRun(lines[index]) > 0) else { return }
            _ = cover(&result[index], lines[index])
        }
    }

    /// Redacts a line of a key's body; false when the line cannot be one, so that a lost end hides nothing else for ever.
    private static func cover(_ redactions: inout [Redaction], _ line: [UInt32]) -> Bool {
        guard let first = line.firstIndex(where: { !Character7.isBlank($0) }), let last = line.lastIndex(where: { !Character7.isBlank($0) }) else {
            return true
        }
        var words = 0
        var isInWord = false
        for scalar in line {
            let isBlank = Character7.isBlank(scalar)
            if !isBlank, !isInWord { words += 1 }
            isInWord = !isBlank
        }
        if words > 4, longestRun(line) < 32 { return false }
        redactions.append(Redaction(range: first..<(last + 1), rule: rule))
        return true
    }

    /// The longest run of base64 characters.
    static func longestRun(_ line: [UInt32]) -> Int {
        var longest = 0
        var run = 0
        for scalar in line {
            run = Character7.of(scalar) & Character7.base64 != 0 ? run + 1 : 0
            longest = max(longest, run)
        }
        return longest
    }

    private static func position(of scalar: UInt32, in line: [UInt32]) -> Int? { line.firstIndex(of: scalar) }

    static func place(of text: [UInt32], in line: [UInt32], from start: Int) -> Int? {
        guard line.count - start >= text.count, start >= 0 else { return nil }
        return (start...(line.count - text.count)).first { line[$0] == text[0] && line[$0..<($0 + text.count)].elementsEqual(text) }
    }

    private static func contains(_ line: [UInt32], _ text: [UInt32], after start: Int) -> Bool { place(of: text, in: line, from: start) != nil }
}
