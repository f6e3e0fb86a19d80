internal import Asciicast
internal import Bus
internal import Contract
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import RecorderClient
internal import Redaction

/// Recordings out and in.
struct RecordingRoutes {
    let service: TerminalService
    let importer: Importer
    let access: Access

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/pods/{pod}/recording", name: "exportRecording",
                about: "The recording: asciicast (version 2 or 3), the text that was printed, or frames as JSON Lines.", role: .viewer,
                query: [
                    .init(
                        name: "format", about: "asciicast, text or json; asciicast where missing.",
                        schema: ["type": "string", "enum": ["asciicast", "text", "json"]]),
                    .init(name: "version", about: "Of asciicast; 2 where missing.", schema: ["type": "integer", "enum": [2, 3]]),
                    .init(name: "from", about: "From this time."), .init(name: "to", about: "To this time."), Route.reveal,
                ],
                answers: [.init(type: "application/x-asciicast", schema: ["type": "string"]), .text, .json("Recording")], handler: export),
            Route(
                method: .get, path: "/v1/pods/{pod}/recording/verify", name: "verifyRecording",
                about: "Reads the whole recording and says whether its chain is unbroken.", role: .viewer, answers: [.json("Verified")], handler: verify),
            Route(
                method: .post, path: "/v1/recordings", name: "importRecording",
                about: "Takes an asciicast of version 1, 2 or 3; it becomes an ended pod.", role: .operator,
                query: [.init(name: "name", about: "The pod's name.")], headers: [Route.idempotencyKey],
                body: .init(type: "application/x-asciicast", schema: ["type": "string"]), answers: [.json("Pod")], status: .created,
                handler: `import`),
        ]
    }

    @Sendable private func verify(_ request: APIRequest) async throws -> Response {
        let pod = try await service.pod(request.pathPod)
        return try Answer.json(try await service.recorder.verify(pod.pod))
    }

    @Sendable private func `import`(_ request: APIRequest) async throws -> Response {
        let name = request.text("name")
        if let name, !PodSpec.isName(name) || PodID(name) != nil {
            throw ErrorBody(.badRequest, "\"\(name)\" cannot be a pod's name: use 1 to 64 letters, digits, '.', '_' or '-'")
        }
        if let length = request.request.headers[.contentLength].flatMap({ Int64($0) }), length > importer.limit {
            throw ErrorBody(.tooLarge, "a recording may have at most \(importer.limit) bytes")
        }
        return try Answer.json(
            try await importer.take(request.request.body, name: name, author: request.person.author), status: .created)
    }

    @Sendable private func export(_ request: APIRequest) async throws -> Response {
        let format = request.text("format") ?? "asciicast"
        let redactor: Redactor? = try request.reveals() ? nil : service.redactor
        let version = try request.integer("version", in: 2...3) ?? 2
        let pod = try await service.pod(request.pathPod)
        let start = pod.started ?? pod.created
        let from = try request.time("from", start: start)
        let to = try request.time("to", start: start)
        if let from, let to, from > to { throw ErrorBody(.badRequest, "from lies after to") }
        if let to, to < start { throw ErrorBody(.badRequest, "to lies before the recording, which begins at \(start)") }
        let exporter: any RecordingFormat
        switch format {
        case "asciicast": exporter = CastFormat(pod: pod, version: version == 2 ? .v2 : .v3)
        case "text": exporter = TextFormat(redactor: redactor)
        case "json": exporter = LinesFormat()
        default: throw ErrorBody(.badRequest, "format=\(format): use asciicast, text or json")
        }
        // The first segment is fetched before anything is answered, so that an error has a status.
        let recorder = service.asking(for: request.person).recorder
        let (access, person) = (self.access, request.person)
        let first = try await recorder.slice(from.map { Play(pod: pod.pod, at: $0) } ?? Play(pod: pod.pod, seq: 1))
        let type = format == "asciicast" ? "application/x-asciicast" : format == "text" ? "text/plain; charset=utf-8" : "application/x-ndjson"
        return Response(
            status: .ok,
            headers: [
                .contentType: type, .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"\(pod.name).\(format == "asciicast" ? "cast" : format == "text" ? "txt" : "jsonl")\"",
            ],
            body: ResponseBody { writer in
                var run = ExportRun(format: exporter, from: from, to: to, hiding: redactor)
                var slice = first
                while true {
                    let bytes = try run.take(slice)
                    if !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
                    guard slice.meta.hasLater, !run.isAtEnd else { break }
                    guard access.isStillGood(person) else { throw ErrorBody(.unauthenticated, "the token that allowed this has ended") }
                    slice = try await recorder.slice(Play(pod: pod.pod, seq: slice.meta.lastSeq + 1, framesOnly: true))
                }
                let bytes = try run.finish()
                if !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
                try await writer.finish(nil)
            })
    }
}
