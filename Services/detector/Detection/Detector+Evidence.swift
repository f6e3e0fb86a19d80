internal import Agents
internal import Contract
internal import Terminal

/// What every channel says now.
extension Detector {
    mutating func gather() -> [Piece] {
        var pieces: [Piece] = []
        isHeld = isOverlay
        addTitle(&pieces)
        addScreen(&pieces)
        if !isHeld, let dialog = reading.dialog { addDialog(dialog, &pieces) }
        if !isHeld, let hint = reading.hint {
            pieces.append(
                Piece(
                    status: .waiting, reason: "approval", source: .screen, rule: "keys that answer", region: "last",
                    text: hint.map { rows[$0].contentText }.joined(separator: " "), rank: Rank.looseDialog, patience: isTextScreen ? .zero : .milliseconds(30)))
        }
        addPrompt(&pieces)
        addLines(&pieces)
        addMarks(&pieces)
        addHook(&pieces)
        addModal(&pieces)
        return pieces
    }

    // MARK: - Title and progress

    private func addTitle(_ pieces: inout [Piece]) {
        guard !title.isEmpty else { return }
        var isKnown = false
        if let index = rules.rules.firstIndex(where: { $0.region == .title && $0.accepts(titleMatches) }) {
            let rule = rules.rules[index]
            isKnown = true
            switch rule.verdict {
            case .executing:
                pieces.append(
                    Piece(
                        status: .executing, reason: rule.reason ?? "thinking", source: .title, rule: rule.name, text: title, rank: Rank.titleExecuting,
                        patience: memory.status.status == Status.waiting.rawValue || isTextScreen ? .zero : isStarting ? Self.startPatience : Self.titlePatience))
            case .waiting:
                pieces.append(Piece(status: .waiting, reason: rule.reason ?? "approval", source: .title, rule: rule.name, text: title, rank: Rank.titleWaiting))
            case .idle:
                pieces.append(
                    Piece(
                        status: .idle, reason: rule.reason ?? idleReason, source: .title, rule: rule.name, text: title, rank: Rank.titleIdle,
                        patience: Self.idlePatience))
            case .hold: break
            }
        }
        if !isKnown, rules.plainTitleIsIdle {
            pieces.append(
                Piece(status: .idle, reason: idleReason, source: .title, rule: "plain", text: title, rank: Rank.titleIdle, patience: Self.idlePatience))
        }
        // 1 normal, 3 indeterminate: see OSC 9;4. Weak: it sticks while a dialog is open.
        if memory.progress == 1 || memory.progress == 3 {
            pieces.append(Piece(status: .executing, reason: "thinking", source: .progress, text: "OSC 9;4", rank: Rank.progress))
        }
    }

    /// One frame of a turning title is no turn: some turn once when they start.
    static let titlePatience: Duration = .milliseconds(40)
    /// Where nobody has typed and nothing has run yet: on a slow machine they turn for longer while they load.
    static let startPatience: Duration = .milliseconds(300)
    private var isStarting: Bool { memory.lastInput == nil && memory.lastWorking == nil && !memory.assumed }
    static let idlePatience: Duration = .milliseconds(150)

    /// Why it is idle, by what stands on the screen.
    var idleReason: String {
        if let composer = reading.composer, !composer.isEmpty, !composer.isHint, !isPlaceholder { return "draft" }
        if let interrupt = memory.lastInterrupt, let working = memory.lastWorking, interrupt + .milliseconds(3000) >= working, interrupt <= working + .milliseconds(500) {
            return "interrupted"
        }
        if reading.matches.contains(where: { rules.rules[$0.rule].reason == "interrupted" && rules.rules[$0.rule].region == .live }) { return "interrupted" }
        if memory.lastWorking == nil && !memory.assumed { return "new" }
        if let live = reading.live, reading.composer != nil {
            for index in stride(from: live.upperBound, through: live.lowerBound, by: -1) where !rows[index].isDone && !rows[index].isBlank {
                if let end = rows[index].content.last { return end == 0x3f || end == 0xff1f ? "asked_in_prose" : "turn_done" }
            }
        }
        return "turn_done"
    }

    /// A rule says that the composer's text is the program's.
    private var isPlaceholder: Bool { reading.matches.contains { rules.rules[$0.rule].region == .composer && rules.rules[$0.rule].verdict == .idle } }

