internal import Contract

/// What a token that is good for some pods only may ask. Whatever is not named here is refused.
enum ScopedRight: Sendable, Equatable {
    /// It tells of no pod.
    case anything
    /// The pod in the path must be one of them.
    case pathPod
    /// The route itself leaves out, or refuses, what is not theirs.
    case byRoute

    /// By the route's name.
    static let rights: [String: ScopedRight] = [
        "whoAmI": .anything, "me": .anything, "listRunners": .anything, "listAgents": .anything,
        "listPods": .byRoute, "createPod": .byRoute, "search": .byRoute,
        "getPod": .pathPod, "getPodHistory": .pathPod, "writeInput": .pathPod, "approvePod": .pathPod, "resizePod": .pathPod, "signalPod": .pathPod,
        "markPod": .pathPod, "stopPod": .pathPod, "resumePod": .pathPod, "getPodStatus": .pathPod, "explainPodStatus": .pathPod,
        "getScreen": .pathPod, "getTimeline": .pathPod, "exportRecording": .pathPod, "verifyRecording": .pathPod, "openTerminal": .pathPod,
    ]
}

extension Person {
    /// - Throws: `denied` when the person's token is not good for this pod.
    func require(_ pod: Pod) throws(ErrorBody) {
        guard let scope, !scope.allows(id: pod.pod.text, name: pod.name) else { return }
        throw ErrorBody(.denied, "this token is good for \(scope.patterns.joined(separator: ", ")) only, not for \(pod.name)")
    }
}

extension TerminalService {
    /// Refuses what a token for some pods only may not ask of this route.
    func admit(scoped person: Person, to route: String, pod ref: String) async throws(ErrorBody) {
        guard person.scope != nil else { return }
        switch ScopedRight.rights[route] {
        case .anything, .byRoute: break
        case .pathPod: try person.require(try await pod(ref))
        case nil: throw ErrorBody(.denied, "a token for some pods only does not allow \(route)")
        }
    }
}
