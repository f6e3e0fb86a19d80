internal import Bus
internal import CPty
internal import Contract
internal import Terminal
internal import Traces

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

extension Shim {
    /// Most that one write may bring, and most that may wait for a program that does not read.
    static let largestWrite = 512 << 10
    private static let mostRemembered = 4096

    /// Answers a request on `shim.<pod>.<verb>`.
    func answer(_ verb: String, _ message: BusMessage) {
        // A shim keeps no spans: it says that the request came here, and its relay's span tells how long it took.
        if let trace = message.header(TraceContext.header).flatMap({ TraceContext($0) }), trace.isSampled { log("asked to \(verb)", trace: trace) }
        let reply: BusReply
        do throws(ErrorBody) {
            switch verb {
            case "write": reply = BusReply(try write(message).reply)
            case "resize": reply = BusReply(Reply.encode(try resize(JSON.decode(Resize.self, from: message.payload))))
            case "signal":
                try signal(JSON.decode(SendSignal.self, from: message.payload))
                reply = BusReply(Reply.encode(Done()))
            case "stop":
                let request = try JSON.decode(StopPod.self, from: message.payload)
                emit(.signal(name: "TERM", author: request.author))
                stop(grace: .milliseconds(max(0, min(request.graceMs, 600_000))), author: request.author)
                reply = BusReply(Reply.encode(Done()))
            case "marker":
                let request = try JSON.decode(PutMarker.self, from: message.payload)
                emitOutput(.now)
                let text = hiding?.said(request.text) ?? request.text
                reply = BusReply(Reply.encode(Applied(result: .applied, seq: emit(.marker(text: text, author: request.author)))))
            case "keyframe": reply = try keyframe()
            case "written":
                let request = try JSON.decode(AskWritten.self, from: message.payload)
                reply = BusReply(Reply.encode(Written(frames: request.names.map { onceWritten[$0] ?? 0 }, newestInput: newestInput)))
            default: throw ErrorBody(.badRequest, "a shim does not know \"\(verb)\"")
            }
        } catch {
            return respond(message, BusReply(Reply.error(error)))
        }
        respond(message, reply)
    }

    private func respond(_ message: BusMessage, _ reply: BusReply) {
        publisher.current?.respond(to: message, reply)
    }

    /// Types into the program, unless the screen changed after the frame that the author saw.
    private func write(_ message: BusMessage) throws(ErrorBody) -> Applied {
        guard let author = message.header(Headers.author).flatMap(Author.init) else {
            throw ErrorBody(.badRequest, "a write needs the header \(Headers.author), kind:id")
        }
        var ifSeq: UInt64?
        if let text = message.header(Headers.ifSeq) {
            guard let number = UInt64(text) else { throw ErrorBody(.badRequest, "\(Headers.ifSeq) is \"\(text)\", not a frame number") }
            ifSeq = number
        }
        guard message.payloadSize <= Self.largestWrite else {
            throw ErrorBody(.tooLarge, "one write takes at most \(Self.largestWrite) bytes")
        }
        guard !hasExited else { return Applied(result: .gone, message: "the program has ended") }
        let once = message.header(Headers.once)
        if let once, let seq = onceWritten[once] { return Applied(result: .applied, seq: seq, message: "typed before") }
        // What the terminal holds is on the screen now, whether we had read it or not.
        catchUpWithOutput()
        if let ifSeq, newestChange > ifSeq {
            return Applied(result: .screenChanged, seq: newestChange, message: "the screen changed after frame \(ifSeq)")
        }
        guard pty.waitingBytes + message.payloadSize <= Self.largestWrite else {
            return Applied(result: .busy, message: "the program does not read its input; \(pty.waitingBytes) bytes wait")
        }
        guard message.payloadSize > 0 else { return Applied(result: .applied, seq: newestSeq) }
        let bytes = message.payload
        let modes = hiding == nil ? 0 : cpty_modes(pty.master)
        let isSecret = modes >= 0 && modes & CPTY_ICANON != 0 && modes & CPTY_ECHO == 0
        let recorded = hiding?.typed(bytes, isSecret: isSecret) ?? bytes
        let seq = emit(.in, recorded, author: author, via: message.header(Headers.via))
        newestInput = seq
        if let once { remember(once, seq) }
        pty.write(bytes)
        hasTyped = true
        signals.pacing.activity(.now)
        return Applied(result: .applied, seq: seq)
    }

    /// Names of inputs that are typed once, the newest so many: whoever asks again does so within minutes.
    private func remember(_ once: String, _ seq: UInt64) {
        onceWritten[once] = seq
        onceOrder.append(once)
        if onceOrder.count > Self.mostRemembered { onceWritten[onceOrder.removeFirst()] = nil }
    }

    private func catchUpWithOutput() {
        guard readsNow else { return }
        for _ in 0..<64 {
            readOutput()
            if output.isEmpty { return }
            emitOutput(.now)
        }
    }

    private func resize(_ request: Resize) throws(ErrorBody) -> Applied {
        if let problem = PodSpec.sizeProblem(columns: request.columns, rows: request.rows) { throw problem }
        guard !hasExited else { return Applied(result: .gone, message: "the program has ended") }
        guard request.columns != terminal.columns || request.rows != terminal.rows else {
            return Applied(result: .applied, seq: newestSeq)
        }
        // Output that was made for the old size belongs before the change.
        catchUpWithOutput()
        emitOutput(.now)
        guard pty.resize(columns: request.columns, rows: request.rows) else {
            throw ErrorBody(.internal, "the terminal refused the size: \(String(cString: strerror(errno)))")
        }
        let version = terminal.screenVersion
        terminal.resize(columns: request.columns, rows: request.rows)
        let seq = emit(.resize(columns: request.columns, rows: request.rows, author: request.author))
        if terminal.screenVersion != version { newestChange = seq }
        keyPacing.output(0, .now)
        return Applied(result: .applied, seq: seq)
    }

    private func signal(_ request: SendSignal) throws(ErrorBody) {
        guard let number = SignalName.number(request.name) else {
            let known = SignalName.numbers.keys.sorted().joined(separator: ", ")
            throw ErrorBody(.badRequest, "\"\(request.name)\" is no signal that can be sent; use one of \(known)")
        }
        guard !hasExited else { throw ErrorBody(.gone, "the program has ended") }
        guard pty.signal(number) else {
            throw ErrorBody(.internal, "the signal could not be sent: \(String(cString: strerror(errno)))")
        }
        emit(.signal(name: request.name.uppercased(), author: request.author))
    }

    private func keyframe() throws(ErrorBody) -> BusReply {
        emitOutput(.now)
        guard let packed = packedScreen() else { throw ErrorBody(.internal, "the screen could not be packed") }
        let meta = KeyframeMeta(seq: newestSeq, time: newestTime, columns: terminal.columns, rows: terminal.rows)
        do {
            return BusReply(packed, headers: [(Headers.meta, try JSON.text(meta))])
        } catch {
            throw ErrorBody(.internal, "\(error)")
        }
    }
}
