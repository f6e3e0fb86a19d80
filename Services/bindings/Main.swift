internal import BindingsServer
internal import Bus
internal import Contract
internal import Database
internal import Redaction
internal import ServiceKit

@main
enum Main {
    static func main() async {
        await ServiceProgram.run("bindings") { context in
            let address = try context.configuration.requireDatabaseURL()
            let pool = DatabasePool(.init(address: address, applicationName: "switchback-bindings"), logger: context.logger)
            try await pool.waitUntilReachable(timeout: .seconds(30))
            context.health.register("database") { await pool.problem() }
            let bus = try await context.connect()
            try await context.ensureStreams(bus)
            let micro = try Microservice(
                bus, name: "bindings", id: context.configuration.instance, version: ServiceProgram.version,
                summary: "bindings, waits, what needs a person", started: Timestamp.now().description)
            let server = try await BindingsServer.start(
                bus: bus, pool: pool, logger: context.logger, instance: context.configuration.instance,
                link: context.configuration.environment["SWITCHBACK_PUBLIC_URL"],
                redactor: try Redactor.configured(environment: context.configuration.environment), micro: micro)
            let counting = Task { await OpenCounts(pool: pool).run() }
            return [
                Running {
                    counting.cancel()
                    await server.stop()
                    await bus.close()
                    pool.close()
                }
            ]
        }
    }
}
