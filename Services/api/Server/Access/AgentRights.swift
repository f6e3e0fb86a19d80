internal import BindingsClient
internal import Contract
internal import Redaction
internal import RegistryClient

/// What an agent may ask by its pod's credential. Whatever is not named here is refused.
enum AgentRight: Sendable, Equatable {
    /// It tells of no terminal's content, or the service that answers decides by itself.
    case anything
    /// The pod in the path must be its own, or a binding must grant this.
    case scope(Scope)

    /// By the route's name.
    static let rights: [String: AgentRight] = [
        // Who is there, and who is bound to whom.
        "whoAmI": .anything, "me": .anything, "listPods": .anything, "getPod": .anything, "listRunners": .anything, "getTopology": .anything, "listAgents": .anything,
        // Pods of its own making.
        "createPod": .anything, "resumePod": .anything,
        // Content of terminals.
        "getScreen": .scope(.read), "getTimeline": .scope(.read), "exportRecording": .scope(.read), "verifyRecording": .scope(.read), "getPodHistory": .scope(.read),
        "openTerminal": .scope(.read), "getPodStatus": .scope(.read), "explainPodStatus": .scope(.read), "search": .anything,
        // What changes a terminal; of input the gate decides.
        "writeInput": .anything, "approvePod": .anything, "resizePod": .scope(.write), "signalPod": .scope(.write), "markPod": .scope(.write),
        "stopPod": .scope(.write),
        // Records whose service knows who may do what.
        "listBindings": .anything, "requestBinding": .anything, "getBinding": .anything, "acceptBinding": .anything, "rejectBinding": .anything,
        "revokeBinding": .anything, "getBindingPolicy": .anything, "listWaits": .anything, "createWait": .anything, "getWait": .anything,
        "cancelWait": .anything,
        // Channels: the service shows a pod only those that it is a member of.
        "listChannels": .anything, "createChannel": .anything, "getChannel": .anything, "joinChannel": .anything, "leaveChannel": .anything,
        "listChannelMessages": .anything, "postMessage": .anything, "readChannel": .anything, "listMessages": .anything, "getMessage": .anything,
        "acknowledgeMessage": .anything,
    ]
}

extension TerminalService {
    /// Who asks by this credential of a pod.
    func agent(_ credential: String) async throws(ErrorBody) -> Person {
        let pod = try await registry.check(credential: credential)
        return Person(name: pod.name, role: .operator, pod: pod.pod)
    }

    /// Refuses what an agent may not ask of this route.
    func admit(_ agent: PodID, to route: String, pod ref: String) async throws(ErrorBody) {
        switch AgentRight.rights[route] {
        case .anything: break
        case .scope(let scope):
            let pod = try await pod(ref)
            try grants.require(Author(kind: .pod, id: agent.text), scope, on: pod.pod)
        case nil: throw ErrorBody(.denied, "a pod's credential does not allow \(route); a person has to do it")
        }
    }

    /// A pod as an agent may see it: what was read off its screen only with a binding.
    func shown(_ pod: Pod, to person: Person) -> Pod {
        var pod = pod
        // What is kept under a secret's name is one, whatever it looks like.
        for name in pod.spec.env.keys where Redactor.isSecretName(name) { pod.spec.env[name] = String(repeating: String(Redactor.mark), count: 8) }
        pod.spec.command = redactor.redacted(command: pod.spec.command)
        guard person.pod != nil, !grants.allows(person.author, .read, on: pod.pod), let status = pod.status else { return pod }
        pod.status = PodStatus(
            status: status.status, reason: status.reason, since: status.since, seq: status.seq, confidence: status.confidence,
            background: status.background, agent: status.agent, drift: status.drift)
        // Its command line and environment may hold what was meant for it alone.
        pod.spec.env = [:]
        pod.spec.prompt = nil
        return pod
    }
}
