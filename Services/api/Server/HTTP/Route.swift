internal import Contract
internal import HTTPTypes
internal import Hummingbird

/// One route: what answers it and what the OpenAPI document says of it, in one place so that neither can drift.
struct Route: Sendable {
    struct Parameter: Sendable {
        var name: String
        var about: String
        var schema: JSONValue = ["type": "string"]
        var isRequired = false
    }

    struct Content: Sendable {
        var type: String
        var schema: JSONValue

        static func json(_ component: String) -> Content {
            Content(type: "application/json", schema: ["$ref": .string("#/components/schemas/" + component)])
        }
        static let text = Content(type: "text/plain", schema: ["type": "string"])
        static let bytes = Content(type: "application/octet-stream", schema: ["type": "string", "format": "binary"])
    }

    typealias Handler = @Sendable (APIRequest) async throws -> Response

    var method: HTTPRequest.Method
    /// With `{name}` for what varies.
    var path: String
    var name: String
    var about: String
    /// The least role that may ask; none: anybody, without a token.
    var role: Role?
    var query: [Parameter] = []
    var headers: [Parameter] = []
    var body: Content?
    var answers: [Content] = []
    var status: HTTPResponse.Status = .ok
    var handler: Handler

    var pathNames: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    static let at = Parameter(name: "at", about: "As of this time: RFC 3339, -5m, 14:03:07 or, for a pod, +90s from its start.")
    static let limit = Parameter(
        name: "limit", about: "Entries on a page.", schema: ["type": "integer", "minimum": 1, "maximum": 1000])
    static let cursor = Parameter(name: "cursor", about: "The `next` of the page before.")
    static let idempotencyKey = Parameter(
        name: "Idempotency-Key", about: "The same key and request give the same answer and are done once; another request with that key is a `conflict`.")
}
