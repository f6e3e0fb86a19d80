internal import APIClient
internal import ArgumentParser
internal import Console
internal import Contract
internal import FoundationEssentials
internal import Glibc

struct MCPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mcp", abstract: "Serve agents over MCP, on standard input and output.",
        discussion: """
            Model Context Protocol, revision 2025-06-18. Inside a pod the environment names the pod and its credential, so nothing has to be \
            configured; docs/agents.md shows how each agent is told about it.
            """)

    func run() async throws {
        let backend = try Backend.locate()
        let server = MCPServer(tools: MCPTools(api: backend.api, pod: Inside.pod))
        // Reading blocks, so it has a thread of its own; requests are answered in their order.
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        Thread.reading { line in
            continuation.yield(line)
        } atEnd: {
            continuation.finish()
        }
        for await line in lines {
            guard let answer = await server.answer(line) else { continue }
            Out.print(answer)
        }
    }

    /// A thread that reads lines.
    private enum Thread {
        static func reading(_ body: @escaping @Sendable (String) -> Void, atEnd: @escaping @Sendable () -> Void) {
            final class Work: Sendable {
                let body: @Sendable (String) -> Void
                let atEnd: @Sendable () -> Void
                init(_ body: @escaping @Sendable (String) -> Void, _ atEnd: @escaping @Sendable () -> Void) {
                    self.body = body
                    self.atEnd = atEnd
                }
            }
            let work = Unmanaged.passRetained(Work(body, atEnd)).toOpaque()
            var thread = pthread_t()
            pthread_create(
                &thread, nil,
                { context in
                    guard let context else { return nil }
                    let work = Unmanaged<Work>.fromOpaque(context).takeRetainedValue()
                    while let line = readLine() { work.body(line) }
                    work.atEnd()
                    return nil
                }, work)
            pthread_detach(thread)
        }
    }
}

/// JSON-RPC 2.0 as MCP speaks it (modelcontextprotocol.io, revision 2025-06-18): one message a line.
struct MCPServer: Sendable {
    static let revisions = ["2025-06-18", "2025-03-26", "2024-11-05"]

    let tools: MCPTools

    /// The answer's line; nil for what is not answered.
    func answer(_ line: String) async -> String? {
        guard !line.allSatisfy(\.isWhitespace) else { return nil }
        guard let message = try? JSONDecoder().decode(JSONObject.self, from: Data(line.utf8)) else {
            return Self.text(["jsonrpc": "2.0", "id": .null, "error": ["code": -32700, "message": "this is not JSON"]])
        }
        guard case .object(let fields) = message, case .string(let method)? = fields["method"] else {
            return Self.failure(nil, -32600, "a request has a method")
        }
        // A notification has no id and gets no answer.
        guard let id = fields["id"], id != .null else { return nil }
        let parameters = fields["params"] ?? .object([:])
        switch method {
        case "initialize":
            let asked = parameters["protocolVersion"]?.string ?? Self.revisions[0]
            return Self.result(
                id,
                [
                    "protocolVersion": .string(Self.revisions.contains(asked) ? asked : Self.revisions[0]),
                    "capabilities": ["tools": ["listChanged": false]],
                    "serverInfo": ["name": "switchback", "version": .string(Switchback.version)],
                    "instructions": .string(MCPTools.instructions),
                ])
        case "ping": return Self.result(id, [:])
        case "tools/list": return Self.result(id, ["tools": .array(MCPTools.all.map(\.description))])
        case "tools/call":
            guard let name = parameters["name"]?.string else { return Self.failure(id, -32602, "params.name is missing") }
            guard let tool = MCPTools.all.first(where: { $0.name == name }) else { return Self.failure(id, -32602, "there is no tool \"\(name)\"") }
            return Self.result(id, await call(tool, parameters["arguments"] ?? .object([:])))
        default: return Self.failure(id, -32601, "there is no method \"\(method)\"")
        }
    }

    /// A tool's failure is an answer that a model can read, not a failure of the protocol.
    private func call(_ tool: MCPTool, _ arguments: JSONObject) async -> JSONObject {
        do {
            let value = try await tool.run(tools, MCPArguments(values: arguments))
            let text = try value.string ?? value.line()
            var result: [String: JSONObject] = ["content": [["type": "text", "text": .string(text)]], "isError": false]
            if case .object = value { result["structuredContent"] = value }
            return .object(result)
        } catch {
            let failure = Failure(error)
            let words = "\(failure.code): \(failure.message)" + (failure.fix.map { " " + $0 } ?? "")
            return ["content": [["type": "text", "text": .string(words)]], "isError": true]
        }
    }

    private static func result(_ id: JSONObject, _ result: JSONObject) -> String { text(["jsonrpc": "2.0", "id": id, "result": result]) }

    private static func failure(_ id: JSONObject?, _ code: Int, _ message: String) -> String {
        text(["jsonrpc": "2.0", "id": id ?? .null, "error": ["code": .number(Double(code)), "message": .string(message)]])
    }

    private static func text(_ value: JSONObject) -> String { (try? value.line()) ?? "" }
}
