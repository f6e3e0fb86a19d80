internal import BindingsClient
internal import Bus
internal import Contract
internal import Metrics

/// The request subjects: bytes to calls and back, nothing else.
struct RecorderEndpoints {
    let service: RecorderService
    let bus: BusConnection
    let micro: Microservice
    /// Whether this instance is to own a shard, or does not know yet.
    let isOurs: @Sendable (Shard) -> Bool
    let grants: BindingGrants

    /// Begins to answer.
    func serve() throws -> [BusSubscription] {
        let verbs = micro.addEndpoint(name: "recordings", subject: "recorder.*.*", queue: "")
        let search = micro.addEndpoint(name: "search", subject: Subjects.recorderSearch, queue: "recorder")
        let usage = micro.addEndpoint(name: "usage", subject: Subjects.recorderUsage, queue: "recorder")
        let service = service
        let isOurs = isOurs
        let grants = grants
        return [
            try bus.serve("recorder.*.*") { message -> BusReply? in
                // Every instance hears it; the shard's owner answers.
                let tokens = message.subject.split(separator: ".")
                guard tokens.count == 3, let shard = Shard(tokens[1]), service.shard(shard) != nil || isOurs(shard) else { return nil }
                let verb = String(tokens[2])
                Task {
                    let reply = await Self.timed(verbs) {
                        try await service.waitUntilOpen(shard)
                        return try await Self.answer(verb, message, service, grants)
                    }
                    bus.respond(to: message, reply)
                }
                return nil
            },
            try bus.serve(
                Subjects.recorderSearch, queue: "recorder",
                asyncHandler: { message in
                    await Self.timed(search) { try await Self.answer("search", message, service, grants) }
                }),
            try bus.serve(
                Subjects.recorderUsage, queue: "recorder",
                asyncHandler: { message in
                    await Self.timed(usage) {
                        let request = message.payloadSize == 0 ? GetUsage() : try Self.decode(GetUsage.self, message)
                        return BusReply(Reply.encode(try await service.store.usage(request.pod)))
                    }
                }),
        ]
    }

    private static let seekTime = Timer(label: "recorder.seek")

    private static func decode<Value: Decodable>(_ type: Value.Type, _ message: BusMessage) throws(ErrorBody) -> Value {
        try JSON.decode(type, from: message.payload)
    }

    private static func answer(
        _ verb: String, _ message: BusMessage, _ service: RecorderService, _ grants: BindingGrants
    ) async throws -> BusReply {
        let asker = message.header(Headers.author).flatMap(Author.init)
        if let asker, verb != "search" {
            let pod = try decode(RecordingRequest.self, message).pod
            try grants.require(asker, .read, on: pod)
            // A pod reads; what is kept is for people to decide.
            if asker.kind == .pod, verb == "hold" || verb == "flush" { throw ErrorBody(.denied, "\(asker) may not do this to a recording") }
        }
        switch verb {
        case "seek":
            let began = ContinuousClock.now
            let (meta, payload) = try await service.seek(try decode(Seek.self, message))
            seekTime.recordNanoseconds((ContinuousClock.now - began).microseconds * 1000)
            return BusReply(payload, headers: [(Headers.meta, try JSON.text(meta))])
        case "play":
            let (meta, payload) = try await service.play(try decode(Play.self, message))
            return BusReply(payload, headers: [(Headers.meta, try JSON.text(meta))])
        case "timeline": return BusReply(Reply.encode(try await service.timeline(try decode(GetTimeline.self, message))))
        case "search":
            let search = try decode(Search.self, message)
            if let pod = search.pod { try grants.require(asker, .read, on: pod) }
            return BusReply(Reply.encode(try await service.search(search) { pod in asker.map { grants.allows($0, .read, on: pod) } ?? true }))
        case "verify":
            let request = try decode(RecordingRequest.self, message)
            try await service.flushAll(of: request.pod)
            return BusReply(Reply.encode(try await service.store.verify(request.pod)))
        case "hold":
            let request = try decode(RecordingRequest.self, message)
            guard let on = request.on else { throw ErrorBody(.badRequest, "say \"on\": true or false") }
            try await service.flushAll(of: request.pod)
            try await service.store.hold(request.pod, on)
            return BusReply(Reply.encode(Done()))
        case "flush":
            try await service.flushAll(of: message.payloadSize == 0 ? nil : try decode(RecordingRequest.self, message).pod)
            return BusReply(Reply.encode(Done()))
        default: throw ErrorBody(.badRequest, "the recorder does not know \"\(verb)\"")
        }
    }

    private static func timed(_ count: EndpointCounter, _ work: () async throws -> BusReply) async -> BusReply {
        let start = ContinuousClock.now
        do {
            let reply = try await work()
            count(.now - start, nil)
            return reply
        } catch {
            let body = ErrorBody(recording: error)
            count(.now - start, body.message)
            return BusReply(Reply.error(body))
        }
    }
}
