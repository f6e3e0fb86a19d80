internal import BindingsClient
internal import Bus
internal import Contract
internal import FoundationEssentials
internal import Logging
internal import NIOCore
internal import NIOWebSocket
internal import RecorderClient
internal import Redaction
internal import RelayClient
internal import Terminal
internal import ViewProtocol

/// A viewer that paints rows (contract, section 6): screens and deltas as JSON, live, past and playing, with one set of
/// messages for all.
final class ViewSession: TerminalSession {
    private enum Mode {
        case opening
        case live
        case past(Past)
    }

    private let caller: SocketCaller
    var request: TerminalRequest { caller.request }
    var service: TerminalService { caller.service }
    private(set) var socket: TerminalSocket?
    private(set) var pod: Pod?
    private var mode = Mode.opening
    private var membership: LiveFeeds.Membership?
    private var join = StreamJoin<LiveDelta>()
    private var attempts = 0
    private var early: [ViewCommand] = []
    private var sizing: RepeatedTask?
    private var ending: RepeatedTask?
    private var statuses: BusSubscription?
    /// What the viewer is told of the past's statuses.
    private(set) lazy var pastStatus = PastStatus(session: self)
    /// For a viewer that wants few changes: none before this, and whether one is to come then.
    private var nextChange = NIODeadline.uptimeNanoseconds(0)
    private var isChangeDue = false
    /// Secrets of the live screen are hidden; those of the past are, unless they are to be shown.
    private let hidesLive: Bool
    var redactor: Redactor? { request.reveal ? nil : service.redactor }

    init(_ caller: SocketCaller) {
        self.caller = caller
        hidesLive = !Visibility.seesLive(caller.request.person, reveal: caller.request.reveal)
    }

    // MARK: - Life

    func opened(_ socket: TerminalSocket) {
        self.socket = socket
        onLoop(after: { [caller] () async throws(ErrorBody) in try await caller.admitted() }) { session, result in
            switch result {
            case .success(let pod): session.begin(pod)
            case .failure(let error): session.end(error)
            }
        }
    }

    func closed() {
        socket = nil
        leaveLive()
        sizing?.cancel()
        statuses?.unsubscribe()
        if case .past(let past) = mode { past.stop() }
        mode = .opening
        caller.end(pod)
    }

    private func begin(_ pod: Pod) {
        self.pod = pod
        if let socket { caller.begin(pod, on: socket) }
        followStatus(of: pod)
        if let status = pod.status { send(Typed(type: "status", value: status)) }
        if let columns = request.columns, let rows = request.rows { resize(columns, rows) }
        // What was asked for meanwhile comes first; else the viewer begins where the pod is.
        let commands = early
        early = []
        if !commands.contains(where: { ["live", "seek", "play", "step"].contains($0.type) }) {
            if pod.lifecycle.isLive { goLive() } else { goPast { past in past.seek(to: .newest) } }
        }
        for command in commands { perform(command) }
    }

    /// Tells the viewer what the agent does, while it looks at the live screen.
    private func followStatus(of pod: Pod) {
        guard pod.lifecycle.isLive, let socket else { return }
        let loop = socket.eventLoop
        let bound = NIOLoopBound(Weak(self), eventLoop: loop)
        do throws(BusError) {
            statuses = try service.bus.subscribe(Subjects.status(pod.pod)) { message in
                guard let status = try? JSON.decode(PodStatus.self, from: message.payload) else { return }
                loop.execute {
                    guard let session = bound.value.object else { return }
                    session.pod?.status = status
                    if case .live = session.mode { session.send(Typed(type: "status", value: status)) }
                }
            }
        } catch {
            service.logger.warning("a viewer hears no statuses", metadata: ["pod": "\(pod.pod)", "reason": "\(error)"])
        }
    }

    private func end(_ error: ErrorBody) {
        tell(error)
        socket?.close(code: TerminalCloseCode.of(error), reason: error.message)
    }

    // MARK: - Commands

    func received(binary: ByteBuffer) { received(json: binary.readableBytesView) }

    func received(text: String) { received(json: text.utf8) }

    private func received(json: some Sequence<UInt8>) {
        do throws(ErrorBody) {
            let command = try JSON.decode(ViewCommand.self, from: json)
            if pod == nil {
                if early.count < 64 { early.append(command) }
            } else {
                perform(command)
            }
        } catch {
            tell(error)
        }
    }

