import APIClient
import Bus
import Contract
import Foundation
import TestSupport
import Testing
import Traces

@Suite("Traces of the whole stack", .serialized)
struct TraceTests {
    /// A stack whose parts post to a collector, and one who follows requests.
    private struct Stage {
        let collector: TraceCollector
        let stack: Stack
        let api: APIClient

        init(_ parts: [Stack.Part]) async throws {
            collector = try await TraceCollector()
            stack = try await Stack.start(parts, settings: ["SWITCHBACK_OTLP": collector.address])
            api = APIClient(address: stack.apiURL, token: stack.token)
        }

        func post(_ path: String, _ body: String, _ trace: TraceContext?, _ more: [(String, String)] = []) async throws -> RawAnswer {
            let headers = [("Content-Type", "application/json")] + (trace.map { [(TraceContext.header, $0.value)] } ?? []) + more
            let answer = try await api.raw("POST", path, body: Array(body.utf8), headers: headers)
            return RawAnswer(status: answer.status, text: String(decoding: answer.body, as: UTF8.self))
        }

        /// The trace's spans once each of these has come.
        func spans(_ trace: TraceContext, _ wanted: [String]) async throws -> [CollectedSpan] {
            var spans: [CollectedSpan] = []
            do {
                return try await eventually(within: .seconds(120)) { () -> [CollectedSpan]? in
                    spans = try collector.spans.filter { $0.trace == trace.id }
                    return wanted.allSatisfy { name in spans.contains { "\($0.service.dropFirst(11)): \($0.name)" == name } } ? spans : nil
                }
            } catch {
                let missing = wanted.filter { name in !spans.contains { "\($0.service.dropFirst(11)): \($0.name)" == name } }
                throw TestSupportError("no span \(missing); there are \(spans.map { "\($0.service): \($0.name)" })")
            }
        }
    }

    private struct RawAnswer {
        var status: Int
        var text: String
    }

    /// Checks that these follow one another as parents and children, each within the one before, and gives them.
    @discardableResult
    private func chain(_ spans: [CollectedSpan], from parent: String?, _ steps: [(name: String, kind: Int)]) throws -> [CollectedSpan] {
        var above: CollectedSpan?
        var found: [CollectedSpan] = []
        for step in steps {
            let span = try #require(
                spans.first { $0.name == step.name && $0.parent == (above?.id ?? parent) },
                "no \(step.name) below \(above?.name ?? "the caller"): \(spans.map { ($0.name, $0.id, $0.parent ?? "-") })")
            #expect(span.kind == step.kind, "\(step.name) is of kind \(span.kind)")
            #expect(span.start <= span.end)
            // All on one host, so by one clock. Who asks has its answer a moment before who answers has noted that it was sent.
            if let above { #expect(above.start <= span.start && span.start <= above.end, "\(step.name) is outside of \(above.name)") }
            above = span
            found.append(span)
        }
        return found
    }

