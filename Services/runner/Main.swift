internal import Agents
internal import Bus
internal import Contract
internal import FoundationEssentials
internal import RunnerServer
internal import ServiceKit

@main
enum Main {
    static func main() async {
        await ServiceProgram.run("runner") { context in
            let configuration = context.configuration
            let environment = configuration.environment
            let programs = CommandLine.arguments.first.map { URL(filePath: $0).deletingLastPathComponent().path } ?? "."
            let name = environment["SWITCHBACK_RUNNER_NAME"] ?? configuration.instance
            let runner = RunnerConfiguration(
                name: name,
                directory: try configuration.require("SWITCHBACK_RUNNER_DIR", for: "the folder where this runner keeps its pods"),
                shim: environment["SWITCHBACK_SHIM"] ?? programs + "/switchback-shim", natsServers: configuration.natsServers,
                natsCredentialsFile: configuration.natsCredentialsFile, natsTLS: configuration.natsTLS, environment: environment)
            guard !name.isEmpty, !name.contains(where: { $0 == "." || $0 == "*" || $0 == ">" || $0.isWhitespace }) else {
                throw ConfigurationError("SWITCHBACK_RUNNER_NAME is \"\(name)\"; it must be one subject token: no spaces, '.', '*' or '>'")
            }
            let bus = try await context.connect(inbox: Subjects.inbox(runner: name))
            let micro = try Microservice(
                bus, name: "runner", id: name, version: ServiceProgram.version, summary: "pods of one host", started: Timestamp.now().description)
            let server = try await RunnerServer.start(
                bus: bus, configuration: runner, agentFolders: AgentCatalog.folders(program: CommandLine.arguments.first, environment: environment),
                version: ServiceProgram.version, micro: micro, logger: context.logger)
            let measures = RunnerMeasures(directory: runner.directory)
            context.health.register("disk") { measures.problem }
            let measuring = Task { await measures.run() }
            return [
                Running {
                    measuring.cancel()
                    await server.stop()
                    await bus.close()
                }
            ]
        }
    }
}
