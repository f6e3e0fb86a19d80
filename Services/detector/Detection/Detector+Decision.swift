internal import Agents
public import Contract
internal import Terminal

/// From evidence to a status that lasts.
extension Detector {
    /// Without evidence nothing is known any more after this time.
    static let forgetTime: Duration = .seconds(3)
    /// A composer alone says idle only after the screen above it stood still this long.
    static let quietTime: Duration = .milliseconds(1200)
    /// What turned is gone for this long, and nothing was written since.
    static let settleTime: Duration = .milliseconds(400)
    /// The same where a turn's end leaves a row behind, which is not there.
    static let longQuietTime: Duration = .seconds(10)
    /// A known agent of which nothing was recognised for this time has probably changed.
    static let driftTime: Duration = .seconds(30)
    /// Work that shows and does not move for this long is stalled, if nothing of the pod uses the processor.
    static let stallTime: Duration = .seconds(10)
    /// What a screen says beneath a wait for another agent counts after this time.
    static let beneathTime: Duration = .milliseconds(1200)

    mutating func decide(_ seq: UInt64) -> PodStatus? {
        let before = pieces
        pieces = gather().sorted { $0.rank > $1.rank }
        nextLook = nil
        addWaits()
        noteTimes(before)
        isStalled = pieces.first.map { stalls($0) } ?? false
        let current = Status(rawValue: memory.status.status) ?? .unknown
        var best = pieces.first
        if isHeld, current != .unknown, memory.status.reason != PodStatus.agentReason, best.map({ $0.rank < Rank.hiddenInput }) ?? true { best = nil }
        if isHeld, best == nil, memory.status.reason != PodStatus.agentReason {
            candidate = nil
            return update(seq, current, nil)
        }
        guard let best else {
            candidate = nil
            guard current != .unknown else { return drift(seq) }
            let end = (memory.lastEvidence ?? clock) + Self.forgetTime
            if clock < end {
                look(at: end)
                return nil
            }
            return change(to: .unknown, nil, since: memory.lastEvidence ?? clock, seq)
        }
        if best.status == current {
            candidate = nil
            return update(seq, current, best)
        }
        if candidate?.status != best.status { candidate = Candidate(status: best.status, since: clock) }
        let since = candidate?.since ?? clock
        var ripe = since + best.patience
        if best.status == .idle, best.rank <= Rank.composer, current == .executing {
            let quiet = rules.endsTurnsWithRow ? Self.longQuietTime : Self.quietTime
            // Where what turned went in one paint with all else, a turn ended; where more comes, something is still written.
            if let worked = memory.lastWorking {
                ripe = max(ripe, worked + (rules.endsTurnsWithRow ? quiet : Self.settleTime))
                if let change = memory.lastChange, change > worked + .milliseconds(50) { ripe = max(ripe, change + quiet) }
            } else if let change = memory.lastChange {
                ripe = max(ripe, change + quiet)
            }
        }
        guard clock >= ripe else {
            look(at: ripe)
            return nil
        }
        candidate = nil
        return change(to: best.status, best, since: since, seq)
    }

    private mutating func look(at time: Timestamp) { nextLook = min(nextLook ?? time, time) }

    private mutating func noteTimes(_ before: [Piece]) {
        for index in pieces.indices {
            let since = pieces[index].since(amid: before) ?? clock
            pieces[index].since = since
            if let until = pieces[index].until, until > clock { look(at: until) }
            if memory.waits != nil, pieces[index].status == .idle, clock < since + Self.beneathTime { look(at: since + Self.beneathTime) }
        }
        if let busy = memory.busySince, busy + .milliseconds(600) > clock { look(at: busy + .milliseconds(600)) }
        if pieces.contains(where: { $0.status == .executing && $0.rank > Rank.progress }) || before.contains(where: { $0.status == .executing && $0.rank > Rank.progress }) {
            memory.lastWorking = clock
        }
        if !pieces.isEmpty || !before.isEmpty || memory.lastEvidence == nil { memory.lastEvidence = clock }
        if pieces.contains(where: { $0.source == .termios && $0.status == .idle }) || reading.composer != nil && rules.kind == .lines { memory.hasHadPrompt = true }
        let isRecognised = reading.dialog != nil || reading.composer != nil || reading.spinner != nil || reading.prompt != nil || !reading.matches.isEmpty
        if isRecognised || manifest == nil || memory.lastMatch == nil { memory.lastMatch = clock }
    }

