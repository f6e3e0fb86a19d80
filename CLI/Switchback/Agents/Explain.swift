internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract

struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say why a pod's status is what it is: the evidence, what was outvoted, and how the screen was read.",
        discussion: "With --at the status is computed again from the record.")

    @OptionGroup var output: JSONOption
    @OptionGroup var target: PodArgument

    @Option(help: ArgumentHelp("As it was then: -90s, 14:03:07, +5m from the start, RFC 3339.", valueName: "time"))
    var at: String?

    @Flag(help: "The screen's regions as well.")
    var regions = false

    func run() async throws {
        let moment = try moment(at)
        let backend = try Backend.locate()
        let pod = try await backend.api.pod(target.pod)
        let explanation = try await backend.api.explain(pod.pod.text, at: try backend.resolve(moment, for: pod))
        if output.json { return Out.printJSON(explanation) }
        show(explanation, pod)
    }

    private func show(_ explanation: StatusExplanation, _ pod: Pod) {
        let style = Style.forOutput
        let status = explanation.status
        let since = status.since.microseconds == 0 ? "" : " since \(Say.clock(status.since)) (\(Say.age(since: status.since, now: explanation.at)))"
        Out.print("\(style.bold(pod.name))  \(StatusWords.coloured(status, style))\(since)")
        if let evidence = status.evidence { Out.print("  \(evidence)") }
        if let question = status.question {
            for line in status.about?.split(separator: "\n") ?? [] { Out.print("  " + line) }
            Out.print("  " + style.bold(question))
            for (index, option) in (status.options ?? []).enumerated() { Out.print("    \(index + 1). \(option)") }
        }
        if let agent = explanation.agent ?? status.agent {
            let version = explanation.manifestVersion.map { " \($0)" } ?? ""
            Out.print(style.dim("  rules of \(agent)\(version)\(explanation.manifestSource.map { ", \($0)" } ?? "")"))
        }
        if explanation.evidence.isEmpty {
            Out.print("\nNo evidence is held.")
        } else {
            Out.print("")
            var table = Table(["", "STATUS", "FROM", "RULE", "WHERE", "SINCE", "SEEN"])
            for evidence in explanation.evidence {
                let won = evidence.outcome == "won"
                table.add([
                    won ? style.green("won") : style.dim(evidence.outcome), evidence.status + (evidence.reason.map { " (\($0))" } ?? ""),
                    evidence.source, evidence.rule ?? "-", evidence.region ?? "-", Say.age(since: evidence.since, now: explanation.at),
                    evidence.text?.replacing("\n", with: " ") ?? "",
                ])
            }
            table.print()
        }
        for note in explanation.notes { Out.print(style.dim("note: " + note)) }
        if let history = explanation.history, !history.isEmpty {
            Out.print("\n" + style.bold("Said before"))
            for status in history { Out.print("  \(Say.clock(status.since))  \(StatusWords.plain(status))") }
        }
        if regions {
            for region in explanation.regions {
                Out.print("\n" + style.bold(region.name) + style.dim("  rows \(region.first + 1) to \(region.last + 1)"))
                for line in region.text { Out.print("  │ " + line) }
            }
        }
    }
}

/// A status in words.
enum StatusWords {
    static func plain(_ status: PodStatus) -> String { status.status + (status.reason.map { " (\($0))" } ?? "") + (status.stalled == true ? ", stalled" : "") }

    static func coloured(_ status: PodStatus, _ style: Style) -> String {
        switch status.status {
        case "waiting": style.yellow(plain(status))
        case "executing": style.green(plain(status))
        case "idle": style.cyan(plain(status))
        default: style.dim(plain(status))
        }
    }
}
