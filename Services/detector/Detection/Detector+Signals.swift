internal import Agents
internal import Contract

/// What comes beside the screen: keys, processes, hooks.
extension Detector {
    mutating func note(input bytes: [UInt8], _ author: Author?) -> Bool {
        // Answers of the terminal to the program are nobody's keys: reports of the cursor, of colours, of attributes, of focus.
        guard !Self.isReply(bytes) else { return false }
        memory.lastInput = clock
        if bytes == [0x1b] || bytes == [0x03] || bytes == [0x1b, 0x1b] { memory.lastInterrupt = clock }
        return false
    }

    private static func isReply(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 3, bytes[0] == 0x1b else { return false }
        switch bytes[1] {
        case UInt8(ascii: "["): return bytes.last.map { "cnRIOuyt".utf8.contains($0) } ?? false
        case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "_"): return true
        default: return false
        }
    }

    mutating func note(_ report: ProcessReport) -> Bool {
        let old = memory.process
        var busy: String?
        memory.busyLasts = nil
        for process in report.procs ?? [] {
            // The agent's own work is no sign of a tool's: many burn the processor while they wait. A program that reads lines does not.
            if process.pid == report.procs?.first?.pid, rules.kind == .tui || report.icanon == false { continue }
            let before = old?.procs?.first { $0.pid == process.pid }?.cpu
            let isShell = process.pid == (report.shell ?? report.procs?.first?.pid) && kind == .shell
            if isShell { continue }
            if process.load ?? 0 >= 0.05 { busy = process.comm }
            // The least load that a shim counts as busy, and of which it tells the end.
            if process.load ?? 0 >= 0.1 { memory.busyLasts = true }
            if let before, process.cpu - before >= 0.02 { busy = process.comm }
            if process.state == "R" && (before == nil || process.cpu > (before ?? 0)) { busy = process.comm }
        }
        memory.process = report
        dropHook(of: old)
        if let busy {
            memory.busySince = clock
            memory.busyName = busy
        } else if report.procs?.count ?? 0 < 2, rules.kind != .any {
            memory.busySince = nil
        }
        return true
    }

    /// Whether a shell waits for its next command, and nothing that it ran before.
    func isShellAlone(_ report: ProcessReport?) -> Bool {
        guard kind == .shell, let report, let shell = report.shell ?? report.procs?.first?.pid else { return false }
        return report.fg == shell
    }

    /// What a program reported ends with it. What comes shortly before another is seen may be the other's already.
    private mutating func dropHook(of old: ProcessReport?) {
        guard let time = memory.hookTime, old != nil, isShellAlone(old) != isShellAlone(memory.process) else { return }
        if isShellAlone(memory.process) || clock > time + Self.startTime { memory.hook = nil }
    }

    /// A program that just began is seen within this time.
    private static let startTime: Duration = .seconds(2)

    mutating func note(_ report: HookReport) -> Bool {
        if let seq = report.seq, let known = memory.hookSeq, seq <= known { return false }
        if let seq = report.seq { memory.hookSeq = seq }
        // What a subagent does is the main one's business.
        guard report.subagentId == nil else { return false }
        guard let meaning = meaning(of: report), meaning.verdict != nil else { return false }
        memory.hook = report
        memory.hookTime = clock
        memory.dialogSeen = nil
        return true
    }

    func meaning(of report: HookReport) -> AgentRules.HookMeaning? {
        if let detail = report.detail, let meaning = rules.hooks["\(report.event):\(detail)"] { return meaning }
        if let tool = report.toolName, let meaning = rules.hooks["\(report.event)@\(tool)"] { return meaning }
        if let meaning = rules.hooks[report.event] { return meaning }
        switch report.state {
        case "working", "executing": return .init(verdict: .executing, reason: "thinking")
        case "blocked", "waiting": return .init(verdict: .waiting, reason: "approval")
        case "idle", "done": return .init(verdict: .idle, reason: "turn_done")
        default: return nil
        }
    }
}