    // MARK: - The screen

    private mutating func addScreen(_ pieces: inout [Piece]) {
        for match in reading.matches {
            let rule = rules.rules[match.rule]
            let text = match.row.map { rows[$0].contentText }
            func piece(_ status: Status, _ reason: String?, _ rank: Int, patience: Duration = .zero) -> Piece {
                Piece(
                    status: status, reason: reason ?? rule.reason, source: .screen, rule: rule.name, region: rule.region.rawValue, text: text, rank: rank,
                    patience: patience)
            }
            switch rule.verdict {
            case .hold:
                isHeld = true
            case .executing:
                let isBackground = rule.reason == "background"
                pieces.append(piece(.executing, rule.reason ?? "thinking", isBackground ? Rank.background : Rank.screenExecuting))
            case .waiting where rule.region != .dialog:
                // Where a person can write, words above are only words.
                if rule.region == .bottom, let composer = reading.composer, composer.shape != .bare { continue }
                // What only prints cannot ask.
                if rules.kind == .lines, isReadingLine == false { continue }
                // What goes on below a question says that nobody waits there.
                if rule.region == .last, rules.kind != .tui, !reading.endsAtCursor, reading.composer == nil { continue }
                pieces.append(piece(.waiting, rule.reason ?? "approval", Rank.ruleWaiting, patience: isTextScreen ? .zero : .milliseconds(60)))
            case .idle where rule.region == .composer:
                // Only tells a hint from a draft.
                break
            case .idle:
                // What turns on a start screen is no turn.
                pieces.append(piece(.idle, rule.reason ?? idleReason, rule.reason == "new" ? Rank.startScreen : Rank.screenIdle, patience: Self.idlePatience))
            case .waiting: break
            }
        }
        if let spinner = reading.spinner {
            pieces.append(
                Piece(
                    status: .executing, reason: "thinking", source: .screen, rule: reading.spinnerCounts ? "counting row" : "turning row", region: "live",
                    text: rows[spinner].contentText, rank: Rank.screenExecuting))
        }
        if let done = reading.done, reading.spinner == nil {
            pieces.append(
                Piece(
                    status: .idle, reason: idleReason, source: .screen, rule: "ended row", region: "live", text: rows[done].contentText, rank: Rank.done,
                    patience: Self.idlePatience))
        }
        if let composer = reading.composer, rules.kind != .lines || !knowsLineEditor, kind != .any || terminal.isAlternateScreen || isReadingLine != false {
            pieces.append(
                Piece(
                    status: .idle, reason: idleReason, source: .composer, rule: "composer", region: "composer", text: composer.text, rank: Rank.composer,
                    patience: Self.idlePatience))
        }
    }

    // MARK: - Dialogs

    private mutating func addDialog(_ dialog: Reading.Dialog, _ pieces: inout [Piece]) {
        var reason: String?
        var rule = "options"
        for match in reading.matches where rules.rules[match.rule].region == .dialog && rules.rules[match.rule].verdict == .waiting {
            reason = rules.rules[match.rule].reason
            rule = rules.rules[match.rule].name
            break
        }
        memory.dialogSeen = clock
        pieces.append(
            Piece(
                status: .waiting, reason: reason ?? (dialog.isConsent ? "approval" : "question"), source: .screen, rule: rule, region: "dialog", text: dialog.question,
                rank: dialog.isSure ? Rank.dialog : Rank.looseDialog, patience: dialog.isSure || isTextScreen ? .zero : .milliseconds(60)))
    }

    /// The composer went while the agent worked, and nothing turns: something stands over it, even if it is cut off.
    private func addModal(_ pieces: inout [Piece]) {
        guard rules.composerIsConstant, memory.hasHadComposer, reading.composer == nil, reading.dialog == nil, reading.spinner == nil, !isTextScreen, !isHeld,
            terminal.isAlternateScreen, let last = reading.last, last >= 3, !pieces.contains(where: { $0.status == .executing && $0.rank >= Rank.screenExecuting }),
            memory.status.status == Status.executing.rawValue || memory.status.evidence?.contains("covers the composer") == true
        else { return }
        pieces.append(
            Piece(
                status: .waiting, reason: "approval", source: .screen, rule: "modal", region: "bottom", text: "something covers the composer", rank: Rank.modal,
                patience: .milliseconds(200)))
    }

