internal import AsyncHTTPClient
public import Contract
internal import FoundationEssentials
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// The HTTP API, typed: what the command and end-to-end tests use.
///
/// Every call throws the server's ``ErrorBody``; `unavailable` when the server cannot be reached.
public struct APIClient: Sendable {
    /// `http://host:port` or `https://host:port`, without a slash at the end.
    public let address: String
    let token: String?
    private let timeout: TimeAmount = .seconds(130)
    /// A PEM file of the authorities that servers may be certified by; the system's where missing.
    let authority: String?
    private let http: HTTPClient

    /// - Parameter authority: a PEM file: who may have signed the certificate of an HTTPS server, in place of the system's list.
    public init(address: String, token: String?, authority: String? = nil) {
        self.address = address.hasSuffix("/") ? String(address.dropLast()) : address
        self.token = token
        self.authority = authority
        http = Self.http(authority, isTLS: self.address.hasPrefix("https:"))
    }

    /// Whether it is an address that a client can be made with: `http://host:port` or `https://host:port`.
    public static func isAddress(_ text: String) -> Bool { TerminalConnection.target(text) != nil }

    // MARK: - Pods

    public func pods(
        at: String? = nil, status: String? = nil, lifecycle: Lifecycle? = nil, runner: String? = nil, live: Bool? = nil, limit: Int? = nil,
        cursor: String? = nil
    ) async throws(ErrorBody) -> PodPage {
        try await get(
            "/v1/pods",
            [
                ("at", at), ("status", status), ("lifecycle", lifecycle?.rawValue), ("runner", runner), ("live", live.map { "\($0)" }),
                ("limit", limit.map(String.init)), ("cursor", cursor),
            ])
    }

    /// Every pod of all pages.
    public func allPods(live: Bool? = nil) async throws(ErrorBody) -> [Pod] {
        var pods: [Pod] = []
        var cursor: String?
        repeat {
            let page = try await self.pods(live: live, cursor: cursor)
            pods += page.pods
            cursor = page.next
        } while cursor != nil
        return pods
    }

    public func create(_ spec: PodSpec, idempotencyKey: String? = nil) async throws(ErrorBody) -> Pod {
        try await post("/v1/pods", spec, key: idempotencyKey)
    }

    public func pod(_ ref: String, at: String? = nil) async throws(ErrorBody) -> Pod {
        try await get(path(ref), [("at", at)])
    }

    public func history(_ ref: String) async throws(ErrorBody) -> PodHistory {
        try await get(path(ref, "history"))
    }

    /// What the pod's agent is doing, now or at a time.
    public func status(_ ref: String, at: String? = nil) async throws(ErrorBody) -> PodStatus {
        try await get(path(ref, "status"), [("at", at)])
    }

    /// Why the status is what it is.
    public func explain(_ ref: String, at: String? = nil) async throws(ErrorBody) -> StatusExplanation {
        try await get(path(ref, "explain"), [("at", at)])
    }

    public func agents() async throws(ErrorBody) -> KnownAgents {
        try await get("/v1/agents")
    }

    /// What can be said with an input.
    public struct Input: Codable, Sendable {
        public var text: String?
        public var bytesB64: String?
        /// Enter follows as one operation.
        public var submit: Bool?
        /// The text is pasted.
        public var paste: Bool?
        /// Only if nothing came after this output frame.
        public var ifSeq: UInt64?
        public var ifStatus: String?
        /// Although somebody else writes.
        public var take: Bool?
        /// With `submit`: a half-typed line is cut before and put back after.
        public var keepDraft: Bool?

        public init(
            text: String? = nil, bytes: [UInt8]? = nil, submit: Bool? = nil, paste: Bool? = nil, ifSeq: UInt64? = nil,
            ifStatus: String? = nil, take: Bool? = nil, keepDraft: Bool? = nil
        ) {
            self.keepDraft = keepDraft
            self.text = text
            bytesB64 = bytes.map { Data($0).base64EncodedString() }
            self.submit = submit
            self.paste = paste
            self.ifSeq = ifSeq
            self.ifStatus = ifStatus
            self.take = take
        }
    }

