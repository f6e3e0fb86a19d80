internal import Synchronization

/// A deterministic automaton that is made while it runs: what was met once is one table look-up for each character afterwards.
///
/// A state is a set of the program's states before assertions are resolved, with what stood before; so `^`, `$` and `\b` need no
/// special case. The table is dropped when it grows too large: time stays linear in the text, whatever the expressions.
final class PatternMachine: Sendable {
    private let program: PatternProgram
    private let classes: CharacterClasses
    private let classCount: Int
    private let table = Mutex(Table())
    /// For whoever comes while the other is in use.
    private let spare = Mutex(Table())
    private static let largestTable = 600_000
    private static let unmade: Int32 = -1
    /// Marks entries before which something matched.
    private static let emits: Int32 = .min

    private struct Table {
        /// For each state `classCount + 1` entries (the last: the text's end): where the next state's entries begin.
        var next: [Int32] = []
        /// The state of a text's beginning.
        var begin = 0
        /// Of the characters, as far as they are made.
        var classes: CharacterClasses.Table?
        /// Beside `next`, which set of expressions matched before the character.
        var emitted: [Int32] = []
        var states: [[Int32]] = []
        /// By state, where its entries begin.
        var places: [[Int32]: Int] = [:]
        var matches: [PatternMatches] = [PatternMatches()]
        var matchNumbers: [PatternMatches: Int32] = [PatternMatches(): 0]
    }

    init(_ program: PatternProgram) {
        self.program = program
        classes = CharacterClasses(program)
        classCount = classes.count
    }

    /// Which expressions are found anywhere in the text. With `first`, only whether any is.
    func matches(_ text: UnsafeBufferPointer<UInt8>, first: Bool) -> PatternMatches {
        run(text.count, first: first) { at in
            if text[at] < 0x80 {
                at += 1
                return UInt32(text[at - 1])
            }
            return Self.decode(text, &at)
        }
    }

    /// The same for characters that are decoded already.
    func matches(_ text: UnsafeBufferPointer<UInt32>) -> PatternMatches {
        run(text.count, first: false) { at in
            at += 1
            return text[at - 1]
        }
    }

    @inline(__always)
    private func run(_ count: Int, first: Bool, read: (inout Int) -> UInt32) -> PatternMatches {
        if let found = table.withLockIfAvailable({ run(&$0, count, first: first, read: read) }) { return found }
        return spare.withLock { run(&$0, count, first: first, read: read) }
    }

    @inline(__always)
    private func run(_ table: inout Table, _ count: Int, first: Bool, read: (inout Int) -> UInt32) -> PatternMatches {
        if table.states.isEmpty { table.begin = place(of: Self.begin(program), &table) }
        var found = PatternMatches()
        var state = table.begin
        var at = 0
        if table.classes == nil { table.classes = classes.made }
        let made = table.classes
        while true {
            let missing = table.next.withUnsafeBufferPointer { next -> Int? in
                var seen: Int32 = 0
                while true {
                    var behind = at
                    let kind = at < count ? classes.number(of: read(&behind), made) : classCount
                    let entry = next[state &+ kind]
                    if entry < 0 {
                        if entry == Self.unmade { return kind }
                        let emitted = table.emitted[state &+ kind]
                        if emitted != seen {
                            found.formUnion(table.matches[Int(emitted)])
                            if first { return nil }
                            seen = emitted
                        }
                    }
                    if at == count { return nil }
                    state = Int(entry & ~Self.emits)
                    at = behind
                }
            }
            guard let missing else { return found }
            state = make(state, missing, &table)
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

    private func place(of state: [Int32], _ table: inout Table) -> Int {
        if let place = table.places[state] { return place }
        let place = table.next.count
        table.states.append(state)
        table.places[state] = place
        table.next.append(contentsOf: [Int32](repeating: Self.unmade, count: classCount + 1))
        table.emitted.append(contentsOf: [Int32](repeating: 0, count: classCount + 1))
        return place
    }

    /// Makes the entry for a state and a class; gives the state's place, which changes when the table had to be dropped.
    private func make(_ state: Int, _ kind: Int, _ table: inout Table) -> Int {
        var state = state
        if table.next.count > Self.largestTable {
            let kept = table.states[state / (classCount + 1)]
            table = Table()
            table.begin = place(of: Self.begin(program), &table)
            state = place(of: kept, &table)
        }
        let core = table.states[state / (classCount + 1)]
        let before = core[core.count - 1]
        let isEnd = kind == classCount
        let isWord = !isEnd && classes.areWords(kind)
        let scalar = isEnd ? 0 : classes.first(kind)
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
            target = place(of: targets.sorted() + [isWord ? 2 : 0], &table)
        }
        let index = state + kind
        table.next[index] = Int32(target)
        if !matches.isEmpty {
            let known = table.matchNumbers[matches]
            let emitted = known ?? Int32(table.matches.count)
            if known == nil {
                table.matches.append(matches)
                table.matchNumbers[matches] = emitted
            }
            table.emitted[index] = emitted
            table.next[index] |= Self.emits
        }
        return state
    }
}
