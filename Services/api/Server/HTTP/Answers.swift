internal import Contract
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import Redaction

extension ErrorBody {
    /// The HTTP status that fits the code.
    var status: HTTPResponse.Status {
        switch code {
        case .badRequest: .badRequest
        case .unauthenticated: .unauthorized
        case .denied: .forbidden
        case .notFound: .notFound
        case .conflict: .conflict
        case .tooLarge: .contentTooLarge
        case .gone: .gone
        case .tooManyRequests: .tooManyRequests
        case .unavailable: .serviceUnavailable
        case .timedOut: .gatewayTimeout
        case .internal: .internalServerError
        default: Self.others[code.rawValue] ?? .badRequest
        }
    }

    /// Codes that the gate and single routes add to the common ones.
    private static let others: [String: HTTPResponse.Status] = [
        "busy": .conflict, "approval_open": .conflict, "screen_changed": .conflict, "draft_present": .conflict,
        "method_not_allowed": .methodNotAllowed, "upgrade_required": .upgradeRequired, "reply_too_large": .contentTooLarge, "ambiguous": .conflict, "before_start": .notFound,
        "start_failed": .unprocessableContent, "would_deadlock": .conflict,
    ]
}

enum Answer {
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        bytes(try JSON.encode(value), type: "application/json", status: status)
    }

    /// The same with the secrets in its texts hidden.
    static func json(_ value: some Encodable, hiding redactor: Redactor, status: HTTPResponse.Status = .ok) throws -> Response {
        bytes(redactor.redacted(json: try JSON.encode(value)), type: "application/json", status: status)
    }

    static func error(_ error: ErrorBody) -> Response {
        var response = bytes(Reply.error(error), type: "application/json", status: error.status)
        if error.code == .unauthenticated { response.headers[.wwwAuthenticate] = "Bearer realm=\"switchback\"" }
        if error.code == .unavailable { response.headers[.retryAfter] = "1" }
        if error.code == .tooManyRequests { response.headers[.retryAfter] = "60" }
        return response
    }

    static func bytes(_ bytes: [UInt8], type: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func text(_ text: String, type: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok) -> Response {
        bytes(Array(text.utf8), type: type, status: status)
    }
}
