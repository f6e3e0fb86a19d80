public import Tracing

/// Hands traces on by W3C's headers, and keeps the spans of those that are sampled.
///
/// It begins no trace by itself: work that belongs to no request from outside makes no spans. Where requests come in, ``newTrace()`` begins one.
public struct SpanTracer: Tracer {
    public typealias Span = TraceSpan

    private let queue: SpanQueue?
    private let threshold: UInt64

    /// - Parameters:
    ///   - queue: where spans go; nil: nowhere, traces are only handed on.
    ///   - ratio: of the traces that begin here, how many are sampled: 0 to 1. One that came sampled, or not sampled, stays so.
    public init(queue: SpanQueue?, ratio: Double = 0) {
        self.queue = queue
        // Of ids as random as these each part is as good as a die.
        threshold = queue == nil || !(ratio > 0) ? 0 : ratio >= 1 ? .max : UInt64(ratio * 0x1p64)
    }

    /// A request that comes without a trace.
    public func newTrace() -> TraceContext {
        let trace = TraceContext()
        guard threshold != 0, threshold == .max || trace.low < threshold else { return trace }
        return TraceContext(high: trace.high, low: trace.low, spanNumber: 0, isSampled: true, state: nil)
    }

    public func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> ServiceContext, ofKind kind: SpanKind, at instant: @autoclosure () -> Instant,
        function: String, file fileID: String, line: UInt
    ) -> TraceSpan {
        let context = context()
        guard let queue, let trace = context.trace, trace.isSampled else { return TraceSpan(unrecordedIn: context) }
        return TraceSpan(operationName, of: trace, in: context, kind: kind, start: instant().nanosecondsSinceEpoch, queue: queue)
    }

    /// Spans leave by themselves.
    public func forceFlush() {}

    public func extract<Carrier, Extract: Extractor>(_ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract)
    where Extract.Carrier == Carrier {
        guard let header = extractor.extract(key: TraceContext.header, from: carrier) else { return }
        guard let trace = TraceContext(header, state: extractor.extract(key: TraceContext.stateHeader, from: carrier)) else { return }
        context.trace = trace
    }

    public func inject<Carrier, Inject: Injector>(_ context: ServiceContext, into carrier: inout Carrier, using injector: Inject)
    where Inject.Carrier == Carrier {
        guard let trace = context.trace else { return }
        injector.inject(trace.value, forKey: TraceContext.header, into: &carrier)
        if let state = trace.state { injector.inject(state, forKey: TraceContext.stateHeader, into: &carrier) }
    }
}

extension TraceContext {
    /// A request that comes without a trace, sampled as often as this process was told.
    public static func begin() -> TraceContext { (InstrumentationSystem.instrument as? SpanTracer)?.newTrace() ?? TraceContext() }
}

/// `withSpan`, for places that most requests pass unsampled: then it costs a look at the task's context, and `body` gets no span.
public func withSampledSpan<Value>(
    _ name: @autoclosure () -> String, ofKind kind: SpanKind = .internal, attributes: @autoclosure () -> SpanAttributes = [:],
    isolation: isolated (any Actor)? = #isolation, _ body: ((any Span)?) async throws -> Value
) async rethrows -> Value {
    guard TraceContext.current?.isSampled == true else { return try await body(nil) }
    return try await withSpan(name(), ofKind: kind) { span in
        span.attributes = attributes()
        return try await body(span)
    }
}

/// The same without waiting.
public func withSampledSpan<Value>(
    _ name: @autoclosure () -> String, ofKind kind: SpanKind = .internal, attributes: @autoclosure () -> SpanAttributes = [:],
    _ body: ((any Span)?) throws -> Value
) rethrows -> Value {
    guard TraceContext.current?.isSampled == true else { return try body(nil) }
    return try withSpan(name(), ofKind: kind) { span in
        span.attributes = attributes()
        return try body(span)
    }
}
