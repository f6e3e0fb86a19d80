public import Contract

/// Who can wait and be waited for.
public enum GraphNode: Hashable, Comparable, Sendable, CustomStringConvertible {
    case pod(PodID)
    /// A person, who waits for nobody here: what waits on them ends when they answer.
    case person(String)

    public var description: String {
        switch self {
        case .pod(let pod): pod.text
        case .person(let name): "person:" + name
        }
    }
}

/// One reason for which a node cannot go on: it needs any, or all, of others.
public struct Claim: Equatable, Sendable {
    public enum Kind: String, Sendable { case wait, binding, question, approval, login, quota }

    /// Unique; what a change or an end of the reason names again.
    public var id: String
    public var kind: Kind
    public var from: GraphNode
    public var to: Set<GraphNode>
    /// One of `to` is enough; false: all are needed.
    public var anyFrees: Bool
    public var why: String
    public var since: Timestamp
    public var deadline: Timestamp?

    public init(
        id: String, kind: Kind, from: GraphNode, to: Set<GraphNode>, anyFrees: Bool = false, why: String = "", since: Timestamp,
        deadline: Timestamp? = nil
    ) {
        self.id = id
        self.kind = kind
        self.from = from
        self.to = to
        self.anyFrees = anyFrees
        self.why = why
        self.since = since
        self.deadline = deadline
    }
}

/// Who waits on whom. Changes cost what they touch: reachability is kept in groups of nodes that reach each other, and counts are
/// kept until something upstream of them changes. The answers are those of a graph built anew from the same claims.
public struct WaitForGraph: Sendable {
    public private(set) var claims: [String: Claim] = [:]
    /// By the node that waits.
    private var outgoing: [GraphNode: Set<String>] = [:]
    /// By the node waited for: who waits, and by how many claims.
    private var incoming: [GraphNode: [GraphNode: Int]] = [:]
    /// Nodes that reach themselves, by the group they are in.
    private var groupOf: [GraphNode: Int] = [:]
    private var groups: [Int: Set<GraphNode>] = [:]
    private var nextGroup = 0
    private var counts: [GraphNode: Int] = [:]

    public init() {}

    public init(_ claims: some Sequence<Claim>) {
        for claim in claims { set(claim) }
    }

    // MARK: - Changing

    /// Adds a claim, or puts it in the place of the one with its id. A claim without targets is none.
    public mutating func set(_ claim: Claim) {
        guard claims[claim.id] != claim else { return }
        remove(claim.id)
        guard !claim.to.isEmpty else { return }
        claims[claim.id] = claim
        outgoing[claim.from, default: []].insert(claim.id)
        for target in claim.to.sorted() {
            let known = incoming[target]?[claim.from] ?? 0
            incoming[target, default: [:]][claim.from] = known + 1
            if known == 0 { connected(claim.from, target) }
        }
    }

    @discardableResult
    public mutating func remove(_ id: String) -> Claim? {
        guard let claim = claims.removeValue(forKey: id) else { return nil }
        outgoing[claim.from]?.remove(id)
        if outgoing[claim.from]?.isEmpty == true { outgoing[claim.from] = nil }
        for target in claim.to {
            let known = incoming[target]?[claim.from] ?? 0
            guard known <= 1 else {
                incoming[target]?[claim.from] = known - 1
                continue
            }
            incoming[target]?[claim.from] = nil
            if incoming[target]?.isEmpty == true { incoming[target] = nil }
            disconnected(claim.from, target)
        }
        return claim
    }

    private mutating func connected(_ from: GraphNode, _ to: GraphNode) {
        let downstream = reached(from: to)
        for node in downstream { counts[node] = nil }
        guard downstream.contains(from), groupOf[from] == nil || groupOf[from] != groupOf[to] else { return }
        // All that lies on a way from `to` back to `from` now reaches itself.
        let group = downstream.intersection(reaching(from))
        for old in Set(group.compactMap { groupOf[$0] }) { groups[old] = nil }
        enter(group)
    }

    private mutating func disconnected(_ from: GraphNode, _ to: GraphNode) {
        for node in reached(from: to) { counts[node] = nil }
        guard let group = groupOf[from], group == groupOf[to], let members = groups.removeValue(forKey: group) else { return }
        for member in members { groupOf[member] = nil }
        for part in Self.components(of: members, next: { targets(of: $0).intersection(members) }) { enter(part) }
    }

