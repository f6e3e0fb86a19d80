import Synchronization
import Testing
import Tracing

@testable import Traces

@Suite("Spans")
struct SpanTests {
    private struct At: TracerInstant {
        var nanosecondsSinceEpoch: UInt64
        static func < (left: At, right: At) -> Bool { left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch }
    }

    private struct Telling: SpanError {
        var errorType: String { "would_deadlock" }
    }

    private struct Secretive: Error { var password = "hunter2" }

    private func context(_ header: String = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01") throws -> ServiceContext {
        try #require(TraceContext(header, state: "a=1")).context
    }

    @Test("a span is written as OTLP's JSON wants it")
    func json() throws {
        let queue = SpanQueue()
        let context = try context()
        let span = SpanTracer(queue: queue).startSpan(
            "GET /v1/pods", context: context, ofKind: .server, at: At(nanosecondsSinceEpoch: 1_700_000_000_000_000_001))
        span.attributes = [
            "a": "text", "b": 5, "c": true, "d": 0.5, "e": .stringArray(["x", "y"]), "f": .string(String(repeating: "z", count: 300)), "g": .double(.infinity),
        ]
        span.addEvent(SpanEvent(name: "connection", at: At(nanosecondsSinceEpoch: 1_700_000_000_000_000_002)))
        span.fail("timed_out")
        span.end(at: At(nanosecondsSinceEpoch: 1_700_000_000_000_000_003))
        // Only the first end counts.
        span.end(at: At(nanosecondsSinceEpoch: 1_800_000_000_000_000_000))
        let spans = queue.take(upTo: 10)
        let id = try #require(spans.first).trace.spanID
        let text = String(decoding: try OTLPRequest(spans, resource: [("service.name", "switchback-api")], version: "0.1.0").bytes(), as: UTF8.self)
        for part in [
            #"{"key":"service.name","value":{"stringValue":"switchback-api"}}"#, #""traceId":"4bf92f3577b34da6a3ce929d0e0e4736""#, #""spanId":"\#(id)""#,
            #""parentSpanId":"00f067aa0ba902b7""#, #""traceState":"a=1""#, #""name":"GET /v1/pods""#, #""kind":2"#,
            #""startTimeUnixNano":"1700000000000000001""#, #""endTimeUnixNano":"1700000000000000003""#, #"{"key":"a","value":{"stringValue":"text"}}"#,
            #"{"key":"b","value":{"intValue":"5"}}"#, #"{"key":"c","value":{"boolValue":true}}"#, #"{"key":"d","value":{"doubleValue":0.5}}"#,
            #"{"key":"e","value":{"arrayValue":{"values":[{"stringValue":"x"},{"stringValue":"y"}]}}}"#, #""\#(String(repeating: "z", count: 256))""#,
            #"{"key":"g","value":{"stringValue":"inf"}}"#, #""timeUnixNano":"1700000000000000002""#, #"{"key":"error.type","value":{"stringValue":"timed_out"}}"#,
            #""status":{"code":2}"#,
        ] { #expect(text.contains(part), "\(part) is not in \(text)") }
        #expect(!text.contains(String(repeating: "z", count: 257)))
    }

    @Test("of an error its kind is told and nothing else, and who rightly refuses has made none")
    func errors() throws {
        let queue = SpanQueue()
        let tracer = SpanTracer(queue: queue)
        let context = try context()
        #expect(throws: Secretive.self) { try tracer.withSpan("a", context: context) { _ in throw Secretive() } }
        #expect(throws: Telling.self) { try tracer.withSpan("b", context: context) { _ in throw Telling() } }
        let refusing = tracer.startSpan("c", context: context)
        refusing.fail("not_found", isFault: false)
        refusing.end()
        let spans = queue.take(upTo: 10)
        #expect(spans.map { $0.attributes.get("error.type") } == [.string("Secretive"), .string("would_deadlock"), .string("not_found")])
        #expect(spans.map { $0.status?.code == .error } == [true, true, false])
        #expect(!String(decoding: try OTLPRequest(spans, resource: [], version: "").bytes(), as: UTF8.self).contains("hunter2"))
    }

    @Test("the queue keeps the oldest, counts what it drops, and takes none after its end")
    func bounded() throws {
        let drops = Mutex(0)
        let queue = SpanQueue(capacity: 3) { drops.withLock { $0 += 1 } }
        let tracer = SpanTracer(queue: queue)
        let context = try context()
        for name in ["1", "2", "3", "4", "5"] { tracer.startSpan(name, context: context).end() }
        #expect(queue.count == 3 && queue.dropped == 2 && drops.withLock { $0 } == 2)
        #expect(queue.take(upTo: 2).map(\.name) == ["1", "2"])
        tracer.startSpan("6", context: context).end()
        queue.finish()
        tracer.startSpan("7", context: context).end()
        #expect(queue.take(upTo: 10).map(\.name) == ["3", "6"] && queue.dropped == 3)
    }

    @Test("one span does not grow without end, and never ends before it began")
    func limits() throws {
        let queue = SpanQueue()
        let context = try context()
        let span = SpanTracer(queue: queue).startSpan("x", context: context, at: At(nanosecondsSinceEpoch: 100))
        for number in 0..<50 {
            span.updateAttributes { $0.set("a\(number)", value: .int64(Int64(number))) }
            span.addEvent(SpanEvent(name: "\(number)"))
        }
        span.end(at: At(nanosecondsSinceEpoch: 50))
        let ended = try #require(queue.take(upTo: 1).first)
        #expect(ended.attributes.count == 32 && ended.dropped.attributes == 18 && ended.events.count == 32 && ended.dropped.events == 18)
        #expect(ended.start == 100 && ended.end == 100)
    }
}
