internal import BindingsClient
internal import Bus
internal import Contract
internal import Redaction
internal import RelayServer
internal import ServiceKit

@main
enum Main {
    static func main() async {
        await ServiceProgram.run("relay") { context in
            let bus = try await context.connect(inline: true)
            try await context.ensureStreams(bus)
            let grants = try BindingGrants(bus: bus, logger: context.logger)
            let relay = RelayService(
                bus: bus, logger: context.logger, grants: grants,
                dialogs: .detection(folders: DialogReader.folders(environment: context.configuration.environment)),
                redactor: try Redactor.configured(environment: context.configuration.environment))
            let micro = try Microservice(
                bus, name: "relay", id: context.configuration.instance, version: ServiceProgram.version,
                summary: "live terminals and the input gate", started: Timestamp.now().description)
            relay.count(by: micro)
            try await relay.join(instance: context.configuration.instance)
            return [
                Running {
                    await relay.stop()
                    grants.stop()
                    withExtendedLifetime(micro) {}
                    await bus.close(deadline: .seconds(1))
                }
            ]
        }
    }
}
