internal import BindingsClient
internal import Bus
internal import Contract
internal import NIOCore
internal import NIOWebSocket
internal import RelayClient
internal import ViewProtocol

/// A real terminal on a pod (contract, section 6, `?mode=raw`): ANSI that rebuilds the screen, then output bytes as they
/// come; binary messages are keystrokes, text messages are JSON control.
final class RawSession: TerminalSession {
    typealias Notice = ViewNotice

    /// Text messages from the client.
    struct Command: Codable, Sendable {
        /// Columns and rows.
        var resize: [Int]?
        var take: Bool?
        /// Asks for the whole screen anew.
        var redraw: Bool?
    }

    private let caller: SocketCaller
    private var request: TerminalRequest { caller.request }
    private var service: TerminalService { caller.service }
    private var socket: TerminalSocket?
    private var pod: Pod?
    private var membership: LiveFeeds.Membership?
    private var join = StreamJoin<LiveFrame>()
    private var attempts = 0
    /// Keystrokes that came before the pod was known.
    private var early: [ByteBuffer] = []
    private var exit: Exit?
    private var knownKeyboard: RelayClient.Keyboard?
    /// Secrets are hidden: not bytes as they come, but the whole screen, anew after each change, some times a second.
    private let hides: Bool
    private var isScreenDue = false
    private var isScreenAsked = false
    private var hasBeenShown = false
    private var heard = NewestHeard(patience: 50)

    init(_ caller: SocketCaller) {
        self.caller = caller
        hides = !Visibility.seesLive(caller.request.person, reveal: caller.request.reveal)
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
        membership?.end()
        membership = nil
        join.stop()
        caller.end(pod)
    }

    private func begin(_ pod: Pod) {
        self.pod = pod
        guard let socket else { return }
        caller.begin(pod, on: socket)
        guard pod.lifecycle.isLive else { return showLast(pod) }
        do throws(BusError) {
            membership = try service.feeds.followOutput(of: pod.pod, on: socket.eventLoop) { [weak self] frames in
                self?.receive(frames)
            }
        } catch {
            return end(ErrorBody(error))
        }
        if hides { screenIsDue() } else { perform(join.begin()) }
        if let columns = request.columns, let rows = request.rows { resize(columns, rows) }
        let typed = early
        early = []
        for bytes in typed { received(binary: bytes) }
    }

    private func end(_ error: ErrorBody) {
        notify(Notice(error: error))
        socket?.close(code: TerminalCloseCode.of(error), reason: error.message)
    }

    /// The pod runs no more: its last screen, how it ended, and the end.
    private func showLast(_ pod: Pod) {
        let (service, hides) = (self.service, hides)
        onLoop(after: { () async throws(ErrorBody) in try await service.lastScreen(pod, masked: hides) }) { session, result in
            switch result {
            case .success(let screen):
                session.socket?.write(WebSocketWire.message(.binary, payload: screen.ansi))
                session.notify(Notice(size: [screen.columns, screen.rows], seq: screen.seq))
                session.finish(pod.exit)
            case .failure(let error):
                session.end(error)
            }
        }
    }

    private func finish(_ exit: Exit?) {
        notify(Notice(exit: exit ?? .lost(reason: "the pod has ended")))
        socket?.close(code: TerminalCloseCode.finished, reason: "the pod has ended")
    }

    // MARK: - Output

    private func receive(_ frames: [LiveFrame]) {
        guard let socket else { return }
        if hides { return look(at: frames) }
        if socket.isBehind { return join.viewerStopped(frames) }
        let action = join.receive(frames) { frame in send(frame) }
        socket.flush()
        perform(action)
        if let exit { finish(exit) }
    }

    private func send(_ frame: LiveFrame) {
        switch frame.content {
        case .output(let message): socket?.write(message)
        case .control(.resize(let columns, let rows, _)): notify(Notice(size: [columns, rows], seq: frame.seq))
        case .control(.exit(let exit)): self.exit = exit
        case .control, .silent: break
        }
    }

    // MARK: - With secrets hidden

    private static let screenPause = TimeAmount.milliseconds(100)

    private func look(at frames: [LiveFrame]) {
        heard.note(frames)
        for frame in frames {
            switch frame.content {
            case .control(.resize(let columns, let rows, _)): notify(Notice(size: [columns, rows], seq: frame.seq))
            case .control(.exit(let exit)): self.exit = exit
            case .output, .control, .silent: break
            }
        }
        screenIsDue()
    }

    private func screenIsDue() {
        guard let socket, !isScreenDue else { return }
        isScreenDue = true
        let bound = NIOLoopBound(Weak(self), eventLoop: socket.eventLoop)
        socket.eventLoop.scheduleTask(in: hasBeenShown ? Self.screenPause : .zero) { bound.value.object?.askForScreen() }
    }

    private func askForScreen() {
        guard let pod, socket != nil, !isScreenAsked else { return }
        isScreenDue = false
        isScreenAsked = true
        let (service, lines) = (self.service, hasBeenShown ? 0 : request.scrollback)
        onLoop(after: { () async throws(ErrorBody) in try await service.maskedScreen(pod.pod, scrollback: lines) }) { session, result in
            session.isScreenAsked = false
            switch result {
            case .success(let screen):
                guard session.socket?.isBehind == false else { return session.screenIsDue() }
                session.attempts = 0
                session.socket?.send(WebSocketWire.message(.binary, payload: screen.ansi))
                if !session.hasBeenShown { session.notify(Notice(size: [screen.columns, screen.rows], seq: screen.seq)) }
                session.hasBeenShown = true
                if session.heard.isLacking(screen.seq) { return session.screenIsDue() }
                if let exit = session.exit { session.finish(exit) }
            case .failure(let error):
                session.attempts += 1
                if error.code == .notFound { return session.checkEnd() }
                if session.attempts < 100 { session.screenIsDue() }
            }
        }
    }

