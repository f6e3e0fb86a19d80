internal import BindingsClient
internal import Contract
internal import Hummingbird

/// Who is told of what needs a person.
struct WebhookRoutes {
    let service: TerminalService

    var all: [Route] {
        [
            Route(
                method: .get, path: "/v1/webhooks", name: "listWebhooks", about: "Where what needs a person is posted to. Secrets are not told.",
                role: .admin, answers: [.json("WebhookPage")], handler: list),
            Route(
                method: .post, path: "/v1/webhooks", name: "addWebhook", about: "Posts each item that opens from now on there, once.", role: .admin,
                headers: [Route.idempotencyKey], body: .json("WebhookRequest"), answers: [.json("Webhook")], status: .created, handler: add),
            Route(
                method: .delete, path: "/v1/webhooks/{webhook}", name: "removeWebhook", about: "Posts nothing there any more.", role: .admin,
                answers: [.json("WebhookPage")], handler: remove),
        ]
    }

    struct Asked: Decodable {
        var url: String
        var format: Webhook.Format?
        var secret: String?
        var kinds: [Attention.Kind]?
    }

    @Sendable private func list(_ request: APIRequest) async throws -> Response {
        try Answer.json(WebhookPage(webhooks: try await service.bindings.webhooks()))
    }

    @Sendable private func add(_ request: APIRequest) async throws -> Response {
        let asked = try await request.json(Asked.self)
        let webhook = try await service.bindings.add(
            AddWebhook(url: asked.url, format: asked.format ?? .json, secret: asked.secret, kinds: asked.kinds, author: request.person.author))
        return try Answer.json(webhook, status: .created)
    }

    @Sendable private func remove(_ request: APIRequest) async throws -> Response {
        try await service.bindings.removeWebhook(request.pathValues["webhook"] ?? "")
        return try await list(request)
    }
}