    // MARK: - Waiting for others, standing still

    /// The pods of its open waits that have not done what is awaited.
    private var waitedFor: [PodID] { (memory.waits ?? []).flatMap { wait in wait.targets.filter { $0.seen == nil }.compactMap(\.pod) } }

    /// An open wait says for whom the pod waits. Only what a person must answer goes before, and work of a waiter who works on meanwhile.
    private mutating func addWaits() {
        let own = pieces.first
        guard let wait = memory.waits?.first(where: { own?.status != .executing || $0.detached != true }), own?.status != .waiting else { return }
        let whom = waitedFor.map(\.text).joined(separator: wait.mode == .any ? " or " : ", ")
        pieces.insert(
            Piece(
                status: .waiting, reason: PodStatus.agentReason, source: .wait, rule: wait.id, text: "until \(whom) \(wait.until.rawValue)", rank: Rank.agent,
                patience: .milliseconds(100)), at: 0)
    }

    /// What the screen says beneath a wait. That it rests counts once it has rested a while, as without a wait.
    private var beneath: (String?, String?) {
        let old = memory.status.reason == PodStatus.agentReason ? (memory.status.beneath, memory.status.beneathReason) : (memory.status.status, memory.status.reason)
        guard let own = pieces.first(where: { $0.source != .wait }) else { return old }
        if own.status == .idle, old.0 != Status.idle.rawValue, clock < own.since + Self.beneathTime { return old }
        return (own.status.rawValue, own.reason)
    }

    private mutating func stalls(_ best: Piece) -> Bool {
        guard best.status == .executing, best.source == .screen || best.source == .title, best.reason != "background", best.reason != "retrying",
            !isBusy, memory.process?.procs?.isEmpty == false, let moved = memory.lastMove
        else { return false }
        guard clock >= moved + Self.stallTime else {
            look(at: moved + Self.stallTime)
            return false
        }
        return true
    }

    // MARK: - Saying it

    private mutating func change(to status: Status, _ piece: Piece?, since: Timestamp, _ seq: UInt64) -> PodStatus? {
        memory.assumed = false
        var new = describe(status, piece, seq)
        new.since = since
        memory.status = new
        noteAsked()
        if status == .unknown { _ = drift(seq) }
        return new
    }

    private func describe(_ status: Status, _ piece: Piece?, _ seq: UInt64) -> PodStatus {
        var new = PodStatus(
            status: status.rawValue, reason: piece?.reason, since: clock, seq: seq, evidence: piece?.line ?? "no evidence", confidence: Rank.confidence(piece?.rank ?? 0),
            agent: manifest?.name)
        if status == .waiting {
            if let dialog = reading.dialog, !isHeld {
                new.question = dialog.question.isEmpty ? nil : dialog.question
                new.about = dialog.about.isEmpty ? nil : dialog.about
                new.options = dialog.options
                new.fingerprint = dialog.fingerprint
            } else if let text = piece?.text, !text.isEmpty, piece?.source != .title, piece?.source != .hook, piece?.rule != "modal" {
                new.question = text
                let (about, all) = piece?.region == "last" ? askedAbout : ("", "")
                new.about = about.isEmpty ? nil : about
                new.fingerprint = Self.fingerprint(all + text)
            }
            if piece?.source == .wait {
                (new.question, new.about, new.options, new.fingerprint) = (nil, nil, nil, nil)
                new.waitsFor = Array(Set(waitedFor)).sorted()
                (new.beneath, new.beneathReason) = beneath
            }
        }
        if status == .executing {
            if isStalled {
                new.stalled = true
                new.evidence = (new.evidence ?? "") + "; nothing moved for \(Self.stallTime.components.seconds) s and nothing runs"
            }
            new.background = backgroundCount
            if piece?.reason == "retrying" { new.retry = piece?.text }
        }
        if status == .waiting, piece?.reason == "quota" { new.retry = piece?.text }
        return new
    }

