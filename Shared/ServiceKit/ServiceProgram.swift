public import Bus
internal import Contract
internal import CoreMetrics
internal import FoundationEssentials
public import Logging
public import ServiceLifecycle
internal import UnixSignals

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// What a service is given to start with.
public struct ServiceContext: Sendable {
    public let configuration: ServiceConfiguration
    public let logger: Logger
    public let health: Health
    /// What the process counts, for a service that shows it on an address of its own too.
    public let metrics: PrometheusRegistry

    /// A bus connection, watched by `/readyz`. `bulk` ones buffer; others send at once. `inline` ones call handlers on one thread for all,
    /// without delay: for handlers that are quick.
    ///
    /// - Parameter inbox: what the subjects of answers begin with, where it is not the service's own.
    public func connect(bulk: Bool = false, inline: Bool = false, inbox: String? = nil) async throws -> BusConnection {
        var options = BusOptions(
            servers: configuration.natsServers, name: "switchback-\(configuration.service) \(configuration.instance)\(bulk ? " bulk" : "")")
        options.sendAsSoonAsPossible = !bulk
        if inline {
            options.delivery = .loop(.shared)
            options.readBytes = 64 << 10
        }
        options.credentialsFile = configuration.natsCredentialsFile
        options.inbox = inbox ?? Subjects.inbox(service: configuration.service)
        let connection = try await BusConnection.connect(options)
        connection.onStateChange { [logger] state in
            // A right that is missing: nothing else says so but a request that nobody answers.
            if case .refused(let text) = state { logger.error("the bus refused", metadata: ["reason": "\(text)"]) }
        }
        health.register(bulk ? "nats-bulk" : "nats") { connection.isConnected ? nil : "not connected to NATS" }
        return connection
    }

    /// Makes the streams where they are missing.
    public func ensureStreams(_ bus: BusConnection) async throws(BusError) {
        var terminals = StreamLimits.terminals, events = StreamLimits.events
        terminals.replicas = configuration.streamReplicas
        events.replicas = configuration.streamReplicas
        try await JetStream(bus).ensureStreams(terminals: terminals, events: events)
    }

    /// Makes the stream of what people and agents did, where it is missing.
    public func ensureAuditStream(_ bus: BusConnection) async throws(BusError) {
        try await JetStream(bus).ensureAuditStream(replicas: configuration.streamReplicas)
    }
}

/// A part that runs until the program is told to stop, and then stops by `stop`.
public struct Running: Service {
    private let stop: @Sendable () async -> Void

    /// `stop` must end within two seconds and lose nothing.
    public init(stop: @escaping @Sendable () async -> Void) { self.stop = stop }

    public func run() async throws {
        try? await gracefulShutdown()
        await stop()
    }
}

/// The life of a service program: configuration, logs, metrics, health, start, and a clean stop on SIGTERM or SIGINT.
public enum ServiceProgram {
    /// Version of the programs, as `$SRV.INFO` and the runners report it.
    public static let version = "0.1.0"

    /// Starts `service` and returns when it has stopped. Ends the process with 1, and a reason in the log, if it cannot start.
    ///
    /// With the argument `--ready` it only asks the service that runs here already whether it is ready, for health checks of containers:
    /// ends with 0 or 1.
    ///
    /// The services that `start` returns are stopped in reverse order; the health server answers until the last has stopped.
    public static func run(_ service: String, start: @escaping @Sendable (ServiceContext) async throws -> [any Service]) async {
        signal(SIGPIPE, SIG_IGN)
        do {
            if CommandLine.arguments.dropFirst().first == "--ready" { exit(try ReadyProbe.isReady(ServiceConfiguration(service: service).http) ? 0 : 1) }
            try await serve(ServiceConfiguration(service: service), start: start)
        } catch {
            let logger = Logger(label: service) { _ in JSONLogHandler(service: service, instance: "-", level: .info) }
            logger.critical("cannot run", metadata: ["error": "\(error)"])
            exit(1)
        }
    }

    private static func serve(
        _ configuration: ServiceConfiguration, start: @Sendable (ServiceContext) async throws -> [any Service]
    ) async throws {
        LoggingSystem.bootstrap { _ in
            JSONLogHandler(service: configuration.service, instance: configuration.instance, level: configuration.logLevel)
        }
        let logger = Logger(label: configuration.service)
        let metrics = PrometheusRegistry()
        MetricsSystem.bootstrap(metrics)
        let health = Health()
        let started = Timestamp.now()
        Gauge(label: "process.start_time_seconds").record(Double(started.microseconds) / 1e6)

        let context = ServiceContext(configuration: configuration, logger: logger, health: health, metrics: metrics)
        let services = try await start(context)
        let server = HealthServer.application(configuration, health: health, metrics: metrics, logger: logger) { port in
            logger.info(
                "ready", metadata: ["http": "\(configuration.http.host):\(port)", "version": "\(version)", "pid": "\(getpid())"])
        }
        var group = ServiceGroupConfiguration(
            services: ([server] + services).map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(logger))
        group.maximumGracefulShutdownDuration = .seconds(2)
        try await ServiceGroup(configuration: group).run()
        logger.info("stopped")
    }

    private static func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = max(.error, logger.logLevel)
        return quiet
    }
}
