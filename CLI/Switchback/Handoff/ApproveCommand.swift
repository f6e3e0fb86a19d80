internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract

struct ApproveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Answer the dialog that a pod shows.",
        discussion: "The answer is bound to the dialog that is open now: if another one has taken its place by then, nothing is typed (exit code 3).")

    @OptionGroup var output: JSONOption
    @OptionGroup var target: PodArgument

    @Option(help: "The answer by its number among the dialog's options; the first where missing.")
    var option: Int?

    @Flag(help: "Say no.")
    var reject = false

    @Option(help: ArgumentHelp("Only the dialog with this fingerprint, as `switchback attention --json` shows it.", valueName: "hex"))
    var fingerprint: String?

    func validate() throws {
        if reject && option != nil { throw ValidationError("give --option or --reject, not both") }
        if let option, !(1...9).contains(option) { throw ValidationError("--option goes from 1 to 9") }
    }

    func run() async throws {
        let backend = try Backend.locate()
        let pod = try await backend.api.pod(target.pod)
        guard let seen = fingerprint ?? pod.status?.fingerprint else {
            // A pod is told that another waits, and what its dialog says as a binding grants.
            if Inside.pod != nil, let status = pod.status, status.status == "waiting" {
                throw Failure(
                    .denied, "denied", "\(pod.name) waits (\(status.reason ?? "for a person")); what its dialog says is shown to those whom a binding lets read it.",
                    fix: "Ask for it: switchback bind request --to \(pod.name) --scope read,approve")
            }
            throw Failure(.gone, "screen_changed", "\(pod.name) shows no dialog that could be approved.", fix: "Look at it: switchback screen \(pod.name)")
        }
        let options = pod.status?.fingerprint == seen ? pod.status?.options ?? [] : []
        if let option, !options.isEmpty, option > options.count {
            throw Failure(.usage, "usage", "The dialog has \(options.count) options: \(Self.list(options)).")
        }
        let applied = try await backend.api.approve(pod.pod.text, fingerprint: seen, option: option, reject: reject ? true : nil)
        if output.json { return Out.printJSON(applied) }
        if let status = pod.status, let question = status.question, fingerprint == nil {
            for line in status.about?.split(separator: "\n") ?? [] { Out.print(String(line)) }
            Out.print(question)
        }
        Out.print(applied.message ?? said(options))
    }

    /// What was answered: an option may as well say no.
    private func said(_ options: [String]) -> String {
        if reject { return "rejected" }
        let chosen = option ?? 1
        return options.indices.contains(chosen - 1) ? "answered \(chosen): \(options[chosen - 1])" : "approved"
    }

    private static func list(_ options: [String]) -> String { options.enumerated().map { "\($0 + 1) \($1)" }.joined(separator: ", ") }
}
