/// What an agent is doing, as the detector says it on `status.<pod>`.
public struct PodStatus: Sendable, Equatable, Codable {
    /// `executing`, `waiting`, `idle` or `unknown`.
    public var status: String
    /// Why; the words stand in docs/contract.md, section 1.
    public var reason: String?
    /// When this status and reason began.
    public var since: Timestamp
    /// The newest frame that was known when it was said.
    public var seq: UInt64
    /// What it rests on, one line for a person.
    public var evidence: String?
    /// How sure it is, from 0 to 1.
    public var confidence: Double?
    /// What a person is asked, while `waiting`.
    public var question: String?
    /// What stands above the question in its dialog, as the command that is to be allowed; its lines with ` · ` between them.
    public var about: String?
    /// The answers that the agent offers, as it words them.
    public var options: [String]?
    /// 16 hexadecimal digits of the dialog's text without its selection mark and timers: the same dialog has the same.
    public var fingerprint: String?
    /// How many tasks run in the background.
    public var background: Int?
    /// What is being tried again, or until when a quota lasts, as the agent words it.
    public var retry: String?
    /// The agent whose rules were used.
    public var agent: String?
    /// True when the agent is known and yet none of its rules has matched for long.
    public var drift: Bool?
    /// True while work shows and yet nothing on the screen moves and nothing of the pod uses the processor.
    public var stalled: Bool?
    /// With reason `agent`: the pods that it waits for, and what its own screen says meanwhile.
    public var waitsFor: [PodID]?
    public var beneath: String?
    public var beneathReason: String?

    public init(
        status: String, reason: String? = nil, since: Timestamp, seq: UInt64, evidence: String? = nil, confidence: Double? = nil,
        question: String? = nil, options: [String]? = nil, fingerprint: String? = nil, background: Int? = nil, retry: String? = nil,
        agent: String? = nil, drift: Bool? = nil
    ) {
        self.status = status
        self.reason = reason
        self.since = since
        self.seq = seq
        self.evidence = evidence
        self.confidence = confidence
        self.question = question
        self.options = options
        self.fingerprint = fingerprint
        self.background = background
        self.retry = retry
        self.agent = agent
        self.drift = drift
    }

    /// The status without what records say: what stands in the way of a prompt is on the screen.
    public var onScreen: PodStatus {
        guard reason == Self.agentReason else { return self }
        var status = self
        status.status = beneath ?? "unknown"
        status.reason = beneathReason
        return status
    }

    /// The reason of a pod that waits for another one. It comes from wait records, never from the screen.
    public static let agentReason = "agent"
}

/// What a pod's shim sees of its terminal and processes; a `ctl` frame `process` whenever something of it changed.
/// A field that is missing could not be seen.
public struct ProcessReport: Sendable, Equatable, Codable {
    /// The terminal collects lines (termios ICANON).
    public var icanon: Bool?
    /// The terminal echoes what is typed (ECHO): false with `icanon` is a password prompt.
    public var echo: Bool?
    /// Ctrl-C makes a signal (ISIG): true without `icanon` is a shell's line editor, false a full-screen program.
    public var isig: Bool?
    /// The terminal's foreground process group.
    public var fg: Int32?
    /// The pod's own program, leader of the terminal's session.
    public var shell: Int32?
    /// The pod's processes, the program first.
    public var procs: [Process]?
    /// There were more processes than are reported.
    public var more: Bool?
    /// The agent's version, once.
    public var agentVersion: String?

    /// One process of a pod.
    public struct Process: Sendable, Equatable, Codable {
        public var pid: Int32
        public var ppid: Int32?
        public var comm: String
        /// The kernel's letter: R running, S sleeping, D in an uninterruptible wait, T stopped, Z dead.
        public var state: String
        public var pgrp: Int32
        /// Processor seconds used so far, user and system.
        public var cpu: Double
        /// Whether it used the processor since the report before: the share of one core, 0 to the number of cores.
        public var load: Double?
        /// Seconds since it started.
        public var age: Double?

        public init(
            pid: Int32, ppid: Int32? = nil, comm: String, state: String, pgrp: Int32, cpu: Double, load: Double? = nil, age: Double? = nil
        ) {
            self.pid = pid
            self.ppid = ppid
            self.comm = comm
            self.state = state
            self.pgrp = pgrp
            self.cpu = cpu
            self.load = load
            self.age = age
        }
    }

