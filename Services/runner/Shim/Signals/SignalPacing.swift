/// When to look at the terminal's modes and at the pod's processes. A value: time comes in, decisions come out.
///
/// Nothing wakes anybody when a program changes its terminal's modes or starts a child. So looks follow the bytes, which come with
/// nearly every such change, and then come ever more seldom: an idle pod is not looked at at all.
struct SignalPacing {
    enum Look { case nothing, modes, processes }

    /// Least time between two looks.
    static let shortest = Duration.milliseconds(20)
    /// A program that asks for a password may say so before it sets the modes.
    static let afterQuiet = Duration.milliseconds(15)
    static let afterActivity = Duration.milliseconds(40)
    /// Least time between two looks at the processes, which cost more.
    static let shortestProcesses = Duration.milliseconds(50)
    /// Looks while something uses the processor.
    static let whileBusy = Duration.seconds(1)
    /// Looks while something sleeps that may wake without a word.
    static let whileOthersSleep = Duration.seconds(16)
    /// Nothing is looked at any more after a pause of this length.
    static let last = Duration.seconds(4)

    private(set) var deadline: ContinuousClock.Instant?
    private var step = Self.afterQuiet
    private var lastActivity: ContinuousClock.Instant?
    private var lastLook: ContinuousClock.Instant?
    private var lastProcesses: ContinuousClock.Instant?
    private var processesGap = Self.shortestProcesses

    init(_ now: ContinuousClock.Instant) { deadline = now }

    /// Bytes went through the terminal.
    mutating func activity(_ now: ContinuousClock.Instant) {
        let wasQuiet = lastActivity.map { now - $0 > .milliseconds(200) } ?? true
        lastActivity = now
        step = wasQuiet ? Self.afterQuiet : Self.afterActivity
        if wasQuiet { processesGap = Self.shortestProcesses }
        deadline = max(now, lastLook.map { $0 + Self.shortest } ?? now)
    }

    /// What to look at now.
    func due(_ now: ContinuousClock.Instant) -> Look {
        guard let deadline, now >= deadline else { return .nothing }
        return lastProcesses.map { now - $0 >= processesGap } ?? true ? .processes : .modes
    }

    /// Whether a change of modes allows to look at the processes as well.
    func allowsProcesses(_ now: ContinuousClock.Instant) -> Bool {
        lastProcesses.map { now - $0 >= Self.shortestProcesses } ?? true
    }

    /// A look was taken.
    /// - Parameters:
    ///   - changed: something was new. `sawProcesses`: the processes were looked at.
    ///   - retry: when what was seen and held back may be told.
    mutating func looked(
        _ now: ContinuousClock.Instant, sawProcesses: Bool, changed: Bool, isBusy: Bool, othersSleep: Bool, retry: ContinuousClock.Instant?
    ) {
        lastLook = now
        if changed {
            step = Self.afterQuiet
            processesGap = Self.shortestProcesses
        }
        if sawProcesses {
            lastProcesses = now
            processesGap = changed ? Self.shortestProcesses : min(processesGap * 2, Self.whileBusy)
        }
        let next: Duration?
        if isBusy {
            next = min(step, Self.whileBusy)
        } else if othersSleep {
            next = min(step, Self.whileOthersSleep)
        } else {
            next = step <= Self.last ? step : nil
        }
        step = min(step * 2, .seconds(60))
        deadline = next.map { now + $0 }
        if let retry { deadline = deadline.map { min($0, retry) } ?? retry }
    }

    /// The program has ended.
    mutating func stop() { deadline = nil }
}
