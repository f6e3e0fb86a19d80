internal import BindingsClient
internal import Bus
internal import Contract
internal import Logging
internal import Traces
internal import Tracing

/// Prompts and approvals: operations that take several writes, each of them bound to the screen it was decided on.
extension RelayService {
    /// The longest wait for the program to show the text before Enter is typed: many programs take text and Enter that
    /// arrive in one read for a paste.
    private static let echoLimit = Duration.milliseconds(250)
    /// The longest wait for an effect of Enter.
    private static let effectLimit = Duration.milliseconds(1500)
    /// How long an operation may wait for a screen that rests.
    private static let restLimit = Duration.seconds(3)

    /// Cuts the line before the cursor, and puts it back: readline's keys, which agents' input fields know as well.
    private static let cutLine: [UInt8] = [0x15]
    private static let putLineBack: [UInt8] = [0x19]

    // MARK: - Prompts

    /// Text with Enter, or what an agent types.
    func prompt(_ message: BusMessage, _ write: Write, _ pod: LivePod) {
        let operation = GateDecision.Operation(
            kind: write.submit == true ? .submit : .type, author: write.author, role: write.role,
            isGranted: write.message != nil || isGranted(write.author, .write, write.pod), viewer: write.viewer, ifStatus: write.ifStatus,
            keepsDraft: write.keepDraft == true)
        let payload = message.payload
        if let id = write.message { return deliver(id, message, write, operation, pod) }
        run(message, pod, write.submit == true ? "submit" : "type", author: write.author, viewer: write.viewer) { [self] in
            let isPasted = write.paste == true || write.submit == true
            let bytes = isPasted ? Paste.bytes(payload, bracketed: pod.wantsBracketedPaste) : payload
            guard write.submit == true else { return await self.write(bytes, operation, write, pod) }
            return await submit(bytes, operation, write, pod)
        }
    }

    /// Types a channel message once, whatever became of those who asked before: the shim knows what of it stands there.
    private func deliver(_ id: String, _ message: BusMessage, _ write: Write, _ operation: GateDecision.Operation, _ pod: LivePod) {
        let payload = message.payload
        let names = [id + ".text", id + ".enter"]
        run(message, pod, "deliver", author: write.author, viewer: write.viewer, isMarked: false) { [self] in
            let written: Written
            do throws(ErrorBody) {
                written = try await bus.ask(Subjects.shimWritten(pod.pod), AskWritten(names: names), timeout: .seconds(3))
            } catch {
                return Applied(result: error.code == .unavailable ? .gone : .busy, message: "what was typed already is not known: \(error.message)")
            }
            guard written.frames.count == 2 else { return Applied(result: .busy, message: "what was typed already is not known") }
            if written.frames[1] > 0 { return Applied(result: .applied, seq: written.frames[1], message: "typed before") }
            if written.frames[0] > 0, written.newestInput > written.frames[0] {
                // Enter would submit what somebody else has made of the line.
                return Applied(
                    result: .applied, seq: written.frames[0], message: "typed; whoever typed after it has the line, and submits it", tookEffect: false)
            }
            let bytes = Paste.message(payload, bracketed: pod.wantsBracketedPaste)
            return await submit(bytes, operation, write, pod, once: names, isTyped: written.frames[0] > 0)
        }
    }

    /// Runs an operation while nobody else writes, and answers with what became of it. A refusal is put on the pod's timeline.
    private func run(
        _ message: BusMessage, _ pod: LivePod, _ operation: String, author: Author, viewer: String?, isMarked: Bool = true,
        _ body: @escaping @Sendable () async -> Applied
    ) {
        // A channel message that cannot be typed now waits; that is no refusal.
        let marked: @Sendable (Applied) -> Applied = { [self] in isMarked ? refused($0, author, pod, viewer: viewer) : $0 }
        guard pod.beginSubmitting() else {
            return answer(message, marked(Applied(result: .busy, message: "a prompt is being submitted at this moment; try again")))
        }
        Task {
            // After a relay took over, a pod that says nothing is not known yet.
            if pod.needsLoading() { perform(.repair, pod) }
            _ = await loaded(pod)
            await knowStatus(of: pod)
            let applied = await withSampledSpan("gate", attributes: Self.gate(operation, author)) { span in
                let applied = await body()
                span?.updateAttributes { $0.set("switchback.gate.outcome", value: .string(applied.result.rawValue)) }
                return applied
            }
            pod.setSubmitting(false)
            answer(message, marked(applied))
        }
    }

