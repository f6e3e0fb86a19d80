import BindingsCore
import Contract
import Testing

@Suite("Who waits on whom")
struct WaitForGraphTests {
    static let pods: [GraphNode] = {
        var generator = Seeded(7)
        return (0..<64).map { _ in GraphNode.pod(PodID.random(using: &generator)) }
    }()

    static func claim(_ id: String, _ from: Int, _ to: [Int], any: Bool = false, kind: Claim.Kind = .wait) -> Claim {
        Claim(id: id, kind: kind, from: pods[from], to: Set(to.map { pods[$0] }), anyFrees: any, since: Timestamp(microseconds: 1))
    }

    @Test("Cycles of two to six are refused with their path, whatever their edges are", arguments: 2...6)
    func refusesCycles(length: Int) throws {
        let kinds: [Claim.Kind] = [.wait, .binding, .question]
        var graph = WaitForGraph()
        for index in 0..<length - 1 {
            let claim = Self.claim("c\(index)", index, [index + 1], kind: kinds[index % 3])
            #expect(graph.path(closing: claim) == nil)
            graph.set(claim)
        }
        let last = Self.claim("last", length - 1, [0])
        let path = try #require(graph.path(closing: last))
        #expect(path == [Self.pods[length - 1]] + Self.pods[0..<length])
        // One that forms anyway is reported, once, with the path.
        graph.set(last)
        #expect(graph.cycles().map(Set.init) == [Set(Self.pods[0..<length])])
        graph.remove("c0")
        #expect(graph.cycles().isEmpty)
    }

    @Test("Ten thousand random graphs without a cycle are never refused or reported")
    func acyclic() {
        var generator = Seeded(11)
        for _ in 0..<10_000 {
            var graph = WaitForGraph()
            for number in 0..<Int.random(in: 2...9, using: &generator) {
                let from = Int.random(in: 1..<8, using: &generator)
                let targets = (0..<Int.random(in: 1...3, using: &generator)).map { _ in Int.random(in: 0..<from, using: &generator) }
                let claim = Self.claim("c\(number)", from, targets, any: Bool.random(using: &generator))
                guard graph.path(closing: claim) == nil else {
                    Issue.record("refused \(claim) in a graph without a cycle")
                    return
                }
                graph.set(claim)
            }
            #expect(graph.cycles().isEmpty)
        }
    }

    @Test("Any of several is not refused while one of them can still come")
    func anyOfSeveral() {
        var graph = WaitForGraph([Self.claim("back", 1, [0])])
        #expect(graph.path(closing: Self.claim("any", 0, [1, 2], any: true)) == nil)
        #expect(graph.path(closing: Self.claim("all", 0, [1, 2])) != nil)
        graph.set(Self.claim("any", 0, [1, 2], any: true))
        #expect(graph.cycles().isEmpty)
        #expect(graph.path(closing: Self.claim("second", 2, [0])) == [Self.pods[2], Self.pods[0], Self.pods[2]])
    }

    @Test("A node that waits for itself is a cycle")
    func itself() {
        #expect(WaitForGraph().path(closing: Self.claim("self", 3, [3])) == [Self.pods[3], Self.pods[3]])
    }

    @Test("Roots come in the order of what they free, and count only what a single answer frees")
    func roots() {
        let ada = GraphNode.person("ada")
        var graph = WaitForGraph([
            Self.claim("1", 1, [0]), Self.claim("2", 2, [1]), Self.claim("3", 3, [1]),
            Claim(id: "4", kind: .approval, from: Self.pods[0], to: [ada], since: Timestamp(microseconds: 1)),
            // 5 needs both 4 and ada's whole tree; 4 alone does not free it.
            Self.claim("5", 5, [4, 3]),
        ])
        #expect(graph.roots().map(\.node) == [ada, Self.pods[4]])
        #expect(graph.roots().map(\.frees) == [4, 0])
        #expect(graph.roots().map(\.blocks) == [5, 1])
        #expect(graph.blocks(Self.pods[1]) == (2, 3))
        graph.set(Self.claim("5", 5, [4, 3], any: true))
        #expect(graph.roots().map(\.frees) == [5, 1])
    }

    @Test("After each of 10,000 random changes the answers are those of a graph built anew by other means")
    func incremental() {
        var generator = Seeded(23)
        var graph = WaitForGraph()
        var claims: [String: Claim] = [:]
        for step in 0..<10_000 {
            let id = "c\(Int.random(in: 0..<14, using: &generator))"
            if Int.random(in: 0..<5, using: &generator) < 2 {
                graph.remove(id)
                claims[id] = nil
            } else {
                let targets = (0..<Int.random(in: 1...2, using: &generator)).map { _ in Int.random(in: 0..<9, using: &generator) }
                let claim = Self.claim(id, Int.random(in: 0..<9, using: &generator), targets, any: Bool.random(using: &generator))
                graph.set(claim)
                claims[id] = claim
            }
            let plain = PlainGraph(claims: Array(claims.values))
            for node in Self.pods[0..<9] {
                let count = graph.blocks(node)
                guard count == plain.blocks(node), graph.frees(node) == plain.frees(node) else {
                    Issue.record("step \(step): \(count) is not \(plain.blocks(node)), or \(graph.frees(node)) is not \(plain.frees(node))")
                    return
                }
            }
            let cycles = graph.cycles()
            guard Set(cycles.flatMap { $0 }).isSubset(of: plain.stuck), cycles.isEmpty == plain.stuck.isEmpty,
                cycles.allSatisfy(plain.isCycle), WaitForGraph(claims.values).cycles() == cycles
            else {
                Issue.record("step \(step): cycles \(cycles), stuck \(plain.stuck)")
                return
            }
        }
    }
}

/// The same answers by the plainest means: closures by repetition.
struct PlainGraph {
    var claims: [Claim]

    func waiters(_ node: GraphNode) -> Set<GraphNode> { Set(claims.filter { $0.to.contains(node) }.map(\.from)) }

    func blocks(_ node: GraphNode) -> (direct: Int, all: Int) {
        var all = waiters(node)
        while true {
            let next = all.union(all.flatMap { waiters($0) })
            if next == all { break }
            all = next
        }
        return (waiters(node).subtracting([node]).count, all.subtracting([node]).count)
    }

    func frees(_ node: GraphNode) -> Int {
        var freed: Set<GraphNode> = [node]
        while true {
            let next = Set(claims.map(\.from)).filter { waiter in
                // Only what hangs on the node counts: somebody it reaches must be among the reasons.
                claims.filter { $0.from == waiter }.allSatisfy { $0.anyFrees ? !$0.to.isDisjoint(with: freed) : $0.to.isSubset(of: freed) }
            }
            if next.isSubset(of: freed) { return freed.count - 1 }
            freed.formUnion(next)
        }
    }

    var stuck: Set<GraphNode> {
        var stuck = Set(claims.map(\.from))
        while true {
            let next = stuck.filter { node in
                claims.contains { $0.from == node && ($0.anyFrees ? $0.to.isSubset(of: stuck) : !$0.to.isDisjoint(with: stuck)) }
            }
            if next == stuck { return stuck }
            stuck = next
        }
    }

    func isCycle(_ path: [GraphNode]) -> Bool {
        zip(path, path.dropFirst() + path.prefix(1)).allSatisfy { from, to in claims.contains { $0.from == from && $0.to.contains(to) } }
    }
}

/// The same numbers in each run (SplitMix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
