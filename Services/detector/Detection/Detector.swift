public import Agents
public import Contract
public import Terminal

/// Says what an agent is doing: a function of events and time. No clock, no input and output of its own.
///
/// Not `Sendable`, because a `Terminal` is not: whoever owns one guards it.
public struct Detector {
    private var terminal: Terminal
    private var manifest: AgentManifest?
    public private(set) var status: PodStatus

    public init(manifest: AgentManifest?, fallback: AgentManifest?, columns: Int, rows: Int) {
        self.init(manifest: manifest, fallback: fallback, terminal: Terminal(columns: columns, rows: rows, scrollback: 0), carried: nil)
    }

    /// Goes on from a keyframe; `carried` is what a detector remembered then.
    public init(manifest: AgentManifest?, fallback: AgentManifest?, terminal: Terminal, carried: DetectorMemory?) {
        self.terminal = terminal
        self.manifest = manifest
        status = carried?.status ?? PodStatus(status: "unknown", since: Timestamp(microseconds: 0), seq: 0)
    }

    /// Takes what happened; gives the status if that changed it, or what it waits for.
    public mutating func take(_ signal: Signal, at now: Timestamp, seq: UInt64) -> PodStatus? { nil }

    /// When `tick` is needed next if nothing else comes; nil: never.
    public var wakeAt: Timestamp? { nil }

    /// Every piece of evidence that is held now, the winner first.
    public func explanation(at now: Timestamp) -> StatusExplanation { StatusExplanation(at: now, status: status, agent: manifest?.name) }

    /// The rules changed.
    public mutating func use(_ manifest: AgentManifest?, fallback: AgentManifest?) { self.manifest = manifest }

    /// The engine's complete state: with ``carried``, all that a restart needs.
    public func keyframe() -> [UInt8] { terminal.snapshot() }

    /// The screen's rows, for an alarm.
    public func screenText() -> [String] { terminal.text() }

    /// What a restart needs beyond the screen.
    public var carried: DetectorMemory { DetectorMemory(status: status) }
}

/// What a detector needs after a restart, beyond the screen.
public struct DetectorMemory: Sendable, Equatable, Codable {
    public var status: PodStatus
    public init(status: PodStatus) { self.status = status }
}
