internal import Agents
internal import Bus
internal import Contract
internal import DetectorServer
internal import ServiceKit

@main
enum Main {
    static func main() async {
        await ServiceProgram.run("detector") { context in
            let configuration = context.configuration
            let bus = try await context.connect()
            try await context.ensureStreams(bus)
            let detector = try DetectorService(
                bus: bus, agentFolders: AgentCatalog.folders(program: CommandLine.arguments.first, environment: configuration.environment),
                instance: configuration.instance, streams: configuration.streams, logger: context.logger)
            let micro = try Microservice(
                bus, name: "detector", id: configuration.instance, version: ServiceProgram.version,
                summary: "what each agent is doing, and why that is known", started: Timestamp.now().description)
            detector.count(by: micro)
            try await detector.join()
            return [
                Running {
                    await detector.stop()
                    withExtendedLifetime(micro) {}
                    await bus.close(deadline: .seconds(1))
                }
            ]
        }
    }
}
