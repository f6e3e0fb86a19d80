import Logging
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing
import Traces
import Tracing

@testable import ServiceKit

/// An exporter at work, as a service program has one.
private final class Exporting: Sendable {
    let exporter: OTLPExporter
    private let group: ServiceGroup
    private let task: Task<Void, any Error>

    init(_ collector: TraceCollector, capacity: Int = 4096, pace: OTLPExporter.Pace = .soon) {
        let exporter = OTLPExporter(
            collector.address + "/v1/traces", service: "relay", instance: "relay-1", capacity: capacity, pace: pace,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let group = ServiceGroup(services: [exporter], logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        (self.exporter, self.group) = (exporter, group)
        task = Task { try await group.run() }
    }

    deinit { task.cancel() }

    /// Makes a span of each name.
    func make(_ names: some Sequence<String>) {
        let tracer = SpanTracer(queue: exporter.queue)
        let context = TraceContext(sampled: true).context
        for name in names { tracer.startSpan(name, context: context, ofKind: .server).end() }
    }

    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await task.value
    }
}

extension OTLPExporter.Pace {
    /// Tries that do not keep a test waiting.
    fileprivate static let soon = OTLPExporter.Pace(gathering: .milliseconds(20), firstPause: .milliseconds(20), longestPause: .milliseconds(100))
    /// Leaves everything to the end.
    fileprivate static let late = OTLPExporter.Pace(gathering: .seconds(3600))
}

@Suite("Exporting traces")
struct OTLPExporterTests {
    private func names(_ collector: TraceCollector) throws -> [String] { try collector.spans.map(\.name) }

    @Test("spans come to the collector in batches, once each, with who made them")
    func batches() async throws {
        let collector = try await TraceCollector()
        let exporting = Exporting(collector)
        let wanted = (0..<1300).map { "span \($0)" }
        exporting.make(wanted)
        try await eventually("not all spans came") { try (names(collector).count >= wanted.count) ? true : nil }
        try await exporting.stop()
        #expect(try names(collector) == wanted)
        let first = try #require(try collector.spans.first)
        #expect(first.service == "switchback-relay" && first.kind == 2 && first.parent == nil && first.trace.count == 32 && first.start > 0 && first.end >= first.start)
        #expect(collector.text.split(separator: "\n").count >= 3, "more than 512 in one post")
    }

    @Test("while the collector is away spans wait up to the bound, nobody waits for them, and all that were kept come once it is back")
    func away() async throws {
        let collector = try await TraceCollector()
        let exporting = Exporting(collector, capacity: 100)
        exporting.make(["before"])
        try await eventually("the first did not come") { try (names(collector) == ["before"]) ? true : nil }
        collector.goAway()
        // More than there is room for. This returns at once, whatever becomes of them.
        exporting.make((0..<1000).map { "\($0)" })
        #expect(exporting.exporter.queue.count <= 100 && exporting.exporter.queue.dropped >= 800)
        try await collector.comeBack()
        let kept = 1000 - exporting.exporter.queue.dropped
        try await eventually("what was kept did not come") { try (names(collector).count >= 1 + kept) ? true : nil }
        exporting.make(["after"])
        try await eventually("the last did not come") { try (names(collector).last == "after") ? true : nil }
        try await exporting.stop()
        let came = try names(collector)
        // The oldest were kept, each once.
        #expect(came.count == kept + 2 && Set(came).count == came.count && came.contains("0"))
    }

    @Test("a collector that is busy is asked again; what it refuses is not sent again", arguments: [503, 400])
    func refused(status: Int) async throws {
        let collector = try await TraceCollector()
        try collector.answers(status)
        let exporting = Exporting(collector)
        exporting.make(["first"])
        try await eventually("it was not posted") { collector.refusals >= (status == 503 ? 3 : 1) ? true : nil }
        try collector.answers(200)
        exporting.make(["second"])
        try await eventually("the second did not come") { try (names(collector).contains("second")) ? true : nil }
        try await exporting.stop()
        #expect(try names(collector) == (status == 503 ? ["first", "second"] : ["second"]))
        if status == 400 { #expect(collector.refusals == 1) }
    }

    @Test("what waits when the program is told to stop is still sent")
    func farewell() async throws {
        let collector = try await TraceCollector()
        var pace = OTLPExporter.Pace.late
        // As long as it takes: how long it may take in earnest is not what this is about.
        pace.farewell = .seconds(60)
        let exporting = Exporting(collector, pace: pace)
        exporting.make(["a", "b"])
        try await exporting.stop()
        #expect(try names(collector) == ["a", "b"])
    }

    @Test("a program whose collector is away stops all the same, after one try")
    func awayAtTheEnd() async throws {
        let collector = try await TraceCollector()
        collector.goAway()
        var pace = OTLPExporter.Pace.late
        // It must not be this that ends it.
        pace.farewell = .seconds(3600)
        let exporting = Exporting(collector, pace: pace)
        exporting.make(["a"])
        try await exporting.stop()
        try await collector.comeBack()
        #expect(try names(collector) == [])
    }

    @Test("settings that cannot be used are refused with their name")
    func settings() throws {
        func configuration(_ collector: String?, _ ratio: String? = nil) throws(ConfigurationError) -> ServiceConfiguration {
            var environment: [String: String] = [:]
            environment["SWITCHBACK_OTLP"] = collector
            environment["SWITCHBACK_TRACE_RATIO"] = ratio
            return try ServiceConfiguration(service: "relay", environment: environment)
        }
        #expect(try configuration("http://127.0.0.1:4318").traceCollector == "http://127.0.0.1:4318/v1/traces")
        #expect(try configuration("https://collector.example/otlp/", "0.25").traceCollector == "https://collector.example/otlp/v1/traces")
        #expect(try configuration("https://collector.example", "0.25").traceRatio == 0.25)
        // As compose hands on what is not set.
        #expect(try configuration("", "").traceCollector == nil && configuration(nil).traceCollector == nil)
        for bad in ["127.0.0.1:4318", "ftp://x", "http://", "http:///v1", "http://a b", "http://a?b"] {
            #expect { try configuration(bad) } throws: { "\($0)".contains("SWITCHBACK_OTLP") }
        }
        for bad in ["2", "-0.1", "half", "nan"] { #expect { try configuration(nil, bad) } throws: { "\($0)".contains("SWITCHBACK_TRACE_RATIO") } }
    }
}
