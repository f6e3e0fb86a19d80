public import Contract

/// A regular expression that takes time in proportion to the line, whatever the pattern: a set of states, no backtracking.
///
/// Literals, `.`, `[…]`, `\d \w \s \b` and their opposites, `^ $`, groups, `|`, `* + ? {n,m}` (also with `?`, which changes
/// nothing for whether a line matches). No back references and no look-around: they cannot be had in linear time.
public struct LinePattern: Sendable {
    private let machine: PatternMachine

    /// Throws `bad_request` with what is wrong in the pattern.
    public init(_ pattern: String, ignoringCase: Bool) throws(ErrorBody) {
        var program = PatternProgram(ignoresCase: ignoringCase)
        try program.add(pattern)
        machine = PatternMachine(program)
    }

    /// Whether the pattern is found anywhere in the line.
    public func matches(_ line: String) -> Bool {
        var line = line
        return line.withUTF8 { !machine.matches($0, first: true).isEmpty }
    }

    /// A character as patterns that ignore case see it.
    public static func folded(_ scalar: UInt32, _ ignoresCase: Bool) -> UInt32 { Characters.folded(scalar, ignoresCase) }
}

/// Many regular expressions that are looked for in one pass over a line.
public struct PatternSet: Sendable {
    private let machine: PatternMachine?
    public let count: Int

    /// A set that finds nothing.
    public static let none = PatternSet()

    private init() {
        machine = nil
        count = 0
    }

    /// The most expressions that one set can have.
    public static let largest = PatternMatches.capacity

    /// Throws `bad_request` with what is wrong in which pattern.
    public init(_ patterns: [String], ignoringCase: Bool) throws(ErrorBody) {
        guard patterns.count <= Self.largest else { throw ErrorBody(.badRequest, "\(patterns.count) patterns are more than \(Self.largest)") }
        var program = PatternProgram(ignoresCase: ignoringCase)
        for pattern in patterns {
            do throws(ErrorBody) {
                try program.add(pattern)
            } catch {
                throw ErrorBody(.badRequest, "\(pattern): \(error.message)")
            }
        }
        count = patterns.count
        machine = patterns.isEmpty ? nil : PatternMachine(program)
    }

    /// Which of the patterns, by their numbers, are found anywhere in the line.
    public func matches(_ line: String) -> PatternMatches {
        guard let machine else { return PatternMatches() }
        var line = line
        return line.withUTF8 { machine.matches($0, first: false) }
    }

    /// The same for a line as Unicode scalar values.
    public func matches(_ line: ArraySlice<UInt32>) -> PatternMatches {
        guard let machine else { return PatternMatches() }
        return line.withUnsafeBufferPointer { machine.matches($0) }
    }
}

/// Numbers of patterns that matched.
public struct PatternMatches: Hashable, Sendable {
    private var a: UInt64 = 0
    private var b: UInt64 = 0
    private var c: UInt64 = 0
    private var d: UInt64 = 0
    public static let capacity = 256

    public init() {}

    public var isEmpty: Bool { a | b | c | d == 0 }

    public mutating func insert(_ number: Int) {
        let bit: UInt64 = 1 << UInt64(number & 63)
        switch number >> 6 {
        case 0: a |= bit
        case 1: b |= bit
        case 2: c |= bit
        default: d |= bit
        }
    }

    public func contains(_ number: Int) -> Bool {
        let bit: UInt64 = 1 << UInt64(number & 63)
        switch number >> 6 {
        case 0: return a & bit != 0
        case 1: return b & bit != 0
        case 2: return c & bit != 0
        default: return d & bit != 0
        }
    }

    public mutating func formUnion(_ other: PatternMatches) {
        a |= other.a
        b |= other.b
        c |= other.c
        d |= other.d
    }

    public func isDisjoint(with other: PatternMatches) -> Bool { (a & other.a) | (b & other.b) | (c & other.c) | (d & other.d) == 0 }

    public func isSuperset(of other: PatternMatches) -> Bool {
        (other.a & ~a) | (other.b & ~b) | (other.c & ~c) | (other.d & ~d) == 0
    }
}
