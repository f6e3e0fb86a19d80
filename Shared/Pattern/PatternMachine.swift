internal import Synchronization

/// A deterministic automaton that is made while it runs: what was met once is one table look-up for each character afterwards.
///
/// A state is a set of the program's states before assertions are resolved, with what stood before; so `^`, `$` and `\b` need no
/// special case. The table is dropped when it grows too large: time stays linear in the text, whatever the expressions.
final class PatternMachine: Sendable {
    private let program: PatternProgram
    /// Sorted: class n holds the characters from `bounds[n]` up to the next bound.
    private let bounds: [UInt32]
    private let asciiClasses: [Int32]
    private let classCount: Int
    private let table: Mutex<Table>
    private static let largestTable = 600_000
    private static let unmade: Int32 = -1

    private struct Table {
        /// For each state `classCount + 1` entries (the last: the text's end) of the next state.
        var next: [Int32] = []
        /// The state of a text's beginning.
        var begin: Int32 = 0
        /// Beside it, which set of expressions matched before the character.
        var emitted: [Int32] = []
        var states: [[Int32]] = []
        var numbers: [[Int32]: Int32] = [:]
        var matches: [PatternMatches] = [PatternMatches()]
        var matchNumbers: [PatternMatches: Int32] = [PatternMatches(): 0]
    }

    init(_ program: PatternProgram) {
        self.program = program
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
        self.bounds = bounds.sorted()
        let factor = program.usesWords ? 2 : 1
        classCount = self.bounds.count * factor
        var ascii: [Int32] = []
        for scalar in UInt32(0)..<128 { ascii.append(Self.classify(scalar, self.bounds, program)) }
        asciiClasses = ascii
        table = Mutex(Table())
    }

    private static func classify(_ scalar: UInt32, _ bounds: [UInt32], _ program: PatternProgram) -> Int32 {
        let folded = Characters.folded(scalar, program.ignoresCase)
        var low = 0, high = bounds.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if bounds[middle] <= folded { low = middle } else { high = middle }
        }
        return Int32(program.usesWords ? low * 2 + (Characters.isWord(scalar) ? 1 : 0) : low)
    }

    /// Which expressions are found anywhere in the text. With `first`, only whether any is.
    func matches(_ text: UnsafeBufferPointer<UInt8>, first: Bool) -> PatternMatches {
        var at = 0
        return run(first: first) {
            guard at < text.count else { return nil }
            if text[at] < 0x80 {
                at += 1
                return UInt32(text[at - 1])
            }
            return Self.decode(text, &at)
        }
    }

    /// The same for characters that are decoded already.
    func matches(_ text: UnsafeBufferPointer<UInt32>) -> PatternMatches {
        var at = 0
        return run(first: false) {
            guard at < text.count else { return nil }
            at += 1
            return text[at - 1]
        }
    }

    @inline(__always)
    private func run(first: Bool, next: () -> UInt32?) -> PatternMatches {
        table.withLock { table in
            var found = PatternMatches()
            var foundNumber: Int32 = 0
            if table.states.isEmpty { _ = number(of: Self.begin(program), &table) }
            // The first state that is made is where every text begins.
            var state: Int32 = table.begin
            let width = classCount + 1
            while true {
                let scalar = next()
                let kind: Int
                if let scalar {
                    kind = Int(scalar < 0x80 ? asciiClasses[Int(scalar)] : Self.classify(scalar, bounds, program))
                } else {
                    kind = classCount
                }
                var index = Int(state) * width + kind
                if table.next[index] == Self.unmade {
                    state = make(state, kind, &table)
                    index = Int(state) * width + kind
                }
                let emitted = table.emitted[index]
                if emitted != 0 && emitted != foundNumber {
                    found.formUnion(table.matches[Int(emitted)])
                    foundNumber = emitted
                    if first { return found }
                }
                if scalar == nil { return found }
                state = table.next[index]
            }
        }
    }

    /// One scalar of UTF-8; text that is not UTF-8 gives the replacement character for each byte.
    private static func decode(_ text: UnsafeBufferPointer<UInt8>, _ at: inout Int) -> UInt32 {
        let first = text[at]
        let length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
        guard length > 1, at + length <= text.count else {
            at += 1
            return 0xfffd
        }
        var scalar = UInt32(first) & (0xff >> UInt32(length + 1))
        for offset in 1..<length { scalar = scalar << 6 | UInt32(text[at + offset] & 0x3f) }
        at += length
        return scalar
    }

    // MARK: - Making states

    /// A state's last entry is what stood before: bit 0 the text's start, bit 1 a word character.
    private static func begin(_ program: PatternProgram) -> [Int32] { program.starts.map { Int32($0) } + [1] }

    private func number(of state: [Int32], _ table: inout Table) -> Int32 {
        if let number = table.numbers[state] { return number }
        let number = Int32(table.states.count)
        table.states.append(state)
        table.numbers[state] = number
        table.next.append(contentsOf: [Int32](repeating: Self.unmade, count: classCount + 1))
        table.emitted.append(contentsOf: [Int32](repeating: 0, count: classCount + 1))
        return number
    }

    /// Makes the entry for a state and a class; gives the state's number, which changes when the table had to be dropped.
    private func make(_ state: Int32, _ kind: Int, _ table: inout Table) -> Int32 {
        var state = state
        if table.next.count > Self.largestTable {
            let kept = table.states[Int(state)]
            table = Table()
            table.begin = number(of: Self.begin(program), &table)
            state = number(of: kept, &table)
        }
        let core = table.states[Int(state)]
        let before = core[core.count - 1]
        let isEnd = kind == classCount
        let isWord = !isEnd && program.usesWords && kind % 2 == 1
        let scalar = isEnd ? 0 : bounds[program.usesWords ? kind / 2 : kind]
        var isIn = [Bool](repeating: false, count: program.steps.count)
        var stack: [Int] = core.dropLast().map { Int($0) }
        var targets: Set<Int32> = []
        var matches = PatternMatches()
        while let at = stack.popLast() {
            if isIn[at] { continue }
            isIn[at] = true
            switch program.steps[at] {
            case .jump(let target): stack.append(target)
            case .split(let a, let b):
                stack.append(b)
                stack.append(a)
            case .start: if before & 1 != 0 { stack.append(at + 1) }
            case .end: if isEnd { stack.append(at + 1) }
            case .wordBoundary(let wanted): if ((before & 2 != 0) != isWord) == wanted { stack.append(at + 1) }
            case .match(let expression): matches.insert(expression)
            case .scalar(let wanted): if !isEnd && wanted == scalar { targets.insert(Int32(at + 1)) }
            case .any: if !isEnd { targets.insert(Int32(at + 1)) }
            case .oneOf(let ranges, let isNegated):
                if !isEnd && ranges.contains(where: { $0.contains(scalar) }) != isNegated { targets.insert(Int32(at + 1)) }
            }
        }
        var target = state
        if !isEnd {
            // A match may start anywhere.
            for start in program.starts { targets.insert(Int32(start)) }
            target = number(of: targets.sorted() + [isWord ? 2 : 0], &table)
        }
        let index = Int(state) * (classCount + 1) + kind
        table.next[index] = target
        if !matches.isEmpty {
            let known = table.matchNumbers[matches]
            let emitted = known ?? Int32(table.matches.count)
            if known == nil {
                table.matches.append(matches)
                table.matchNumbers[matches] = emitted
            }
            table.emitted[index] = emitted
        }
        return state
    }
}
