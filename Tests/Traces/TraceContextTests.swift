import Testing
import Tracing

@testable import Traces

@Suite("Traces")
struct TraceContextTests {
    private static let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("reads the header as the specification says, and ignores what is none")
    func header() throws {
        let trace = try #require(TraceContext(Self.text))
        #expect(trace.id == "4bf92f3577b34da6a3ce929d0e0e4736" && trace.spanID == "00f067aa0ba902b7" && trace.isSampled && trace.value == Self.text)
        #expect(TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")?.isSampled == false)
        // Bits of flags that we do not know.
        #expect(TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03")?.isSampled == true)
        #expect(TraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe")?.isSampled == false)
        // A later version may add to it.
        #expect(TraceContext("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")?.id == trace.id)
        // Ids half of which is zero.
        #expect(TraceContext("00-000000000000000000000000000000aa-00f067aa0ba902b7-01")?.id == "000000000000000000000000000000aa")
        #expect(TraceContext("00-aa000000000000000000000000000000-0000000000000001-01")?.value == "00-aa000000000000000000000000000000-0000000000000001-01")
        let child = trace.child()
        #expect(child.id == trace.id && child.spanID != trace.spanID && child.isSampled)
        #expect(TraceContext().id != TraceContext().id && TraceContext(TraceContext().value) != nil)
        for bad in [
            "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", Self.text + "-x", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736\r\n-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01",
            Self.text + ", " + Self.text, " " + Self.text, "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] { #expect(TraceContext(bad) == nil, "\(bad)") }
    }

    @Test("hands the state of other systems on as it came, and leaves out what is none")
    func state() {
        func state(_ text: String) -> String? { TraceContext(Self.text, state: text)?.state }
        #expect(state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE") == "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
        #expect(state(" a=1 ,, b@c=2 3\t") == "a=1,b@c=2 3")
        let many = (0..<32).map { "k\($0)=v" }
        #expect(state(many.joined(separator: ",")) != nil && state((many + ["more=v"]).joined(separator: ",")) == nil)
        for bad in ["", ",", "a", "=1", "a=", "A=1", "a=1,a=2", "a=1\r\nX: y", "a=b=c", "a=é", "a=" + String(repeating: "x", count: 257)] {
            #expect(state(bad) == nil, "\(bad)")
        }
        // A wrong state takes nothing from the trace.
        #expect(TraceContext(Self.text, state: "A=1")?.value == Self.text)
    }

    @Test("every trace is sampled, none, or about as many as is wanted; one that came from elsewhere stays what it was")
    func ratio() throws {
        func sampled(_ ratio: Double, queue: SpanQueue? = SpanQueue()) -> Int {
            let tracer = SpanTracer(queue: queue, ratio: ratio)
            return (0..<4000).count { _ in tracer.newTrace().isSampled }
        }
        #expect(sampled(0) == 0 && sampled(1) == 4000 && sampled(1, queue: nil) == 0)
        // Fifteen standard deviations.
        #expect((600...1400).contains(sampled(0.25)))
        for isSampled in [true, false] {
            let queue = SpanQueue()
            let tracer = SpanTracer(queue: queue, ratio: isSampled ? 0 : 1)
            var context = ServiceContext.topLevel
            tracer.extract(["traceparent": String(Self.text.dropLast()) + (isSampled ? "1" : "0")], into: &context, using: DictionaryExtractor())
            #expect(context.trace?.isSampled == isSampled)
            tracer.startSpan("x", context: context).end()
            #expect(queue.count == (isSampled ? 1 : 0))
        }
    }

    @Test("a header that is none leaves no trace behind, and what is handed on names the newest step")
    func carriers() throws {
        let queue = SpanQueue()
        let tracer = SpanTracer(queue: queue)
        var context = ServiceContext.topLevel
        tracer.extract(["traceparent": "nonsense", "tracestate": "a=1"], into: &context, using: DictionaryExtractor())
        #expect(context.trace == nil)
        var sent: [String: String] = [:]
        tracer.inject(context, into: &sent, using: DictionaryInjector())
        #expect(sent.isEmpty)
        tracer.extract(["traceparent": Self.text, "tracestate": "a=1"], into: &context, using: DictionaryExtractor())
        let span = tracer.startSpan("step", context: context, ofKind: .client)
        tracer.inject(span.context, into: &sent, using: DictionaryInjector())
        let next = try #require(TraceContext(sent["traceparent"] ?? "", state: sent["tracestate"]))
        #expect(next.id == "4bf92f3577b34da6a3ce929d0e0e4736" && next.spanID == span.context.trace?.spanID && next.spanID != "00f067aa0ba902b7")
        #expect(next.isSampled && next.state == "a=1")
        // Without a span the step stays what it was.
        let silent = SpanTracer(queue: nil).startSpan("step", context: context)
        #expect(silent.context.trace?.value == Self.text && !silent.isRecording)
    }
}

struct DictionaryExtractor: Extractor {
    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
}

struct DictionaryInjector: Injector {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
}
