public import Agents
public import Contract
internal import Pattern
public import Terminal

/// Says what an agent is doing: a function of events and time. No clock, no input and output of its own.
///
/// The screen is taken apart (`ScreenReader`), every channel gives pieces of evidence (`Detector+Evidence`), the highest rank wins
/// (`Rank`), and a change counts once it has lasted as long as its kind must (`Detector+Decision`).
/// Not `Sendable`, because a `Terminal` is not: whoever owns one guards it.
public struct Detector {
    var terminal: Terminal
    var manifest: AgentManifest?
    var rules: AgentRules
    var prompts: Set<UInt32>
    var spinners: Set<UInt32>
    var memory: DetectorMemory
    /// The newest moment that was told.
    var clock: Timestamp

    // The screen.
    var rows: [ScreenRow] = []
    var reading = Reading()
    var generation: UInt64 = 0
    /// The rows came as text and not from the terminal.
    var isTextScreen = false
    var isUnread = false
    var lastRead: Timestamp?
    /// Since when a synchronized update hides what changed.
    var updateSince: Timestamp?
    var wasResized = false
    var title = ""
    var titleMatches = PatternMatches()
    var regionCache: [AgentRules.Region: RegionMatches] = [:]
    /// A person opened what looks like a question: the status before stays.
    var isOverlay = false

    /// The row of a question as it is, with what a person is typing behind it.
    var draft: (row: Int, whole: ScreenRow)?

    // The decision.
    var pieces: [Piece] = []
    var candidate: Candidate?
    var nextLook: Timestamp?
    var isHeld = false
    var isStalled = false
    /// A question that is not the one that was told, and since when it stands.
    var questionSince: (fingerprint: String?, since: Timestamp)?
    /// The screen was read since the last decision.
    var didRead = false
    var cursorRow = -1
    var cursorColumn = -1

    /// A change that has not lasted long enough yet.
    struct Candidate {
        var status: Status
        var since: Timestamp
    }

    struct RegionMatches {
        var rows: ClosedRange<Int>
        var generations: UInt64
        var found: PatternMatches
    }

    /// - Parameters:
    ///   - manifest: the agent's, as a catalog gives it; nil for a program that nobody described.
    ///   - fallback: the rules of such programs.
    public init(manifest: AgentManifest?, fallback: AgentManifest?, columns: Int, rows: Int) {
        self.init(manifest: manifest, fallback: fallback, terminal: Terminal(columns: columns, rows: rows, scrollback: 0), carried: nil)
        // There is nothing to look at before something happens.
        isUnread = false
        nextLook = nil
    }

    /// Goes on from a keyframe; `carried` is what a detector remembered then.
    public init(manifest: AgentManifest?, fallback: AgentManifest?, terminal: Terminal, carried: DetectorMemory?) {
        self.terminal = terminal
        memory = carried ?? DetectorMemory(status: PodStatus(status: Status.unknown.rawValue, since: Timestamp(microseconds: 0), seq: 0))
        clock = carried?.status.since ?? Timestamp(microseconds: 0)
        rules = AgentRules()
        prompts = []
        spinners = []
        use(manifest, fallback: fallback)
        isUnread = carried != nil || terminal.screenVersion > 0
    }

    public var status: PodStatus { memory.status }

    /// The engine's complete state: with ``carried``, all that a restart needs.
    public func keyframe() -> [UInt8] { terminal.snapshot() }

    /// The screen's rows, for an alarm.
    public func screenText() -> [String] { terminal.text() }

    /// The screen as a keyframe, for a restart.
    public func snapshot() -> [UInt8] { terminal.snapshot() }

    /// What a restart needs beyond the screen.
    public var carried: DetectorMemory { memory }

    /// The rules changed.
    public mutating func use(_ manifest: AgentManifest?, fallback: AgentManifest?) {
        self.manifest = manifest
        rules = (manifest ?? fallback)?.rules ?? AgentRules()
        prompts = Set((rules.prompts + Glyphs.prompts.map { String($0) }).compactMap { $0.unicodeScalars.first?.value })
        spinners = Set(rules.spinners.flatMap { $0.unicodeScalars.map(\.value) })
        rows = []
        draft = nil
        regionCache = [:]
        titleMatches = rules.patterns.matches(title)
        isUnread = true
        nextLook = clock
    }

    /// The kind of program, by its manifest or, where that does not say, by its name.
    var kind: AgentRules.Kind {
        guard rules.kind == .any, let shell = memory.process?.procs?.first?.comm else { return rules.kind }
        return Self.shells.contains(shell) ? .shell : .any
    }

    private static let shells: Set = ["bash", "zsh", "fish", "sh", "dash", "-bash", "-zsh", "ksh", "nu", "xonsh"]

    /// Takes what happened. Gives the status when that changed it, or what is waited for, or how much runs in the background.
    public mutating func take(_ signal: Signal, at now: Timestamp, seq: UInt64) -> PodStatus? {
        clock = max(clock, now)
        if memory.begin == nil { memory.begin = clock }
        var mustLook = false
        switch signal {
        case .output(let bytes): mustLook = feed(bytes)
        case .input(let bytes, let author): mustLook = note(input: bytes, author)
        case .resize(let columns, let rows):
            terminal.resize(columns: columns, rows: rows)
            wasResized = true
            isUnread = true
        case .process(let report): mustLook = note(report)
        case .hook(let report): mustLook = note(report)
        case .exit(let exit): return end(exit, seq)
        case .waits(let waits):
            let waits = waits.filter(\.isOpen)
            mustLook = waits != memory.waits ?? []
            memory.waits = waits.isEmpty ? nil : waits
        case .screen(let text):
            replaceScreen(text)
            mustLook = true
        case .assume(let status):
            memory.status = PodStatus(status: status.rawValue, since: clock, seq: seq, evidence: "assumed", agent: manifest?.name)
            memory.assumed = true
            return nil
        case .tick: break
        }
        if isUnread || updateSince != nil { read(now: mustLook) }
        guard mustLook || didRead || nextLook.map({ $0 <= clock }) ?? false else { return nil }
        didRead = false
        return decide(seq)
    }

    /// When `tick` is needed next if nothing else comes; nil: never.
    public var wakeAt: Timestamp? {
        var times: [Timestamp] = []
        // While an update is open there is nothing to read before its end.
        if let updateSince {
            times.append(updateSince + Self.longestUpdate)
        } else if isUnread {
            times.append(lastRead.map { $0 + Self.readInterval } ?? clock)
        }
        if let nextLook { times.append(nextLook) }
        return times.min()
    }

    /// The screen is read at most this often.
    static let readInterval: Duration = .milliseconds(30)
    /// A synchronized update that is not ended is read after this time.
    static let longestUpdate: Duration = .milliseconds(150)

    private mutating func end(_ exit: Exit, _ seq: UInt64) -> PodStatus? {
        let words =
            switch exit {
            case .code(let code): "exited with code \(code)"
            case .signal(let signal): "killed by signal \(signal)"
            case .lost(let reason): "lost: \(reason)"
            }
        pieces = []
        candidate = nil
        nextLook = nil
        isUnread = false
        updateSince = nil
        let status = PodStatus(
            status: Status.unknown.rawValue, since: clock, seq: seq, evidence: words, confidence: 1, agent: manifest?.name)
        guard memory.status.status != status.status || memory.status.evidence != words else { return nil }
        memory.status = status
        return status
    }
}
