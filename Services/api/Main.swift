internal import APIServer
internal import Bus
internal import Contract
internal import Logging
internal import Redaction
internal import ServiceKit

@main
enum Main {
    static func main() async {
        await ServiceProgram.run("api") { context in
            let configuration = context.configuration
            let listen = try ListenAddress(
                configuration.environment["SWITCHBACK_API_LISTEN"] ?? "127.0.0.1:7420", variable: "SWITCHBACK_API_LISTEN")
            let tokens = try configuration.require("SWITCHBACK_TOKENS", for: "the file of access tokens, lines `token role name`")
            let bus = try await context.connect(inline: true)
            let bulk = try await context.connect(bulk: true)
            try await context.ensureStreams(bulk, audit: true)
            let micro = try Microservice(
                bus, name: "api", id: configuration.instance, version: ServiceProgram.version, summary: "HTTP, WebSocket, SSE, web",
                started: Timestamp.now().description)
            let logger = context.logger
            var settings = APIConfiguration(
                listen: listen, tokenFile: tokens, webDirectory: configuration.environment["SWITCHBACK_WEB"] ?? WebDirectory.find(),
                origins: Set((configuration.environment["SWITCHBACK_ORIGINS"] ?? "").split(separator: ",").map(String.init)),
                proxies: Set((configuration.environment["SWITCHBACK_PROXIES"] ?? "").split(separator: ",").map(String.init)),
                instance: configuration.instance, version: ServiceProgram.version)
            let (chain, key) = (configuration.environment["SWITCHBACK_API_CERT"], configuration.environment["SWITCHBACK_API_KEY"])
            switch (chain, key) {
            case (let chain?, let key?): settings.certificate = (chain, key)
            case (nil, nil): break
            default: throw ConfigurationError("SWITCHBACK_API_CERT and SWITCHBACK_API_KEY belong together; set both or none")
            }
            settings.redactor = try Redactor.configured(environment: configuration.environment)
            let server = try APIServer(
                settings, bus: bus, bulk: bulk, health: context.health, metrics: context.metrics, logger: logger
            ) { port in
                logger.info("listening", metadata: ["address": "\(listen.host):\(port)"])
            }
            return [
                Running {
                    withExtendedLifetime(micro) {}
                    await bus.close(deadline: .seconds(1))
                    await bulk.close(deadline: .seconds(1))
                },
                server,
            ]
        }
    }
}
