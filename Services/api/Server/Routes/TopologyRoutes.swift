internal import BindingsClient
internal import Contract
internal import Hummingbird

/// Who waits on whom, and what needs a person.
struct TopologyRoutes {
    let service: TerminalService
    let fleet: LiveFleet

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/topology", name: "getTopology",
                about: "Live pods, bindings, waits, cycles, and the roots that free most, now or as they were.", role: .viewer, query: [Route.at],
                answers: [.json("Topology")], handler: topology),
            Route(
                method: .get, path: "/v1/attention", name: "listAttention", about: "What needs a person; what frees most agents comes first.",
                role: .viewer,
                query: [Route.at, .init(name: "all", about: "What was resolved too.", schema: ["type": "boolean"])],
                answers: [.json("AttentionPage")], handler: attention),
        ]
    }

    @Sendable private func topology(_ request: APIRequest) async throws -> Response {
        Answer.bytes(try await fleet.topology(at: try request.time("at")), type: "application/json")
    }

    @Sendable private func attention(_ request: APIRequest) async throws -> Response {
        let items = try await service.bindings.attention(
            ListAttention(at: try request.time("at"), all: try request.flag("all")))
        return try Answer.json(AttentionPage(items: fleet.weighed(items)), hiding: service.redactor)
    }
}