    private mutating func enter(_ group: Set<GraphNode>) {
        groups[nextGroup] = group
        for member in group { groupOf[member] = nextGroup }
        nextGroup += 1
    }

    // MARK: - Reading

    /// Whom a node waits for.
    public func targets(of node: GraphNode) -> Set<GraphNode> {
        (outgoing[node] ?? []).reduce(into: []) { $0.formUnion(claims[$1]?.to ?? []) }
    }

    /// Of all pods that live, with what is known of them: nobody works, no status is in doubt, and somebody waits for a pod.
    public func isStandstill(_ statuses: [PodID: PodStatus?]) -> Bool {
        guard !statuses.isEmpty, claims.values.contains(where: { claim in claim.to.contains { $0.pod != nil } }) else { return false }
        return statuses.allSatisfy { pod, status in status?.status == "idle" || targets(of: .pod(pod)).contains { $0.pod != nil } }
    }

    /// Who waits for a node.
    public func waiters(of node: GraphNode) -> Set<GraphNode> { Set(incoming[node].map { Array($0.keys) } ?? []) }

    /// Everything that waits or is waited for.
    public var nodes: Set<GraphNode> { Set(outgoing.keys).union(incoming.keys) }

    /// How many others cannot go on because of a node: directly, and in all.
    public mutating func blocks(_ node: GraphNode) -> (direct: Int, all: Int) {
        guard let waiters = incoming[node] else { return (0, 0) }
        let direct = waiters.count - (waiters[node] == nil ? 0 : 1)
        if let all = counts[node] { return (direct, all) }
        let all = reaching(node).count - 1
        counts[node] = all
        return (direct, all)
    }

    /// How many could go on if a node answered or ended: directly, and what they free in turn.
    public func frees(_ node: GraphNode) -> Int {
        var freed: Set<GraphNode> = [node]
        var open: [GraphNode: Set<String>] = [:]
        var queue = [node]
        while let next = queue.popLast() {
            for waiter in waiters(of: next) where !freed.contains(waiter) {
                let before = open[waiter] ?? outgoing[waiter] ?? []
                let left = before.filter { id in
                    guard let claim = claims[id] else { return false }
                    return claim.anyFrees ? claim.to.isDisjoint(with: freed) : !claim.to.isSubset(of: freed)
                }
                open[waiter] = left
                if left.isEmpty {
                    freed.insert(waiter)
                    queue.append(waiter)
                }
            }
        }
        return freed.count - 1
    }

    /// A node that waits for nobody and is waited for.
    public struct Root: Equatable, Sendable {
        public var node: GraphNode
        public var frees: Int
        public var blocks: Int
    }

    /// The roots, the one that frees the most first; of equals the one that blocks more, then by name.
    public mutating func roots() -> [Root] {
        var roots: [Root] = []
        for node in incoming.keys where outgoing[node] == nil { roots.append(Root(node: node, frees: frees(node), blocks: blocks(node).all)) }
        return roots.sorted { ($1.frees, $1.blocks, $0.node) < ($0.frees, $0.blocks, $1.node) }
    }

    // MARK: - Cycles

    /// Those who wait for one another and whom nobody outside can free: one path for each such group, from its least node along
    /// the shortest way back to it (which is not repeated at the end), ordered.
    public func cycles() -> [[GraphNode]] {
        guard !groups.isEmpty else { return [] }
        let stuck = stuckNodes()
        guard !stuck.isEmpty else { return [] }
        let next = { (node: GraphNode) in stuckTargets(of: node, in: stuck) }
        return Self.components(of: stuck, next: next).compactMap { group in
            guard let first = group.min() else { return nil }
            return Self.way(from: next(first), to: first, next: { next($0).intersection(group) }).map { [first] + $0.dropLast() }
        }.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The way by which a claim would wait for itself: from its node through others back to it (named again at the end). Nil when somebody
    /// outside can still end it.
    public func path(closing claim: Claim) -> [GraphNode]? {
        if claim.to.contains(claim.from), !claim.anyFrees || claim.to.count == 1 { return [claim.from, claim.from] }
        guard claim.to.contains(where: { reached(from: $0).contains(claim.from) }) else { return nil }
        var graph = self
        graph.set(claim)
        let stuck = graph.stuckNodes()
        guard stuck.contains(claim.from), graph.isStuck(claim, in: stuck) else { return nil }
        return Self.way(
            from: claim.to.intersection(stuck), to: claim.from, next: { graph.stuckTargets(of: $0, in: stuck) }
        ).map { [claim.from] + $0 }
    }

    /// Nodes that nobody can free: the most that can be assumed stuck without contradiction.
    private func stuckNodes() -> Set<GraphNode> {
        var stuck = Set(outgoing.keys)
        var doubtful = stuck
        while !doubtful.isEmpty {
            let freed = doubtful.filter { node in !(outgoing[node] ?? []).contains { id in claims[id].map { isStuck($0, in: stuck) } ?? false } }
            stuck.subtract(freed)
            doubtful = freed.reduce(into: Set<GraphNode>()) { $0.formUnion(waiters(of: $1)) }.intersection(stuck)
        }
        return stuck
    }

    private func isStuck(_ claim: Claim, in stuck: Set<GraphNode>) -> Bool {
        claim.anyFrees ? claim.to.isSubset(of: stuck) : !claim.to.isDisjoint(with: stuck)
    }

    private func stuckTargets(of node: GraphNode, in stuck: Set<GraphNode>) -> Set<GraphNode> {
        (outgoing[node] ?? []).reduce(into: []) { targets, id in
            if let claim = claims[id], isStuck(claim, in: stuck) { targets.formUnion(claim.to.intersection(stuck)) }
        }
    }
}

extension WaitForGraph {
    // MARK: - Walks

