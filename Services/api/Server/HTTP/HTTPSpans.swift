internal import Contract
internal import HTTPTypes
internal import Hummingbird
internal import Traces
internal import Tracing

/// Every request has a name that goes along to whatever is asked for it: the asker's own (`traceparent`, https://www.w3.org/TR/trace-context/) or a new one.
struct Traced: RouterMiddleware {
    typealias Context = APIContext

    static let outgoing = HTTPField.Name("Sb-Trace")

    func handle(_ request: Request, context: Context, next: (Request, Context) async throws -> Response) async throws -> Response {
        var carried = ServiceContext.topLevel
        InstrumentationSystem.instrument.extract(request.headers, into: &carried, using: FieldExtractor())
        let trace = carried.trace ?? TraceContext.begin()
        var response = try await ServiceContext.withValue(trace.context) { try await next(request, context) }
        if let name = Self.outgoing { response.headers[name] = trace.id }
        return response
    }
}

private struct FieldExtractor: Extractor {
    func extract(key: String, from carrier: HTTPFields) -> String? {
        // Several lines of one name are one list (RFC 9110, 5.3): of `tracestate` a longer one, of `traceparent` none.
        HTTPField.Name(key).flatMap { carrier[$0] }
    }
}

/// The span of a request, by OpenTelemetry's conventions (https://opentelemetry.io/docs/specs/semconv/http/http-spans/), up to the beginning of its answer:
/// a stream of events is not followed for as long as it lasts.
///
/// Of the address only the route is told: what stands in its place may belong in no span, as a token's id or what somebody searches for.
enum HTTPSpans {
    static func answering(_ route: Route, _ request: Request, _ work: () async throws -> Response) async throws -> Response {
        // What is thrown through a span counts as an error of ours; a refusal is none.
        let result: Result<Response, any Error> = await withSampledSpan(
            "\(route.method) \(route.path)", ofKind: .server, attributes: attributes(route, request)
        ) { span in
            do {
                let response = try await work()
                if let span { tell(response.status, nil, span) }
                return .success(response)
            } catch {
                let body = error as? ErrorBody
                if let span { tell(body?.status ?? (error as? any HTTPResponseError)?.status ?? .internalServerError, body?.code.rawValue, span) }
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func attributes(_ route: Route, _ request: Request) -> SpanAttributes {
        ["http.request.method": .string(route.method.rawValue), "http.route": .string(route.path), "url.scheme": .string(request.head.scheme ?? "http")]
    }

    private static func tell(_ status: HTTPResponse.Status, _ error: String?, _ span: any Span) {
        span.updateAttributes { $0.set("http.response.status_code", value: .int64(Int64(status.code))) }
        if status.code >= 500 { span.fail(error ?? "\(status.code)") } else if let error { span.fail(error, isFault: false) }
    }
}
