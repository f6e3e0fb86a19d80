internal import Contract
internal import DetectorClient
internal import Hummingbird
internal import RegistryClient

/// What agents are doing, and why that is known.
struct StatusRoutes {
    let service: TerminalService

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/pods/{pod}/status", name: "getPodStatus",
                about: "What the pod's agent is doing: executing, waiting, idle or unknown, with reason, since when, question and options.",
                role: .viewer, query: [Route.at], answers: [.json("Status")], handler: status),
            Route(
                method: .get, path: "/v1/pods/{pod}/explain", name: "explainPodStatus",
                about: "Why: every piece of evidence, the winner first, and how the screen was read. A past moment is computed again from the record.",
                role: .viewer, query: [Route.at], answers: [.json("Explanation")], handler: explain),
            Route(
                method: .get, path: "/v1/agents", name: "listAgents", about: "Known agents, their manifests, and the manifests that were refused.",
                role: .viewer, answers: [.json("Agents")], handler: agents),
        ]
    }

    private func moment(_ request: APIRequest) async throws -> (pod: Pod, at: Timestamp?) {
        let pod = try await service.pod(request.pathPod)
        return (pod, try request.time("at", start: pod.started ?? pod.created))
    }

    @Sendable private func status(_ request: APIRequest) async throws -> Response {
        var (pod, at) = try await moment(request)
        if at != nil { pod = try await service.pod(pod.pod.text, at: at) }
        pod = service.shown(pod, to: request.person)
        // Nothing was said yet, which is what unknown means.
        return try Answer.json(pod.status ?? PodStatus(status: "unknown", since: pod.started ?? pod.created, seq: 0), hiding: service.redactor)
    }

    @Sendable private func explain(_ request: APIRequest) async throws -> Response {
        let (pod, at) = try await moment(request)
        return try Answer.json(try await service.detector.explain(ExplainStatus(pod: pod.pod, at: at)), hiding: service.redactor)
    }

    @Sendable private func agents(_ request: APIRequest) async throws -> Response {
        try Answer.json(try await service.detector.agents())
    }
}
