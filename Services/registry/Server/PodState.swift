internal import Contract

/// What changes about a pod, and how. Pure: values and times in, values out.
///
/// Facts arrive by several ways (the runner's answer, control frames, the recorder's event), late, twice and out of
/// order between the ways. Whatever the order, the same facts end in the same state.
struct PodState: Codable, Equatable, Sendable {
    var lifecycle: Lifecycle = .starting
    var reason: String?
    var exit: Exit?
    var pid: Int32?
    var started: Timestamp?
    var exited: Timestamp?
    var ended: Timestamp?
    var columns: Int
    var rows: Int
    var runner: String?
    var agent: String?
    var cwd: String?
    var worktreePath: String?
    /// The agent's own session, for its resume.
    var sessionID: String?
    var resumedBy: PodID?
    /// The newest control frame that is in here.
    var controlSeq: UInt64 = 0
    /// When the recorder said that it has all of a pod; may come before the exit's control frame does.
    var recordComplete: Timestamp?

    enum CodingKeys: String, CodingKey {
        case lifecycle, reason, exit, pid, started, exited, ended, columns, rows, runner, agent, cwd, worktreePath, resumedBy, controlSeq
        case recordComplete
        // "session_id" comes back from JSON as this.
        case sessionID = "sessionId"
    }

    init(columns: Int, rows: Int, runner: String?, agent: String?) {
        self.columns = columns
        self.rows = rows
        self.runner = runner
        self.agent = agent
    }
}

/// Something that is known of a pod since `time`.
enum PodFact: Equatable, Sendable {
    /// The runner answered a start.
    case confirmed(pid: Int32, cwd: String?, agent: String?, worktreePath: String?, sessionID: String?)
    case startFailed(reason: String)
    /// The runner found the shim dead, or does not know the pod any more.
    case lost(reason: String)
    case control(Control, seq: UInt64)
    /// The recorder has sealed the last frame.
    case recordComplete
    case resumed(by: PodID)
}

/// A state with the time from which it holds.
struct PodChange: Equatable, Sendable {
    /// Where it is before the present state's own, the new state takes that one's place.
    var time: Timestamp
    var state: PodState
    /// The last token of the event's subject.
    var what: String
}

extension Timestamp {
    /// Before every time that is known.
    fileprivate static let beginning = Timestamp(microseconds: .min)
}

extension PodState {
    /// The states that follow from a fact, oldest first; none when it says nothing new.
    func learning(_ fact: PodFact, at time: Timestamp) -> [PodChange] {
        var next = self
        switch fact {
        case .confirmed(let pid, let cwd, let agent, let worktreePath, let sessionID):
            next.pid = pid
            next.cwd = cwd ?? next.cwd
            next.agent = agent ?? next.agent
            next.worktreePath = worktreePath ?? next.worktreePath
            next.sessionID = sessionID ?? next.sessionID
            if lifecycle == .starting || isFailedStart { next.run(from: time) }
        case .startFailed(let reason):
            // A control frame is proof of a start; what a slow runner says of it is not.
            guard lifecycle == .starting else { return [] }
            next.lifecycle = .ended
            next.reason = reason
            next.ended = time
        case .lost(let reason):
            guard lifecycle.isLive else { return [] }
            next.lifecycle = .lost
            next.reason = reason
            next.exit = .lost(reason: reason)
            next.exited = time
        case .control(let control, let seq):
            guard seq > controlSeq else {
                guard seq < controlSeq, case .start(let start) = control else { return [] }
                return learningLate(start, at: time)
            }
            next.controlSeq = seq
            next.obey(control, at: time)
            if next.recordComplete != nil && next.exited != nil && next.lifecycle != .ended { return next.ending(after: time, from: self) }
        case .recordComplete:
            guard recordComplete == nil else { return [] }
            next.recordComplete = time
            guard exited != nil else {
                // It came by its own stream before the start or the exit. These hold from earlier times: an interval that began now would cut them off.
                return [PodChange(time: .beginning, state: next, what: "changed")]
            }
            if lifecycle != .ended {
                next.lifecycle = .ended
                next.ended = time
            }
        case .resumed(let pod):
            next.resumedBy = pod
        }
        guard next != self else { return [] }
        return [PodChange(time: time, state: next, what: Self.word(from: self, to: next))]
    }

    /// A start that arrives after later frames, as it can when several registries share the work: only what no later
    /// frame says is taken from it.
    private func learningLate(_ start: Control.Start, at time: Timestamp) -> [PodChange] {
        var next = self
        next.pid = start.pid ?? pid
        next.cwd = cwd ?? start.cwd
        next.agent = agent ?? start.agent
        next.started = time
        guard next != self else { return [] }
        return [PodChange(time: time, state: next, what: "changed")]
    }

    /// A start that failed, as far as anybody knew.
    private var isFailedStart: Bool { lifecycle == .ended && started == nil }

    private mutating func run(from time: Timestamp) {
        lifecycle = .running
        reason = nil
        exit = nil
        exited = nil
        ended = nil
        started = started ?? time
    }

    private mutating func obey(_ control: Control, at time: Timestamp) {
        switch control {
        case .start(let start):
            columns = start.columns
            rows = start.rows
            pid = start.pid ?? pid
            cwd = start.cwd ?? cwd
            agent = start.agent ?? agent
            if exited == nil || lifecycle == .lost { run(from: time) }
            started = time
        case .resize(let columns, let rows, _):
            self.columns = columns
            self.rows = rows
        case .exit(let how):
            // The truth about a pod that had been given up as lost.
            exit = how
            exited = time
            started = started ?? time
            switch how {
            case .code(let code):
                lifecycle = .exited
                reason = code == 0 ? nil : "exit code \(code)"
            case .signal(let number):
                lifecycle = .crashed
                reason = "signal \(number)"
            case .lost(let why):
                lifecycle = .lost
                reason = why
            }
        case .signal, .marker, .gap, .held, .released, .process, .hook, .other: break
        }
    }

    /// The exit, and right behind it the end that was known before.
    private func ending(after time: Timestamp, from old: PodState) -> [PodChange] {
        var last = self
        last.lifecycle = .ended
        last.ended = max(time, recordComplete ?? time)
        return [
            PodChange(time: time, state: self, what: Self.word(from: old, to: self)),
            PodChange(time: last.ended ?? time, state: last, what: "ended"),
        ]
    }

    private static func word(from old: PodState, to new: PodState) -> String {
        if old.lifecycle != new.lifecycle { return new.lifecycle == .running ? "started" : new.lifecycle.rawValue }
        if old.resumedBy != new.resumedBy { return "resumed" }
        if old.columns != new.columns || old.rows != new.rows { return "resized" }
        return "changed"
    }
}
