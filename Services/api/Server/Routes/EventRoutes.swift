internal import Bus
internal import Contract
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Redaction
internal import ServiceLifecycle
internal import Synchronization

/// What happens, as server-sent events from the stream of events.
struct EventRoutes {
    let bus: BusConnection
    let access: Access
    let tokens: TokenDirectory
    let redactor: Redactor

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/events", name: "followEvents",
                about: "Server-sent events. The first, `hello`, says boot, oldest, newest, and gap: how many after the given one are lost.",
                role: .viewer,
                query: [
                    .init(name: "after", about: "The id of the last event seen.", schema: ["type": "integer", "minimum": 0]),
                    .init(name: "area", about: "Only events of this area (pod, runner, recording, …)."),
                ],
                headers: [.init(name: "Last-Event-ID", about: "As `after`.")],
                answers: [.init(type: "text/event-stream", schema: ["type": "string"])], handler: follow)
        ]
    }

    /// The first event.
    struct Hello: Codable, Equatable {
        /// Another one than before: the ids have begun anew.
        var boot: String
        /// The oldest and newest ids there are.
        var oldest: UInt64
        var newest: UInt64
        /// So many events after the given id are no longer there.
        var gap: UInt64
    }

    @Sendable private func follow(_ request: APIRequest) async throws -> Response {
        let header = HTTPField.Name("Last-Event-ID").flatMap { request.request.headers[$0] }
        var after: UInt64?
        if let text = header ?? request.text("after") {
            guard let id = UInt64(text), id < UInt64.max / 2 else {
                throw ErrorBody(.badRequest, "\"\(text)\" is not an event's id: it is a whole number")
            }
            after = id
        }
        var filter: String?
        if let area = request.text("area") {
            guard PodSpec.isName(area), !area.contains(".") else { throw ErrorBody(.badRequest, "area=\(area) is not an area's name") }
            filter = "event.\(area).>"
        }
        let hello = try await hello(after: after)
        // A client from before the ids began anew has seen nothing of these.
        let start = after.map { $0 > hello.newest ? 1 : $0 + 1 } ?? hello.newest + 1
        let queue = EventQueue()
        // Whose tokens come and go is for admins.
        let redactor = redactor
        let (access, tokens, person, isAdmin) = (self.access, self.tokens, request.person, request.person.role == .admin)
        let consumer = try await PullConsumer.start(
            bus, .init(stream: Streams.events, filter: filter, start: .sequence(start), batch: 256)
        ) { message in
            if isAdmin || !message.subject.hasPrefix("event.credential.") { queue.put(Self.event(message, redactor)) }
        }
        queue.attach(consumer)
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                let isStopping = Atomic(false)
                let watching = tokens.watch { queue.wake() }
                defer { tokens.endWatching(watching) }
                do {
                    let data = String(decoding: try JSON.encode(hello), as: UTF8.self)
                    try await writer.write(ByteBuffer(string: "event: hello\ndata: \(data)\n\n"))
                    while !isStopping.load(ordering: .relaxed) {
                        let events = await withGracefulShutdownHandler {
                            await queue.next(within: Self.patience(person))
                        } onGracefulShutdown: {
                            isStopping.store(true, ordering: .relaxed)
                            queue.wake()
                        }
                        guard access.isStillGood(person) else {
                            try await writer.write(ByteBuffer(string: "event: revoked\ndata: {}\n\n"))
                            break
                        }
                        // Without a word now and then a connection that is gone would never be noticed.
                        try await writer.write(ByteBuffer(string: events.isEmpty ? ": still here\n\n" : events.joined()))
                    }
                    try await writer.finish(nil)
                } catch {
                    await consumer.stop()
                    throw error
                }
                await consumer.stop()
            })
    }

    /// Until a word is due to a silent connection, or until the token ends.
    private static func patience(_ person: Person) -> Duration {
        let patience = Duration.seconds(15)
        guard let expires = person.expires else { return patience }
        return min(patience, max(.milliseconds(1), expires - .now()))
    }

    private func hello(after: UInt64?) async throws(ErrorBody) -> Hello {
        struct Info: Decodable {
            struct State: Decodable {
                var firstSeq: UInt64
                var lastSeq: UInt64
            }
            var created: String
            var state: State
        }
        let reply: BusMessage
        do throws(BusError) {
            reply = try await bus.request("$JS.API.STREAM.INFO.\(Streams.events)", payload: [UInt8]())
        } catch {
            throw ErrorBody(error)
        }
        let info = try JSON.decode(Info.self, from: reply.payload)
        let oldest = max(1, info.state.firstSeq)
        let gap = after.map { $0 + 1 < oldest && $0 <= info.state.lastSeq ? oldest - $0 - 1 : 0 } ?? 0
        return Hello(boot: String(fnv1a(info.created.utf8), radix: 36), oldest: oldest, newest: info.state.lastSeq, gap: gap)
    }

    private static func event(_ message: StreamMessage, _ redactor: Redactor) -> String {
        let tokens = message.subject.split(separator: ".", maxSplits: 3).map(String.init)
        let payload = String(decoding: redactor.redacted(json: message.message.payload), as: UTF8.self)
        let isJSON = (try? JSON.decode(AnyJSON.self, from: payload.utf8)) != nil
        let data = isJSON ? payload.replacing(newlines: " ") : "null"
        guard tokens.count == 4, let id = try? JSON.text(tokens[2]) else { return "" }
        return
            "id: \(message.streamSequence)\nevent: \(tokens[1]).\(tokens[3])\ndata: {\"area\":\"\(tokens[1])\",\"id\":\(id),\"what\":\"\(tokens[3])\",\"data\":\(data)}\n\n"
    }

    /// Any valid JSON.
    private struct AnyJSON: Decodable {
        init(from decoder: any Decoder) throws {}
    }
}

