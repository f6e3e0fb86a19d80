internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials

struct Stop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End pods: politely first, by SIGKILL after a while. The recording stays.")

    @OptionGroup var output: JSONOption

    @Argument(help: ArgumentHelp("Pods, by name or id.", valueName: "pod"))
    var pods: [String]

    @Option(help: "Time between the polite signal and SIGKILL.")
    var grace: String = "5s"

    func run() async throws {
        guard let duration = parseDuration(grace) else {
            throw Failure(.usage, "bad_time", "\"\(grace)\" is not a length of time; give 5s, 500ms, 1m.")
        }
        let backend = try Backend.locate()
        // All are looked up before the first is stopped: a typing error stops nothing.
        var found: [Pod] = []
        for ref in pods { found.append(try await backend.api.pod(ref)) }
        for pod in found {
            if !pod.lifecycle.isLive {
                if !output.json { Out.complain("\(pod.name) has ended already.") }
                if output.json { Out.printJSON(pod) }
                continue
            }
            let stopped = try await backend.api.stop(pod.pod.text, graceMs: Int(duration.microseconds / 1000))
            if output.json { Out.printJSON(stopped) } else { Out.print(pod.name) }
        }
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start a new pod where an ended one left off; prints the new pod's id.",
        discussion: "Same command, environment, directory and worktree; an agent that can continues its own session.")

    @OptionGroup var output: JSONOption
    @OptionGroup var target: PodArgument

    @Flag(name: .shortAndLong, help: "Attach to it at once.")
    var attach = false

    func run() async throws {
        let backend = try Backend.locate()
        let old = try await backend.api.pod(target.pod)
        let pod = try await backend.api.resume(old.pod.text, idempotencyKey: UUID().uuidString)
        if attach { return try await Attachment(backend: backend, pod: pod, isReadOnly: false, takes: false).run() }
        if output.json { Out.printJSON(pod) } else { Out.print(pod.pod.text) }
    }
}