    /// Text, a pause in which the program shows it, Enter; then whether anything came of it.
    /// - Parameters:
    ///   - once: names of the text and of Enter, each of which is typed once.
    ///   - isTyped: the text stands there already.
    private func submit(
        _ bytes: [UInt8], _ operation: GateDecision.Operation, _ write: Write, _ pod: LivePod, once: [String]? = nil, isTyped: Bool = false
    ) async -> Applied {
        let hasDraft = operation.keepsDraft && pod.status?.onScreen.status == "idle" && pod.status?.onScreen.reason == "draft"
        var write = write
        if hasDraft {
            let cut = await self.write(Self.cutLine, operation, write, pod)
            guard cut.result == .applied else { return cut }
            // What was seen up to here has changed by this very cut.
            write.ifSeq = nil
            _ = await output(of: pod, after: cut.seq ?? pod.newestOutput, within: Self.echoLimit)
        }
        if !bytes.isEmpty && !isTyped {
            let typed = await self.write(bytes, operation, write, pod, once: once?[0])
            guard typed.result == .applied else { return typed }
            _ = await output(of: pod, after: typed.seq ?? pod.newestOutput, within: Self.echoLimit)
            // The echo may come in pieces; Enter after the last of them.
            try? await Task.sleep(for: .milliseconds(20))
            write.ifSeq = nil
        }
        var enter = operation
        // The line that is there now is the one that was typed here.
        enter.keepsDraft = true
        enter.ifStatus = bytes.isEmpty || isTyped ? operation.ifStatus : nil
        var applied = await self.write([0x0d], enter, write, pod, once: once?[1])
        guard applied.result == .applied else {
            if !bytes.isEmpty { applied.message = "the text was typed and not submitted: " + (applied.message ?? applied.result.rawValue) }
            return applied
        }
        let tookEffect = await output(of: pod, after: applied.seq ?? pod.newestOutput, within: Self.effectLimit)
        applied.tookEffect = tookEffect
        if tookEffect { applied.message = nil }
        if !tookEffect { applied.message = "typed and submitted, but nothing on the screen changed since" }
        if hasDraft {
            let back = await self.write(Self.putLineBack, enter, write, pod)
            if back.result != .applied { applied.message = "submitted; the half-typed line was cut and could not be put back: \(back.result.rawValue)" }
        }
        return applied
    }

