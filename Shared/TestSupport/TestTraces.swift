internal import Synchronization
public import Traces
internal import Tracing

/// The tracer of a process that runs tests: there can be but one, so that each test looks for its own traces.
public enum TestTraces {
    private static let queue: SpanQueue = {
        let queue = SpanQueue(capacity: 1 << 16)
        InstrumentationSystem.bootstrap(SpanTracer(queue: queue))
        return queue
    }()
    private static let seen = Mutex<[FinishedSpan]>([])

    /// Has traces handed on and kept from now on.
    public static func begin() { _ = queue }

    /// The spans of a trace that have ended, in the order of their ends.
    public static func spans(of trace: TraceContext) -> [FinishedSpan] {
        seen.withLock { seen in
            seen += queue.take(upTo: .max)
            return seen.filter { $0.trace.id == trace.id }
        }
    }
}
