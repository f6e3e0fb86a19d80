internal import Contract

/// A name for a pod that was given none.
enum PodName {
    /// The program's or agent's name and the first characters of the id: `bash-k3x`.
    static func made(for spec: PodSpec, _ pod: PodID) -> String {
        let program = spec.agent ?? spec.command.first.flatMap { $0.split(separator: "/").last.map(String.init) } ?? "pod"
        var base = String(program.lowercased().map { PodSpec.isName("x\($0)") ? $0 : "-" }.prefix(40))
        while let first = base.first, first == "-" || first == "." { base.removeFirst() }
        if base.isEmpty { base = "pod" }
        return base + "-" + pod.text.dropFirst().prefix(4)
    }
}
