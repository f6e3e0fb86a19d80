internal import Synchronization
public import Tracing

/// One step of a request: what, from when to when, and what came of it.
///
/// Of errors only their kind is kept: messages may quote what nobody meant to hand on.
public final class TraceSpan: Span {
    private struct Recording {
        var name: String
        let kind: SpanKind
        let parent: UInt64
        let start: UInt64
        var attributes: SpanAttributes = [:]
        var events: [SpanEvent] = []
        var links: [SpanLink] = []
        var status: SpanStatus?
        var dropped = FinishedSpan.Dropped()
    }

    public let context: ServiceContext
    private let trace: TraceContext?
    private let queue: SpanQueue?
    /// Nil when nobody wants it, and after its end.
    private let recording: Mutex<Recording?>

    /// A step that is kept nowhere: the context goes through it as it is.
    init(unrecordedIn context: ServiceContext) {
        self.context = context
        trace = context.trace
        queue = nil
        recording = Mutex(nil)
    }

    init(_ name: String, of parent: TraceContext, in context: ServiceContext, kind: SpanKind, start: UInt64, queue: SpanQueue) {
        let own = parent.child()
        var context = context
        context.trace = own
        self.context = context
        self.queue = queue
        trace = own
        recording = Mutex(Recording(name: name, kind: kind, parent: parent.spanNumber, start: start))
    }

    public var isRecording: Bool { recording.withLock { $0 != nil } }

    public var operationName: String {
        get { recording.withLock { $0?.name ?? "" } }
        set { recording.withLock { $0?.name = newValue } }
    }

    public var attributes: SpanAttributes {
        get { recording.withLock { $0?.attributes ?? [:] } }
        set {
            recording.withLock { recording in
                guard newValue.count <= FinishedSpan.mostAttributes else {
                    recording?.dropped.attributes += 1
                    return
                }
                recording?.attributes = newValue
            }
        }
    }

    public func setStatus(_ status: SpanStatus) { recording.withLock { $0?.status = status } }

    public func addEvent(_ event: SpanEvent) {
        recording.withLock { recording in
            if recording?.events.count ?? 0 < FinishedSpan.mostEvents { recording?.events.append(event) } else { recording?.dropped.events += 1 }
        }
    }

    public func addLink(_ link: SpanLink) {
        recording.withLock { recording in
            if recording?.links.count ?? 0 < FinishedSpan.mostEvents { recording?.links.append(link) } else { recording?.dropped.links += 1 }
        }
    }

    public func recordError<Instant: TracerInstant>(_ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant) {
        let kind = (error as? any SpanError)?.errorType ?? String(describing: type(of: error))
        recording.withLock { recording in
            // Who knows better has said it already.
            if recording?.attributes.get("error.type") == nil { recording?.attributes.set("error.type", value: .string(kind)) }
            recording?.status = SpanStatus(code: .error)
        }
    }

    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard let recording = recording.withLock({ $0.take() }), let trace, let queue else { return }
        queue.add(
            FinishedSpan(
                trace: trace, parent: recording.parent, name: recording.name, kind: recording.kind, start: recording.start,
                // A clock that was set back makes no span that ends before it begins.
                end: max(recording.start, instant().nanosecondsSinceEpoch), attributes: recording.attributes, events: recording.events,
                links: recording.links, status: recording.status, dropped: recording.dropped))
    }

    /// Nothing happened that anybody would look for.
    public func discard() { recording.withLock { $0 = nil } }
}

/// An error that says in one word what kind it is (OpenTelemetry's `error.type`).
public protocol SpanError: Error {
    var errorType: String { get }
}

extension Span {
    /// Notes how it went wrong.
    /// - Parameter isFault: whether that is an error of this side, as OpenTelemetry counts them: a server that rightly refuses has made none.
    public func fail(_ type: String, isFault: Bool = true) {
        updateAttributes { $0.set("error.type", value: .string(type)) }
        if isFault { setStatus(SpanStatus(code: .error)) }
    }
}

/// A span that has ended.
public struct FinishedSpan: Sendable {
    /// What a span had too much of.
    public struct Dropped: Sendable {
        public var attributes = 0
        public var events = 0
        public var links = 0
    }

    static let mostAttributes = 32
    static let mostEvents = 32

    public let trace: TraceContext
    /// 0: none.
    let parent: UInt64
    public let name: String
    public let kind: SpanKind
    /// Nanoseconds since 1970.
    public let start: UInt64
    public let end: UInt64
    public let attributes: SpanAttributes
    public let events: [SpanEvent]
    public let links: [SpanLink]
    public let status: SpanStatus?
    public let dropped: Dropped

    /// 16 hexadecimal digits; nil for the first of its trace.
    public var parentID: String? { parent == 0 ? nil : Hex.text([parent]) }
}
