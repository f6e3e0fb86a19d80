internal import Contract
internal import HTTPTypes
internal import Hummingbird
internal import RecorderClient
internal import Redaction
internal import RegistryClient
internal import RelayClient
internal import Terminal
internal import ViewProtocol

/// Screens: now, and at any moment of the past.
struct ScreenRoutes {
    let service: TerminalService

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/pods/{pod}/screen", name: "getScreen",
                about: "A pod's screen, now or as it was. The headers Sb-Seq and Sb-Time say which moment it is.", role: .viewer,
                query: [
                    Route.at, .init(name: "seq", about: "After this frame.", schema: ["type": "integer", "minimum": 1]),
                    .init(
                        name: "format", about: "text (rows), ansi (bytes that rebuild it), json (cells); json where missing.",
                        schema: ["type": "string", "enum": ["text", "ansi", "json"]]),
                    .init(
                        name: "scrollback", about: "Lines of history before the screen.",
                        schema: ["type": "integer", "minimum": 0, "maximum": 100_000]), Route.reveal,
                ],
                answers: [.json("Screen"), .text, .bytes], handler: screen),
            Route(
                method: .get, path: "/v1/pods/{pod}/timeline", name: "getTimeline",
                about: "Inputs with their authors, markers, resizes, idle spans, and where how much changed.", role: .viewer,
                query: [
                    .init(name: "from", about: "From this time."), .init(name: "to", about: "To this time."),
                    .init(name: "buckets", about: "Buckets of density.", schema: ["type": "integer", "minimum": 1, "maximum": 2000]), Route.reveal,
                ], answers: [.json("Timeline")], handler: timeline),
            Route(
                method: .get, path: "/v1/search", name: "search", about: "When was a text on a screen.", role: .viewer,
                query: [
                    .init(name: "q", about: "The text.", isRequired: true),
                    .init(name: "regex", about: "q is a regular expression.", schema: ["type": "boolean"]),
                    .init(name: "ignore_case", about: "Capitals do not matter.", schema: ["type": "boolean"]),
                    .init(name: "pod", about: "Only this pod."), .init(name: "from", about: "On screen after this time."),
                    .init(name: "to", about: "On screen before this time."), Route.limit, Route.cursor, Route.reveal,
                ], answers: [.json("SearchPage")], handler: search),
        ]
    }

    // MARK: - Screen

    private struct Shown {
        var terminal: Terminal
        var seq: UInt64
        var time: Timestamp
        var decodedBytes: Int?
    }

    @Sendable private func screen(_ request: APIRequest) async throws -> Response {
        let format = request.text("format") ?? "json"
        guard ["text", "ansi", "json"].contains(format) else {
            throw ErrorBody(.badRequest, "format=\(format): use text, ansi or json")
        }
        let scrollback = try request.integer("scrollback", in: 0...100_000) ?? 0
        let seq = try request.integer("seq", in: 1...Int.max)
        let reveals = try request.reveals()
        let pod = try await service.pod(request.pathPod)
        let at = try request.time("at", start: pod.started ?? pod.created)
        let asking = service.asking(for: request.person)
        let shown = try await Self.onceItSpeaks(pod) { () async throws(ErrorBody) -> sending Shown in try await self.shown(pod, at: at, seq: seq.map(UInt64.init), asking) }
        var response = try render(shown, pod: pod, format: format, scrollback: scrollback, masked: !reveals)
        Self.set(&response, "Sb-Seq", String(shown.seq))
        Self.set(&response, "Sb-Time", shown.time.description)
        if let bytes = shown.decodedBytes { Self.set(&response, "Sb-Decoded-Bytes", String(bytes)) }
        return response
    }

    /// How long a pod that has just started may say nothing that relay or recorder have heard of: whoever starts one asks for its screen at once.
    private static let firstFrame = Duration.seconds(5)

    /// Asks again about a pod that nobody knows a frame of, while it may yet say its first.
    private static func onceItSpeaks<Value>(_ pod: Pod, _ ask: () async throws(ErrorBody) -> sending Value) async throws(ErrorBody) -> sending Value {
        while true {
            do throws(ErrorBody) {
                return try await ask()
            } catch {
                guard error.code == .notFound, pod.lifecycle.isLive, .now() < (pod.started ?? pod.created) + firstFrame,
                    (try? await Task.sleep(for: .milliseconds(50))) != nil
                else { throw error }
            }
        }
    }

    private func shown(_ pod: Pod, at: Timestamp?, seq: UInt64?, _ service: TerminalService) async throws(ErrorBody) -> sending Shown {
        if at == nil, seq == nil {
            do throws(ErrorBody) {
                let attached = try await service.relay.screen(Attach(pod: pod.pod, format: .snapshot))
                return Shown(
                    terminal: try RecorderClient.terminal(compressed: attached.payload), seq: attached.meta.seq, time: attached.meta.time)
            } catch  where !pod.lifecycle.isLive || error.code == .unavailable || error.code == .notFound {
                // The record has what the relay no longer holds.
            }
        }
        let (terminal, meta) = try await service.recorder.state(pod.pod, at: at, seq: seq)
        return Shown(terminal: terminal, seq: meta.seq, time: meta.time, decodedBytes: meta.decodedBytes)
    }

    private func render(_ shown: borrowing Shown, pod: Pod, format: String, scrollback: Int, masked: Bool) throws -> Response {
        let terminal = shown.terminal
        let history = masked ? service.redactor.history(of: terminal, lines: scrollback) : terminal.history(lines: scrollback)
        if masked { service.redactor.cover(terminal) }
        switch format {
        case "text":
            let lines = history + terminal.text()
            return Answer.text(lines.joined(separator: "\n") + "\n")
        case "ansi":
            return Answer.bytes(terminal.ansi(historyLines: history), type: "application/octet-stream")
        default:
            let extra = [
                ("pod", "\"\(pod.pod)\""), ("seq", String(shown.seq)), ("time", "\"\(shown.time)\""),
                ("rows", String(terminal.rows)),
            ]
            return Answer.bytes(
                ScreenDump.dump(
                    terminal, cells: true, history: scrollback > 0 ? history : nil, extra: extra.map { (name: $0.0, json: $0.1) }),
                type: "application/json")
        }
    }

    private static func set(_ response: inout Response, _ name: String, _ value: String) {
        if let name = HTTPField.Name(name) { response.headers[name] = value }
    }

    // MARK: - Timeline and search

    @Sendable private func timeline(_ request: APIRequest) async throws -> Response {
        let pod = try await service.pod(request.pathPod)
        let start = pod.started ?? pod.created
        let wanted = GetTimeline(
            pod: pod.pod, from: try request.time("from", start: start), to: try request.time("to", start: start),
            buckets: try request.integer("buckets", in: 1...2000))
        let asking = service.asking(for: request.person)
        var timeline = try await Self.onceItSpeaks(pod) { () async throws(ErrorBody) in try await asking.recorder.timeline(wanted) }
        // What the agent was doing is the registry's to say.
        let history = try await service.registry.history(PodRequest(pod: pod.pod, author: request.person.author))
        timeline.entries += history.entries.filter { $0.what == "status" }.map { entry in
            .init(seq: 0, time: entry.from, what: "status", text: entry.value + (entry.reason.map { ": \($0)" } ?? ""))
        }
        timeline.entries.sort { $0.time < $1.time }
        return try request.reveals() ? Answer.json(timeline) : Answer.json(timeline, hiding: service.redactor)
    }

    @Sendable private func search(_ request: APIRequest) async throws -> Response {
        guard let query = request.text("q") else { throw ErrorBody(.badRequest, "q is missing: the text to look for") }
        guard query.utf8.count <= 1000 else { throw ErrorBody(.badRequest, "q may have at most 1000 bytes") }
        var pod: Pod?
        if let ref = request.text("pod") { pod = try await service.pod(ref) }
        if let scope = request.person.scope {
            guard let pod else {
                throw ErrorBody(.denied, "this token is good for \(scope.patterns.joined(separator: ", ")) only; name one of them with pod=")
            }
            try request.person.require(pod)
        }
        let start = pod.map { $0.started ?? $0.created }
        let page = try await service.asking(for: request.person).recorder.search(
            Search(
                query: query, regex: try request.flag("regex"), ignoreCase: try request.flag("ignore_case"), pod: pod?.pod,
                from: try request.time("from", start: start), to: try request.time("to", start: start),
                limit: try request.integer("limit", in: 1...1000), cursor: request.text("cursor"), masked: !(try request.reveals())))
        return try Answer.json(page)
    }
}
