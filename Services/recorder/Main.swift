internal import Bus
internal import Contract
internal import RecorderServer
internal import Redaction
internal import ServiceKit

@main
enum Main {
    static func main() async {
        await ServiceProgram.run("recorder") { context in
            let configuration = context.configuration
            var options = Recorder.Options(databaseURL: try configuration.requireDatabaseURL(), instance: configuration.instance)
            if let text = configuration.environment["SWITCHBACK_RETENTION_AGE"], !text.isEmpty {
                guard let age = parseDuration(text) else {
                    throw ConfigurationError("SWITCHBACK_RETENTION_AGE is \"\(text)\"; give a length of time such as 30d or 12h")
                }
                options.retentionAge = age
            }
            if let text = configuration.environment["SWITCHBACK_RETENTION_BYTES"], !text.isEmpty {
                guard let bytes = Int64(text), bytes > 0 else {
                    throw ConfigurationError("SWITCHBACK_RETENTION_BYTES is \"\(text)\"; give a number of bytes")
                }
                options.retentionBytes = bytes
            }
            options.redactor = try Redactor.configured(environment: configuration.environment)
            let bus = try await context.connect()
            let bulk = try await context.connect(bulk: true)
            try await context.ensureStreams(bulk)
            let micro = try Microservice(
                bus, name: "recorder", id: configuration.instance, version: ServiceProgram.version, summary: "durable recordings: seek, play, search",
                started: Timestamp.now().description)
            let recorder = try await Recorder.start(options, bus: bus, bulk: bulk, micro: micro, logger: context.logger)
            context.health.register("recorder") { recorder.problem }
            return [
                Running {
                    await recorder.stop()
                    withExtendedLifetime(micro) {}
                    await bulk.close(deadline: .seconds(1))
                    await bus.close(deadline: .seconds(1))
                }
            ]
        }
    }
}
