internal import CPty
internal import Contract

/// What the shim sees beside the bytes, for the detector: the terminal's modes and the pod's processes, told when they change.
struct PodSignals {
    var pacing: SignalPacing
    private var table: ProcessTable
    private var changes = ProcessChanges()
    private var version: AgentVersion?

    init(root: Int32, agent: String?, _ now: ContinuousClock.Instant) {
        pacing = SignalPacing(now)
        table = ProcessTable(root: root)
        version = agent == nil ? nil : AgentVersion()
    }

    /// Looks where it is time; what there is to tell.
    mutating func look(master: Int32, _ now: ContinuousClock.Instant) -> ProcessReport? {
        let due = pacing.due(now)
        guard due != .nothing else { return nil }
        let foreground = cpty_foreground(master)
        let modesChanged = changes.take(modes: .init(bits: cpty_modes(master)), foreground: foreground)
        let looksAtProcesses = due == .processes || (modesChanged && pacing.allowsProcesses(now))
        if looksAtProcesses {
            let (entries, more) = table.look(foreground: foreground)
            changes.take(entries, more: more, at: now)
        }
        var report = changes.report(root: table.root, at: now)
        if report != nil, let found = version?.look(root: table.root) {
            report?.agentVersion = found
            version = nil
        }
        pacing.looked(
            now, sawProcesses: looksAtProcesses, changed: report != nil, isBusy: changes.isBusy, othersSleep: changes.othersSleep,
            retry: changes.retry)
        return report
    }
}

extension Shim {
    /// Looks at terminal and processes where it is time, and puts what changed into the log.
    func lookAtSignals(_ now: ContinuousClock.Instant) {
        guard !hasExited else { return signals.pacing.stop() }
        guard let report = signals.look(master: pty.master, now) else { return }
        // What was on the screen before belongs before.
        emitOutput(now)
        emit(.process(report))
    }

    /// Puts what an agent reported into the log.
    func take(_ hook: HookReport) {
        guard !hasExited else { return }
        emitOutput(.now)
        emit(.hook(hook))
    }
}
