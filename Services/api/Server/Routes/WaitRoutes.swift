internal import BindingsClient
internal import Bus
internal import Contract
internal import Hummingbird
internal import Synchronization

/// Waits: records that end when what was waited for is seen.
struct WaitRoutes {
    let service: TerminalService

    /// The longest that a request is held for a wait's end.
    static let longestHold = 55

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/waits", name: "listWaits", about: "Waits that have not ended, oldest first.", role: .viewer,
                query: [
                    .init(name: "pod", about: "Only those on this pod, or of it."),
                    .init(name: "all", about: "Ended ones too.", schema: ["type": "boolean"]), Route.at,
                ], answers: [.json("WaitPage")], handler: list),
            Route(
                method: .post, path: "/v1/waits", name: "createWait",
                about: "Waits for pods, bindings, texts on screens or answers to messages. What is true already ends it at once; one that would close "
                    + "a cycle is refused (would_deadlock).",
                role: .viewer, headers: [Route.idempotencyKey], body: .json("WaitRequest"), answers: [.json("Wait")], status: .created,
                handler: create),
            Route(
                method: .get, path: "/v1/waits/{wait}", name: "getWait", about: "One wait; held until it ends where that is asked for.",
                role: .viewer,
                query: [
                    .init(
                        name: "hold", about: "Answer when it ends, at the latest after so many seconds.",
                        schema: ["type": "integer", "minimum": 0, "maximum": .number(Self.longestHold)])
                ], answers: [.json("Wait")], handler: get),
            Route(
                method: .delete, path: "/v1/waits/{wait}", name: "cancelWait", about: "Ends a wait; one that has ended stays as it is.",
                role: .viewer, answers: [.json("Wait")], handler: cancel),
        ]
    }

    @Sendable private func list(_ request: APIRequest) async throws -> Response {
        var pod: PodID?
        if let ref = request.text("pod") { pod = try await service.pod(ref).pod }
        return try Answer.json(
            WaitPage(waits: try await service.bindings.waits(ListWaits(pod: pod, at: try request.time("at"), all: try request.flag("all")))),
            hiding: service.redactor)
    }

    struct Asked: Decodable {
        var pods: [String]?
        var bindings: [String]?
        var messages: [String]?
        var mode: Wait.Mode?
        var until: Wait.Until?
        var text: String?
        var turn: UInt64?
        var detached: Bool?
        var timeoutMs: Int64?
    }

    @Sendable private func create(_ request: APIRequest) async throws -> Response {
        let asked = try await request.json(Asked.self)
        let count = (asked.pods ?? []).count + (asked.bindings ?? []).count + (asked.messages ?? []).count
        guard count <= 1000 else { throw ErrorBody(.badRequest, "a wait has at most 1000 targets") }
        var pods: [PodID] = []
        for ref in asked.pods ?? [] { pods.append(try await service.pod(ref).pod) }
        let wait = try await service.bindings.wait(
            CreateWait(
                waiter: request.person.author, pods: pods, bindings: asked.bindings, messages: asked.messages, mode: asked.mode ?? .all,
                until: asked.until ?? (asked.messages?.isEmpty == false ? .reply : asked.text != nil ? .text : pods.isEmpty ? .binding : .idle),
                text: asked.text, turn: asked.turn, detached: asked.detached, timeoutMs: asked.timeoutMs))
        return try Answer.json(wait, hiding: service.redactor, status: .created)
    }

    @Sendable private func get(_ request: APIRequest) async throws -> Response {
        let id = request.pathValues["wait"] ?? ""
        let hold = try request.integer("hold", in: 0...Self.longestHold) ?? 0
        guard RecordID.isOne(id) else { throw ErrorBody(.notFound, "there is no wait \"\(id.prefix(64))\"") }
        // Listening begins before looking: an end between the two is not missed.
        let ended = Latch()
        let subscription = hold > 0 ? try service.bus.subscribe("event.wait.\(id).*") { _ in ended.open() } : nil
        defer { subscription?.unsubscribe() }
        let deadline = ContinuousClock.now + .seconds(hold)
        while true {
            ended.close()
            let wait = try await service.bindings.wait(id)
            let left = deadline - .now
            guard wait.isOpen, left > .zero else { return try Answer.json(wait, hiding: service.redactor) }
            // Now and then without an event: a message that was lost with its connection delays the answer, nothing more.
            await ended.wait(atMost: min(left, .seconds(5)))
        }
    }

    @Sendable private func cancel(_ request: APIRequest) async throws -> Response {
        try Answer.json(
            try await service.bindings.cancel(CancelWait(id: request.pathValues["wait"] ?? "", author: request.person.author)), hiding: service.redactor)
    }
}

/// Opened by whoever has news, waited at by one.
final class Latch: Sendable {
    private struct Fields {
        var isOpen = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let fields = Mutex(Fields())

    func close() { fields.withLock { $0.isOpen = false } }

    func open() {
        fields.withLock { fields in
            fields.isOpen = true
            defer { fields.waiting = nil }
            return fields.waiting
        }?.resume()
    }

    /// Returns when it is open, after the time, or when the task is cancelled.
    func wait(atMost limit: Duration) async {
        let timer = Task { [self] in
            guard (try? await Task.sleep(for: limit)) != nil else { return }
            open()
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let goesOn = fields.withLock { fields in
                    if fields.isOpen || Task.isCancelled { return true }
                    fields.waiting = continuation
                    return false
                }
                if goesOn { continuation.resume() }
            }
        } onCancel: {
            open()
        }
        timer.cancel()
    }
}