    public init(
        icanon: Bool? = nil, echo: Bool? = nil, isig: Bool? = nil, fg: Int32? = nil, shell: Int32? = nil, procs: [Process]? = nil,
        more: Bool? = nil, agentVersion: String? = nil
    ) {
        self.icanon = icanon
        self.echo = echo
        self.isig = isig
        self.fg = fg
        self.shell = shell
        self.procs = procs
        self.more = more
        self.agentVersion = agentVersion
    }
}

/// What an agent says about itself through its lifecycle hooks; a `ctl` frame `hook`.
///
/// Decodes our own form, an agent's own JSON (`hook_event_name`, `type`) and herdr's `report-agent` shape (`state`, `source`, `seq`,
/// `session_id`). Whatever else the agent says stays out of the record.
public struct HookReport: Sendable, Equatable, Codable {
    /// The agent's manifest name, or what the reporter calls itself.
    public var agent: String?
    /// The agent's own name of the event: `PermissionRequest`, `Stop`, `agent-turn-complete`, …; `report` where only a state is given.
    public var event: String
    /// `working`, `blocked` or `idle` (herdr's words; ours are taken as well).
    public var state: String?
    /// Who reports, where several may.
    public var source: String?
    /// The reporter's own counter: an older one than was seen is ignored.
    public var seq: UInt64?
    public var sessionId: String?
    /// The thread or subagent it is about, if it is not the session's main one.
    public var subagentId: String?
    public var toolName: String?
    /// A few words of the event's: a notification's kind or message, an error's, a reason.
    public var detail: String?
    /// When the event was, as the shim's clock had it.
    public var time: Timestamp?

    public init(
        agent: String? = nil, event: String, state: String? = nil, source: String? = nil, seq: UInt64? = nil, sessionId: String? = nil,
        subagentId: String? = nil, toolName: String? = nil, detail: String? = nil, time: Timestamp? = nil
    ) {
        self.agent = agent
        self.event = event
        self.state = state
        self.source = source
        self.seq = seq
        self.sessionId = sessionId
        self.subagentId = subagentId
        self.toolName = toolName
        self.detail = detail
        self.time = time
    }

    /// Longest text that a field may have; more is cut.
    public static let longestText = 512

    enum CodingKeys: String, CodingKey {
        case agent, event, state, source, seq, sessionId, subagentId, toolName, detail, time
    }

