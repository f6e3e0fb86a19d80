internal import Contract
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOPosix
internal import ServiceLifecycle

/// Serves `/healthz` (the process answers), `/readyz` (every check holds) and `/metrics`.
enum HealthServer {
    static func routes(health: Health, metrics: PrometheusRegistry) -> Router<BasicRequestContext> {
        let router = Router()
        router.get("healthz") { _, _ in "ok\n" }
        router.get("metrics") { _, _ in
            // So that what is scraped is what holds now.
            _ = await health.report()
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
                body: .init(byteBuffer: ByteBuffer(string: metrics.text())))
        }
        router.get("readyz") { _, _ in await readiness(health) }
        return router
    }

    static func readiness(_ health: Health) async -> Response {
        let report = await health.report()
        let ready = report.allSatisfy { $0.problem == nil }
        let lines = report.map { "\(quoted($0.name)):\(quoted($0.problem ?? "ok"))" }
        return Response(
            status: ready ? .ok : .serviceUnavailable, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: "{\"ready\":\(ready),\"checks\":{\(lines.joined(separator: ","))}}\n")))
    }

    static func application(
        _ configuration: ServiceConfiguration, health: Health, metrics: PrometheusRegistry, logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void
    ) throws -> any Service {
        var quiet = logger
        quiet.logLevel = max(.warning, logger.logLevel)
        let responder = routes(health: health, metrics: metrics).buildResponder()
        // Without an `Application` around it, whose clock for the header `Date` would wake the process twice a second.
        return try HTTPServerBuilder.http1(configuration: .init()).buildServer(
            configuration: .init(address: .hostname(configuration.http.host, port: configuration.http.port)),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet,
            responder: { [quiet] request, writer, channel in
                let context = BasicRequestContext(source: .init(channel: channel, logger: quiet))
                let response: Response
                do {
                    response = try await responder.respond(to: request, context: context)
                } catch {
                    response = Response(status: .internalServerError)
                }
                try await writer.write(response: response.head, body: response.body)
            },
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) })
    }
}