    /// Types. A refusal throws: its code is the result (`busy`, `screen_changed`, `approval_open`, `denied`, `gone`).
    public func input(_ ref: String, _ input: Input, idempotencyKey: String? = nil) async throws(ErrorBody) -> Applied {
        try await post(path(ref, "input"), input, key: idempotencyKey)
    }

    public func resize(_ ref: String, columns: Int, rows: Int) async throws(ErrorBody) -> Applied {
        try await post(path(ref, "resize"), ["columns": columns, "rows": rows])
    }

    public func signal(_ ref: String, _ name: String) async throws(ErrorBody) {
        let _: Done = try await post(path(ref, "signal"), ["signal": name])
    }

    public func mark(_ ref: String, _ text: String) async throws(ErrorBody) -> Applied {
        try await post(path(ref, "marker"), ["text": text])
    }

    public func stop(_ ref: String, graceMs: Int? = nil) async throws(ErrorBody) -> Pod {
        try await post(path(ref, "stop"), graceMs.map { ["grace_ms": $0] } ?? [:])
    }

    public func resume(_ ref: String, idempotencyKey: String? = nil) async throws(ErrorBody) -> Pod {
        try await post(path(ref, "resume"), [:] as [String: Int], key: idempotencyKey)
    }

    public func runners() async throws(ErrorBody) -> [Runner] {
        let list: RunnerList = try await get("/v1/runners")
        return list.runners
    }

    // MARK: - Screens and the past

    public struct Screen: Sendable {
        public var seq: UInt64
        public var time: Timestamp?
        /// Bytes the recorder decoded to get there; none for the live screen.
        public var decodedBytes: Int?
        public var body: [UInt8]
    }

    /// A screen, now or at a time; `format` is text, ansi or json.
    public func screen(
        _ ref: String, at: String? = nil, seq: UInt64? = nil, format: String = "text", scrollback: Int? = nil, reveal: Bool? = nil
    ) async throws(ErrorBody) -> Screen {
        let response = try await send(
            .GET, path(ref, "screen"),
            query: [("at", at), ("seq", seq.map { "\($0)" }), ("format", format), ("scrollback", scrollback.map(String.init)), ("reveal", reveal.map { "\($0)" })])
        return Screen(
            seq: response.headers.first(name: "Sb-Seq").flatMap { UInt64($0) } ?? 0,
            time: response.headers.first(name: "Sb-Time").flatMap { Timestamp($0) },
            decodedBytes: response.headers.first(name: "Sb-Decoded-Bytes").flatMap { Int($0) }, body: try await whole(response))
    }

    public func timeline(_ ref: String, from: String? = nil, to: String? = nil, buckets: Int? = nil) async throws(ErrorBody) -> Timeline {
        try await get(path(ref, "timeline"), [("from", from), ("to", to), ("buckets", buckets.map(String.init))])
    }

    /// Whether a recording's chain is unbroken.
    public func verify(_ ref: String) async throws(ErrorBody) -> Verified { try await get(path(ref, "recording/verify")) }

    public func search(
        _ query: String, regex: Bool? = nil, ignoreCase: Bool? = nil, pod: String? = nil, from: String? = nil, to: String? = nil,
        limit: Int? = nil, cursor: String? = nil, reveal: Bool? = nil
    ) async throws(ErrorBody) -> SearchPage {
        try await get(
            "/v1/search",
            [
                ("q", query), ("regex", regex.map { "\($0)" }), ("ignore_case", ignoreCase.map { "\($0)" }), ("pod", pod), ("from", from),
                ("to", to), ("limit", limit.map(String.init)), ("cursor", cursor), ("reveal", reveal.map { "\($0)" }),
            ])
    }

    /// A recording, in pieces as they come. `format` is asciicast, text or json; `version` 2 or 3.
    public func export(
        _ ref: String, format: String = "asciicast", version: Int? = nil, from: String? = nil, to: String? = nil, reveal: Bool? = nil,
        _ receive: ([UInt8]) async throws -> Void
    ) async throws {
        let response = try await send(
            .GET, path(ref, "recording"),
            query: [("format", format), ("version", version.map(String.init)), ("from", from), ("to", to), ("reveal", reveal.map { "\($0)" })],
            timeout: .hours(6))
        for try await piece in response.body { try await receive(Array(piece.readableBytesView)) }
    }