    func writable() {
        if hides { return screenIsDue() }
        perform(join.viewerReads())
    }

    private func perform(_ action: StreamJoin<LiveFrame>.Action) {
        guard case .attach(let number) = action, let pod else { return }
        let (service, scrollback) = (self.service, request.scrollback)
        attempts += 1
        let pause = attempts > 1 ? min(Duration.milliseconds(20 << min(attempts, 6)), .seconds(1)) : .zero
        onLoop(
            after: { () async throws(ErrorBody) in
                if pause > .zero { try? await Task.sleep(for: pause) }
                return try await service.relay.attach(Attach(pod: pod.pod, format: .ansi, scrollback: scrollback))
            },
            then: { session, result in session.attached(number, result) })
    }

    private func attached(_ number: Int, _ result: Result<RelayClient.Attached, ErrorBody>) {
        switch result {
        case .success(let attached):
            let action = join.attached(number, seq: attached.meta.seq) {
                socket?.write(WebSocketWire.message(.binary, payload: attached.payload))
                notify(Notice(size: [attached.meta.columns, attached.meta.rows], seq: attached.meta.seq))
            } send: { frame in
                send(frame)
            }
            if case .nothing = action, join.position != nil { attempts = 0 }
            socket?.flush()
            perform(action)
            if let exit { finish(exit) }
        case .failure(let error):
            guard join.attachFailed(number) else { return }
            if error.code == .notFound { return checkEnd() }
            // The relay is away or changing hands: the socket stays, and the screen comes back with the relay.
            perform(join.begin())
        }
    }

    /// The relay does not hold the pod: has it ended since?
    private func checkEnd() {
        let (service, request) = (self.service, self.request)
        onLoop(after: { () async throws(ErrorBody) in try await service.pod(for: request) }) { session, result in
            if case .success(let pod) = result, !pod.lifecycle.isLive {
                session.showLast(pod)
            } else if session.hides {
                session.screenIsDue()
            } else {
                session.perform(session.join.begin())
            }
        }
    }

    // MARK: - Input

    func received(binary: ByteBuffer) {
        guard let pod else {
            if early.count < 64 { early.append(binary) }
            return
        }
        var binary = binary
        guard let bytes = binary.readBytes(length: binary.readableBytes), !bytes.isEmpty else { return }
        let failed = failures()
        do throws(ErrorBody) {
            if knownKeyboard == nil { knownKeyboard = try caller.keyboard(pod, via: "attach") }
            if let knownKeyboard { caller.type(bytes, on: knownKeyboard, pod, failed: failed) }
        } catch {
            notify(Notice(error: error))
        }
    }

    func received(text: String) {
        let command: Command
        do throws(ErrorBody) {
            command = try JSON.decode(Command.self, from: text.utf8)
        } catch {
            return notify(Notice(error: error))
        }
        if let size = command.resize {
            guard size.count == 2 else {
                return notify(Notice(error: ErrorBody(.badRequest, "resize takes [columns, rows]")))
            }
            resize(size[0], size[1])
        }
        if command.redraw == true { if hides { screenIsDue() } else { perform(join.begin()) } }
        if command.take == true { take() }
    }

    private func resize(_ columns: Int, _ rows: Int) {
        guard let pod else { return }
        if let problem = PodSpec.sizeProblem(columns: columns, rows: rows) { return notify(Notice(error: problem)) }
        onLoop(after: { [caller] () async throws(ErrorBody) in try await caller.resize(pod, columns: columns, rows: rows) }) { session, result in
            session.caller.audit.note("resizeTerminal", on: pod.pod.text, result)
            if let error = SocketCaller.refusal(result) { session.notify(Notice(error: error)) }
        }
    }

    private func take() {
        guard let pod else { return }
        onLoop(after: { [caller] () async throws(ErrorBody) in try await caller.take(pod) }) { session, result in
            session.caller.audit.note("takeTerminal", on: pod.pod.text, result)
            let error = SocketCaller.refusal(result)
            session.notify(error.map { Notice(error: $0) } ?? Notice(writer: .init(author: session.request.person.author, you: true)))
        }
    }

    // MARK: - Between threads

    private func notify(_ notice: Notice) {
        guard let socket, let text = try? JSON.encode(notice) else { return }
        socket.send(WebSocketWire.message(.text, payload: text))
    }

    /// A way to tell an error from any thread.
    private func failures() -> @Sendable (ErrorBody) -> Void {
        guard let socket else { return { _ in } }
        let session = NIOLoopBound(Weak(self), eventLoop: socket.eventLoop)
        let loop = socket.eventLoop
        return { error in loop.execute { session.value.object?.notify(Notice(error: error)) } }
    }

    private func onLoop<Value: Sendable>(
        after work: @escaping @Sendable () async throws(ErrorBody) -> Value,
        then: @escaping (RawSession, Result<Value, ErrorBody>) -> Void
    ) {
        guard let socket else { return }
        LoopTask.run(for: self, on: socket.eventLoop, work, then: then)
    }
}
