internal import Contract

/// The states of several regular expressions as one non-deterministic automaton: expression `n` starts at `starts[n]`.
struct PatternProgram: Sendable {
    enum Step: Sendable {
        case scalar(UInt32)
        case any
        case oneOf([ClosedRange<UInt32>], isNegated: Bool)
        case start, end, wordBoundary(Bool)
        case split(Int, Int)
        case jump(Int)
        case match(Int)
    }

    indirect enum Node {
        case empty
        case step(Step)
        case sequence([Node])
        case either(Node, Node)
        case repeated(Node, least: Int, most: Int?)
    }

    private(set) var steps: [Step] = []
    private(set) var starts: [Int] = []
    private(set) var usesWords = false
    let ignoresCase: Bool
    static let largest = 5000
    /// For all expressions of a set together.
    static let largestSet = 40_000

    init(ignoresCase: Bool) { self.ignoresCase = ignoresCase }

    /// Adds an expression. Throws `bad_request` with what is wrong in it.
    mutating func add(_ pattern: String) throws(ErrorBody) {
        var parser = Parser(scalars: Array(pattern.unicodeScalars), ignoresCase: ignoresCase)
        let node = try parser.alternatives(depth: 0)
        guard parser.position == parser.scalars.count else { throw Parser.bad("a ')' has no '('") }
        let first = steps.count
        starts.append(first)
        try emit(node, first)
        steps.append(.match(starts.count - 1))
    }

    private mutating func emit(_ node: Node, _ first: Int) throws(ErrorBody) {
        guard steps.count - first < Self.largest, steps.count < Self.largestSet else { throw Parser.bad("it is too large") }
        switch node {
        case .empty: break
        case .step(let step):
            if case .wordBoundary = step { usesWords = true }
            steps.append(step)
        case .sequence(let nodes): for node in nodes { try emit(node, first) }
        case .either(let a, let b):
            let split = steps.count
            steps.append(.any)
            try emit(a, first)
            let jump = steps.count
            steps.append(.any)
            steps[split] = .split(split + 1, steps.count)
            try emit(b, first)
            steps[jump] = .jump(steps.count)
        case .repeated(let inner, let least, let most):
            for _ in 0..<least { try emit(inner, first) }
            guard let most else {
                let split = steps.count
                steps.append(.any)
                try emit(inner, first)
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
                return
            }
            var splits: [Int] = []
            for _ in least..<max(least, most) {
                splits.append(steps.count)
                steps.append(.any)
                try emit(inner, first)
            }
            for split in splits { steps[split] = .split(split + 1, steps.count) }
        }
    }
}
