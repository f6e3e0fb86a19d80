internal import AsyncHTTPClient
internal import CoreMetrics
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import ServiceLifecycle
internal import Synchronization
internal import Traces

/// Posts spans to a collector by OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp), in batches and in the background.
///
/// While the collector is away, spans wait; when there is no more room, new ones are dropped and counted. Nothing else waits for it.
final class OTLPExporter: Service {
    /// How it is to be done; tests want it sooner.
    struct Pace {
        /// How long the first span of a batch waits for others.
        var gathering = Duration.milliseconds(500)
        var mostInBatch = 512
        var timeout = Duration.seconds(5)
        /// After a post that failed; twice as long after each that follows.
        var firstPause = Duration.seconds(1)
        var longestPause = Duration.seconds(30)
        /// For all that is left when the program ends.
        var farewell = Duration.milliseconds(700)
        /// The same when it has no time any more.
        var lastWord = Duration.milliseconds(250)
    }

    private enum Outcome {
        case taken
        case refused(String)
        case again(String, after: Duration?)
    }

    let queue: SpanQueue
    private let url: String
    private let resource: [(String, String)]
    private let pace: Pace
    private let logger: Logger
    private let nap = Mutex<Task<Void, Never>?>(nil)
    /// What was taken out of the queue and not by the collector.
    private let atHand = Mutex<[FinishedSpan]>([])

    init(_ url: String, service: String, instance: String, capacity: Int = 4096, pace: Pace = Pace(), logger: Logger) {
        self.url = url
        self.pace = pace
        self.logger = logger
        resource = [
            ("service.name", "switchback-" + service), ("service.namespace", "switchback"), ("service.instance.id", instance),
            ("service.version", ServiceProgram.version), ("telemetry.sdk.language", "swift"), ("telemetry.sdk.name", "switchback"),
        ]
        let dropped = Self.counter("dropped")
        // Both are there from the start, for who asks how fast they grow.
        for outcome in ["exported", "refused"] { _ = Self.counter(outcome) }
        queue = SpanQueue(capacity: capacity) { dropped.increment() }
    }

    private static func counter(_ outcome: String) -> Counter { Counter(label: "trace_spans", dimensions: [("outcome", outcome)]) }

    /// Posts until the program stops, then what is left, for a moment.
    func run() async throws {
        var configuration = HTTPClient.Configuration()
        // A post makes no span: that would have to be posted too.
        configuration.tracing.tracer = nil
        configuration.redirectConfiguration = .disallow
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let work = Task.detached { await self.work(http) }
        try? await gracefulShutdown()
        let limit = Task.isCancelled ? pace.lastWord : pace.farewell
        queue.finish()
        nap.withLock { $0 }?.cancel()
        // Not of this task, which may have been cancelled.
        let timer = Task.detached {
            guard (try? await Task.sleep(for: limit)) != nil else { return }
            work.cancel()
        }
        await work.value
        timer.cancel()
        let left = queue.count + atHand.withLock { $0.count }
        if left > 0 { Self.counter("dropped").increment(by: left) }
        try? await http.shutdown()
    }

    private func work(_ http: HTTPClient) async {
        var pause = pace.firstPause
        var isAway = false
        for await _ in queue.wishes {
            if queue.count < pace.mostInBatch { await rest(pace.gathering) }
            while let batch = next() {
                switch await post(batch, http) {
                case .taken:
                    Self.counter("exported").increment(by: batch.count)
                    atHand.withLock { $0 = [] }
                    if isAway { logger.info("traces are exported again") }
                    (isAway, pause) = (false, pace.firstPause)
                case .refused(let reason):
                    Self.counter("refused").increment(by: batch.count)
                    atHand.withLock { $0 = [] }
                    logger.warning("traces were refused", metadata: ["reason": "\(reason)", "spans": "\(batch.count)"])
                case .again(let reason, let after):
                    if !isAway { logger.warning("traces cannot be exported; trying again", metadata: ["reason": "\(reason)"]) }
                    isAway = true
                    // At the end there is one try.
                    if queue.isFinished { return }
                    await rest(after ?? pause * Double.random(in: 0.75...1.25))
                    pause = min(pause * 2, pace.longestPause)
                }
                if Task.isCancelled { return }
            }
        }
    }

    /// The batch that is to be posted: the one that was not taken, else a new one.
    private func next() -> [FinishedSpan]? {
        atHand.withLock { atHand in
            if atHand.isEmpty { atHand = queue.take(upTo: pace.mostInBatch) }
            return atHand.isEmpty ? nil : atHand
        }
    }

    /// Waits, unless the program stops.
    private func rest(_ time: Duration) async {
        let sleep = Task { _ = try? await Task.sleep(for: time) }
        nap.withLock { $0 = sleep }
        // The end may have come before this was to be seen.
        if queue.isFinished { sleep.cancel() }
        await sleep.value
    }

    private func post(_ spans: [FinishedSpan], _ http: HTTPClient) async -> Outcome {
        do {
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            request.headers = ["Content-Type": "application/json", "User-Agent": "switchback/" + ServiceProgram.version]
            request.body = .bytes(ByteBuffer(bytes: try OTLPRequest(spans, resource: resource, version: ServiceProgram.version).bytes()))
            let response = try await http.execute(request, timeout: Self.amount(pace.timeout))
            let status = response.status.code
            // Read to its end, so that the connection can be used again. What it says of spans that it did not like is for its own log.
            _ = try? await response.body.collect(upTo: 64 << 10)
            switch status {
            case 200..<300: return .taken
            case 429, 502, 503, 504: return .again("it answered \(status)", after: Self.wanted(response.headers.first(name: "Retry-After"), pace.longestPause))
            default: return .refused("it answered \(status)")
            }
        } catch {
            return .again("\(error)", after: nil)
        }
    }

    private static func amount(_ duration: Duration) -> TimeAmount {
        .nanoseconds(duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000)
    }

    /// `Retry-After` in seconds; a date counts as none.
    private static func wanted(_ header: String?, _ most: Duration) -> Duration? {
        header.flatMap { Int64($0) }.map { min(.seconds(max(0, $0)), most) }
    }
}
