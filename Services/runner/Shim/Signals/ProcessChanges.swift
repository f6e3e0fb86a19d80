internal import CPty
internal import Contract

/// What was told of the terminal and the processes, and what is worth telling. A value.
struct ProcessChanges {
    /// A process counts as busy above this share of a core, and as quiet again below the other.
    static let busyAbove = 0.10
    static let quietBelow = 0.04
    /// The kernel counts hundredths of a second: over less time than this a load says nothing.
    static let shortestLoad = Duration.milliseconds(250)

    struct Modes: Equatable {
        var icanon: Bool
        var echo: Bool
        var isig: Bool

        /// Nil where the terminal says nothing any more.
        init?(bits: Int32) {
            guard bits >= 0 else { return nil }
            icanon = bits & CPTY_ICANON != 0
            echo = bits & CPTY_ECHO != 0
            isig = bits & CPTY_ISIG != 0
        }
    }

    private struct Mark: Equatable {
        var pid: Int32
        var start: UInt64
        var group: Int32
        var name: String
        var isStopped: Bool
    }

    private struct Load {
        var start: UInt64
        var cpu: Double
        var time: ContinuousClock.Instant
        var share: Double?
        var isBusy = false
    }

    private var modes: Modes?
    private var foreground: Int32 = -1
    private var entries: [ProcessTable.Entry] = []
    private var hasMore = false
    private var loads: [Int32: Load] = [:]

    private var toldModes: Modes?
    private var toldForeground: Int32 = -1
    private var toldMarks: [Mark] = []
    private var toldBusy: Set<Int32> = []
    private var hasTold = false

    /// Programs that start many short processes are told of ever more seldom.
    private var lastCrowd: ContinuousClock.Instant?
    private var crowdGap = Duration.milliseconds(100)
    /// When what was held back may be told.
    private(set) var retry: ContinuousClock.Instant?

    /// Takes the modes; true if they or the foreground group are new.
    mutating func take(modes: Modes?, foreground: Int32) -> Bool {
        self.modes = modes
        self.foreground = foreground
        return !hasTold || modes != toldModes || foreground != toldForeground
    }

    mutating func take(_ entries: [ProcessTable.Entry], more: Bool, at now: ContinuousClock.Instant) {
        self.entries = entries
        hasMore = more
        var next: [Int32: Load] = [:]
        for entry in entries {
            guard var load = loads[entry.pid], load.start == entry.start else {
                next[entry.pid] = Load(start: entry.start, cpu: entry.cpu, time: now)
                continue
            }
            let passed = now - load.time
            if passed >= Self.shortestLoad {
                let share = max(0, entry.cpu - load.cpu) / (Double(passed.components.seconds) + Double(passed.components.attoseconds) / 1e18)
                load.share = (share * 100).rounded() / 100
                load.isBusy = load.isBusy ? share > Self.quietBelow : share >= Self.busyAbove
                load.cpu = entry.cpu
                load.time = now
            }
            next[entry.pid] = load
        }
        loads = next
    }

    var isBusy: Bool { loads.values.contains { $0.isBusy } }
    /// Whether something may change without a byte on the terminal: children, or a program that reads lines or computes.
    var othersSleep: Bool { entries.count > 1 || modes?.icanon == true }

    /// What to tell, if anything is new.
    mutating func report(root: Int32, at now: ContinuousClock.Instant) -> ProcessReport? {
        retry = nil
        let marks = entries.map {
            Mark(pid: $0.pid, start: $0.start, group: $0.group, name: $0.name, isStopped: $0.state == "T")
        }
        let busy = Set(loads.filter(\.value.isBusy).keys)
        let isUrgent =
            !hasTold || modes != toldModes || foreground != toldForeground || busy != toldBusy.intersection(marks.map(\.pid))
        if !isUrgent {
            guard marks != toldMarks else { return nil }
            if let lastCrowd, now < lastCrowd + crowdGap {
                retry = lastCrowd + crowdGap
                return nil
            }
            crowdGap = lastCrowd.map { now - $0 < .seconds(3) } ?? false ? min(crowdGap * 2, .seconds(2)) : .milliseconds(100)
            lastCrowd = now
        }
        hasTold = true
        toldModes = modes
        toldForeground = foreground
        toldMarks = marks
        toldBusy = busy
        return ProcessReport(
            icanon: modes?.icanon, echo: modes?.echo, isig: modes?.isig, fg: foreground > 0 ? foreground : nil, shell: root,
            procs: entries.map { entry in
                ProcessReport.Process(
                    pid: entry.pid, ppid: entry.parent, comm: entry.name, state: String(entry.state), pgrp: entry.group,
                    cpu: (entry.cpu * 100).rounded() / 100, load: loads[entry.pid]?.share, age: (entry.age * 10).rounded() / 10)
            },
            more: hasMore ? true : nil)
    }
}
