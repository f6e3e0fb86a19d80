public import Contract

/// Pods, their statuses, bindings and waits at one moment, kept up to date by events. Pure: a fleet that is told the events after a
/// snapshot equals one that is made of the next snapshot.
public struct Fleet: Sendable {
    public private(set) var pods: [PodID: Pod]
    public private(set) var snapshot: BindingSnapshot
    public private(set) var runners: [Runner]
    private var graph: WaitForGraph

    public init(pods: [Pod], snapshot: BindingSnapshot, runners: [Runner] = []) {
        self.pods = [:]
        self.snapshot = snapshot
        self.runners = runners
        graph = WaitForGraph()
        for pod in pods where pod.lifecycle.isLive {
            self.pods[pod.pod] = pod
            attach(pod)
        }
        for binding in snapshot.bindings { attach(binding) }
        for wait in snapshot.waits { attach(wait) }
        for question in snapshot.questions { attach(question) }
    }

    // MARK: - Learning

    /// A pod as it is now; one that has ended leaves.
    public mutating func learn(_ pod: Pod) {
        var pod = pod
        guard pod.lifecycle.isLive else {
            pods[pod.pod] = nil
            graph.remove(Self.statusID(pod.pod))
            return
        }
        // What was heard of its status may be newer than what the registry kept.
        if let known = pods[pod.pod]?.status, pod.status.map({ $0.since < known.since }) ?? true { pod.status = known }
        pods[pod.pod] = pod
        attach(pod)
    }

    /// What the detector says; of a pod nobody knows, or older than what is known, it changes nothing.
    /// - Returns: whether it changed something.
    @discardableResult
    public mutating func learn(_ status: PodStatus, of id: PodID) -> Bool {
        guard var pod = pods[id], pod.status.map({ ($0.since, $0.seq) <= (status.since, status.seq) }) ?? true, pod.status != status else { return false }
        pod.status = status
        pods[id] = pod
        attach(pod)
        return true
    }

    public mutating func learn(_ event: BindingEvent) {
        guard event.seq > snapshot.seq else { return }
        snapshot.apply(event)
        attach(event.binding)
    }

    public mutating func learn(_ event: WaitEvent) {
        guard event.seq > snapshot.seq else { return }
        snapshot.apply(event)
        attach(event.wait)
    }

    public mutating func learn(_ event: ChannelEvent) {
        guard event.seq > snapshot.seq else { return }
        snapshot.apply(event)
        if let message = event.message { attach(message) }
    }

    public mutating func learn(_ runners: [Runner]) { self.runners = runners }

    private static func statusID(_ pod: PodID) -> String { "status:" + pod.text }

    private mutating func attach(_ pod: Pod) {
        if let status = pod.status, let claim = Claim(status, of: pod.pod, person: Self.person(of: pod)) {
            graph.set(claim)
        } else {
            graph.remove(Self.statusID(pod.pod))
        }
    }

    private mutating func attach(_ binding: Binding) {
        if let claim = Claim(binding) { graph.set(claim) } else { graph.remove(binding.id) }
    }

    private mutating func attach(_ wait: Wait) {
        if let claim = Claim(wait) { graph.set(claim) } else { graph.remove(wait.id) }
    }

    private mutating func attach(_ message: ChannelMessage) {
        if let claim = Claim(message) { graph.set(claim) } else { graph.remove(message.id) }
    }

    /// Who answers for a pod.
    static func person(of pod: Pod) -> String {
        guard let owner = pod.owner, owner.kind == .person else { return "operator" }
        return owner.id
    }

    // MARK: - Reading

    /// How many a pod's going on would free, with itself; and how many it blocks with itself.
    public mutating func weight(of pod: PodID) -> (frees: Int, blocks: Int) {
        (graph.frees(.pod(pod)) + 1, graph.blocks(.pod(pod)).all + 1)
    }

    /// The whole picture. Every live pod is in it; an edge only when both its ends are.
    public mutating func topology(at: Timestamp) -> Topology {
        var nodes: [Topology.Node] = []
        nodes.reserveCapacity(pods.count)
        for pod in pods.values.sorted(by: { $0.pod < $1.pod }) {
            nodes.append(
                Topology.Node(
                    pod, status: pod.status, blocks: graph.blocks(.pod(pod.pod)), blockedBy: graph.targets(of: .pod(pod.pod)).map(\.description).sorted()
                ))
        }
        var edges: [Topology.Edge] = []
        edges.reserveCapacity(snapshot.bindings.count + graph.claims.count)
        for binding in snapshot.bindings where pods[binding.from] != nil && pods[binding.to] != nil {
            edges.append(
                Topology.Edge(
                    kind: "binding", id: binding.id, from: binding.from.text, to: binding.to.text, state: binding.state, granted: binding.granted,
                    pending: binding.pending, since: binding.since))
        }
        for claim in graph.claims.values.sorted(by: { $0.id < $1.id }) where claim.kind != .binding {
            for target in claim.to.sorted() {
                guard let from = claim.from.pod, pods[from] != nil, target.pod.map({ pods[$0] != nil }) ?? true else { continue }
                edges.append(
                    Topology.Edge(
                        kind: "wait", id: claim.id, from: from.text, to: target.description, why: claim.why, since: claim.since,
                        deadline: claim.deadline))
            }
        }
        // What people wait for blocks nobody, and is drawn all the same.
        for wait in snapshot.waits where wait.waiter.kind != .pod {
            for target in wait.targets where target.seen == nil {
                guard let pod = target.pod, pods[pod] != nil else { continue }
                edges.append(
                    Topology.Edge(
                        kind: "wait", id: wait.id, from: wait.waiter.description, to: pod.text, why: "waits until \(wait.until.rawValue)",
                        since: wait.created, deadline: wait.deadline))
            }
        }
        for pod in pods.values.sorted(by: { $0.pod < $1.pod }) {
            guard let former = pod.resumedFrom, pods[former] != nil else { continue }
            edges.append(Topology.Edge(kind: "resume", id: nil, from: former.text, to: pod.pod.text))
        }
        return Topology(
            at: at, seq: snapshot.seq, nodes: nodes, edges: edges,
            channels: snapshot.channels.map { channel in
                Topology.Room(channel, questions: snapshot.questions.count { $0.channel == channel.id })
            },
            runners: runners.sorted { $0.runner < $1.runner },
            cycles: graph.cycles().map { $0.compactMap(\.pod) },
            roots: graph.roots().map { root in
                switch root.node {
                case .pod(let pod): Topology.Root(pod: pod, frees: root.frees, blocks: root.blocks)
                case .person(let name): Topology.Root(person: name, frees: root.frees, blocks: root.blocks)
                }
            }, standstill: isStandstill)
    }

    /// Nobody works, no status is in doubt, and somebody waits for a pod.
    public var isStandstill: Bool { graph.isStandstill(pods.mapValues(\.status)) }
}
