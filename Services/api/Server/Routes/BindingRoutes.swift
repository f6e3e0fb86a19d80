internal import BindingsClient
internal import Bus
internal import Contract
internal import Hummingbird

/// Bindings: who may do what to whose terminal.
struct BindingRoutes {
    let service: TerminalService

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/bindings", name: "listBindings", about: "Pending and active bindings, oldest first.", role: .viewer,
                query: [
                    .init(name: "pod", about: "Only those from or to this pod."), .init(name: "state", about: "pending, active or inactive."),
                    .init(name: "all", about: "Inactive ones too.", schema: ["type": "boolean"]), Route.at,
                ], answers: [.json("BindingPage")], handler: list),
            Route(
                method: .post, path: "/v1/bindings", name: "requestBinding",
                about: "Asks for scopes on a pod's terminal. What is granted or pending already changes nothing.", role: .operator,
                headers: [Route.idempotencyKey], body: .json("BindingRequest"), answers: [.json("Binding")], status: .created, handler: request),
            Route(
                method: .get, path: "/v1/bindings/policy", name: "getBindingPolicy", about: "How requests are answered: of the mesh, or of a pod.",
                role: .viewer, query: [.init(name: "pod", about: "Of this pod.")], answers: [.json("BindingPolicy")], handler: policy),
            Route(
                method: .post, path: "/v1/bindings/policy", name: "setBindingPolicy",
                about: "explicit, same_owner_auto or ask_person; of a pod, or of the mesh where none is named.", role: .admin,
                body: .json("BindingPolicy"), answers: [.json("BindingPolicy")], handler: setPolicy),
            Route(
                method: .get, path: "/v1/bindings/{binding}", name: "getBinding", about: "One binding.", role: .viewer,
                answers: [.json("Binding")], handler: get),
            Route(
                method: .post, path: "/v1/bindings/{binding}/accept", name: "acceptBinding",
                about: "Grants the named pending scopes, or all; the rest stays pending.", role: .operator, headers: [Route.idempotencyKey],
                body: .json("BindingDecision"), answers: [.json("Binding")], handler: accept),
            Route(
                method: .post, path: "/v1/bindings/{binding}/reject", name: "rejectBinding", about: "Refuses the named pending scopes, or all.",
                role: .operator, headers: [Route.idempotencyKey], body: .json("BindingDecision"), answers: [.json("Binding")], handler: reject),
            Route(
                method: .post, path: "/v1/bindings/{binding}/revoke", name: "revokeBinding",
                about: "Ends a binding; either side may. Open streams that it allowed are closed.", role: .operator,
                headers: [Route.idempotencyKey], body: .json("BindingDecision"), answers: [.json("Binding")], handler: revoke),
        ]
    }

    @Sendable private func list(_ request: APIRequest) async throws -> Response {
        var pod: PodID?
        if let ref = request.text("pod") { pod = try await service.pod(ref).pod }
        let state = try request.text("state").map { text throws(ErrorBody) in
            guard let state = Binding.State(rawValue: text) else { throw ErrorBody(.badRequest, "state=\(text): use pending, active or inactive") }
            return state
        }
        let bindings = try await service.bindings.list(
            ListBindings(pod: pod, state: state, at: try request.time("at"), all: try request.flag("all")))
        return try Answer.json(BindingPage(bindings: bindings), hiding: service.redactor)
    }

    struct Asked: Decodable {
        var from: String?
        var to: String
        var scopes: [Scope]
        var note: String?
    }

    @Sendable private func request(_ request: APIRequest) async throws -> Response {
        let asked = try await request.json(Asked.self)
        guard (asked.note ?? "").utf8.count <= 2000 else { throw ErrorBody(.badRequest, "a note has at most 2000 bytes") }
        let from: PodID
        switch (asked.from, request.person.pod) {
        case (let ref?, _): from = try await service.pod(ref).pod
        case (nil, let pod?): from = pod
        case (nil, nil): throw ErrorBody(.badRequest, "field from is missing: the pod that asks")
        }
        let binding = try await service.bindings.request(
            RequestBinding(
                from: from, to: try await service.pod(asked.to).pod, scopes: asked.scopes, author: request.person.author, role: request.person.role,
                note: asked.note))
        return try Answer.json(binding, hiding: service.redactor, status: .created)
    }

    @Sendable private func get(_ request: APIRequest) async throws -> Response {
        try Answer.json(try await service.bindings.get(id(request)), hiding: service.redactor)
    }

    struct Decision: Decodable {
        var scopes: [Scope]?
        var reason: String?
    }

    private func decision(_ request: APIRequest) async throws -> DecideBinding {
        let decision = try await request.json(Decision.self, orElse: Decision())
        guard (decision.reason ?? "").utf8.count <= 2000 else { throw ErrorBody(.badRequest, "a reason has at most 2000 bytes") }
        return DecideBinding(
            id: id(request), author: request.person.author, role: request.person.role, scopes: decision.scopes, reason: decision.reason)
    }

    private func id(_ request: APIRequest) -> String { request.pathValues["binding"] ?? "" }

    @Sendable private func accept(_ request: APIRequest) async throws -> Response {
        try Answer.json(try await service.bindings.accept(try await decision(request)), hiding: service.redactor)
    }

    @Sendable private func reject(_ request: APIRequest) async throws -> Response {
        try Answer.json(try await service.bindings.reject(try await decision(request)), hiding: service.redactor)
    }

    @Sendable private func revoke(_ request: APIRequest) async throws -> Response {
        try Answer.json(try await service.bindings.revoke(try await decision(request)), hiding: service.redactor)
    }

    @Sendable private func policy(_ request: APIRequest) async throws -> Response {
        var pod: PodID?
        if let ref = request.text("pod") { pod = try await service.pod(ref).pod }
        return try Answer.json(try await service.bindings.policy(PolicyRequest(pod: pod)))
    }

    struct NewPolicy: Decodable {
        var pod: String?
        var policy: BindingPolicy
    }

    @Sendable private func setPolicy(_ request: APIRequest) async throws -> Response {
        let new = try await request.json(NewPolicy.self)
        var pod: PodID?
        if let ref = new.pod { pod = try await service.pod(ref).pod }
        return try Answer.json(try await service.bindings.policy(PolicyRequest(pod: pod, policy: new.policy)))
    }
}
