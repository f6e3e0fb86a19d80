internal import ArgumentParser
internal import AsyncHTTPClient
internal import Console
internal import Contract
internal import FoundationEssentials
internal import NIOCore
internal import NIOHTTP1

struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what happens, as it happens.", discussion: "With --after also what happened since an event that was shown before. With --json one event a line.")

    @OptionGroup var output: JSONOption

    @Option(help: ArgumentHelp("Go on behind this event's id.", valueName: "id"))
    var after: String?

    @Option(help: "End after this many events.")
    var count: Int?

    @Option(help: "End after this long, for example 30s; with exit code 124 when --count was not reached.")
    var timeout: String?

    func run() async throws {
        let limit = try timeout.map { text in
            guard let duration = parseDuration(text) else { throw Failure(.usage, "bad_time", "\"\(text)\" is not a length of time; give 30s, 5m.") }
            return duration
        }
        let backend = try Backend.locate()
        if let limit {
            let isDone = try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await follow(backend)
                    return true
                }
                group.addTask {
                    try await Task.sleep(for: limit)
                    return false
                }
                defer { group.cancelAll() }
                return try await group.next() ?? false
            }
            if !isDone && count != nil { throw ExitCode(Failure.Exit.timedOut.rawValue) }
            return
        }
        try await follow(backend)
    }

    private func follow(_ backend: Backend) async throws {
        var last = after
        var left = count ?? .max
        while true {
            let response = try await backend.execute(
                .GET, "/v1/events", [("after", last)], headers: [("Accept", "text/event-stream")], seconds: 24 * 3600)
            var parser = EventStreamParser()
            do {
                for try await chunk in response.body {
                    for event in parser.feed(chunk.readableBytesView) {
                        last = event.id ?? last
                        show(event)
                        if !event.isService {
                            left -= 1
                            if left <= 0 { return }
                        }
                    }
                }
            } catch is CancellationError {
                return
            } catch {
                // The API restarts: the stream goes on where it was.
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func show(_ event: EventStreamParser.Event) {
        if output.json { return Out.print(event.data) }
        let style = Style.forOutput
        if event.isService { return Out.complain(style.dim(event.data)) }
        struct Shown: Decodable {
            var subject: String?
            var time: Timestamp?
            var data: Inner?
            var what: String?
            var pod: Inner.Ref?
            struct Inner: Decodable {
                struct Ref: Decodable { var pod: String?; var name: String?; var reason: String? }
                var what: String?
                var time: Timestamp?
                var pod: Ref?
            }
        }
        guard let shown = try? JSON.decode(Shown.self, from: event.data.utf8) else { return Out.print(event.data) }
        let time = shown.data?.time ?? shown.time
        let pod = shown.data?.pod ?? shown.pod
        let subject = shown.subject ?? event.name ?? ""
        Out.print(
            "\(style.dim(time.map { Say.local($0) } ?? ""))  \(style.bold(pod?.name ?? "")) \(shown.data?.what ?? shown.what ?? subject) \(pod?.reason ?? "")")
    }
}

/// Takes a `text/event-stream` apart (https://html.spec.whatwg.org/multipage/server-sent-events.html). Pure.
struct EventStreamParser {
    struct Event: Equatable {
        var id: String?
        var name: String?
        var data: String
        /// About the stream itself, not about something that happened.
        var isService: Bool { name == "hello" || name == "gap" || name == "stream" }
    }

    private var rest: [UInt8] = []
    private var id: String?
    private var name: String?
    private var data: [String] = []

    mutating func feed(_ bytes: some Sequence<UInt8>) -> [Event] {
        rest.append(contentsOf: bytes)
        var events: [Event] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            var line = String(decoding: rest[..<end], as: UTF8.self)
            rest.removeSubrange(...end)
            if line.hasSuffix("\r") { line.removeLast() }
            if line.isEmpty {
                if !data.isEmpty { events.append(Event(id: id, name: name, data: data.joined(separator: "\n"))) }
                (id, name, data) = (nil, nil, [])
                continue
            }
            if line.hasPrefix(":") { continue }
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            var value = colon < line.endIndex ? line[line.index(after: colon)...] : ""
            if value.first == " " { value.removeFirst() }
            switch line[..<colon] {
            case "id": id = String(value)
            case "event": name = String(value)
            case "data": data.append(String(value))
            default: break
            }
        }
        return events
    }
}
