public import Contract
internal import Synchronization
public import Traces
internal import Tracing

/// What is called when a request that belongs to one from outside was answered.
public typealias TracedRequest = @Sendable (_ trace: TraceContext, _ subject: String, _ took: Duration) -> Void

/// Who wants to know of answered requests.
final class TraceListeners: Sendable {
    /// A function by itself would be wrapped anew with every look into the `Mutex`.
    private struct Listener { let tell: TracedRequest }

    private let listener = Mutex<Listener?>(nil)

    func set(_ body: @escaping TracedRequest) { listener.withLock { $0 = Listener(tell: body) } }

    func tell(_ trace: TraceContext, _ subject: String, since began: ContinuousClock.Instant) {
        listener.withLock { $0 }?.tell(trace, subject, ContinuousClock.now - began)
    }
}

extension BusConnection {
    /// Calls `body` after each answer to a request that carries a trace; one at a time can be set.
    public func onTraced(_ body: @escaping TracedRequest) { traced.set(body) }

    /// Adds the trace of a context to what is sent.
    static func inject(_ context: ServiceContext, into headers: inout [(String, String)]) {
        InstrumentationSystem.instrument.inject(context, into: &headers, using: HeaderInjector())
    }

    /// The headers that hand the trace of this task on, for who forwards a request instead of asking anew.
    public static var traceHeaders: [(String, String)] {
        guard let context = ServiceContext.current, context.trace != nil else { return [] }
        var headers: [(String, String)] = []
        inject(context, into: &headers)
        return headers
    }
}

private struct HeaderInjector: Injector {
    func inject(_ value: String, forKey key: String, into carrier: inout [(String, String)]) { carrier.append((key, value)) }
}

private struct HeaderExtractor: Extractor {
    func extract(key: String, from carrier: BusMessage) -> String? { carrier.header(key) }
}

/// A request that belongs to one from outside, from its arrival to its answer.
final class ServedRequest: Sendable {
    let context: ServiceContext
    private let trace: TraceContext
    private let span: (any Span)?
    private let subject: String
    private let began = ContinuousClock.now
    private let listeners: TraceListeners

    /// Nil for a request without a trace.
    init?(_ message: BusMessage, _ listeners: TraceListeners) {
        var context = ServiceContext.topLevel
        InstrumentationSystem.instrument.extract(message, into: &context, using: HeaderExtractor())
        guard let trace = context.trace else { return nil }
        self.trace = trace
        self.listeners = listeners
        subject = message.subject
        guard trace.isSampled else {
            (self.context, span) = (context, nil)
            return
        }
        let template = Subjects.template(subject)
        let span = startSpan("answer \(template)", context: context, ofKind: .server)
        span.attributes = BusSpans.attributes(subject, template: template, operation: "answer", type: "process", bytes: message.payloadSize)
        (self.context, self.span) = (span.context, span)
    }

    func answered(_ reply: BusReply?) {
        if let span {
            if let reply, let error = Reply.error(in: reply.payload) { span.fail(error.code.rawValue, isFault: error.code.isFault) }
            span.end()
        }
        listeners.tell(trace, subject, since: began)
    }
}

/// Names and attributes by OpenTelemetry's conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/).
enum BusSpans {
    static func attributes(_ subject: String, template: String, operation: String, type: String, bytes: Int) -> SpanAttributes {
        var attributes: SpanAttributes = [
            "messaging.system": "nats", "messaging.destination.name": .string(subject), "messaging.operation.name": .string(operation),
            "messaging.operation.type": .string(type), "messaging.message.body.size": .int64(Int64(bytes)),
        ]
        if template != subject { attributes.set("messaging.destination.template", value: .string(template)) }
        return attributes
    }

    static func errorType(_ error: BusError) -> String { "\(error.code)" }
}

extension ErrorBody: SpanError {
    public var errorType: String { code.rawValue }
}

extension ErrorBody.Code {
    /// Whether the one who answers so has failed; else who asked wanted what it cannot have.
    public var isFault: Bool { [.internal, .unavailable, .timedOut].contains(self) }
}