    // MARK: - Lines and processes

    /// Whether the program's line editor is known to read or not to read now.
    private var knowsLineEditor: Bool { isReadingLine != nil }

    /// The line editor reads: it turned on pasting with brackets, or the terminal's modes say so.
    private var isReadingLine: Bool? {
        if memory.hasLineEditor && !isTextScreen { return terminal.modes.bracketedPaste }
        guard let icanon = memory.process?.icanon, let isig = memory.process?.isig else { return nil }
        if icanon { return false }
        return isig || rules.kind == .lines ? true : nil
    }

    private func addPrompt(_ pieces: inout [Piece]) {
        guard let prompt = reading.prompt, reading.composer == nil || rules.kind == .lines, let last = reading.last else { return }
        let text = rows[last].contentText
        func piece(_ reason: String, _ rule: String, _ rank: Int, _ patience: Duration) -> Piece {
            Piece(
                status: .waiting, reason: reason, source: .screen, rule: rule, region: "last", text: text, rank: rank,
                patience: isTextScreen ? .zero : patience)
        }
        switch prompt {
        case .password: pieces.append(piece("password", "password", Rank.password, .milliseconds(30)))
        case .yesNo:
            // Its line editor does not read: it only prints such words.
            if rules.kind == .lines, isReadingLine == false { return }
            pieces.append(piece("approval", "yes or no", Rank.yesNo, isReadingLine == true ? .zero : .milliseconds(rules.kind == .lines ? 300 : 120)))
        case .question, .input:
            guard kind == .any || kind == .shell, let process = memory.process, process.icanon == true,
                memory.busySince.map({ clock >= $0 + .milliseconds(600) }) ?? true,
                !(process.procs ?? []).contains(where: { $0.state == "R" || $0.state == "D" })
            else { return }
            pieces.append(piece("input", "awaited line", Rank.awaitedLine, .milliseconds(700)))
        case .shell: break
        }
    }

    /// A process of the pod used the processor lately.
    var isBusy: Bool {
        guard let since = memory.busySince else { return false }
        return memory.busyLasts == true || clock < since + Self.busyTime
    }

    static let busyTime: Duration = .seconds(3)

    private func addLines(_ pieces: inout [Piece]) {
        let kind = kind
        if let process = memory.process, process.icanon == true, process.echo == false, process.fg ?? 1 != 0 {
            pieces.append(
                Piece(
                    status: .waiting, reason: "password", source: .termios, rule: "hidden input", text: reading.last.map { rows[$0].contentText } ?? "",
                    rank: Rank.hiddenInput, patience: .milliseconds(60)))
        }
        switch kind {
        case .tui: addTool(&pieces)
        case .lines:
            guard let isReading = isReadingLine else { return }
            if isReading {
                let hasPrompt = reading.composer != nil || reading.prompt == .input
                if hasPrompt {
                    pieces.append(
                        Piece(
                            status: .idle, reason: idleReason, source: .termios, rule: "line editor", text: reading.last.map { rows[$0].contentText },
                            rank: Rank.lineEditor, patience: Self.idlePatience))
                }
            } else if memory.hasHadPrompt, !isLeaving {
                pieces.append(
                    Piece(
                        status: .executing, reason: isBusy ? "tool" : "thinking", source: .termios, rule: "reads no line", rank: Rank.lineModeExecuting,
                        patience: .milliseconds(120)))
            }
        case .shell, .any: addCommand(kind, &pieces)
        }
    }

    /// Ctrl-C at its prompt ends it: that it reads no more is no work.
    private var isLeaving: Bool {
        guard memory.status.status == Status.idle.rawValue, let interrupt = memory.lastInterrupt else { return false }
        return clock < interrupt + .milliseconds(3000)
    }

