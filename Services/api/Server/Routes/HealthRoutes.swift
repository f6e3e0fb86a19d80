internal import Contract
internal import Hummingbird
internal import ServiceKit

/// What machines ask of any service, and the API's own description.
struct HealthRoutes {
    let health: Health
    let metrics: PrometheusRegistry

    var all: [Route] {
        [
            Route(
                method: .get, path: "/healthz", name: "isAlive", about: "The process answers.", role: nil, answers: [.text]
            ) { _ in Answer.text("ok\n") },
            Route(
                method: .get, path: "/readyz", name: "isReady", about: "Every check holds; else 503 with what does not.", role: nil,
                answers: [.json("Ready")], handler: ready),
            Route(
                method: .get, path: "/metrics", name: "metrics", about: "Prometheus text.", role: nil, answers: [.text]
            ) { _ in
                // So that what is scraped is what holds now.
                _ = await health.report()
                return Answer.text(metrics.text(), type: "text/plain; version=0.0.4")
            },
        ]
    }

    static func description(_ document: @escaping @Sendable () -> JSONValue) -> Route {
        Route(
            method: .get, path: "/openapi.json", name: "describe", about: "This description.", role: nil,
            answers: [.init(type: "application/json", schema: ["type": "object"])]
        ) { _ in try Answer.json(document()) }
    }

    @Sendable private func ready(_ request: APIRequest) async throws -> Response {
        struct Ready: Encodable {
            var ready: Bool
            var checks: [String: String]
        }
        let report = await health.report()
        let ready = report.allSatisfy { $0.problem == nil }
        return try Answer.json(
            Ready(
                ready: ready, checks: Dictionary(report.map { ($0.name, $0.problem ?? "ok") }, uniquingKeysWith: { $1 })),
            status: ready ? .ok : .serviceUnavailable)
    }
}
