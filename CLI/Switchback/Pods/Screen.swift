internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract

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
        let answer = try await backend.api.screen(
            pod.pod.text, at: try backend.resolve(moment, for: pod), seq: seq, format: format, scrollback: scrollback > 0 ? scrollback : nil,
            reveal: reveal ? true : nil)
        var bytes = answer.body
        if format == "json" && bytes.last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
        Out.write(bytes, to: 1)
    }
}
