internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials

struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what happens, as it happens.",
        discussion: "With --after also what happened since an event that was shown before. With --json one event a line.")

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
        var isFirst = true
        while !Task.isCancelled {
            do {
                try await backend.api.events(after: last) { event in
                    isFirst = false
                    last = event.id ?? last
                    show(event)
                    // The first event is about the stream itself.
                    if event.event != "hello" { left -= 1 }
                    return left > 0
                }
            } catch let error as ErrorBody where !isFirst && error.code == .unavailable {
                // The API restarts: the stream goes on where it was.
            } catch let error as ErrorBody {
                throw error
            } catch is CancellationError {
                return
            } catch {}
            if left <= 0 { return }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// What all events have; the rest of `data` is the area's own.
    private struct Shown: Decodable {
        struct Content: Decodable {
            struct Named: Decodable {
                var name: String?
                var reason: String?
            }
            var time: Timestamp?
            /// A pod's events carry the pod.
            var pod: Named?

            enum CodingKeys: CodingKey { case time, pod }

            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: CodingKeys.self)
                time = try? container.decode(Timestamp.self, forKey: .time)
                pod = try? container.decode(Named.self, forKey: .pod)
            }
        }
        var area: String
        var id: String
        var what: String
        var data: Content?
    }

    private struct Hello: Decodable { var gap: UInt64? }

    private func show(_ event: ServerEvent) {
        if output.json { return Out.print(event.data) }
        let style = Style.forOutput
        if event.event == "hello" {
            if let gap = (try? JSON.decode(Hello.self, from: event.data.utf8))?.gap, gap > 0 {
                Out.complain(style.yellow("\(gap) events after \(after ?? "") are no longer kept"))
            }
            return
        }
        guard let shown = try? JSON.decode(Shown.self, from: event.data.utf8) else { return Out.print(event.data) }
        let name = shown.data?.pod?.name ?? shown.id
        let time = shown.data?.time.map { Say.local($0) } ?? ""
        Out.print("\(style.dim(time))  \(shown.area) \(style.bold(name)) \(shown.what)\(shown.data?.pod?.reason.map { ": " + $0 } ?? "")")
    }
}