    private func perform(_ command: ViewCommand) {
        switch command.type {
        case "live":
            goLive()
        case "seek":
            do throws(ErrorBody) {
                let place = try place(command)
                goPast { $0.seek(to: place) }
            } catch {
                tell(error)
            }
        case "play":
            let rate = command.rate ?? 1
            guard rate.isFinite, rate != 0, abs(rate) <= 1000 else {
                return tell(ErrorBody(.badRequest, "rate must be between -1000 and 1000, and not 0"))
            }
            let limit = command.idleLimit.flatMap { $0 > 0 && $0 < 86_400 ? Duration.seconds($0) : nil }
            goPast { $0.play(rate: rate, idleLimit: limit) }
        case "pause":
            goPast { $0.pause() }
        case "step":
            let frames = command.frames ?? 1
            guard frames != 0, abs(frames) <= 10_000 else {
                return tell(ErrorBody(.badRequest, "frames must be between -10000 and 10000, and not 0"))
            }
            goPast { $0.step(frames) }
        case "keyframe":
            if case .past(let past) = mode { past.showAgain() } else { join.stop(); perform(join.begin()) }
        case "input": input(command)
        case "resize": resize(command.columns ?? 0, command.rows ?? 0)
        case "take": take()
        case "timeline": timeline()
        default:
            tell(ErrorBody(.badRequest, "unknown message \"\(command.type.prefix(40))\": use live, seek, play, pause, step, input, resize, take, timeline or keyframe"))
        }
    }

    private func place(_ command: ViewCommand) throws(ErrorBody) -> Past.Place {
        if let seq = command.seq { return .seq(seq) }
        guard let text = command.time, let pod else { throw ErrorBody(.badRequest, "seek needs a time (or a seq)") }
        return .time(try APIRequest.time(text, name: "time", start: pod.started ?? pod.created, now: .now()))
    }

    // MARK: - Live

    func goLive() {
        guard let pod, let socket else { return }
        if case .past(let past) = mode { past.stop() }
        guard pod.lifecycle.isLive else {
            mode = .opening
            return goPast { $0.seek(to: .newest) }
        }
        mode = .live
        if membership == nil {
            do throws(BusError) {
                membership = try service.feeds.followView(of: pod.pod, masked: hidesLive, on: socket.eventLoop) { [weak self] deltas in
                    self?.receive(deltas)
                }
            } catch {
                return end(ErrorBody(error))
            }
            watchEnd(pod, socket)
        }
        join.stop()
        perform(join.begin())
    }

    private func leaveLive() {
        membership?.end()
        membership = nil
        ending?.cancel()
        ending = nil
        join.stop()
    }

    private func receive(_ deltas: [LiveDelta]) {
        guard let socket else { return }
        if socket.isBehind { return join.viewerStopped(deltas) }
        if let rate = request.rate, join.position != nil || isChangeDue {
            if isChangeDue { return }
            let now = NIODeadline.now()
            guard now >= nextChange else {
                // What comes meanwhile is one whole screen later.
                join.viewerStopped(deltas)
                isChangeDue = true
                let bound = NIOLoopBound(Weak(self), eventLoop: socket.eventLoop)
                socket.eventLoop.scheduleTask(deadline: nextChange) { bound.value.object?.changeIsDue() }
                return
            }
            nextChange = now + .milliseconds(1000 / Int64(rate))
        }
        let action = join.receive(deltas) { delta in socket.write(delta.message) }
        socket.flush()
        perform(action)
    }

    private func changeIsDue() {
        isChangeDue = false
        guard let socket, case .live = mode, !socket.isBehind, let rate = request.rate else { return }
        nextChange = .now() + .milliseconds(1000 / Int64(rate))
        perform(join.viewerReads())
    }

    func writable() {
        switch mode {
        case .live: if !isChangeDue { perform(join.viewerReads()) }
        case .past(let past): past.viewerReads()
        case .opening: break
        }
    }

    private func perform(_ action: StreamJoin<LiveDelta>.Action) {
        guard case .attach(let number) = action, let pod, case .live = mode else { return }
        attempts += 1
        let pause = attempts > 1 ? min(Duration.milliseconds(20 << min(attempts, 6)), .seconds(1)) : .zero
        let (service, hides) = (self.service, hidesLive)
        onLoop(
            after: { () async throws(ErrorBody) in
                if pause > .zero { try? await Task.sleep(for: pause) }
                return try await service.relay.attach(Attach(pod: pod.pod, format: .view, masked: hides ? true : nil))
            },
            then: { session, result in session.attached(number, result) })
    }

    private func attached(_ number: Int, _ result: Result<RelayClient.Attached, ErrorBody>) {
        guard case .live = mode, let pod else { return }
        switch result {
        case .success(let attached):
            let action = join.attached(number, seq: attached.meta.seq) {
                socket?.write(WebSocketWire.message(.binary, payload: attached.payload))
                write(
                    Typed(
                        type: "position",
                        value: ViewMessage.Position(
                            mode: .live, seq: attached.meta.seq, time: attached.meta.time, rate: 1, first: pod.started ?? pod.created,
                            last: attached.meta.time, live: true)))
                if pastStatus.leave(), let status = pod.status { write(Typed(type: "status", value: status)) }
            } send: { delta in
                socket?.write(delta.message)
            }
            if case .nothing = action, join.position != nil { attempts = 0 }
            socket?.flush()
            perform(action)
        case .failure:
            if join.attachFailed(number) { perform(join.begin()) }
        }
    }