    /// What a question on the last rows is about: "Run it? (y/n)" is another question where another command stands above it.
    private var askedAbout: (shown: String, all: String) {
        guard let first = reading.hint?.lowerBound ?? (reading.prompt == nil ? nil : reading.last) else { return ("", "") }
        let reader = ScreenReader(rows: rows, columns: terminal.columns, cursor: nil, kind: kind, isUnmarked: false)
        let above = reader.paragraph(above: first)
        return (reader.lines(above), above.map { rows[$0].contentText }.joined())
    }

    /// The status stays; what is said of it may change.
    private mutating func update(_ seq: UInt64, _ status: Status, _ piece: Piece?) -> PodStatus? {
        guard let piece, status == .waiting || isNews(status, piece) else { return nil }
        var new = describe(status, piece, seq)
        let old = memory.status
        new.since = old.since
        if status == .waiting {
            let isAgent = new.reason == PodStatus.agentReason
            if isAgent != (old.reason == PodStatus.agentReason) {
                // From a person's answer to another agent's, or back: another episode.
                let ripe = piece.since + piece.patience
                guard clock >= ripe else {
                    look(at: ripe)
                    return nil
                }
                new.since = clock
                questionSince = nil
                memory.status = new
                return new
            }
            // A question that another channel announced gets its words, and a new one is a new episode.
            if new.fingerprint == nil, old.fingerprint != nil { return nil }
            let isNews =
                new.fingerprint != old.fingerprint || new.reason != old.reason || new.waitsFor != old.waitsFor || new.beneath != old.beneath
                || (new.beneathReason == "draft") != (old.beneathReason == "draft")
            if isNews, old.fingerprint != nil, new.fingerprint != old.fingerprint {
                // Half a redrawn dialog is not another one.
                if questionSince?.fingerprint != new.fingerprint { questionSince = (new.fingerprint, clock) }
                let kept = samePainting(old)
                let ripe = (questionSince?.since ?? clock) + (kept == .less ? Self.repaintTime : .milliseconds(150))
                guard clock >= ripe else {
                    look(at: ripe)
                    return nil
                }
                // The rest of a dialog that was painted in parts belongs to the same episode.
                if kept != .more { new.since = questionSince?.since ?? clock }
            }
            guard isNews else { return nil }
        }
        questionSince = nil
        memory.status = new
        noteAsked()
        return new
    }

    /// Whether a status that stays, and does not wait, is said anew for what belongs to it.
    private func isNews(_ status: Status, _ piece: Piece) -> Bool {
        let old = memory.status
        return switch status {
        case .idle: (piece.reason == "draft") != (old.reason == "draft") && old.reason != nil
        case .executing:
            (isStalled ? true : nil) != old.stalled || backgroundCount != old.background || (piece.reason == "retrying") != (old.reason == "retrying")
                || (piece.reason == "background") != (old.reason == "background")
        case .waiting, .unknown: false
        }
    }

    /// A dialog that lost some of its words is taken for one that is painted again, this long.
    static let repaintTime: Duration = .seconds(2)

    private enum Painting { case more, less, other }

    /// Whether the dialog on the screen is the one that was told, with more of it painted or less: nobody has typed since, and the words of
    /// one are among those of the other, in the same order.
    private func samePainting(_ told: PodStatus) -> Painting {
        guard let asked = memory.askedWords, !asked.isEmpty, let words = reading.dialog?.words, !words.isEmpty, memory.lastInput.map({ $0 < told.since }) ?? true
        else { return .other }
        if Self.contains(words, asked) { return .more }
        return Self.contains(asked, words) ? .less : .other
    }

