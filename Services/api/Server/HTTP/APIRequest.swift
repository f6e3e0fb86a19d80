internal import Contract
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// One request as the routes see it: who asks, and typed access to path, query and body with clear errors.
struct APIRequest {
    private(set) var request: Request
    let person: Person
    let pathValues: [String: String]
    /// What its entry in the audit log should say.
    let note: AuditNote
    /// Where it comes from, seen through known proxies.
    let address: String
    /// The asker speaks HTTPS.
    let isSecure: Bool

    var pathPod: String { pathValues["pod"] ?? "" }

    // MARK: Query

    func text(_ name: String) -> String? {
        guard let value = request.uri.queryParameters[name[...]], !value.isEmpty else { return nil }
        return String(value)
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(ErrorBody) -> Int? {
        guard let text = text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw ErrorBody(.badRequest, "\(name)=\(text) is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func flag(_ name: String) throws(ErrorBody) -> Bool? {
        switch text(name) {
        case nil: return nil
        case "true", "1", "yes": return true
        case "false", "0", "no": return false
        case let other?: throw ErrorBody(.badRequest, "\(name)=\(other) is neither true nor false")
        }
    }

    /// A moment in the past or now. `start` is the pod's, for `+90s`.
    func time(_ name: String, start: Timestamp? = nil, now: Timestamp = .now()) throws(ErrorBody) -> Timestamp? {
        // A plus sign in a query reads as a space; both mean `+90s`.
        guard let text = text(name) else { return nil }
        return try Self.time(text.hasPrefix(" ") ? "+" + text.dropFirst() : text, name: name, start: start, now: now)
    }

    static func time(_ text: String, name: String, start: Timestamp?, now: Timestamp) throws(ErrorBody) -> Timestamp {
        let time: Timestamp
        do throws(MomentError) {
            time = try Moment(text).resolve(start: start, now: now)
        } catch {
            throw ErrorBody(.badRequest, "\(name): \(error)")
        }
        guard time <= now + .seconds(1) else {
            throw ErrorBody(.badRequest, "\(name): \(time) lies in the future; it is \(now) here")
        }
        return time
    }

    // MARK: Body

    /// Largest body of a route that takes JSON, in bytes.
    static let bodyLimit = 2 << 20

    /// The whole body. More than `limit` bytes end in `too_large`, without reading them.
    func body(limit: Int = bodyLimit) async throws -> ByteBuffer {
        let tooLarge = ErrorBody(.tooLarge, "the body may have at most \(limit) bytes here")
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge }
        var whole = ByteBuffer()
        for try await var part in request.body {
            guard whole.readableBytes + part.readableBytes <= limit else { throw tooLarge }
            whole.writeBuffer(&part)
        }
        return whole
    }

    /// Reads the body, and leaves it for who reads it next.
    mutating func keepBody() async throws -> [UInt8] {
        let whole = try await body()
        request.body = RequestBody(buffer: whole)
        return Array(whole.readableBytesView)
    }

    func json<Value: Decodable>(_ type: Value.Type) async throws -> Value {
        let body = try await body()
        guard body.readableBytes > 0 else { throw ErrorBody(.badRequest, "the body is empty; this route needs JSON") }
        return try JSON.decode(type, from: body.readableBytesView)
    }

    /// The JSON body, or the default when there is none.
    func json<Value: Decodable>(_ type: Value.Type, orElse missing: Value) async throws -> Value {
        let body = try await body()
        guard body.readableBytes > 0 else { return missing }
        return try JSON.decode(type, from: body.readableBytesView)
    }

    var idempotencyKey: String? {
        get throws(ErrorBody) {
            guard let name = HTTPField.Name("Idempotency-Key"), let key = request.headers[name] else { return nil }
            guard (1...255).contains(key.utf8.count) else {
                throw ErrorBody(.badRequest, "an Idempotency-Key has 1 to 255 characters")
            }
            return key
        }
    }
}
