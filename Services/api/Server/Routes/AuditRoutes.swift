internal import Contract
internal import Hummingbird
internal import RegistryClient

/// Who did what, and whether that log is whole.
struct AuditRoutes {
    let service: TerminalService

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/audit", name: "listAudit",
                about: "Every change and every refusal, the newest first: who, from where, what, to which, how it ended.", role: .admin,
                query: [
                    .init(name: "since", about: "After this time."), .init(name: "until", about: "Before this time."),
                    .init(name: "actor", about: "person:NAME, pod:ID or nobody."), .init(name: "action", about: "A route's name."),
                    .init(name: "outcome", about: "done, denied or failed.", schema: ["type": "string", "enum": ["done", "denied", "failed"]]),
                    Route.limit, .init(name: "before", about: "The `next` of the page before.", schema: ["type": "integer", "minimum": 1]),
                ], answers: [.json("AuditPage")], handler: list),
            Route(
                method: .get, path: "/v1/audit/verify", name: "verifyAudit",
                about: "Walks the chain of digests: whether an entry was changed, removed, inserted or moved.", role: .admin,
                query: [
                    .init(name: "seq", about: "An entry whose digest was noted elsewhere.", schema: ["type": "integer", "minimum": 1]),
                    .init(name: "digest", about: "That digest."),
                ], answers: [.json("AuditVerified")], handler: verify),
        ]
    }

    @Sendable private func list(_ request: APIRequest) async throws -> Response {
        let outcome = try request.text("outcome").map { text throws(ErrorBody) in
            guard let outcome = AuditEntry.Outcome(rawValue: text) else {
                throw ErrorBody(.badRequest, "outcome=\(text): use done, denied or failed")
            }
            return outcome
        }
        return try Answer.json(
            try await service.registry.audit(
                ListAudit(
                    since: try request.time("since"), until: try request.time("until"), actor: request.text("actor"), action: request.text("action"),
                    outcome: outcome, before: try request.integer("before", in: 1...Int.max).map { UInt64($0) },
                    limit: try request.integer("limit", in: 1...1000))))
    }

    @Sendable private func verify(_ request: APIRequest) async throws -> Response {
        let seq = try request.integer("seq", in: 1...Int.max).map { UInt64($0) }
        let digest = request.text("digest")
        guard (seq == nil) == (digest == nil) else { throw ErrorBody(.badRequest, "give both seq and digest, or neither") }
        return try Answer.json(try await service.registry.verifyAudit(VerifyAudit(seq: seq, digest: digest)))
    }
}