    private static func contains(_ all: [String], _ some: [String]) -> Bool {
        var left = some[...]
        // One word may have been cut where the part ended.
        var isCut = false
        for word in all {
            guard let next = left.first else { break }
            if word == next {
                left = left.dropFirst()
            } else if !isCut, next.count > 1, word.hasPrefix(next) {
                isCut = true
                left = left.dropFirst()
            }
        }
        return left.isEmpty
    }

    private mutating func noteAsked() {
        memory.askedWords = memory.status.status == Status.waiting.rawValue && memory.status.fingerprint != nil ? reading.dialog?.words : nil
    }

    private mutating func drift(_ seq: UInt64) -> PodStatus? {
        guard let manifest, rules.kind == .tui, memory.status.drift != true, let last = memory.lastMatch, !reading.isBlank else { return nil }
        let end = last + Self.driftTime
        guard clock >= end else {
            look(at: end)
            return nil
        }
        memory.status.drift = true
        memory.status.seq = seq
        // Nothing was ever said of it: it has been so since it began.
        if memory.status.since.microseconds == 0 { memory.status.since = memory.begin ?? clock }
        memory.status.evidence = "no rule of \(manifest.name) matched for \(Self.driftTime.components.seconds) s"
        return memory.status
    }

    /// How many tasks run in the background, as the rows that say so count them.
    private var backgroundCount: Int? {
        var most: Int?
        for match in reading.matches where rules.rules[match.rule].reason == "background" {
            guard let row = match.row else { continue }
            for word in rows[row].contentText.split(separator: " ") {
                if let count = Int(word), (1...999).contains(count) { most = max(most ?? 0, count) }
            }
        }
        return most
    }

    static func fingerprint(_ text: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for scalar in text.unicodeScalars where Glyphs.isLetter(scalar.value) || Glyphs.isDigit(scalar.value) { hash = (hash ^ UInt64(scalar.value)) &* 0x100_0000_01b3 }
        let hex = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - hex.count) + hex
    }

    // MARK: - Explaining it

    /// Every piece of evidence that is held now, the winner first, and the screen's regions.
    public func explanation(at now: Timestamp) -> StatusExplanation {
        var explanation = StatusExplanation(
            at: now, status: memory.status, agent: manifest?.name, manifestVersion: manifest?.version, manifestSource: manifest?.file)
        for (index, piece) in pieces.enumerated() {
            let outcome =
                if isHeld && piece.rank < Rank.hiddenInput { "held" } else if index == 0 { "won" } else if piece.status == pieces[0].status { "agrees" } else { "outvoted" }
            explanation.evidence.append(
                .init(
                    status: piece.status.rawValue, reason: piece.reason, source: piece.source.rawValue, rule: piece.rule, region: piece.region, text: piece.text,
                    since: piece.since, seen: clock, until: piece.until, rank: piece.rank, outcome: outcome))
        }
        func add(_ name: String, _ range: ClosedRange<Int>?) {
            guard let range, range.upperBound < rows.count else { return }
            explanation.regions.append(.init(name: name, first: range.lowerBound, last: range.upperBound, text: range.map { rows[$0].text }))
        }
        add("live", reading.live)
        add("dialog", reading.dialog?.rows)
        add("composer", reading.composer?.rows)
        add("footer", reading.footer)
        if reading.dialog == nil, reading.composer == nil { add("last", reading.last.map { $0...$0 }) }
        if isHeld { explanation.notes.append("a person opened what is on the screen: the status before stays") }
        if let candidate { explanation.notes.append("\(candidate.status.rawValue) since \(candidate.since): not long enough yet") }
        if memory.status.drift == true { explanation.notes.append("none of \(manifest?.name ?? "the agent")'s rules matched for long: its screen may have changed") }
        if memory.process == nil { explanation.notes.append("nothing is known of the terminal's modes and processes") }
        if memory.hook == nil { explanation.notes.append("no hook has reported") }
        if title.isEmpty { explanation.notes.append("the program set no title") }
        return explanation
    }
}
