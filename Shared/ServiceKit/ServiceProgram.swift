public import Bus
internal import Contract
internal import CoreMetrics
internal import FoundationEssentials
internal import Synchronization
public import Logging
public import ServiceLifecycle
internal import Traces
internal import Tracing
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
        options.tls = configuration.natsTLS
        options.inbox = inbox ?? Subjects.inbox(service: configuration.service)
        let connection = try await BusConnection.connect(options)
        connection.onTraced { [logger] trace, subject, took in
            let milliseconds = Double(took.components.seconds) * 1e3 + Double(took.components.attoseconds) / 1e15
            logger.log(
                level: trace.isSampled ? .info : .debug, "answered", metadata: ["subject": "\(subject)", "ms": "\(milliseconds)", "trace": "\(trace.id)"])
        }
        let reconnects = Counter(label: "bus.reconnects", dimensions: [("connection", bulk ? "bulk" : "main")])
        connection.onStateChange { [logger, weak connection] state in
            if state == .reconnected { reconnects.increment() }
            // A right that is missing: nothing else says so but a request that nobody answers.
            if case .refused(let text) = state { logger.error("the bus refused", metadata: ["reason": "\(text)"]) }
            // libnats gives a server up that refuses twice. Whoever supervises us starts us again, and that tries until it is mended.
            if state == .closed, let refusal = connection?.refusal {
                logger.critical("the bus let us go; ending, to start anew", metadata: ["reason": "\(refusal)"])
                kill(getpid(), SIGTERM)
            }
        }
        health.register(bulk ? "nats-bulk" : "nats") { connection.problem }
        return connection
    }

    /// Makes the streams where they are missing: now, when the bus comes back without them, and when `/readyz` is asked, which says why they cannot be.
    ///
    /// - Parameter audit: that of what people and agents did as well.
    public func ensureStreams(_ bus: BusConnection, audit: Bool = false) async throws(BusError) {
        let streams = KnownStreams()
        health.register("jetstream") { [weak bus, self] in
            // Without a connection that is what is to be said. A server that keeps its connections keeps its streams, for a while at least.
            guard let bus, bus.isConnected, streams.isDue else { return nil }
            do throws(BusError) {
                try await makeStreams(bus, audit)
                streams.wereSeen()
                return nil
            } catch {
                return "\(error)"
            }
        }
        bus.onStateChange { [weak bus, self] state in
            streams.areInDoubt()
            guard state == .reconnected else { return }
            Task { [weak bus] in
                do throws(BusError) {
                    if let bus { try await makeStreams(bus, audit) }
                } catch {
                    logger.error("JetStream", metadata: ["reason": "\(error)"])
                }
            }
        }
        try await makeStreams(bus, audit)
    }

    private func makeStreams(_ bus: BusConnection, _ audit: Bool) async throws(BusError) {
        try await JetStream(bus).ensureStreams(configuration.streams)
        if audit { try await JetStream(bus).ensureAuditStream(configuration.streams) }
    }
}

/// When the streams were last seen to be there.
private final class KnownStreams: Sendable {
    private static let trust = Duration.seconds(60)
    private let seen = Mutex<ContinuousClock.Instant?>(nil)

    var isDue: Bool { seen.withLock { $0.map { .now - $0 > Self.trust } ?? true } }
    func wereSeen() { seen.withLock { $0 = .now } }
    func areInDoubt() { seen.withLock { $0 = nil } }
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
    /// A start that fails for want of something outside (bus, database, certificate) is tried again until it succeeds; meanwhile `/readyz` says why.
    /// A setting that cannot be used ends the process.
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
        _ configuration: ServiceConfiguration, start: @escaping @Sendable (ServiceContext) async throws -> [any Service]
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
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let server = try HealthServer.application(configuration, health: health, metrics: metrics, logger: logger) { listening.yield($0) }
        let starter = Starter()
        let exporter = traceExporter(configuration, logger)
        // The exporter stops last: what the others do until then is still told.
        let parts: [(any Service)?] = [exporter, server, starter]
        var group = ServiceGroupConfiguration(
            services: parts.compactMap { $0.map { .init(service: $0) } }, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(logger))
        group.maximumGracefulShutdownDuration = .seconds(2)
        let services = ServiceGroup(configuration: group)
        starter.work.withLock { work in
            work = {
                for service in try await begin(context, start) { await services.addServiceUnlessShutdown(service) }
                let port = await ports.first { _ in true } ?? 0
                logger.info("ready", metadata: ["http": "\(configuration.http.host):\(port)", "version": "\(version)", "pid": "\(getpid())"])
            }
        }
        try await services.run()
        logger.info("stopped")
    }

    /// Has traces handed on, and posted to the collector if there is one.
    private static func traceExporter(_ configuration: ServiceConfiguration, _ logger: Logger) -> OTLPExporter? {
        let exporter = configuration.traceCollector.map { collector in
            OTLPExporter(collector, service: configuration.service, instance: configuration.instance, logger: logger)
        }
        InstrumentationSystem.bootstrap(SpanTracer(queue: exporter?.queue, ratio: configuration.traceRatio))
        return exporter
    }

    /// Runs `start` until it succeeds.
    static func begin(
        _ context: ServiceContext, pause: Duration = .seconds(1), _ start: @Sendable (ServiceContext) async throws -> [any Service]
    ) async throws -> [any Service] {
        let problem = Mutex<String?>("starting")
        context.health.register("start") { problem.withLock { $0 } }
        var pause = pause
        while true {
            do {
                let services = try await start(context)
                problem.withLock { $0 = nil }
                return services
            } catch let error as ConfigurationError {
                throw error
            } catch {
                try Task.checkCancellation()
                let reason = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
                let isNews = problem.withLock { problem in
                    defer { problem = reason }
                    return problem != reason
                }
                if isNews { context.logger.error("cannot start yet", metadata: ["error": "\(reason)"]) }
                // What the failed start had registered may never become well.
                context.health.forget(allBut: "start")
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }

    /// Starts the others, once, and then only waits for the end.
    private final class Starter: Service {
        let work = Mutex<@Sendable () async throws -> Void>({})

        func run() async throws {
            let begin = work.withLock { $0 }
            do {
                try await cancelWhenGracefulShutdown { try await begin() }
            } catch is CancellationError {
                return
            }
            try? await gracefulShutdown()
        }
    }

    private static func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = max(.error, logger.logLevel)
        return quiet
    }
}
