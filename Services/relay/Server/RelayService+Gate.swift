internal import Bus
internal import Contract
internal import Logging
internal import Synchronization

/// Input and sizes: what passes the gate goes on to the shim, which answers the one who asked.
extension RelayService {
    /// Most bytes of one write.
    static let writeLimit = 1 << 20

    func write(_ message: BusMessage) throws(ErrorBody) {
        guard let meta = message.header(Headers.meta) else {
            throw ErrorBody(.badRequest, "a write needs the header \(Headers.meta)")
        }
        let write = try writes.write(meta)
        guard message.payloadSize <= Self.writeLimit else {
            throw ErrorBody(.tooLarge, "at most \(Self.writeLimit) bytes can be typed at once")
        }
        let pod = pod(write.pod)
        let isPrompt = write.submit == true
        let decision = pod.decide(
            .init(
                kind: isPrompt ? .submit : .type, author: write.author, role: write.role,
                isGranted: isGranted(write.author, .write, write.pod), viewer: write.viewer,
                ifStatus: write.ifStatus),
            now: .now())
        guard case .pass = decision else { return answer(message, Self.applied(decision)) }
        let bytes = write.paste == true || isPrompt ? Paste.bytes(message.payload, bracketed: pod.wantsBracketedPaste) : message.payload
        guard isPrompt else {
            return forward(message, pod, Subjects.shimWrite(write.pod), bytes, headers: Self.headers(write))
        }
        pod.setSubmitting(true)
        Task {
            let applied = await submit(write, bytes, pod)
            pod.setSubmitting(false)
            answer(message, applied)
        }
    }

    private static func headers(_ write: Write) -> [(String, String)] {
        var headers = [(Headers.author, write.author.description), (Headers.via, write.via ?? "send")]
        if let seq = write.ifSeq { headers.append((Headers.ifSeq, String(seq))) }
        return headers
    }

    /// Hands a request on to the shim. Of a pod that is in step the shim's answer goes straight to the one who asked. Of any other the
    /// relay waits for it itself: only who asks is told at once that nobody answers.
    private func forward(_ message: BusMessage, _ pod: LivePod, _ subject: String, _ payload: [UInt8], headers: [(String, String)] = []) {
        guard pod.standing != .inStep else {
            do throws(BusError) {
                try bus.publish(subject, payload: payload, headers: headers, reply: message.reply)
            } catch {
                bus.respond(to: message, BusReply(Reply.error(ErrorBody(error))))
            }
            return
        }
        Task {
            let end = ContinuousClock.now + Self.startLimit
            while true {
                do throws(BusError) {
                    let reply = try await bus.request(subject, payload: payload, headers: headers, timeout: .seconds(3))
                    return bus.respond(to: message, BusReply(reply.payload))
                } catch  where error.code == .noResponders {
                    // A pod that was started a moment ago may not listen yet.
                    guard !pod.hasExited, ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(20))) != nil else {
                        return answer(message, Self.noTerminal)
                    }
                } catch {
                    return bus.respond(to: message, BusReply(Reply.error(ErrorBody(error))))
                }
            }
        }
    }

    /// How long a new pod's shim may take from its program's start to its first answer on the bus.
    private static let startLimit = Duration.seconds(2)

    private static let noTerminal = Applied(
        result: .gone, message: "the pod's terminal does not answer: it has ended, never was, or its host is cut off")

    // MARK: - Prompts

    /// The longest wait for the program to show the text before Enter is typed: many programs take text and Enter that
    /// arrive in one read for a paste.
    private static let echoLimit = Duration.milliseconds(250)
    /// The longest wait for an effect of Enter.
    private static let effectLimit = Duration.milliseconds(1500)

    /// Text, a pause in which the program shows it, Enter; then whether anything came of it.
    private func submit(_ write: Write, _ bytes: [UInt8], _ pod: LivePod) async -> Applied {
        do throws(ErrorBody) {
            if !bytes.isEmpty {
                let typed = try await ask(pod.pod, bytes, Self.headers(write))
                guard typed.result == .applied else { return typed }
                _ = await output(of: pod, after: typed.seq ?? pod.newestOutput, within: Self.echoLimit)
                // The echo may come in pieces; Enter after the last of them.
                try? await Task.sleep(for: .milliseconds(20))
            }
            var enter = write
            if !bytes.isEmpty { enter.ifSeq = nil }
            var applied = try await ask(pod.pod, [0x0d], Self.headers(enter))
            guard applied.result == .applied else { return applied }
            if !(await output(of: pod, after: applied.seq ?? pod.newestOutput, within: Self.effectLimit)) {
                applied.message = "typed and submitted, but nothing on the screen changed since"
            }
            return applied
        } catch {
            return Applied(result: error.code == .gone ? .gone : .denied, message: error.message)
        }
    }

    private func ask(_ pod: PodID, _ bytes: [UInt8], _ headers: [(String, String)]) async throws(ErrorBody) -> Applied {
        do throws(BusError) {
            let reply = try await bus.request(Subjects.shimWrite(pod), payload: bytes, headers: headers, timeout: .seconds(3))
            return try Self.decoded(reply)
        } catch  where error.code == .noResponders {
            return Self.noTerminal
        } catch {
            throw ErrorBody(error)
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

    // MARK: - Sizes

    func resize(_ message: BusMessage) throws(ErrorBody) {
        let request = try JSON.decode(Resize.self, from: message.payload)
        if let problem = PodSpec.sizeProblem(columns: request.columns, rows: request.rows) { throw problem }
        let pod = pod(request.pod)
        let decision = pod.decide(
            .init(
                kind: .resize, author: request.author, role: request.role, isGranted: isGranted(request.author, .write, request.pod),
                viewer: request.viewer), now: .now())
        guard case .pass = decision else { return answer(message, Self.applied(decision)) }
        forward(message, pod, Subjects.shimResize(request.pod), message.payload)
    }

    /// The size that fits all viewers who asked for that.
    func resize(_ pod: LivePod, to size: (columns: Int, rows: Int)) {
        let request = Resize(
            pod: pod.pod, columns: size.columns, rows: size.rows, author: Author(kind: .system, id: "smallest-viewer"))
        do {
            try bus.publish(Subjects.shimResize(pod.pod), payload: try JSON.encode(request))
        } catch {
            logger.warning("a pod was not given its viewers' size", metadata: ["pod": "\(pod.pod)", "error": "\(error)"])
        }
    }
}

/// The descriptions of writes, decoded once each: a viewer that types sends the same one with every key.
final class WriteMemory: Sendable {
    private static let limit = 512
    private let known = Mutex<[String: Write]>([:])

    func write(_ meta: String) throws(ErrorBody) -> Write {
        if let write = known.withLock({ $0[meta] }) { return write }
        let write = try JSON.decode(Write.self, from: meta.utf8)
        known.withLock { known in
            if known.count >= Self.limit { known.removeAll() }
            known[meta] = write
        }
        return write
    }
}

/// Text as a terminal pastes it.
enum Paste {
    /// Line ends become carriage returns; the marks of mode 2004 go around where the program asked for them, and none can
    /// be smuggled in with the text.
    static func bytes(_ text: [UInt8], bracketed: Bool) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 12)
        var previous: UInt8 = 0
        for byte in text {
            defer { previous = byte }
            switch byte {
            case 0x0a: if previous != 0x0d { result.append(0x0d) }
            case 0x1b where bracketed: result.append(contentsOf: "\u{241b}".utf8)
            default: result.append(byte)
            }
        }
        return bracketed ? Array("\u{1b}[200~".utf8) + result + Array("\u{1b}[201~".utf8) : result
    }
}
