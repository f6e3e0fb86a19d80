import CoreMetrics
import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import Testing

@testable import ServiceKit

@Suite("Configuration")
struct ConfigurationTests {
    @Test("An empty environment gives a service that runs on this machine")
    func defaults() throws {
        let configuration = try ServiceConfiguration(service: "relay", environment: [:])
        #expect(configuration.natsServers == ["nats://127.0.0.1:4222"])
        #expect(configuration.http.port == 0)
        #expect(configuration.logLevel == .info)
        #expect(!configuration.instance.isEmpty)
        #expect(!configuration.instance.contains("."))
    }

    @Test(
        "A setting that cannot be used is named in the error",
        arguments: [
            ("SWITCHBACK_HTTP", "nowhere"), ("SWITCHBACK_HTTP", "h:70000"), ("SWITCHBACK_LOG_LEVEL", "loud"), ("SWITCHBACK_INSTANCE", "a.b"),
            ("SWITCHBACK_NATS_URL", ","), ("SWITCHBACK_STREAM_REPLICAS", "2"), ("SWITCHBACK_STREAM_BYTES", "8G"), ("SWITCHBACK_STREAM_BYTES", "67108863"),
            ("SWITCHBACK_NATS_URL_FILE", "/nonexistent"),
            ("SWITCHBACK_DATABASE_URL_FILE", "/dev/null"),
        ])
    func refused(variable: String, value: String) {
        let error = #expect(throws: ConfigurationError.self) { try ServiceConfiguration(service: "relay", environment: [variable: value]) }
        #expect(error?.message.contains(variable) == true)
    }

    @Test("A service without its database is told which variable to set")
    func database() throws {
        let configuration = try ServiceConfiguration(service: "recorder", environment: [:])
        let error = #expect(throws: ConfigurationError.self) { try configuration.requireDatabaseURL() }
        #expect(error?.message.contains("SWITCHBACK_DATABASE_URL") == true)
    }

    @Test("An address with a password may stand in a file; in both places is an error")
    func addressInFile() throws {
        let file = FileManager.default.temporaryDirectory.path + "/switchback-url-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try "nats://u:secret@a:1,nats://u:secret@b:2\n".write(toFile: file, atomically: true, encoding: .utf8)
        let configuration = try ServiceConfiguration(service: "relay", environment: ["SWITCHBACK_NATS_URL_FILE": file])
        #expect(configuration.natsServers == ["nats://u:secret@a:1", "nats://u:secret@b:2"])
        let error = #expect(throws: ConfigurationError.self) {
            try ServiceConfiguration(service: "relay", environment: ["SWITCHBACK_NATS_URL_FILE": file, "SWITCHBACK_NATS_URL": "nats://c:3"])
        }
        #expect(error?.message.contains("SWITCHBACK_NATS_URL_FILE") == true)
    }

    @Test("Addresses are read with host, without, and in IPv6")
    func addresses() throws {
        #expect(try ListenAddress("127.0.0.1:80", variable: "X").description == "127.0.0.1:80")
        #expect(try ListenAddress(":80", variable: "X").host == "0.0.0.0")
        #expect(try ListenAddress("[::1]:80", variable: "X").description == "[::1]:80")
    }
}

@Suite("Metrics")
struct MetricsTests {
    @Test("what alerts ask of histograms is one of their bounds, between which Prometheus guesses, and not the largest, above which it tells nothing apart")
    func thresholds() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "deploy/alerts.yml"), encoding: .utf8)
        let asked = text.matches(of: /histogram_quantile\(.*_seconds_bucket.*> ([0-9.]+)/).compactMap { Double($0.output.1) }
        #expect(asked.count >= 4)
        for threshold in asked { #expect(HistogramCell.seconds.dropLast().contains(threshold), "\(threshold)") }
    }

    @Test("Counters, gauges and timers are printed as Prometheus reads them")
    func text() {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "frames.seen", dimensions: [("kind", "out")]).increment(by: 3)
        registry.makeCounter(label: "frames.seen", dimensions: [("kind", "out")]).increment(by: 2)
        registry.makeCounter(label: "frames.seen", dimensions: [("kind", "a\"b")]).increment(by: 1)
        registry.makeRecorder(label: "lag", dimensions: [], aggregate: false).record(Int64(7))
        let timer = registry.makeTimer(label: "seek", dimensions: [])
        timer.recordNanoseconds(300_000)
        timer.recordNanoseconds(20_000_000_000)
        let lines = registry.text().split(separator: "\n").map(String.init)
        #expect(lines.contains("# TYPE switchback_frames_seen_total counter"))
        #expect(lines.contains(#"switchback_frames_seen_total{kind="out"} 5"#))
        #expect(lines.contains(#"switchback_frames_seen_total{kind="a\"b"} 1"#))
        #expect(lines.contains("switchback_lag 7.0"))
        #expect(lines.contains(#"switchback_seek_seconds_bucket{le="0.00025"} 0"#))
        #expect(lines.contains(#"switchback_seek_seconds_bucket{le="0.0005"} 1"#))
        #expect(lines.contains(#"switchback_seek_seconds_bucket{le="+Inf"} 2"#))
        #expect(lines.contains("switchback_seek_seconds_count 2"))
        #expect(lines.filter { $0 == "# TYPE switchback_frames_seen_total counter" }.count == 1)
    }
}

@Suite("Logs and health")
struct HealthTests {
    @Test("Text of any kind stays one valid JSON string")
    func quoting() {
        #expect(quoted("a\"b\\c\nd\u{1}é") == #""a\"b\\c\nd\u0001é""#)
    }

    @Test("An instance is ready only while every check holds, and the answer names what is wrong")
    func readiness() async {
        let health = Health()
        health.register("nats") { nil }
        #expect(await HealthServer.readiness(health).status == .ok)
        health.register("postgres") { "not connected" }
        #expect(await HealthServer.readiness(health).status == .serviceUnavailable)
        #expect(await health.report().map(\.problem) == [nil, "not connected"])
    }
}
