internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract

struct SearchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Find when a text was on any screen.",
        discussion: "Exits with 1 when it never was.")

    @OptionGroup var output: JSONOption

    @Argument(help: "The text.")
    var text: String

    @Flag(name: .shortAndLong, help: "The text is a regular expression.")
    var regex = false

    @Flag(name: .shortAndLong, help: "Capitals do not matter.")
    var ignoreCase = false

    @Option(help: "Only in this pod.")
    var pod: String?

    @Option(help: ArgumentHelp("On screen after this.", valueName: "time"))
    var from: String?

    @Option(help: ArgumentHelp("On screen before this.", valueName: "time"))
    var to: String?

    @Option(help: "At most this many.")
    var limit: Int = 100

    @Flag(help: "Show secrets as well; for admins, and noted in the audit log.")
    var reveal = false

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit must be at least 1") }
    }

    func run() async throws {
        let (first, last) = (try moment(from), try moment(to))
        let backend = try Backend.locate()
        var found: Pod?
        if let pod { found = try await backend.api.pod(pod) }
        let start = found.map { $0.started ?? $0.created }
        var hits: [SearchPage.Hit] = []
        var cursor: String?
        repeat {
            let page = try await backend.api.search(
                text, regex: regex ? true : nil, ignoreCase: ignoreCase ? true : nil, pod: found?.pod.text,
                from: try first?.resolve(start: start, now: .now()).description, to: try last?.resolve(start: start, now: .now()).description,
                limit: min(1000, max(1, limit - hits.count)), cursor: cursor, reveal: reveal ? true : nil)
            hits += page.hits
            cursor = page.next
        } while cursor != nil && hits.count < limit
        // A page may hold a little more than was asked for.
        let hasMore = cursor != nil || hits.count > limit
        hits = Array(hits.prefix(limit))
        if output.json {
            Out.printJSON(SearchPage(hits: hits, next: cursor))
        } else {
            try await show(hits, backend)
            if hasMore { Out.complain("There are more; --limit \(limit * 10) shows them.") }
        }
        if hits.isEmpty { throw ExitCode(Failure.Exit.error.rawValue) }
    }

    private func show(_ hits: [SearchPage.Hit], _ backend: Backend) async throws {
        guard !hits.isEmpty else { return Out.complain("\"\(text)\" was on no screen.") }
        var names: [PodID: String] = [:]
        for pod in Set(hits.map(\.pod)) { names[pod] = (try? await backend.api.pod(pod.text))?.name ?? pod.text }
        let style = Style.forOutput
        var table = Table(["POD", "FROM", "TO", "LINE"], whole: ["FROM", "TO"], spare: ["TO"])
        for hit in hits {
            table.add([
                style.bold(names[hit.pod] ?? hit.pod.text), Say.local(roundedUp: hit.from), hit.to.map { Say.local($0, after: hit.from) } ?? style.green("now"),
                hit.line.trimmed,
            ])
        }
        table.print()
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        return String(text)
    }
}