    /// The relay tells changes, not ends: the registry knows those. Asked every second while live.
    private func watchEnd(_ pod: Pod, _ socket: TerminalSocket) {
        let (service, ref) = (self.service, pod.pod.text)
        let bound = NIOLoopBound(Weak(self), eventLoop: socket.eventLoop)
        ending = socket.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            guard let session = bound.value.object else { return }
            session.onLoop(after: { () async throws(ErrorBody) in try await service.pod(ref) }) { session, result in
                guard case .success(let pod) = result else { return }
                session.pod = pod
                guard !pod.lifecycle.isLive, session.membership != nil else { return }
                session.leaveLive()
                session.send(ViewNotice(type: "exit", exit: pod.exit ?? .lost(reason: pod.reason ?? "the pod has ended")))
            }
        }
    }

    // MARK: - Past

    private func goPast(_ move: (Past) -> Void) {
        guard let pod else { return }
        if case .past(let past) = mode { return move(past) }
        let position = join.position
        leaveLive()
        let past = Past(session: self, pod: pod.pod, from: position)
        mode = .past(past)
        move(past)
    }

    // MARK: - Input

    private func input(_ command: ViewCommand) {
        guard let pod else { return }
        let bytes: [UInt8]
        if let text = command.text {
            bytes = Array(text.utf8)
        } else if let encoded = command.bytesB64, let data = Data(base64Encoded: encoded) {
            bytes = [UInt8](data)
        } else {
            return tell(ErrorBody(.badRequest, "input needs text or bytes_b64"))
        }
        guard !bytes.isEmpty || command.submit == true else { return }
        let failed = failures()
        do throws(ErrorBody) {
            let keyboard = try caller.keyboard(pod, via: "web") { write in
                (write.ifSeq, write.submit, write.paste) = (command.ifSeq, command.submit, command.paste)
            }
            caller.type(bytes, on: keyboard, pod, failed: failed)
        } catch {
            tell(error)
        }
    }

    private func resize(_ columns: Int, _ rows: Int) {
        guard let pod, let socket else { return }
        if let problem = PodSpec.sizeProblem(columns: columns, rows: rows) { return tell(problem) }
        let ask: @Sendable () async throws(ErrorBody) -> Applied = { [caller] () async throws(ErrorBody) in
            try await caller.resize(pod, columns: columns, rows: rows)
        }
        onLoop(after: ask) { session, result in
            session.caller.audit.note("resizeTerminal", on: pod.pod.text, result)
            if let error = SocketCaller.refusal(result) { session.tell(error) }
        }
        sizing?.cancel()
        sizing = nil
        guard request.followsSmallest else { return }
        // The size counts as long as it is repeated.
        sizing = socket.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(4), delay: .seconds(4)) { _ in
            Task { _ = try? await ask() }
        }
    }

    private func take() {
        guard let pod else { return }
        onLoop(after: { [caller] () async throws(ErrorBody) in try await caller.take(pod) }) { session, result in
            session.caller.audit.note("takeTerminal", on: pod.pod.text, result)
            if let error = SocketCaller.refusal(result) { return session.tell(error) }
            session.send(ViewNotice(type: "writer", writer: .init(author: session.request.person.author, you: true)))
        }
    }

    private func timeline() {
        guard let pod else { return }
        let service = self.service
        onLoop(after: { () async throws(ErrorBody) in try await service.recorder.timeline(GetTimeline(pod: pod.pod)) }) { session, result in
            switch result {
            case .success(let timeline): session.send(Typed(type: "timeline", value: timeline))
            case .failure(let error): session.tell(error)
            }
        }
    }

    // MARK: - Sending

    func tell(_ error: ErrorBody) {
        send(ViewNotice(type: "error", error: error))
    }

    func send(_ value: some Encodable) {
        write(value)
        socket?.flush()
    }

    private func write(_ value: some Encodable) {
        guard let socket, let bytes = try? JSON.encode(value) else { return }
        socket.write(WebSocketWire.message(.binary, payload: redactor?.redacted(json: bytes) ?? bytes))
    }

    func send(json bytes: [UInt8]) {
        socket?.send(WebSocketWire.message(.binary, payload: bytes))
    }

    /// A way to tell an error from any thread.
    private func failures() -> @Sendable (ErrorBody) -> Void {
        guard let socket else { return { _ in } }
        let bound = NIOLoopBound(Weak(self), eventLoop: socket.eventLoop)
        let loop = socket.eventLoop
        return { error in loop.execute { bound.value.object?.tell(error) } }
    }

    func onLoop<Value: Sendable>(
        after work: @escaping @Sendable () async throws(ErrorBody) -> Value,
        then: @escaping (ViewSession, Result<Value, ErrorBody>) -> Void
    ) {
        guard let socket else { return }
        LoopTask.run(for: self, on: socket.eventLoop, work, then: then)
    }
}

/// A value with a `type` beside its own members.
struct Typed<Value: Encodable>: Encodable {
    enum Key: CodingKey { case type }

    var type: String
    var value: Value

    func encode(to encoder: any Encoder) throws {
        try value.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(type, forKey: .type)
    }
}
