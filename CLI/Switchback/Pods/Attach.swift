internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials
internal import Glibc
internal import Synchronization
internal import ViewProtocol

struct Attach: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A real terminal on a pod: ctrl-b d detaches.",
        discussion: """
            ctrl-b ctrl-b sends one ctrl-b. Several people may attach; one of them writes, the others are told who does and can take over \
            with --take. The pod goes on when you detach.
            """)

    @OptionGroup var output: JSONOption
    @OptionGroup var target: PodArgument

    @Flag(help: "Only watch: no key goes to the pod, and its size stays.")
    var readOnly = false

    @Flag(help: "Become the one who writes.")
    var take = false

    func run() async throws {
        if readOnly && take { throw Failure(.usage, "usage", "--read-only and --take exclude each other.") }
        let backend = try Backend.locate()
        let pod = try await backend.api.pod(target.pod)
        try await Attachment(backend: backend, pod: pod, isReadOnly: readOnly, takes: take).run()
    }
}

/// This terminal on a pod's, from taking it over to giving it back.
final class Attachment: Sendable {
    private enum End: Sendable {
        case detached
        case exited(Exit)
        case refused(ErrorBody)
    }

    private struct Fields {
        var socket: TerminalConnection?
        var filter = DetachFilter()
        /// Keys pressed while the connection is away; few, since nobody types blindly for long.
        var waiting: [UInt8] = []
        var isFirstScreen = true
        var isNoticeShown = false
        /// What the server said last against this connection: the reason with which it closes is cut to 123 bytes.
        var trouble: ErrorBody?
    }

    private let backend: Backend
    private let pod: Pod
    private let isReadOnly: Bool
    private let takes: Bool
    private let fields = Mutex(Fields())
    private let ends: AsyncStream<End>
    private let end: AsyncStream<End>.Continuation

    init(backend: Backend, pod: Pod, isReadOnly: Bool, takes: Bool) {
        self.backend = backend
        self.pod = pod
        self.isReadOnly = isReadOnly
        self.takes = takes
        (ends, end) = AsyncStream.makeStream()
    }

    func run() async throws {
        let console = ConsoleTerminal.shared
        guard Out.isTerminal(1), console.takeOver(goodbye: ConsoleBytes.reset + Array("\u{1b}[999;1H\r\n".utf8)) else {
            throw Failure(
                .usage, "no_terminal", "attach needs a terminal on standard input and output.",
                fix: "`switchback screen` and `switchback send` do not.")
        }
        defer { console.giveBack() }
        let connecting = Task { await self.stayConnected() }
        console.onResize { [weak self] in self?.sendSize() }
        console.readKeys { [weak self] bytes in self?.typed(bytes) }
        var outcome = End.detached
        for await end in ends {
            outcome = end
            break
        }
        connecting.cancel()
        fields.withLock { $0.socket }?.close()
        console.giveBack()
        switch outcome {
        case .detached: Out.print("[detached]")
        case .exited(.code(let code)): Out.print("[exited \(code)]")
        case .exited(.signal(let signal)): Out.print("[killed by signal \(signal)]")
        case .exited(.lost(let reason)): Out.print("[ended: \(reason)]")
        case .refused(let error): throw error
        }
        // The key reader's thread would keep a read of the terminal going.
        Glibc.exit(0)
    }

    // MARK: - Connection

    private func stayConnected() async {
        await StayingConnected { [backend, pod, isReadOnly] receive async throws(ErrorBody) in
            let size = isReadOnly ? nil : ConsoleTerminal.size()
            return try await backend.api.terminal(pod.pod.text, mode: .raw, columns: size?.columns, rows: size?.rows, scrollback: 500, receive: receive)
        } received: { [weak self] message in
            self?.receive(message)
        } connected: { [weak self] socket in
            self?.connected(socket)
        } disconnected: { [weak self] in
            self?.fields.withLock { $0.socket = nil }
            self?.say("connection lost; trying again (ctrl-b d leaves)")
        } refused: { [weak self, end] error in
            let said = self?.fields.withLock { $0.trouble }
            end.yield(.refused(said?.code == error.code ? said ?? error : error))
        }.run()
    }

    private func connected(_ socket: TerminalConnection) {
        let typed = fields.withLock { fields in
            fields.socket = socket
            defer { fields.waiting = [] }
            return fields.waiting
        }
        if takes { socket.send(text: #"{"take":true}"#) }
        if !typed.isEmpty { socket.send(typed) }
    }

    private func receive(_ message: TerminalConnection.Message) {
        switch message {
        case .binary(let bytes):
            let isFirst = fields.withLock { fields in
                defer { fields.isFirstScreen = false }
                fields.isNoticeShown = false
                return fields.isFirstScreen
            }
            // A screen that is rebuilt would also erase what this terminal showed before.
            Out.write(
                isFirst || bytes.count > 64 && bytes.starts(with: [0x1b, 0x5b, 0x21, 0x70]) ? ConsoleBytes.keepingScrollback(bytes) : bytes, to: 1)
        case .text(let text):
            guard let notice = try? JSON.decode(ViewNotice.self, from: text.utf8) else { return }
            if let exit = notice.exit { end.yield(.exited(exit)) }
            if let error = notice.error {
                fields.withLock { $0.trouble = error }
                say(error.message)
            }
            if let writer = notice.writer, !writer.you { say("\(writer.author.id) writes now") }
        case .closed: break
        }
    }

    // MARK: - This side

    private func typed(_ bytes: [UInt8]) {
        if bytes.isEmpty {
            end.yield(.detached)
            return
        }
        let (result, socket) = fields.withLock { fields in
            let result = fields.filter.filter(bytes)
            if fields.socket == nil, case .keys(let keys) = result, fields.waiting.count < 4096, !isReadOnly { fields.waiting += keys }
            return (result, fields.socket)
        }
        switch result {
        case .keys(let keys):
            if !keys.isEmpty && !isReadOnly { socket?.send(keys) }
        case .detach(let keys):
            if !keys.isEmpty && !isReadOnly { socket?.send(keys) }
            end.yield(.detached)
        }
    }

    private func sendSize() {
        guard !isReadOnly, let size = ConsoleTerminal.size() else { return }
        fields.withLock { $0.socket }?.send(text: #"{"resize":[\#(size.columns),\#(size.rows)]}"#)
    }

    /// In the last row for two seconds; then the screen is asked for anew.
    private func say(_ text: String) {
        let isNew = fields.withLock { fields in
            defer { fields.isNoticeShown = true }
            return !fields.isNoticeShown
        }
        let columns = ConsoleTerminal.size()?.columns ?? 80
        let shown = Table.width(text) > columns - 2 ? Table.cut(text, to: columns - 2) : text
        Out.write("\u{1b}7\u{1b}[999;1H\u{1b}[0;7m \(shown) \u{1b}[0m\u{1b}8", to: 1)
        guard isNew else { return }
        Task { [weak self] in
            try? await Task.sleep(for: .seconds(2))
            let socket = self?.fields.withLock { fields in
                fields.isNoticeShown = false
                return fields.socket
            }
            socket?.send(text: #"{"redraw":true}"#)
        }
    }
}