    private func reached(from node: GraphNode) -> Set<GraphNode> { Self.walk(from: node) { targets(of: $0) } }

    private func reaching(_ node: GraphNode) -> Set<GraphNode> { Self.walk(from: node) { waiters(of: $0) } }

    /// The node and all that can be come to from it.
    private static func walk(from node: GraphNode, next: (GraphNode) -> Set<GraphNode>) -> Set<GraphNode> {
        var seen: Set<GraphNode> = [node]
        var queue = [node]
        while let node = queue.popLast() {
            for other in next(node) where seen.insert(other).inserted { queue.append(other) }
        }
        return seen
    }

    /// The shortest way from one of `starts` to `end`, both included; of equals the one with the least nodes first.
    private static func way(from starts: Set<GraphNode>, to end: GraphNode, next: (GraphNode) -> Set<GraphNode>) -> [GraphNode]? {
        var cameFrom: [GraphNode: GraphNode] = [:]
        var seen = starts
        var queue = starts.sorted()
        var index = 0
        while index < queue.count {
            let node = queue[index]
            index += 1
            if node == end {
                var way = [node]
                while let previous = way.last.flatMap({ cameFrom[$0] }) { way.append(previous) }
                return way.reversed()
            }
            for other in next(node).sorted() where seen.insert(other).inserted {
                cameFrom[other] = node
                queue.append(other)
            }
        }
        return nil
    }

    /// Groups of nodes that all reach each other, those alone only where they wait for themselves (Tarjan, without recursion).
    private static func components(of nodes: Set<GraphNode>, next: (GraphNode) -> Set<GraphNode>) -> [Set<GraphNode>] {
        var number: [GraphNode: Int] = [:]
        var low: [GraphNode: Int] = [:]
        var stack: [GraphNode] = []
        var isOnStack: Set<GraphNode> = []
        var found: [Set<GraphNode>] = []
        for start in nodes where number[start] == nil {
            var work: [(node: GraphNode, rest: [GraphNode])] = []
            func open(_ node: GraphNode) {
                let index = number.count
                number[node] = index
                low[node] = index
                stack.append(node)
                isOnStack.insert(node)
                work.append((node, Array(next(node))))
            }
            open(start)
            while let top = work.last {
                if let other = top.rest.last {
                    work[work.count - 1].rest.removeLast()
                    if number[other] == nil {
                        open(other)
                    } else if isOnStack.contains(other) {
                        low[top.node] = min(low[top.node] ?? 0, number[other] ?? 0)
                    }
                    continue
                }
                work.removeLast()
                if let parent = work.last?.node { low[parent] = min(low[parent] ?? 0, low[top.node] ?? 0) }
                guard low[top.node] == number[top.node] else { continue }
                var group: Set<GraphNode> = []
                while let member = stack.popLast() {
                    isOnStack.remove(member)
                    group.insert(member)
                    if member == top.node { break }
                }
                if group.count > 1 || next(top.node).contains(top.node) { found.append(group) }
            }
        }
        return found
    }
}

extension GraphNode {
    /// The pod that it is, if it is one.
    public var pod: PodID? {
        if case .pod(let pod) = self { return pod }
        return nil
    }
}
