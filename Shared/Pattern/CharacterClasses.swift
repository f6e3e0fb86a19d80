internal import Synchronization

/// Characters by what a program tells apart: those of one class lead from every state to the same next state.
final class CharacterClasses: Sendable {
    /// Sorted: class n holds the characters from `bounds[n]` up to the next bound; twice as many where words count.
    private let bounds: [UInt32]
    private let usesWords: Bool
    private let ignoresCase: Bool
    private let ascii: [UInt32]
    /// Made when a character beyond ASCII is met.
    private let table = AtomicLazyReference<Table>()

    /// The classes of characters below `Characters.tableEnd`.
    final class Table: Sendable {
        let numbers: [UInt32]
        init(_ numbers: [UInt32]) { self.numbers = numbers }
    }

    init(_ program: PatternProgram) {
        var bounds: Set<UInt32> = [0]
        for step in program.steps {
            switch step {
            case .scalar(let scalar):
                bounds.insert(scalar)
                bounds.insert(scalar &+ 1)
            case .oneOf(let ranges, _):
                for range in ranges {
                    bounds.insert(range.lowerBound)
                    bounds.insert(range.upperBound &+ 1)
                }
            default: break
            }
        }
        let sorted = bounds.sorted()
        self.bounds = sorted
        usesWords = program.usesWords
        ignoresCase = program.ignoresCase
        ascii = (0..<128).map { Self.classify($0, sorted, usesWords: program.usesWords, ignoresCase: program.ignoresCase) }
    }

    var count: Int { usesWords ? bounds.count * 2 : bounds.count }

    /// The table, for `number`; nil before one was needed.
    var made: Table? { table.load() }

    /// The class of a character.
    @inline(__always)
    func number(of scalar: UInt32, _ made: Table?) -> Int {
        if scalar < 128 { return Int(ascii[Int(scalar)]) }
        if let made, scalar < Characters.tableEnd { return Int(made.numbers[Int(scalar)]) }
        return Int(other(scalar))
    }

    /// Whether the characters of a class are parts of words; false where that does not matter.
    func areWords(_ number: Int) -> Bool { usesWords && number % 2 == 1 }

    /// A character that stands for all of a class.
    func first(_ number: Int) -> UInt32 { bounds[usesWords ? number / 2 : number] }

    @inline(never)
    private func other(_ scalar: UInt32) -> UInt32 {
        guard scalar < Characters.tableEnd else { return classify(scalar) }
        return (made ?? table.storeIfNil(Table((0..<Characters.tableEnd).map { classify($0) }))).numbers[Int(scalar)]
    }

    private func classify(_ scalar: UInt32) -> UInt32 { Self.classify(scalar, bounds, usesWords: usesWords, ignoresCase: ignoresCase) }

    private static func classify(_ scalar: UInt32, _ bounds: [UInt32], usesWords: Bool, ignoresCase: Bool) -> UInt32 {
        let folded = Characters.folded(scalar, ignoresCase)
        var low = 0, high = bounds.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if bounds[middle] <= folded { low = middle } else { high = middle }
        }
        return UInt32(usesWords ? low * 2 + (Characters.isWord(scalar) ? 1 : 0) : low)
    }
}
