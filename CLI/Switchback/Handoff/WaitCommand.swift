internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import Dispatch
internal import FoundationEssentials
internal import Glibc

struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait until pods are idle or ended, a text is on a screen, a binding or a message is answered.",
        discussion: """
            The wait is a record of the server: it goes on when this command is killed, and `switchback wait --resume ID` takes its \
            answer. Targets are pods, bindings (B-…) whose answer is waited for, or channel messages (M-…) that are to be answered.
            Exit codes: 0 seen, 3 a target is gone, 6 it would deadlock, 75 interrupted (resume it by the printed id), 124 timed out.
            """)

    @OptionGroup var output: JSONOption

    @Argument(help: ArgumentHelp("Pods, bindings or messages to wait for.", valueName: "pod"))
    var targets: [String] = []

    @Flag(help: "The first of them is enough.")
    var any = false

    @Flag(help: "All of them (this is so without a flag).")
    var all = false

    @Option(help: "idle, waiting, executing, ended, text:\"…\", binding or reply; idle where missing, of bindings binding, of messages reply.")
    var until: String?

    @Option(help: ArgumentHelp("For at most this long, for example 30s; 24h where missing.", valueName: "time"))
    var timeout: String?

    @Option(help: ArgumentHelp("Only the turn counts that the input with this sequence number began.", valueName: "seq"))
    var turn: UInt64?

    @Option(help: ArgumentHelp("Go on with this wait.", valueName: "id"))
    var resume: String?

    @Flag(help: "Print the id and do not stay.")
    var detach = false

    @Option(help: ArgumentHelp("End this wait.", valueName: "id"))
    var cancel: String?

    @Flag(help: "List the waits that have not ended.")
    var list = false

    func validate() throws {
        if any && all { throw ValidationError("give --any or --all, not both") }
        if resume == nil && cancel == nil && !list && targets.isEmpty { throw ValidationError("name a pod, a binding or a message to wait for") }
    }

    func run() async throws {
        let backend = try Backend.locate()
        if list { return try await show(backend) }
        if let id = cancel { return try await report(try await backend.api.cancelWait(id), backend) }
        let wait: Wait
        if let id = resume {
            wait = try await backend.api.wait(id)
        } else {
            wait = try await create(backend)
        }
        if detach { return output.json ? Out.printJSON(wait) : Out.print(wait.id) }
        let (id, asJSON) = (wait.id, output.json)
        if wait.isOpen && !asJSON { Out.complain("\(id) waits; if this is interrupted: switchback wait --resume \(id)") }
        let interruption = Interruption.watch { _ in
            Failure.exit(
                Failure(.interrupted, "interrupted", "interrupted; \(id) goes on", fix: "Its answer can be taken with: switchback wait --resume \(id)"),
                json: asJSON)
        }
        let ended = try await follow(wait, backend)
        for source in interruption { source.cancel() }
        try await report(ended, backend)
        throw ExitCode(Self.exit(ended))
    }

    private func create(_ backend: Backend) async throws -> Wait {
        var milliseconds: Int64?
        if let timeout {
            guard let duration = parseDuration(timeout) else {
                throw Failure(.usage, "bad_time", "\"\(timeout)\" is not a length of time; give 30s, 10m, 2h.")
            }
            milliseconds = duration.microseconds / 1000
        }
        let bindings = targets.filter { $0.hasPrefix("B-") && RecordID.isOne($0) }
        let messages = targets.filter { $0.hasPrefix("M-") && RecordID.isOne($0) }
        var awaited: String?
        let condition = try until.map { text in
            if text.hasPrefix("text:") {
                awaited = String(text.dropFirst(5))
                return Wait.Until.text
            }
            guard let until = Wait.Until(rawValue: text) else {
                throw Failure(
                    .usage, "usage", "--until \(text): use one of \(Wait.Until.allCases.map { $0 == .text ? "text:\"…\"" : $0.rawValue }.joined(separator: ", ")).")
            }
            return until
        }
        return try await backend.api.createWait(
            .init(
                pods: targets.filter { !bindings.contains($0) && !messages.contains($0) }, bindings: bindings.isEmpty ? nil : bindings,
                messages: messages.isEmpty ? nil : messages, mode: any ? .any : .all, until: condition, text: awaited, turn: turn,
                detached: detach ? true : nil, timeoutMs: milliseconds),
            idempotencyKey: UUID().uuidString)
    }

    /// Asks until it has ended; servers that restart meanwhile only delay the answer.
    private func follow(_ wait: Wait, _ backend: Backend) async throws -> Wait {
        var wait = wait
        while wait.isOpen {
            do {
                wait = try await backend.api.wait(wait.id, hold: 50)
            } catch {
                // A wait outlives every restart; one whose time is long over would have been answered.
                let mayPass: Set<ErrorBody.Code> = [.unavailable, .timedOut, .internal]
                guard mayPass.contains(error.code), Timestamp.now() < wait.deadline + .seconds(60) else { throw error }
                try await Task.sleep(for: .milliseconds(300))
            }
        }
        return wait
    }

    private func report(_ wait: Wait, _ backend: Backend) async throws {
        if output.json { return Out.printJSON(wait) }
        let names = await Names(backend)
        let style = Style.forOutput
        Out.print("\(wait.id) \(style.bold(wait.outcome?.rawValue ?? "waits"))")
        for target in wait.targets {
            guard let seen = target.seen else { continue }
            let what = seen.binding?.rawValue ?? seen.lifecycle?.rawValue ?? seen.status ?? seen.text ?? seen.message ?? ""
            Out.print("  \(names[target.label]) \(what)\(seen.reason.map { " (\($0))" } ?? "") at \(Say.local(seen.time))")
        }
    }

    private func show(_ backend: Backend) async throws {
        let waits = try await backend.api.waits()
        if output.json { return Out.printJSON(WaitPage(waits: waits)) }
        guard !waits.isEmpty else { return Out.print("Nobody waits.") }
        let names = await Names(backend)
        var table = Table(["ID", "WAITER", "ON", "UNTIL", "SINCE", "ENDS"], whole: ["ID"], spare: ["ENDS"])
        for wait in waits {
            table.add([
                wait.id, names[wait.waiter.id], wait.targets.map { $0.binding ?? names[$0.label] }.joined(separator: wait.mode == .any ? " | " : ", "),
                wait.until.rawValue, Say.age(since: wait.created), Say.local(wait.deadline),
            ])
        }
        table.print()
    }

    private static func exit(_ wait: Wait) -> Int32 {
        switch wait.outcome {
        case .matched: Failure.Exit.done.rawValue
        case .gone: Failure.Exit.gone.rawValue
        case .timedOut: Failure.Exit.timedOut.rawValue
        case .cancelled, nil: Failure.Exit.error.rawValue
        }
    }
}

/// Ctrl-C and its like, while a command waits.
enum Interruption {
    /// Calls `body` on SIGINT, SIGTERM and SIGHUP until the sources are cancelled.
    static func watch(_ body: @escaping @Sendable (Int32) -> Void) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM, SIGHUP].map { signal in
            Glibc.signal(signal, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: signal, queue: .global())
            source.setEventHandler { @Sendable in body(signal) }
            source.resume()
            return source
        }
    }
}
