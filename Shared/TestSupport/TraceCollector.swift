internal import Foundation
internal import Synchronization

/// A span as it came to a ``TraceCollector``.
public struct CollectedSpan: Sendable {
    public var service: String
    public var trace: String
    public var id: String
    public var parent: String?
    public var state: String?
    public var name: String
    /// OTLP's number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    public var kind: Int
    /// Nanoseconds since 1970.
    public var start: UInt64
    public var end: UInt64
    /// As text, whatever they are.
    public var attributes: [String: String]
    public var events: [String]
    public var isError: Bool
}

/// Takes traces by OTLP over HTTP, in JSON, and writes them down.
public final class TraceCollector: Sendable {
    private let file: String
    public let port: Int
    private let process = Mutex<ChildProcess?>(nil)

    private static let script = """
        import http.server, os, sys
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try: status = int(open(sys.argv[1] + ".status").read())
                except OSError: status = 200
                right = self.path == "/v1/traces" and self.headers.get("Content-Type") == "application/json"
                if not right: status = 404
                with open(sys.argv[1] + (".taken" if status == 200 else ".refused"), "ab") as out: out.write(body + b"\\n")
                answer = b"{}" if status == 200 else b"no"
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer))); self.end_headers()
                self.wfile.write(answer)
            def log_message(self, *_): pass
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
        open(sys.argv[1] + ".port.tmp", "w").write(str(server.server_address[1]))
        os.rename(sys.argv[1] + ".port.tmp", sys.argv[1] + ".port")
        server.serve_forever()
        """

    public init() async throws {
        file = FileManager.default.temporaryDirectory.path + "/traces-\(UUID().uuidString)"
        let started = try await Self.launch(file, port: 0)
        port = started.port
        process.withLock { $0 = started.process }
    }

    deinit {
        process.withLock { $0?.send(SIGKILL) }
        for end in ["", ".status", ".taken", ".refused", ".port", ".log"] { try? FileManager.default.removeItem(atPath: file + end) }
    }

    private static func launch(_ file: String, port: Int) async throws -> (process: ChildProcess, port: Int) {
        try? FileManager.default.removeItem(atPath: file + ".port")
        let process = try ChildProcess(["/usr/bin/python3", "-c", script, file, "\(port)"], log: file + ".log")
        let text = try await eventually("no collector") { try? String(contentsOfFile: file + ".port", encoding: .utf8) }
        guard let port = Int(text) else { throw TestSupportError("the collector's port is \"\(text)\"") }
        return (process, port)
    }

    /// For `SWITCHBACK_OTLP`.
    public var address: String { "http://127.0.0.1:\(port)" }

    /// What it answers from now on.
    public func answers(_ status: Int) throws { try Data("\(status)".utf8).write(to: URL(filePath: file + ".status"), options: .atomic) }

    /// Ends it: connections are refused.
    public func goAway() { process.withLock { $0.take() }?.end(SIGKILL) }

    public func comeBack() async throws {
        let started = try await Self.launch(file, port: port)
        process.withLock { $0 = started.process }
    }

    /// How often it was posted to in vain.
    public var refusals: Int { lines(".refused").count }

    /// Everything that it took, as it came.
    public var text: String { lines(".taken").map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n") }

    private func lines(_ kind: String) -> [Data] {
        (FileManager.default.contents(atPath: file + kind) ?? Data()).split(separator: UInt8(ascii: "\n")).map { Data($0) }
    }

    /// Every span that it took.
    public var spans: [CollectedSpan] {
        get throws {
            try lines(".taken").flatMap { line in
                try JSONDecoder().decode(Request.self, from: line).resourceSpans.flatMap { resource in
                    resource.scopeSpans.flatMap { scope in scope.spans.map { $0.collected(by: resource.resource.attributes.text("service.name")) } }
                }
            }
        }
    }
}

// MARK: - OTLP's JSON, as strict as its specification

private struct Request: Decodable {
    struct ResourceSpans: Decodable {
        struct Resource: Decodable { var attributes: [KeyValue] }
        struct ScopeSpans: Decodable { var spans: [Span] }
        var resource: Resource
        var scopeSpans: [ScopeSpans]
    }
    struct KeyValue: Decodable {
        struct Value: Decodable {
            var stringValue: String?
            var intValue: String?
            var boolValue: Bool?
            var doubleValue: Double?
        }
        var key: String
        var value: Value
        var text: String {
            value.stringValue ?? value.intValue ?? value.boolValue.map { "\($0)" } ?? value.doubleValue.map { "\($0)" } ?? "?"
        }
    }
    struct Span: Decodable {
        struct Event: Decodable {
            var timeUnixNano: String
            var name: String
        }
        struct Status: Decodable { var code: Int }
        var traceId: String
        var spanId: String
        var parentSpanId: String?
        var traceState: String?
        var name: String
        var kind: Int
        var startTimeUnixNano: String
        var endTimeUnixNano: String
        var attributes: [KeyValue]
        var events: [Event]?
        var status: Status?

        func collected(by service: String) -> CollectedSpan {
            CollectedSpan(
                service: service, trace: traceId, id: spanId, parent: parentSpanId, state: traceState, name: name, kind: kind,
                start: UInt64(startTimeUnixNano) ?? 0, end: UInt64(endTimeUnixNano) ?? 0,
                attributes: Dictionary(attributes.map { ($0.key, $0.text) }) { $1 }, events: (events ?? []).map(\.name), isError: status?.code == 2)
        }
    }
    var resourceSpans: [ResourceSpans]
}

extension [Request.KeyValue] {
    fileprivate func text(_ key: String) -> String { first { $0.key == key }?.text ?? "" }
}