    private func addCommand(_ kind: AgentRules.Kind, _ pieces: inout [Piece]) {
        guard let process = memory.process else {
            if kind == .shell, reading.prompt == .shell {
                pieces.append(
                    Piece(
                        status: .idle, reason: "prompt", source: .screen, rule: "shell prompt", region: "last", text: reading.last.map { rows[$0].contentText },
                        rank: Rank.composer, patience: Self.idlePatience))
            }
            return
        }
        let isEditing = process.icanon == false && process.isig == true
        if isEditing && kind == .shell || isEditing && process.echo == false && reading.dialog == nil && kind == .any && reading.prompt != .yesNo {
            pieces.append(
                Piece(
                    status: .idle, reason: "prompt", source: .termios, rule: "line editor", text: reading.last.map { rows[$0].contentText }, rank: Rank.lineEditor,
                    patience: Self.idlePatience))
            return
        }
        let shell = process.shell ?? process.procs?.first?.pid
        if kind == .shell, let fg = process.fg, let shell, fg != shell, fg > 0 {
            let name = process.procs?.last { $0.pgrp == fg }?.comm
            pieces.append(Piece(status: .executing, reason: "tool", source: .process, rule: "foreground command", text: name ?? "a command", rank: Rank.command))
        } else if kind == .shell, memory.hasHadPrompt, process.icanon == true, process.echo == true {
            pieces.append(
                Piece(
                    status: .executing, reason: "tool", source: .termios, rule: "shell's own command", rank: Rank.command, patience: .milliseconds(120)))
        } else {
            // A script's own commands run in its process group.
            addTool(&pieces)
        }
    }

    private func addTool(_ pieces: inout [Piece]) {
        guard isBusy, let since = memory.busySince else { return }
        // What starts an agent is no tool of it.
        let isScreenful = rules.kind == .tui || memory.process?.icanon == false || terminal.isAlternateScreen
        if rules.kind != .shell, memory.status.status == Status.unknown.rawValue, isScreenful, !memory.hasHadComposer, clock < (memory.begin ?? clock) + .seconds(5) { return }
        pieces.append(
            Piece(
                status: .executing, reason: "tool", source: .process, rule: "processor", text: memory.busyName ?? "", rank: isScreenful ? Rank.staleHook : Rank.command,
                patience: .milliseconds(500), until: memory.busyLasts == true ? nil : since + Self.busyTime))
    }

    // MARK: - Prompt marks

    private func addMarks(_ pieces: inout [Piece]) {
        guard let mark = memory.mark, kind == .shell || kind == .any else { return }
        if mark == 2 {
            // A question of the command's own is more than that it runs.
            pieces.append(Piece(status: .executing, reason: "tool", source: .promptMarks, rule: "OSC 133;C", rank: Rank.command))
        } else {
            pieces.append(
                Piece(status: .idle, reason: "prompt", source: .promptMarks, rule: "OSC 133", rank: Rank.promptMarks, patience: Self.idlePatience))
        }
    }

    // MARK: - Hooks

    private func addHook(_ pieces: inout [Piece]) {
        guard let hook = memory.hook, let time = memory.hookTime, let meaning = meaning(of: hook), let verdict = meaning.verdict, !isShellAlone(memory.process)
        else { return }
        let text = hook.event + (hook.toolName.map { " " + $0 } ?? "")
        func piece(_ status: Status, _ rank: Int, until: Timestamp? = nil, patience: Duration = .zero) -> Piece {
            Piece(status: status, reason: meaning.reason, source: .hook, rule: hook.event, text: text, rank: rank, patience: patience, until: until)
        }
        // Nothing tells of Esc: a key and an idle screen after the hook end what it said.
        let isInterrupted = memory.lastInterrupt.map { $0 > time } ?? false
        let isWorkingElsewhere = pieces.contains { $0.status == .executing && $0.rank >= Rank.screenExecuting }
        let age = clock - time
        switch verdict {
        case .executing:
            let isSupported = isWorkingElsewhere || isBusy
            let isFresh = age < Self.hookTime && !isInterrupted
            pieces.append(piece(.executing, isFresh || isSupported ? Rank.hookExecuting : Rank.staleHook, until: time + Self.hookTime))
        case .waiting:
            // The dialog came and went, or work goes on: it was answered.
            let isOver = memory.dialogSeen != nil && reading.dialog == nil || (isWorkingElsewhere && age > .milliseconds(400)) || isInterrupted
            if !isOver { pieces.append(piece(.waiting, Rank.hookWaiting)) }
        case .idle: pieces.append(piece(.idle, Rank.hookIdle, patience: Self.idlePatience))
        case .hold: break
        }
    }

    static let hookTime: Duration = .seconds(6)
}
