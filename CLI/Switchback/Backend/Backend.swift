internal import AsyncHTTPClient
internal import Contract
internal import FoundationEssentials
internal import LocalStack
internal import NIOCore
internal import NIOHTTP1

/// The API that a command talks to: the local stack's, or the one that `SWITCHBACK_URL` and `SWITCHBACK_TOKEN` name.
struct Backend: Sendable {
    var address: String
    var token: String?

    static func locate() throws -> Backend {
        let environment = ProcessInfo.processInfo.environment
        if let address = environment["SWITCHBACK_URL"], !address.isEmpty {
            guard address.hasPrefix("http://") || address.hasPrefix("https://") else {
                throw Failure(.usage, "bad_url", "SWITCHBACK_URL is \"\(address)\"; give http://host:port or https://host:port")
            }
            return Backend(address: trimmed(address), token: environment["SWITCHBACK_TOKEN"])
        }
        let stack = try Stack(environment: environment)
        guard let settings = try stack.settings() else {
            throw Failure(.error, "not_running", "There is no Switchback in \(stack.home.path).", fix: "Start one with `switchback up`, or set SWITCHBACK_URL and SWITCHBACK_TOKEN.")
        }
        return Backend(address: settings.address, token: environment["SWITCHBACK_TOKEN"] ?? settings.adminToken)
    }

    private static func trimmed(_ address: String) -> String {
        var address = address
        while address.hasSuffix("/") { address.removeLast() }
        return address
    }

    /// Whether the services run on this machine, so that paths here mean something there.
    var isLocal: Bool { ["://127.", "://localhost", "://[::1]"].contains { address.contains($0) } }

    // MARK: - Requests

    struct Answer {
        var headers: HTTPHeaders
        var body: ByteBuffer
    }

    typealias Query = [(String, String?)]

    func get<Value: Decodable>(_ path: String, _ query: Query = [], as type: Value.Type = Value.self) async throws -> Value {
        try decode(try await send(.GET, path, query))
    }

    func post<Value: Decodable>(
        _ path: String, _ body: some Encodable, key: String? = nil, seconds: Int64 = 30, as type: Value.Type = Value.self
    ) async throws -> Value {
        try decode(
            try await send(
                .POST, path, body: .init(bytes: try JSON.encode(body)), type: "application/json", key: key, seconds: seconds))
    }

    func bytes(_ path: String, _ query: Query = []) async throws -> Answer { try await send(.GET, path, query) }

    private func decode<Value: Decodable>(_ answer: Answer) throws -> Value {
        try JSON.decode(Value.self, from: answer.body.readableBytesView)
    }

    /// Sends a request and throws what the API answers when it is not a success.
    func send(
        _ method: HTTPMethod, _ path: String, _ query: Query = [], body: ByteBuffer? = nil, type: String? = nil, key: String? = nil,
        seconds: Int64 = 30
    ) async throws -> Answer {
        let response = try await execute(method, path, query, body: body.map { .bytes($0) }, type: type, key: key, seconds: seconds)
        return Answer(headers: response.headers, body: try await response.body.collect(upTo: 1 << 30))
    }

    /// The answer as a stream of bytes.
    func execute(
        _ method: HTTPMethod, _ path: String, _ query: Query = [], body: HTTPClientRequest.Body? = nil, type: String? = nil, key: String? = nil,
        headers: [(String, String)] = [], seconds: Int64 = 30
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: address + path + Self.queryText(query))
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let type { request.headers.add(name: "Content-Type", value: type) }
        if let key { request.headers.add(name: "Idempotency-Key", value: key) }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = body
        let response: HTTPClientResponse
        do {
            response = try await HTTPClient.shared.execute(request, timeout: .seconds(seconds))
        } catch let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout {
            throw Failure(.timedOut, "timed_out", "\(address) did not answer within \(seconds) s.", fix: "See `switchback status`.")
        } catch {
            throw Failure(
                .error, "unavailable", "Switchback does not answer at \(address).",
                fix: isLocal ? "Start it with `switchback up`; `switchback status` shows what runs." : "Is SWITCHBACK_URL right? (\(error))")
        }
        guard (200..<300).contains(response.status.code) else {
            let bytes = [UInt8](try await response.body.collect(upTo: 1 << 20).readableBytesView)
            throw Reply.error(in: bytes) ?? ErrorBody(.internal, "\(address)\(path) answered \(response.status.code) \(response.status.reasonPhrase)")
        }
        return response
    }

    static func queryText(_ query: Query) -> String {
        let parts = query.compactMap { name, value in value.map { "\(name)=\(percentEncoded($0))" } }
        return parts.isEmpty ? "" : "?" + parts.joined(separator: "&")
    }

    static func percentEncoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                result += "%" + (hex.count == 1 ? "0" : "") + hex
            }
        }
        return result
    }

    // MARK: - Pods

    func pod(_ ref: String, at: Timestamp? = nil) async throws -> Pod {
        try await get("/v1/pods/\(Self.percentEncoded(ref))", [("at", at?.description)])
    }

    /// A moment as the person wrote it, for a pod.
    func resolve(_ moment: Moment?, for pod: Pod) throws -> Timestamp? {
        try moment?.resolve(start: pod.started ?? pod.created, now: .now())
    }
}
