internal import Contract

/// Which runner a new pod goes to. Pure.
enum RunnerChoice {
    /// - Parameters:
    ///   - wanted: the runner that was asked for by name.
    ///   - runners: all that were ever seen, with the number of pods that live on each.
    /// - Throws: `not_found` when nobody knows the wanted one, `unavailable` when it or all are offline.
    static func choose(wanted: String?, among runners: [Runner]) throws(ErrorBody) -> String {
        let online = runners.filter { $0.state == "online" }
        if let wanted {
            guard let runner = runners.first(where: { $0.runner == wanted }) else {
                let names = runners.map(\.runner).sorted().joined(separator: ", ")
                throw ErrorBody(.notFound, "there is no runner \"\(wanted)\"" + (names.isEmpty ? "; none has reported yet" : "; there are: \(names)"))
            }
            guard runner.state == "online" else {
                throw ErrorBody(.unavailable, "the runner \"\(wanted)\" is offline; its last beat came at \(runner.lastBeat)")
            }
            return wanted
        }
        // Equal loads go by name, so that the choice can be foretold.
        guard let best = online.min(by: { ($0.pods, $0.runner) < ($1.pods, $1.runner) }) else {
            throw ErrorBody(
                .unavailable,
                runners.isEmpty
                    ? "no runner has reported yet; start switchback-runner on the host where agents shall run"
                    : "all runners are offline: \(runners.map(\.runner).sorted().joined(separator: ", "))")
        }
        return best.runner
    }
}
