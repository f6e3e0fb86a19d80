internal import Bus
internal import BusRights
internal import Contract
internal import Database
internal import FoundationEssentials
internal import RegistryServer
internal import ServiceKit

@main
enum Main {
    static func main() async {
        await ServiceProgram.run("registry") { context in
            let signer = try shimSigner(context.configuration)
            let address = try context.configuration.requireDatabaseURL()
            let pool = DatabasePool(.init(address: address, applicationName: "switchback-registry"), logger: context.logger)
            try await pool.waitUntilReachable(timeout: .seconds(30))
            context.health.register("database") { await pool.problem() }
            let bus = try await context.connect()
            try await context.ensureStreams(bus, audit: true)
            let micro = try Microservice(
                bus, name: "registry", id: context.configuration.instance, version: ServiceProgram.version,
                summary: "pods, runners, lifecycle and its history", started: Timestamp.now().description)
            let server = try await RegistryServer.start(
                bus: bus, pool: pool, logger: context.logger, instance: context.configuration.instance, micro: micro,
                signer: signer)
            return [
                Running {
                    await server.stop()
                    await bus.close()
                    pool.close()
                }
            ]
        }
    }

    /// The key that signs pods' credentials, from the file that `SWITCHBACK_SHIM_SIGNER` names; without one, shims use their runner's credential.
    private static func shimSigner(_ configuration: ServiceConfiguration) throws -> ShimSigner? {
        guard let file = configuration.environment["SWITCHBACK_SHIM_SIGNER"], !file.isEmpty else { return nil }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ConfigurationError("SWITCHBACK_SHIM_SIGNER names \(file), which cannot be read; `switchback keys` makes it")
        }
        guard let signer = ShimSigner(String(decoding: data, as: UTF8.self)) else {
            throw ConfigurationError("SWITCHBACK_SHIM_SIGNER names \(file), which holds no signing key; `switchback keys` makes one")
        }
        return signer
    }
}
