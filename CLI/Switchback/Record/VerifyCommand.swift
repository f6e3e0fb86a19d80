internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract

/// Whether recordings are as they were written.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check that nothing in recordings was changed, removed or inserted.",
        discussion: "Reads each recording to its end and computes its chain of hashes. Exits with 1 when one is broken.")

    @OptionGroup var output: JSONOption

    @Argument(help: "Names or ids; every pod where none is given.")
    var pods: [String] = []

    private struct Line: Encodable {
        var pod: String
        var name: String
        var recording: Verified?
        /// There is none: the pod ended before it printed anything, or retention has removed it.
        var missing: Bool?
    }

    func run() async throws {
        let api = try Backend.locate().api
        var chosen: [Pod] = []
        for ref in pods { chosen.append(try await api.pod(ref)) }
        if pods.isEmpty { chosen = try await api.allPods() }
        var broken = 0
        var lines: [Line] = []
        for pod in chosen {
            var line = Line(pod: pod.pod.text, name: pod.name)
            do throws(ErrorBody) {
                let verified = try await api.verify(pod.pod.text)
                line.recording = verified
                if !verified.ok {
                    broken += 1
                    Out.complain("\(pod.name): broken: \(verified.problem ?? "")")
                } else if !output.json {
                    Out.print("\(pod.name)  \(verified.frames) frames  \(verified.head)")
                }
            } catch {
                guard error.code == .notFound else { throw error }
                line.missing = true
                if !output.json { Out.print("\(pod.name)  no recording") }
            }
            lines.append(line)
        }
        if output.json { Out.printJSON(lines) } else if broken == 0 { Out.print("\(lines.count) recordings, all as they were written.") }
        if broken > 0 { throw ExitCode(Failure.Exit.error.rawValue) }
    }
}
