internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import Terminal

struct Screen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a pod's screen, now or as it was.",
        discussion:
            "--format ansi gives bytes that rebuild it in colour, json cells, cursor and title. In a terminal ansi is shown as rows in colour.")

    @OptionGroup var output: JSONOption
    @OptionGroup var target: PodArgument

    @Option(help: ArgumentHelp("As it was then: -90s, 14:03:07, +5m from the start, RFC 3339.", valueName: "time"))
    var at: String?

    @Option(help: "After this frame.")
    var seq: UInt64?

    @Option(help: "text, ansi or json.")
    var format: String?

    @Option(help: "Lines of history before the screen.")
    var scrollback: Int = 0

    @Flag(help: "Show secrets as well; for admins, and noted in the audit log.")
    var reveal = false

    func run() async throws {
        let moment = try moment(at)
        let format = format ?? (output.json ? "json" : "text")
        guard ["text", "ansi", "json"].contains(format) else { throw Failure(.usage, "usage", "--format is text, ansi or json, not \"\(format)\".") }
        let backend = try Backend.locate()
        let pod = try await backend.api.pod(target.pod)
        let at = try backend.resolve(moment, for: pod)
        let answer = try await ask(backend, pod, format == "ansi" && Out.columns != nil ? "json" : format, at: at, seq: seq)
        if format == "ansi", let columns = Out.columns { return try await show(answer, columns, backend, pod) }
        var bytes = answer.body
        if format == "json" && bytes.last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        Out.write(bytes, to: 1)
    }

    private func ask(_ backend: Backend, _ pod: Pod, _ format: String, at: String?, seq: UInt64?) async throws -> APIClient.Screen {
        try await backend.api.screen(
            pod.pod.text, at: at, seq: seq, format: format, scrollback: scrollback > 0 ? scrollback : nil, reveal: reveal ? true : nil)
    }

    private struct Shape: Decodable {
        var columns, rows: Int
        var history: [String]?
    }

    /// As coloured lines: the bytes that rebuild a screen would leave the pod's modes in this terminal, and take its scrollback.
    private func show(_ answer: APIClient.Screen, _ columns: Int, _ backend: Backend, _ pod: Pod) async throws {
        let shape = try JSON.decode(Shape.self, from: answer.body)
        let terminal = Terminal(columns: shape.columns, rows: shape.rows)
        terminal.feed(try await ask(backend, pod, "ansi", at: nil, seq: answer.seq).body)
        for line in (shape.history ?? []) + ScreenLines.lines(of: terminal, columns: columns) { Out.print(line) }
    }
}