extension String {
    fileprivate func replacing(newlines space: Character) -> String {
        contains(where: \.isNewline) ? String(map { $0.isNewline ? space : $0 }) : self
    }
}

/// Events on their way from the bus to one client: a few hundred at most, then the consumer pauses.
final class EventQueue: Sendable {
    private struct Fields {
        var events: [String] = []
        var waiting: CheckedContinuation<Void, Never>?
        var consumer: PullConsumer?
        var isPaused = false
        /// Woken while nobody waited: the next wait ends at once.
        var isWoken = false
    }

    private static let most = 512
    private let fields = Mutex(Fields())

    func attach(_ consumer: PullConsumer) { fields.withLock { $0.consumer = consumer } }

    func put(_ event: String) {
        let (waiting, pause) = fields.withLock { fields in
            fields.events.append(event)
            defer { fields.waiting = nil }
            let isFull = fields.events.count > Self.most && !fields.isPaused
            if isFull { fields.isPaused = true }
            return (fields.waiting, isFull ? fields.consumer : nil)
        }
        pause?.pause()
        waiting?.resume()
    }

    /// What has come; waits for something, but not longer than `limit`.
    func next(within limit: Duration) async -> [String] {
        if fields.withLock({ $0.events.isEmpty && !$0.isWoken }) {
            let timer = Task { [self] in
                guard (try? await Task.sleep(for: limit)) != nil else { return }
                wake()
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isThere = fields.withLock { fields in
                        if fields.events.isEmpty, !fields.isWoken, !Task.isCancelled { fields.waiting = continuation }
                        return fields.waiting == nil
                    }
                    if isThere { continuation.resume() }
                }
            } onCancel: {
                wake()
            }
            timer.cancel()
        }
        let (events, resume) = fields.withLock { fields in
            defer {
                fields.events = []
                fields.isPaused = false
                fields.isWoken = false
            }
            return (fields.events, fields.isPaused ? fields.consumer : nil)
        }
        resume?.resume()
        return events
    }

    func wake() {
        fields.withLock { fields in
            defer { fields.waiting = nil }
            fields.isWoken = true
            return fields.waiting
        }?.resume()
    }
}
