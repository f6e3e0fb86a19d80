internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials
internal import Glibc
internal import Synchronization
internal import Terminal
internal import ViewProtocol

struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Scrub a pod's recording in this terminal, while it runs and after it ended.",
        discussion: """
            space play or pause · ← → 5 s · ↑ ↓ 1 min · [ ] previous or next input or marker · , . one frame · 1-9 speed · \
            r backwards · g go to a time · home the start · L live · q quit
            """)

    @OptionGroup var output: JSONOption
    @OptionGroup var target: PodArgument

    @Option(help: ArgumentHelp("Begin there.", valueName: "time"))
    var at: String?

    @Option(help: "Times the real speed.")
    var speed: Double = 1

    @Flag(help: "Show secrets as well; for admins, and noted in the audit log.")
    var reveal = false

    func run() async throws {
        let moment = try moment(at)
        guard speed > 0, speed <= 1000 else { throw Failure(.usage, "usage", "--speed is more than 0 and at most 1000.") }
        let backend = try Backend.locate()
        let pod = try await backend.api.pod(target.pod)
        let start = try moment?.resolve(start: pod.started ?? pod.created, now: .now())
        try await Scrubber(backend: backend, pod: pod, at: start, speed: speed, reveal: reveal).run()
    }
}

/// The scrubber's screen, keys and connection; what they mean is `ReplayState`'s.
final class Scrubber: Sendable {
    private struct Fields {
        var state: ReplayState
        var image = ScreenImage()
        var painter = ScreenPainter()
        var socket: TerminalConnection?
        var isPainting = false
        var shownSeq: UInt64?
        /// What the server said last against this connection: the reason with which it closes is cut to 123 bytes.
        var trouble: ErrorBody?
    }

    private let backend: Backend
    private let pod: Pod
    private let start: Timestamp?
    private let reveal: Bool
    private let fields: Mutex<Fields>
    private let ends: AsyncStream<ErrorBody?>
    private let end: AsyncStream<ErrorBody?>.Continuation

    init(backend: Backend, pod: Pod, at start: Timestamp?, speed: Double, reveal: Bool) {
        self.reveal = reveal
        self.backend = backend
        self.pod = pod
        // An ended pod is looked at from its beginning, a running one where it is.
        self.start = start ?? (pod.lifecycle.isLive ? nil : pod.started ?? pod.created)
        fields = Mutex(Fields(state: ReplayState(name: pod.name, speed: speed)))
        (ends, end) = AsyncStream.makeStream()
    }

    func run() async throws {
        let console = ConsoleTerminal.shared
        guard Out.isTerminal(1), console.takeOver(goodbye: ConsoleBytes.leaveAlternate) else {
            throw Failure(
                .usage, "no_terminal", "replay needs a terminal on standard input and output.",
                fix: "`switchback screen POD --at TIME` prints one moment, `switchback export` all of it.")
        }
        defer { console.giveBack() }
        Out.write(ConsoleBytes.enterAlternate, to: 1)
        let connecting = Task { await self.stayConnected() }
        let ticking = Task { await self.tick() }
        console.onResize { [weak self] in self?.repaint() }
        console.readKeys { [weak self] bytes in self?.typed(bytes) }
        var trouble: ErrorBody?
        for await error in ends {
            trouble = error
            break
        }
        connecting.cancel()
        ticking.cancel()
        fields.withLock { $0.socket }?.close()
        console.giveBack()
        if let trouble { throw trouble }
        Glibc.exit(0)
    }

    private func stayConnected() async {
        await StayingConnected { [backend, pod, reveal] receive async throws(ErrorBody) in
            try await backend.api.terminal(pod.pod.text, mode: .view, reveal: reveal, receive: receive)
        } received: { [weak self] message in
            switch message {
            case .binary(let bytes): self?.receive(bytes)
            case .text(let text): self?.receive(Array(text.utf8))
            case .closed: break
            }
        } connected: { [weak self] socket in
            self?.connected(socket)
        } disconnected: { [weak self] in
            self?.fields.withLock { $0.socket = nil }
        } refused: { [weak self, end] error in
            let said = self?.fields.withLock { $0.trouble }
            end.yield(said?.code == error.code ? said : error)
        }.run()
    }

    /// Back to the place where the viewer was.
    private func connected(_ socket: TerminalConnection) {
        let place = fields.withLock { fields -> Timestamp? in
            fields.socket = socket
            guard let position = fields.state.position else { return start }
            return position.mode == .live ? nil : position.time
        }
        if let place { send([.seek(place.description)], socket) }
        send([.timeline], socket)
    }

    /// The clock of a live screen moves without messages.
    private func tick() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(500))
            repaint()
        }
    }

    private func receive(_ bytes: [UInt8]) {
        let message: ViewMessage
        do throws(ErrorBody) {
            message = try ViewMessage(bytes)
        } catch {
            return
        }
        fields.withLock { fields in
            switch message {
            case .keyframe(let screen, let seq, _, _):
                fields.image = ScreenImage()
                fields.image.apply(screen)
                fields.shownSeq = seq
            case .delta(let delta, let base, let seq, _):
                guard fields.shownSeq == base else {
                    // One is missing: the whole screen, please.
                    if let socket = fields.socket, let shown = fields.shownSeq, base > shown { send([.keyframe], socket) }
                    return
                }
                fields.shownSeq = seq
                if let delta { fields.image.apply(delta) }
            case .notice(let notice): fields.trouble = notice.error ?? fields.trouble
            default: break
            }
            _ = fields.state.receive(message, now: .now())
        }
        repaint()
    }

    private func typed(_ bytes: [UInt8]) {
        if bytes.isEmpty {
            end.yield(nil)
            return
        }
        var commands: [ViewCommand] = []
        var quits = false
        let socket = fields.withLock { fields in
            for key in KeyParser.keys(in: bytes) {
                for action in fields.state.press(key, now: .now()) {
                    switch action {
                    case .send(let command): commands.append(command)
                    case .quit: quits = true
                    case .repaint: break
                    }
                }
            }
            return fields.socket
        }
        if quits {
            end.yield(nil)
            return
        }
        if let socket { send(commands, socket) }
        repaint()
    }

    private func send(_ commands: [ViewCommand], _ socket: TerminalConnection) {
        for command in commands {
            if let bytes = try? JSON.encode(command) { socket.send(bytes) }
        }
    }

    private func repaint() {
        guard let size = ConsoleTerminal.size() else { return }
        fields.withLock { fields in
            let bytes = fields.painter.paint(
                fields.image, status: fields.state.statusLine(columns: size.columns, now: .now()), columns: size.columns, rows: size.rows)
            // Under the lock: pictures must not overtake each other.
            Out.write(bytes, to: 1)
        }
    }
}