    /// The names that agents give to the same things (after snake case is undone).
    private struct OtherKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: OtherKey.self)
        func text(_ names: String...) -> String? {
            for name in names {
                // A field of another kind than text says nothing to us; it is not an error of ours.
                guard let value = try? c.decodeIfPresent(String.self, forKey: OtherKey(name)), !value.isEmpty else { continue }
                return value.utf8.count <= Self.longestText ? value : Self.cut(value)
            }
            return nil
        }
        agent = text("agent")
        state = text("state", "status")
        guard let event = text("event", "hookEventName", "hookEvent", "type") ?? (state == nil ? nil : "report") else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "a hook report needs \"event\" (or the agent's own \"hook_event_name\" or \"type\") or \"state\""))
        }
        self.event = event
        source = text("source")
        seq = try? c.decodeIfPresent(UInt64.self, forKey: OtherKey("seq"))
        sessionId = text("sessionId", "sessionID", "agentSessionId", "threadId", "thread-id")
        subagentId = text("subagentId", "agentId")
        toolName = text("toolName")
        detail = text("detail", "notificationType", "errorType", "error", "reason", "message")
        time = try? c.decodeIfPresent(Timestamp.self, forKey: OtherKey("time"))
    }

    private static func cut(_ text: String) -> String {
        var bytes = Array(text.utf8.prefix(longestText))
        while let last = bytes.last, last & 0xc0 == 0x80 { bytes.removeLast() }
        if let last = bytes.last, last >= 0xc0 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Why a pod's status is what it is: the answer of `detector.<shard>.explain`.
public struct StatusExplanation: Sendable, Equatable, Codable {
    public var pod: PodID?
    /// The moment that is explained.
    public var at: Timestamp
    public var status: PodStatus
    /// The agent's manifest: its name, and where it comes from.
    public var agent: String?
    public var manifestVersion: String?
    public var manifestSource: String?
    /// Every piece of evidence that was held, the winner first.
    public var evidence: [Evidence]
    /// The screen as it was taken apart.
    public var regions: [Region]
    /// What else a person should know: drift, a hold, a missing channel.
    public var notes: [String]
    /// What changed before, newest last, where it was asked for the past.
    public var history: [PodStatus]?

    /// One piece of evidence.
    public struct Evidence: Sendable, Equatable, Codable {
        public var status: String
        public var reason: String?
        /// The channel: `screen`, `title`, `progress`, `hook`, `prompt_marks`, `termios`, `process`, `input`, `exit`, `silence`, …
        public var source: String
        /// The rule of the manifest that matched.
        public var rule: String?
        /// The region that it matched in.
        public var region: String?
        /// The text that matched, or what was seen.
        public var text: String?
        /// When it was first and last seen.
        public var since: Timestamp
        public var seen: Timestamp?
        /// When it stops counting by itself.
        public var until: Timestamp?
        /// The place in the order of authority; higher wins.
        public var rank: Int
        /// `won`, `agrees`, `outvoted`, `expired` or `held`.
        public var outcome: String

        public init(
            status: String, reason: String? = nil, source: String, rule: String? = nil, region: String? = nil, text: String? = nil,
            since: Timestamp, seen: Timestamp? = nil, until: Timestamp? = nil, rank: Int, outcome: String
        ) {
            self.status = status
            self.reason = reason
            self.source = source
            self.rule = rule
            self.region = region
            self.text = text
            self.since = since
            self.seen = seen
            self.until = until
            self.rank = rank
            self.outcome = outcome
        }
    }

    /// A part of the screen.
    public struct Region: Sendable, Equatable, Codable {
        /// `transcript`, `live`, `dialog`, `composer`, `footer`, …
        public var name: String
        /// First and last row, from 0.
        public var first: Int
        public var last: Int
        /// Its rows, trimmed.
        public var text: [String]

        public init(name: String, first: Int, last: Int, text: [String]) {
            self.name = name
            self.first = first
            self.last = last
            self.text = text
        }
    }

    public init(
        pod: PodID? = nil, at: Timestamp, status: PodStatus, agent: String? = nil, manifestVersion: String? = nil, manifestSource: String? = nil,
        evidence: [Evidence] = [], regions: [Region] = [], notes: [String] = [], history: [PodStatus]? = nil
    ) {
        self.pod = pod
        self.at = at
        self.status = status
        self.agent = agent
        self.manifestVersion = manifestVersion
        self.manifestSource = manifestSource
        self.evidence = evidence
        self.regions = regions
        self.notes = notes
        self.history = history
    }
}

/// Asks `detector.<shard>.explain`.
public struct ExplainStatus: Sendable, Equatable, Codable {
    public var pod: PodID
    /// A moment in the past; now where missing.
    public var at: Timestamp?

    public init(pod: PodID, at: Timestamp? = nil) {
        self.pod = pod
        self.at = at
    }
}

/// An agent that the detector knows: a part of the answer of `detector.agents`.
public struct KnownAgent: Sendable, Equatable, Codable {
    public var name: String
    public var title: String
    public var aliases: [String]
    /// The manifest's own version.
    public var version: String?
    /// The agent's versions that the rules were made for, as the manifest words it.
    public var agentVersions: String?
    /// The manifest's file, and whether it is `shipped` or `local`.
    public var source: String
    public var origin: String?
    public var rules: Int
    /// Whether the agent reports through hooks.
    public var hasHooks: Bool
    /// What is wrong with its newest file, which is not used then.
    public var problem: String?

    public init(
        name: String, title: String, aliases: [String] = [], version: String? = nil, agentVersions: String? = nil, source: String,
        origin: String? = nil, rules: Int = 0, hasHooks: Bool = false, problem: String? = nil
    ) {
        self.name = name
        self.title = title
        self.aliases = aliases
        self.version = version
        self.agentVersions = agentVersions
        self.source = source
        self.origin = origin
        self.rules = rules
        self.hasHooks = hasHooks
        self.problem = problem
    }
}

/// The answer of `detector.agents`.
public struct KnownAgents: Sendable, Equatable, Codable {
    public var agents: [KnownAgent]
    /// Files that could not be used, each with its line and reason.
    public var problems: [String]

    public init(agents: [KnownAgent], problems: [String] = []) {
        self.agents = agents
        self.problems = problems
    }
}
