/// Who is bound to whom and who waits on whom, at one moment (contract, section 7).
public struct Topology: Sendable, Codable, Equatable {
    public struct Node: Sendable, Codable, Hashable {
        public var pod: PodID
        public var name: String
        public var runner: String?
        public var agent: String?
        public var lifecycle: Lifecycle
        public var status: String
        public var reason: String?
        public var since: Timestamp?
        public var resumedFrom: PodID?
        /// How many cannot go on because of it, in all; and how many of these wait on it themselves.
        public var blocks: Int
        public var blocksDirectly: Int
        /// On whom it waits itself: pods by id, people as `person:name`.
        public var blockedBy: [String]
    }

    /// A binding, a wait of one on another, or a resume.
    public struct Edge: Sendable, Codable, Hashable {
        /// `binding`, `wait`, `resume`.
        public var kind: String
        /// The record's id; of what a screen asks a person `status:<pod>`; none of a resume.
        public var id: String?
        /// A pod's id.
        public var from: String
        /// A pod's id, or `person:name`.
        public var to: String
        public var state: Binding.State?
        public var granted: [Scope]?
        public var pending: [Scope]?
        public var why: String?
        public var since: Timestamp?
        public var deadline: Timestamp?

        public init(
            kind: String, id: String?, from: String, to: String, state: Binding.State? = nil, granted: [Scope]? = nil, pending: [Scope]? = nil,
            why: String? = nil, since: Timestamp? = nil, deadline: Timestamp? = nil
        ) {
            self.kind = kind
            self.id = id
            self.from = from
            self.to = to
            self.state = state
            self.granted = granted
            self.pending = pending
            self.why = why
            self.since = since
            self.deadline = deadline
        }
    }

    /// Somebody who waits for nobody, and on whom others wait.
    public struct Root: Sendable, Codable, Equatable {
        public var pod: PodID?
        public var person: String?
        /// How many can go on when this one answers or ends.
        public var frees: Int
        public var blocks: Int

        public init(pod: PodID? = nil, person: String? = nil, frees: Int, blocks: Int) {
            self.pod = pod
            self.person = person
            self.frees = frees
            self.blocks = blocks
        }
    }

    /// A room and who is in it.
    public struct Room: Sendable, Codable, Equatable {
        public var id: String
        public var name: String
        /// Pods by id, people as `person:name`.
        public var members: [String]
        /// Questions in it that nobody has answered.
        public var questions: Int

        public init(_ channel: Channel, questions: Int) {
            id = channel.id
            name = channel.name
            members = channel.members.map { $0.who.kind == .pod ? $0.who.id : $0.who.description }
            self.questions = questions
        }
    }

    public var at: Timestamp
    /// The last change of a binding or wait that is in it.
    public var seq: UInt64
    public var nodes: [Node]
    public var edges: [Edge]
    public var channels: [Room]
    public var runners: [Runner]
    public var cycles: [[PodID]]
    public var roots: [Root]
    /// Every agent rests although somebody waits: nobody will free anybody.
    public var standstill: Bool

    public init(
        at: Timestamp, seq: UInt64, nodes: [Node], edges: [Edge], channels: [Room] = [], runners: [Runner], cycles: [[PodID]], roots: [Root],
        standstill: Bool
    ) {
        self.at = at
        self.seq = seq
        self.nodes = nodes
        self.edges = edges
        self.channels = channels
        self.runners = runners
        self.cycles = cycles
        self.roots = roots
        self.standstill = standstill
    }
}

extension Topology.Node {
    public init(_ pod: Pod, status: PodStatus?, blocks: (direct: Int, all: Int), blockedBy: [String]) {
        self.pod = pod.pod
        name = pod.name
        runner = pod.runner
        agent = pod.agent
        lifecycle = pod.lifecycle
        self.status = status?.status ?? "unknown"
        reason = status?.reason
        since = status?.since
        resumedFrom = pod.resumedFrom
        self.blocks = blocks.all
        blocksDirectly = blocks.direct
        self.blockedBy = blockedBy
    }
}
