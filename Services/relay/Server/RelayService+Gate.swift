internal import Bus
internal import Contract
internal import Logging
internal import Synchronization
internal import Traces
internal import Tracing

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
        // A prompt, and whatever an agent types, is judged on the very screen that the shim will write to.
        if write.submit == true || write.author.kind == .pod { return prompt(message, write, pod) }
        let decision = withSampledSpan("gate", attributes: Self.gate("type", write.author)) { span in
            let decision = pod.decide(
                .init(kind: .type, author: write.author, role: write.role, viewer: write.viewer, ifStatus: write.ifStatus), now: .now())
            span?.updateAttributes { Self.tell(decision, &$0) }
            return decision
        }
        guard case .pass = decision else { return answer(message, refused(Self.applied(decision), write.author, pod, viewer: write.viewer)) }
        let bytes = write.paste == true ? Paste.bytes(message.payload, bracketed: pod.wantsBracketedPaste) : message.payload
        forward(message, pod, Subjects.shimWrite(write.pod), bytes, headers: Self.headers(write))
    }

    static func headers(_ write: Write, once: String? = nil) -> [(String, String)] {
        var headers = [(Headers.author, write.author.description), (Headers.via, write.via ?? "send")]
        if let seq = write.ifSeq { headers.append((Headers.ifSeq, String(seq))) }
        // Refused once, it may be tried again: the shim counts only what it typed.
        if let once { headers.append((Headers.once, once)) }
        return headers
    }

    /// Hands a request on to the shim. Of a pod that is in step the shim's answer goes straight to the one who asked. Of any other the
    /// relay waits for it itself: only who asks is told at once that nobody answers.
    private func forward(_ message: BusMessage, _ pod: LivePod, _ subject: String, _ payload: [UInt8], headers: [(String, String)] = []) {
        countAnswer("passed")
        guard pod.standing != .inStep else {
            do throws(BusError) {
                try bus.publish(subject, payload: payload, headers: headers + BusConnection.traceHeaders, reply: message.reply)
                bus.passedOn(message)
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

    static let noTerminal = Applied(
        result: .gone, message: "the pod's terminal does not answer: it has ended, never was, or its host is cut off")

    // MARK: - Traces

    /// What is told of an operation at the gate: never what was typed.
    static func gate(_ operation: String, _ author: Author) -> SpanAttributes {
        ["switchback.gate.operation": .string(operation), "switchback.gate.author.kind": .string(author.kind.rawValue)]
    }

    static func tell(_ decision: GateDecision, _ attributes: inout SpanAttributes) {
        let outcome = if case .refuse(let result, _) = decision { result.rawValue } else { "passed" }
        attributes.set("switchback.gate.outcome", value: .string(outcome))
    }

    // MARK: - Sizes

    func resize(_ message: BusMessage) throws(ErrorBody) {
        let request = try JSON.decode(Resize.self, from: message.payload)
        if let problem = PodSpec.sizeProblem(columns: request.columns, rows: request.rows) { throw problem }
        let pod = pod(request.pod)
        let decision = withSampledSpan("gate", attributes: Self.gate("resize", request.author)) { span in
            let decision = pod.decide(
                .init(
                    kind: .resize, author: request.author, role: request.role, isGranted: isGranted(request.author, .write, request.pod),
                    viewer: request.viewer), now: .now())
            span?.updateAttributes { Self.tell(decision, &$0) }
            return decision
        }
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
    /// A channel message: where the program does not ask for pastes, its lines become one, so that none submits early.
    static func message(_ text: [UInt8], bracketed: Bool) -> [UInt8] {
        guard !bracketed else { return bytes(text, bracketed: true) }
        var result: [UInt8] = []
        var isBreak = false
        for byte in text {
            if byte == 0x0a || byte == 0x0d || byte == 0x09 {
                isBreak = !result.isEmpty
            } else {
                if isBreak { result.append(contentsOf: " ⏎ ".utf8) }
                isBreak = false
                result.append(byte)
            }
        }
        return result
    }

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