    @Test("a pod's start is one tree of spans from the request to the shim; nothing secret is told, and who is not followed makes none")
    func start() async throws {
        let stage = try await Stage([.registry, .bindings, .relay, .api, .runner])
        let silent = TraceContext()
        let trace = try #require(TraceContext("00-\(TraceContext().id)-00f067aa0ba902b7-01"))
        func body(_ name: String) -> String {
            #"{"name":"\#(name)","command":["sh","-c","echo ready; exec sleep 600","--password=hunter2"],"env":{"API_KEY":"sk-secret-7"}}"#
        }
        // A runner is known from its first heartbeat on: until then there are traces of failed starts, of which this is none.
        try await eventually(within: .seconds(60), "no pod was started") { try await stage.post("/v1/pods", body("silent"), silent).status == 201 ? true : nil }
        let answer = try await stage.post("/v1/pods", body("followed"), trace, [("tracestate", "other=1")])
        #expect(answer.status == 201)
        let pod = try JSON.decode(Pod.self, from: Array(answer.text.utf8))
        let spans = try await stage.spans(
            trace,
            [
                "api: POST /v1/pods", "registry: answer registry.pods.create", "runner: answer runner.{runner}.start", "runner: start shim",
                "registry: RegistryStore.make", "registry: request runner.{runner}.start", "api: request registry.pods.create",
            ])
        let steps = try chain(
            spans, from: "00f067aa0ba902b7",
            [
                ("POST /v1/pods", 2), ("request registry.pods.create", 3), ("answer registry.pods.create", 2), ("request runner.{runner}.start", 3),
                ("answer runner.{runner}.start", 2), ("start shim", 1),
            ])
        try chain(spans, from: steps[2].id, [("RegistryStore.make", 3)])
        // Children that are waited for end within their parents.
        for (outer, inner) in [(0, 1), (2, 3), (4, 5)] { #expect(steps[inner].end <= steps[outer].end, "\(steps[inner].name) outlives \(steps[outer].name)") }
        #expect(steps[0].attributes["http.route"] == "/v1/pods" && steps[0].attributes["http.response.status_code"] == "201")
        #expect(steps[1].attributes["messaging.system"] == "nats" && steps[3].attributes["messaging.destination.name"] == "runner.local.start")
        let work = try #require(spans.first { $0.name == "RegistryStore.make" })
        #expect(work.attributes["db.system.name"] == "postgresql" && work.events == ["connection"])
        #expect(spans.allSatisfy { !$0.isError && $0.state == "other=1" })
        // What is done for several requests at once belongs to none.
        #expect(!spans.contains { $0.name.contains("EventSender") || $0.name.hasPrefix("request event.") })
        // A tree: every parent is there, and one only is the caller's.
        let ids = Set(spans.map(\.id))
        #expect(spans.filter { !ids.contains($0.parent ?? "") }.map(\.name) == ["POST /v1/pods"] && ids.count == spans.count)

        // What was refused, and what was not there.
        let refused = TraceContext(sampled: true)
        #expect(try await stage.api.raw("GET", "/v1/pods/pnobodyknows1?at=secret-7", headers: [(TraceContext.header, refused.value)]).status >= 400)
        let failed = try #require(try await stage.spans(refused, ["api: GET /v1/pods/{pod}"]).first { $0.kind == 2 && $0.name == "GET /v1/pods/{pod}" })
        #expect(!failed.isError && failed.attributes["error.type"] != nil)

        let text = stage.collector.text
        for secret in ["hunter2", "sk-secret-7", "secret-7", stage.stack.token, "sbp_", "echo ready"] { #expect(!text.contains(secret), "\(secret) is told") }
        #expect(!text.contains(silent.id))
        // The shim says that it was started for this request.
        let log = try String(contentsOfFile: "\(stage.stack.directory)/runner/pods/\(pod.pod)/shim.log", encoding: .utf8)
        #expect(log.contains(trace.id))
    }

    @Test("what is typed is followed through the gate to the shim, and a message to the pod into which it was typed later")
    func typed() async throws {
        let stage = try await Stage(Stack.Part.withoutDetector)
        let stack = stage.stack
        let pod = try await stack.run(["sh", "-c", "echo ready; while IFS= read -r line; do echo \"GOT:$line\"; done"], name: "builder", columns: 200).pod
        try await stack.waitForScreen(pod, "ready")
        try stack.say("executing", "tool", of: pod, seq: 100)
        let typing = TraceContext(sampled: true)
        #expect(try await stage.post("/v1/pods/builder/input", #"{"text":"password hunter2\r"}"#, typing).status == 200)
        let spans = try await stage.spans(typing, ["api: POST /v1/pods/{pod}/input", "relay: answer relay.{shard}.write", "relay: gate"])
        let steps = try chain(
            spans, from: typing.spanID,
            [("POST /v1/pods/{pod}/input", 2), ("request relay.{shard}.write", 3), ("answer relay.{shard}.write", 2), ("gate", 1)])
        #expect(steps[3].attributes["switchback.gate.outcome"] == "passed" && steps[3].attributes["switchback.gate.author.kind"] == "person")
        let log = "\(stack.directory)/runner/pods/\(pod)/shim.log"
        try await eventually("the shim was not told") { try String(contentsOfFile: log, encoding: .utf8).contains(typing.id) ? true : nil }

        _ = try await stage.api.createChannel("design", members: ["builder", "person:test"])
        let posting = TraceContext(sampled: true)
        #expect(try await stage.post("/v1/channels/design/messages", #"{"text":"@builder hunter2"}"#, posting).status == 201)
        // Not while it works; the request is long answered.
        _ = try await stage.spans(posting, ["api: POST /v1/channels/{channel}/messages"])
        try stack.say("idle", "prompt", of: pod, seq: 200)
        let all = try await stage.spans(posting, ["bindings: deliver channel message", "relay: gate", "relay: request shim.{pod}.write"])
        let sent = try chain(
            all, from: posting.spanID,
            [
                ("POST /v1/channels/{channel}/messages", 2), ("request channels.post", 3), ("answer channels.post", 2), ("send channel message", 4),
            ])
        let given = try #require(all.filter { $0.name == "deliver channel message" }.last)
        #expect(given.parent == sent[3].id && given.kind == 5 && given.start >= sent[3].start)
        try chain(all, from: given.id, [("request relay.{shard}.write", 3), ("answer relay.{shard}.write", 2), ("gate", 1), ("request shim.{pod}.write", 3)])
        #expect(!stage.collector.text.contains("hunter2"))
    }

    @Test("a part that is told to stop sends what it has; a collector that is away holds nobody up; the share that is wanted is followed")
    func stopping() async throws {
        let collector = try await TraceCollector()
        let stack = try await Stack.start([.registry, .bindings, .api], settings: ["SWITCHBACK_OTLP": collector.address, "SWITCHBACK_TRACE_RATIO": "1"])
        let api = APIClient(address: stack.apiURL, token: stack.token)
        let known = try await api.raw("GET", "/v1/pods")
        let id = try #require(known.headers.first { $0.0.lowercased() == "sb-trace" }?.1)
        // Of its own trace this is the first span.
        _ = stack.stop(.api)
        let first = try #require(try collector.spans.first { $0.trace == id && $0.name == "GET /v1/pods" }, "it was not sent before the end")
        #expect(first.parent == nil && first.kind == 2)
        // Who says no is not followed, whatever the share.
        collector.goAway()
        try await stack.start(.api)
        let silent = TraceContext()
        #expect(try await api.raw("GET", "/v1/pods", headers: [(TraceContext.header, silent.value)]).status == 200)
        for _ in 0..<50 { #expect(try await api.raw("GET", "/v1/pods").status == 200) }
        _ = stack.stop(.api)
        try await collector.comeBack()
        try await stack.start(.api)
        let last = try await api.raw("GET", "/v1/runners")
        let lastID = try #require(last.headers.first { $0.0.lowercased() == "sb-trace" }?.1)
        try await eventually("traces do not come any more") { try collector.spans.contains { $0.trace == lastID } ? true : nil }
        #expect(!collector.text.contains(silent.id))
    }
}
