internal import Bus
internal import Contract
internal import Database
internal import RegistryServer
internal import ServiceKit

@main
enum Main {
    static func main() async {
        await ServiceProgram.run("registry") { context in
            let address = try context.configuration.requireDatabaseURL()
            let pool = DatabasePool(.init(address: address, applicationName: "switchback-registry"), logger: context.logger)
            try await pool.waitUntilReachable(timeout: .seconds(30))
            context.health.register("database") { await pool.problem() }
            let bus = try await context.connect()
            try await context.ensureStreams(bus)
            try await context.ensureAuditStream(bus)
            let micro = try Microservice(
                bus, name: "registry", id: context.configuration.instance, version: ServiceProgram.version,
                summary: "pods, runners, lifecycle and its history", started: Timestamp.now().description)
            let server = try await RegistryServer.start(
                bus: bus, pool: pool, logger: context.logger, instance: context.configuration.instance, micro: micro)
            return [
                Running {
                    await server.stop()
                    await bus.close()
                    pool.close()
                }
            ]
        }
    }
}