    /// Imports a recording from pieces; becomes an ended pod.
    public func importRecording<Pieces: AsyncSequence & Sendable>(
        _ pieces: Pieces, name: String? = nil, idempotencyKey: String? = nil
    ) async throws(ErrorBody) -> Pod where Pieces.Element == [UInt8] {
        let body = HTTPClientRequest.Body.stream(pieces.map { ByteBuffer(bytes: $0) }, length: .unknown)
        let response = try await send(
            .POST, "/v1/recordings", query: [("name", name)], body: body, type: "application/x-asciicast", key: idempotencyKey,
            timeout: .hours(6))
        return try await decoded(response)
    }

    /// Any route, for what has no function here.
    public func raw(
        _ method: String, _ path: String, body: [UInt8]? = nil, headers: [(String, String)] = []
    ) async throws(ErrorBody) -> (status: Int, headers: [(String, String)], body: [UInt8]) {
        var request = HTTPClientRequest(url: address + path)
        request.method = HTTPMethod(rawValue: method)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in headers { request.headers.replaceOrAdd(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response = try await execute(request, timeout)
        return (Int(response.status.code), response.headers.map { ($0.name, $0.value) }, try await whole(response))
    }

    // MARK: -

    func path(_ ref: String, _ rest: String? = nil) -> String {
        "/v1/pods/" + Self.escaped(ref) + (rest.map { "/" + $0 } ?? "")
    }

    func get<Value: Decodable>(_ path: String, _ query: [(String, String?)] = []) async throws(ErrorBody) -> Value {
        try await decoded(try await send(.GET, path, query: query))
    }

    func post<Value: Decodable>(_ path: String, _ body: some Encodable, key: String? = nil) async throws(ErrorBody) -> Value {
        let bytes: [UInt8]
        do { bytes = try JSON.encode(body) } catch { throw ErrorBody(.internal, "the request could not be encoded: \(error)") }
        return try await decoded(try await send(.POST, path, body: .bytes(ByteBuffer(bytes: bytes)), type: "application/json", key: key))
    }

    func send(
        _ method: HTTPMethod, _ path: String, query: [(String, String?)] = [], body: HTTPClientRequest.Body? = nil, type: String? = nil,
        key: String? = nil, headers: [(String, String)] = [], timeout: TimeAmount? = nil
    ) async throws(ErrorBody) -> HTTPClientResponse {
        let pairs = query.compactMap { name, value in value.map { name + "=" + Self.escaped($0) } }
        var request = HTTPClientRequest(url: address + path + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")))
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let type { request.headers.add(name: "Content-Type", value: type) }
        if let key { request.headers.add(name: "Idempotency-Key", value: key) }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = body
        let response = try await execute(request, timeout ?? self.timeout)
        guard (200..<300).contains(response.status.code) else {
            let answer = try await whole(response)
            throw Reply.error(in: answer) ?? (try? JSON.decode(ErrorReply.self, from: answer).error)
                ?? ErrorBody(.internal, "\(method) \(path) answered \(response.status)")
        }
        return response
    }

    private func execute(_ request: HTTPClientRequest, _ timeout: TimeAmount) async throws(ErrorBody) -> HTTPClientResponse {
        let deadline = ContinuousClock.now + .seconds(10)
        do {
            while true {
                do {
                    return try await http.execute(request, timeout: timeout)
                } catch let error as NIOConnectionError where address.hasPrefix("https:") && ContinuousClock.now < deadline {
                    // A server that restarts. Nothing of the request was sent yet.
                    _ = error
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
        } catch {
            throw ErrorBody(.unavailable, "\(address) cannot be reached: \(Self.reason(error))")
        }
    }

    private func whole(_ response: HTTPClientResponse) async throws(ErrorBody) -> [UInt8] {
        do {
            return Array(try await response.body.collect(upTo: 256 << 20).readableBytesView)
        } catch {
            throw ErrorBody(.unavailable, "the answer of \(address) broke off: \(error)")
        }
    }

    func decoded<Value: Decodable>(_ response: HTTPClientResponse) async throws(ErrorBody) -> Value {
        try JSON.decode(Value.self, from: try await whole(response))
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                result += "%" + (hex.count == 1 ? "0" : "") + hex
            }
        }
        return result
    }
}
