import Bus
import Contract
import Synchronization
import TestSupport
import Testing
import Traces
import Tracing

@Suite("Traces on the bus")
struct TraceTests {
    private func tracing<Value: Sendable>(_ trace: TraceContext, _ body: @Sendable () async throws -> Value) async rethrows -> Value {
        try await ServiceContext.withValue(trace.context) { try await body() }
    }

    /// Services `first` and `second`, of which the first asks the second; who asks gets what the second knows as its trace.
    private struct Pair {
        let server: NATSServer
        let first: BusConnection
        let second: BusConnection
        let asker: BusConnection

        init() async throws {
            TestTraces.begin()
            server = try await NATSServer.start()
            (first, second, asker) = (try await server.connect(name: "first"), try await server.connect(name: "second"), try await server.connect())
            try second.serve("second.x") { message in BusReply(Array((TraceContext.current?.id ?? "none").utf8)) }
            let first = first
            try first.serve(
                "first.x",
                asyncHandler: { _ in
                    let answer = try? await first.request("second.x", payload: [UInt8]())
                    return BusReply(answer?.payload ?? [])
                })
            try await first.flush()
            try await second.flush()
        }

        func ask() async throws -> String { String(decoding: try await asker.request("first.x", payload: [UInt8]()).payload, as: UTF8.self) }
    }

    @Test("a request takes its trace along, through a service that asks another")
    func travels() async throws {
        let pair = try await Pair()
        let told = Mutex<[String]>([])
        pair.first.onTraced { trace, subject, _ in told.withLock { $0.append("first \(trace.id) \(subject)") } }
        pair.second.onTraced { trace, subject, _ in told.withLock { $0.append("second \(trace.id) \(subject)") } }
        #expect(try await pair.ask() == "none")
        #expect(told.withLock { $0.isEmpty })
        let trace = TraceContext()
        #expect(try await tracing(trace) { try await pair.ask() } == trace.id)
        try await eventually("they were not told") { told.withLock { $0.count } == 2 ? true : nil }
        #expect(told.withLock { Set($0) } == ["first \(trace.id) first.x", "second \(trace.id) second.x"])
        // Nobody wants to see it.
        #expect(TestTraces.spans(of: trace).isEmpty)
    }

    @Test("a sampled request is a span of who asks and one of who answers, each within the one that it belongs to")
    func spans() async throws {
        let pair = try await Pair()
        let trace = try #require(TraceContext("00-\(TraceContext().id)-00f067aa0ba902b7-01", state: "a=1"))
        _ = try await tracing(trace) { try await pair.ask() }
        let spans = try await eventually("not all spans") { () -> [FinishedSpan]? in
            let spans = TestTraces.spans(of: trace)
            return spans.count >= 4 ? spans.sorted { ($0.start, $1.end) < ($1.start, $0.end) } : nil
        }
        #expect(spans.map(\.name) == ["request first.x", "answer first.x", "request second.x", "answer second.x"])
        #expect(spans.map { "\($0.kind)" } == ["client", "server", "client", "server"])
        #expect(spans.map { $0.parentID ?? "" } == ["00f067aa0ba902b7"] + spans.dropLast().map { $0.trace.spanID })
        #expect(spans.allSatisfy { $0.trace.state == "a=1" && $0.status == nil })
        for (outer, inner) in zip(spans, spans.dropFirst()) { #expect(outer.start <= inner.start && inner.start <= inner.end) }
        // The last one may be noted after its answer has gone.
        #expect(spans[0].end >= spans[2].end && spans[0].end >= spans[1].start)
        #expect(spans[0].attributes.get("messaging.destination.name") == .string("first.x"))
    }

    @Test("an answer that is an error, or none at all, is told by its code; a header that is none begins nothing")
    func failures() async throws {
        let pair = try await Pair()
        try pair.second.serve("second.bad") { _ in BusReply(Reply.error(ErrorBody(.notFound, "the secret pod is not there"))) }
        // A request that this instance leaves to another one.
        try pair.second.takeRequests("second.other") { _ in }
        try pair.first.takeRequests("second.other") { [first = pair.first] message in first.respond(to: message, BusReply()) }
        try await pair.second.flush()
        try await pair.first.flush()
        let trace = TraceContext(sampled: true)
        try await tracing(trace) {
            _ = try await pair.asker.request("second.bad", payload: [UInt8]())
            await #expect(throws: BusError.self) { try await pair.asker.request("nobody.x", payload: [UInt8]()) }
            _ = try await pair.asker.request("second.other", payload: [UInt8]())
        }
        let spans = try await eventually("not all spans") { () -> [FinishedSpan]? in
            let spans = TestTraces.spans(of: trace)
            return spans.count >= 5 ? spans : nil
        }
        func told(_ name: String) -> [String] {
            spans.filter { $0.name == name }.map { "\($0.attributes.get("error.type").map { "\($0)" } ?? "") \($0.status?.code == .error)" }
        }
        #expect(told("request second.bad") == ["string(\"not_found\") true"])
        #expect(told("answer second.bad") == ["string(\"not_found\") false"])
        #expect(told("request nobody.x") == ["string(\"no_responders\") true"])
        #expect(told("answer second.other") == [" false"])
        #expect(spans.allSatisfy { span in !"\(span)".contains("secret") })

        let garbled = try await pair.asker.request("second.x", payload: [UInt8](), headers: [(TraceContext.header, "00-nonsense")])
        #expect(garbled.payload == Array("none".utf8))
    }

    @Test("subjects lose what varies in them")
    func templates() {
        let pod = PodID.random()
        #expect(Subjects.template(Subjects.shimWrite(pod)) == "shim.{pod}.write")
        #expect(Subjects.template(Subjects.relay(pod.shard, "write")) == "relay.{shard}.write")
        #expect(Subjects.template(Subjects.runner("build-7", "start")) == "runner.{runner}.start")
        #expect(Subjects.template(Subjects.runnerStop("build-7", pod)) == "runner.{runner}.pod.{pod}.stop")
        for constant in [Subjects.podsCreate, Subjects.recorderSearch, Subjects.channelsPost] { #expect(Subjects.template(constant) == constant) }
    }
}
