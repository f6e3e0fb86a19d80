public import Contract

/// What a detector needs after a restart, beyond the screen.
public struct DetectorMemory: Sendable, Equatable, Codable {
    public var status: PodStatus
    /// What the shim said last.
    var process: ProcessReport?
    /// When a process was last seen to use the processor, and which.
    var busySince: Timestamp?
    var busyName: String?
    /// A shim that measures loads says when they end: until then they last.
    var busyLasts: Bool?
    var hook: HookReport?
    var hookTime: Timestamp?
    var hookSeq: UInt64?
    var mark: Int?
    var progress: Int?
    var lastInput: Timestamp?
    var lastInterrupt: Timestamp?
    var lastWorking: Timestamp?
    var lastChange: Timestamp?
    var lastEvidence: Timestamp?
    var lastMatch: Timestamp?
    /// When a row outside the composer, or the title, changed last.
    var lastMove: Timestamp?
    /// The terminal pasted with brackets once: its line editor says when it reads.
    var hasLineEditor = false
    var hasHadPrompt = false
    var hasHadComposer = false
    var dialogSeen: Timestamp?
    /// All words of the question that was told: what is asked and its options, for telling a dialog that is still being painted from another one.
    var askedWords: [String]?
    var assumed = false
    /// The pod's open waits.
    var waits: [Wait]?
    /// The first moment that was told.
    var begin: Timestamp?

    public init(status: PodStatus) { self.status = status }
}