    /// One write, decided on the newest screen, once that rests: the shim refuses it when anything came after that screen. Without a
    /// precondition of the author's own it is then decided anew.
    private func write(
        _ bytes: [UInt8], _ operation: GateDecision.Operation, _ write: Write, _ pod: LivePod, once: String? = nil
    ) async -> Applied {
        let end = ContinuousClock.now + Self.restLimit
        while true {
            let moment = pod.look(operation, now: .now())
            guard case .pass = moment.decision else { return Self.applied(moment.decision) }
            guard moment.isSettled else {
                guard ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(5))) != nil else { return Self.restless }
                continue
            }
            if let dialogs, operation.kind == .submit || operation.kind == .type {
                guard let screen = pod.screen(after: moment.outSeq) else { continue }
                let agent = moment.status?.agent
                if let dialog = dialogs.read(screen.bytes, screen.columns, screen.rows, agent, moment.outSeq, false) {
                    return Applied(
                        result: .approvalOpen,
                        message: "a dialog is open (\(dialog.reason ?? "")); a prompt never answers it. Approve or reject it first")
                }
            }
            if case .approve(let seen) = operation.kind, let dialogs, moment.status.map({ $0.seq < moment.outSeq }) ?? false {
                // What came since the detector spoke may be another dialog, whose words it has not read yet.
                guard let screen = pod.screen(after: moment.outSeq) else { continue }
                let dialog = dialogs.read(screen.bytes, screen.columns, screen.rows, moment.status?.agent, moment.outSeq, true)
                if let open = dialog?.fingerprint, open != seen {
                    return Applied(result: .screenChanged, message: "another dialog is open than the one that was seen; look at it first")
                }
            }
            var bound = write
            bound.ifSeq = min(write.ifSeq ?? moment.outSeq, moment.outSeq)
            do throws(ErrorBody) {
                let applied = try await ask(pod.pod, bytes, Self.headers(bound, once: once))
                guard applied.result == .screenChanged, write.ifSeq == nil, ContinuousClock.now < end else { return applied }
                // The relay hears of what the shim has seen already.
                _ = await output(of: pod, after: moment.outSeq, within: .milliseconds(100))
            } catch {
                switch error.code {
                case .gone: return Applied(result: .gone, message: error.message)
                // The way to the terminal, or back, is cut: what comes of it nobody knows here.
                case .timedOut, .unavailable: return Applied(result: .busy, message: "whether it was typed is not known: \(error.message)")
                default: return Applied(result: .denied, message: error.message)
                }
            }
        }
    }

    private static let restless = Applied(result: .busy, message: "the screen does not rest; try again, or send it when idle")

    // MARK: - Approvals

    /// `relay.<shard>.approve`
    func approve(_ message: BusMessage) throws(ErrorBody) {
        let request = try JSON.decode(Approve.self, from: message.payload)
        let pod = pod(request.pod)
        let operation = GateDecision.Operation(
            kind: .approve(request.fingerprint), author: request.author, role: request.role,
            isGranted: isGranted(request.author, .approve, request.pod))
        if GateDecision.missingRight(operation) == nil, let status = pod.status, status.fingerprint == request.fingerprint, Self.key(request, status) == nil {
            throw ErrorBody(.badRequest, Self.noSuchOption(status.options ?? []))
        }
        let write = Write(pod: request.pod, author: request.author, role: request.role, via: "approve")
        run(message, pod, "approve", author: request.author, viewer: nil) { [self] in
            guard let key = Self.key(request, pod.status) else {
                if let words = GateDecision.missingRight(operation) { return Applied(result: .denied, message: words) }
                return Applied(result: .screenChanged, message: "another dialog is open than the one that was seen; look at it first")
            }
            var applied = await self.write(key, operation, write, pod)
            guard applied.result == .applied else { return applied }
            // A letter that still stands behind its question was not the answer: the program reads a line.
            if let question = pod.status?.question, await !cleared(pod, request.fingerprint, within: Self.letterLimit), Self.stands(key, behind: question, pod.cursorLine) {
                let sent = await self.write([0x0d], operation, write, pod)
                guard sent.result == .applied else {
                    applied.message = "typed and not sent: " + (sent.message ?? sent.result.rawValue)
                    applied.tookEffect = false
                    return applied
                }
            }
            applied.tookEffect = await cleared(pod, request.fingerprint, within: Self.effectLimit)
            if applied.tookEffect == false { applied.message = "typed, but the dialog is still there" }
            return applied
        }
    }

    /// What is typed: the option's digit; without options the key that the question names, or the letter that such questions take.
    static func key(_ request: Approve, _ status: PodStatus?) -> [UInt8]? {
        let options = status?.options ?? []
        if let option = request.option, option < 1 || option > min(9, max(options.count, 1)) { return nil }
        guard !options.isEmpty else {
            let question = status?.question?.lowercased() ?? ""
            if request.reject == true { return question.contains("esc to ") || question.contains("(esc)") ? [0x1b] : Array("n".utf8) }
            return question.contains("enter to ") ? [0x0d] : Array("y".utf8)
        }
        if let option = request.option { return Array("\(option)".utf8) }
        guard request.reject == true else { return Array("1".utf8) }
        guard
            let no = options.prefix(9).firstIndex(where: { $0.lowercased().split(whereSeparator: { !$0.isLetter }).contains { ["no", "reject", "deny", "cancel"].contains($0) } })
        else { return [0x1b] }
        return Array("\(no + 1)".utf8)
    }

    private static func noSuchOption(_ options: [String]) -> String {
        switch options.count {
        case 0: "the dialog has no numbered options: approve or reject it without one"
        case 1: "the dialog has one option, number 1"
        default: "the dialog has options 1 to \(min(9, options.count))"
        }
    }

    /// How long a program that reads single keys has for a letter.
    private static let letterLimit = Duration.milliseconds(500)

    /// Whether a line ends in its question and, behind that, the letter that was typed.
    private static func stands(_ key: [UInt8], behind question: String, _ line: String) -> Bool {
        guard key.count == 1, (0x61...0x7a).contains(key[0]), line.utf8.last == key[0], let end = line.dropLast().lastIndex(where: { !$0.isWhitespace })
        else { return false }
        return line[...end].hasSuffix(question)
    }

    private func cleared(_ pod: LivePod, _ fingerprint: String, within limit: Duration) async -> Bool {
        let end = ContinuousClock.now + limit
        while pod.status?.fingerprint == fingerprint {
            guard ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(5))) != nil else { return false }
        }
        return true
    }

    // MARK: - What they share

    /// A relay that took over a moment ago has heard no status yet.
    private func knowStatus(of pod: LivePod) async {
        guard pod.status == nil else { return }
        do throws(ErrorBody) {
            let known: Pod = try await bus.ask(Subjects.podsGet, GetPod(ref: pod.pod.text), timeout: .milliseconds(500))
            if let status = known.status { pod.learn(status) }
        } catch {
            logger.debug("the status is not known", metadata: ["pod": "\(pod.pod)", "reason": "\(error)"])
        }
    }

    /// Puts a refusal of an operation, not of a viewer's keystroke, on the pod's timeline.
    func refused(_ applied: Applied, _ author: Author, _ pod: LivePod, viewer: String?) -> Applied {
        guard applied.result != .applied, applied.result != .gone, viewer == nil || author.kind == .pod else { return applied }
        let marker = PutMarker(text: "refused (\(applied.result.rawValue)): \(applied.message ?? "")", author: author)
        do {
            try bus.publish(Subjects.shimMarker(pod.pod), payload: try JSON.encode(marker))
        } catch {
            logger.warning("a refusal is not on the timeline", metadata: ["pod": "\(pod.pod)", "error": "\(error)"])
        }
        return applied
    }

    private func ask(_ pod: PodID, _ bytes: [UInt8], _ headers: [(String, String)]) async throws(ErrorBody) -> Applied {
        let end = ContinuousClock.now + .seconds(2)
        while true {
            do throws(BusError) {
                let reply = try await bus.request(Subjects.shimWrite(pod), payload: bytes, headers: headers, timeout: .seconds(3))
                return try Self.decoded(reply)
            } catch  where error.code == .noResponders {
                // A pod that was started a moment ago may not listen yet.
                guard held(pod)?.hasExited != true, held(pod)?.standing != .inStep, ContinuousClock.now < end,
                    (try? await Task.sleep(for: .milliseconds(20))) != nil
                else { return Self.noTerminal }
            } catch {
                throw ErrorBody(error)
            }
        }
    }

    private static func decoded(_ reply: BusMessage) throws(BusError) -> Applied {
        do throws(ErrorBody) {
            return try Reply.decode(Applied.self, from: reply.payload)
        } catch {
            throw BusError(.remote, error.message, remoteCode: error.code.rawValue)
        }
    }

    private func output(of pod: LivePod, after seq: UInt64, within limit: Duration) async -> Bool {
        let end = ContinuousClock.now + limit
        while pod.newestOutput <= seq {
            guard ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(5))) != nil else { return false }
        }
        return true
    }
}
