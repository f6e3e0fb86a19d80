import APIClient
import Bus
import Contract
import Foundation
import Synchronization
import TestSupport
import Testing
import Traces

@Suite("What operators see", .serialized)
struct ObservabilityTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// Every metric that an alert or the dashboard asks for, without the suffixes of histograms.
    private func wanted() throws -> Set<String> {
        var names: Set<String> = []
        for file in ["deploy/alerts.yml", "deploy/grafana-dashboard.json"] {
            let text = try String(contentsOfFile: Self.root + "/" + file, encoding: .utf8)
            for match in text.matches(of: /switchback_[a-z_]+/) { names.insert(String(match.output)) }
        }
        return names
    }

    /// What a part's own `/metrics` says.
    private func scrape(_ stack: Stack, _ part: Stack.Part) async throws -> String {
        let log = try String(contentsOfFile: stack.log(part), encoding: .utf8)
        let line = try #require(log.split(separator: "\n").last { $0.contains("\"message\":\"ready\"") })
        let address = try #require(line.firstMatch(of: /"http":"([^"]+)"/)?.output.1)
        let answer = try await APIClient(address: "http://\(address)", token: nil).raw("GET", "/metrics")
        return String(decoding: answer.body, as: UTF8.self)
    }

    @Test("every metric that alerts and the dashboard ask for is one that a service gives, in Prometheus' form, and none names a pod")
    func metrics() async throws {
        // What is counted of traces is there with a collector only, whether that can be reached or not.
        let stack = try await Stack.start(settings: ["SWITCHBACK_OTLP": "http://127.0.0.1:1"])
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let pod = try await stack.run(["sh", "-c", "echo ready; read line; echo got $line; exec sleep 600"], name: "measured").pod
        let connection = try await api.terminal("measured", mode: .view) { _ in }
        _ = try await stack.waitForScreen(pod, "ready")
        _ = try await api.input("measured", .init(text: "hello\r"))
        _ = try await stack.waitForScreen(pod, "got hello")
        let ended = try await api.createWait(.init(pods: ["measured"], until: .idle, timeoutMs: 50))
        #expect(try await api.wait(ended.id, hold: 20).outcome == .timedOut)
        _ = try await api.screen("measured", at: Timestamp.now().description)
        var missing: Set<String> = []
        var texts: [Stack.Part: String] = [:]
        do {
            try await eventually(within: .seconds(90)) {
                for part in Stack.Part.allCases { texts[part] = try await scrape(stack, part) }
                let given = Set(texts.values.joined(separator: "\n").matches(of: /(?m)^switchback_[a-z_]+/).map { String($0.output) })
                // Only with a certificate, or a bus that was away.
                missing = try wanted().subtracting(given).subtracting(["switchback_api_certificate_expiry_timestamp_seconds"])
                return missing.isEmpty ? true : nil
            }
        } catch {
            Issue.record("nobody gives \(missing.sorted()): \(error)")
        }
        let line = /^(# TYPE [a-z_]+ (counter|gauge|histogram)|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.eE+-]+)$/
        for (part, text) in texts {
            for row in text.split(separator: "\n") { #expect(row.wholeMatch(of: line) != nil, "\(part): \(row)") }
            // Pods come and go by the thousand; a label for each would grow without end.
            #expect(!text.contains(pod.text) && !text.contains("measured"), "\(part)")
            #expect(text.contains("switchback_health{check=\"nats\"} 1"), "\(part)")
        }
        #expect(texts[.relay]?.contains("switchback_relay_gate_answers_total{outcome=\"passed\"}") == true)
        #expect(texts[.bindings]?.contains("switchback_events_total{area=\"wait\",what=\"timed_out\"}") == true)
        #expect(texts[.api]?.contains("switchback_api_requests_total{route=\"writeInput\",status=\"200\"}") == true)
        connection.close()
    }

    @Test("the NATS services protocol shows every part, with its requests counted")
    func services() async throws {
        struct Stats: Decodable {
            struct Endpoint: Decodable {
                var name: String
                var requests: Int
                private enum CodingKeys: String, CodingKey {
                    case name
                    case requests = "num_requests"
                }
            }
            var name: String
            var endpoints: [Endpoint]
        }
        let stack = try await Stack.start()
        _ = try await stack.run(["sleep", "600"], name: "counted")
        let api = APIClient(address: stack.apiURL, token: stack.token)
        _ = try await api.screen("counted")
        let inbox = stack.bus.newInbox()
        let answers = Mutex<[String: Stats]>([:])
        try stack.bus.subscribe(inbox) { message in
            guard let stats = try? JSONDecoder().decode(Stats.self, from: Data(message.payload)) else { return }
            answers.withLock { $0[stats.name] = stats }
        }
        try await stack.bus.flush()
        try stack.bus.publish("$SRV.STATS", payload: [UInt8](), reply: inbox)
        let wanted = Set(Stack.Part.allCases.map(\.rawValue))
        do {
            try await eventually(within: .seconds(60)) { answers.withLock { Set($0.keys) } == wanted ? true : nil }
        } catch {
            Issue.record("\(wanted.subtracting(answers.withLock { Set($0.keys) })) does not answer: \(error)")
        }
        let counts = answers.withLock { $0.mapValues { Dictionary($0.endpoints.map { ($0.name, $0.requests) }) { $1 } } }
        #expect(counts["runner"]?["start"] == 1 && counts["registry"]?["pods-create"] ?? 0 >= 1 && counts["relay"]?["terminals"] ?? 0 >= 1)
        #expect(counts["detector"]?["explain"] == 0)
    }

    @Test("a request that wants to be followed stands under one id in the log of every service that it touched")
    func trace() async throws {
        let stack = try await Stack.start(Stack.Part.withoutDetector)
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let trace = TraceContext(sampled: true), silent = TraceContext()
        let body = Array(#"{"name":"traced","command":["sleep","600"]}"#.utf8)
        // A runner is known from its first heartbeat on.
        let answer = try await eventually(within: .seconds(60), "no pod was started") {
            let answer = try await api.raw("POST", "/v1/pods", body: body, headers: [(TraceContext.header, trace.value), ("Content-Type", "application/json")])
            return (200..<300).contains(answer.status) ? answer : nil
        }
        #expect(answer.headers.first { $0.0.lowercased() == "sb-trace" }?.1 == trace.id)
        // From the API to the registry to the runner.
        for part in [Stack.Part.api, .registry, .runner] {
            try await eventually(within: .seconds(60), "\(part) does not name the trace") {
                try String(contentsOfFile: stack.log(part), encoding: .utf8).split(separator: "\n").contains {
                    $0.contains("\"trace\":\"\(trace.id)\"") && $0.contains("\"message\":\"answered\"")
                } ? true : nil
            }
        }
        // Each line names it once.
        let lines = try [Stack.Part.api, .registry, .runner].flatMap { try String(contentsOfFile: stack.log($0), encoding: .utf8).split(separator: "\n") }
        for line in lines where line.contains(trace.id) { #expect(line.components(separatedBy: "\"trace\":").count == 2, "\(line)") }
        // One that does not ask to be followed has an id as well, and no lines at the usual level.
        let quiet = try await api.raw("GET", "/v1/pods", headers: [(TraceContext.header, silent.value)])
        #expect(quiet.headers.first { $0.0.lowercased() == "sb-trace" }?.1 == silent.id)
        let made = try await api.raw("GET", "/v1/pods", headers: [(TraceContext.header, "nonsense")])
        #expect(made.headers.first { $0.0.lowercased() == "sb-trace" }?.1.count == 32)
        for part in [Stack.Part.api, .registry] { #expect(try !String(contentsOfFile: stack.log(part), encoding: .utf8).contains(silent.id)) }
    }
}
