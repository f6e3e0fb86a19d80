internal import FoundationEssentials
internal import Tracing

/// What is posted to a collector: an `ExportTraceServiceRequest` in OTLP's JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding):
/// ids in hexadecimal digits, 64-bit numbers as strings, enumerations as numbers.
public struct OTLPRequest: Encodable {
    private struct ResourceSpans: Encodable {
        var resource: Resource
        var scopeSpans: [ScopeSpans]
    }
    private struct Resource: Encodable { var attributes: [KeyValue] }
    private struct ScopeSpans: Encodable {
        struct Scope: Encodable {
            var name = "switchback"
            var version: String
        }
        var scope: Scope
        var spans: [SpanJSON]
    }
    private struct SpanJSON: Encodable {
        struct Event: Encodable {
            var timeUnixNano: String
            var name: String
            var attributes: [KeyValue]
        }
        struct Link: Encodable {
            var traceId: String
            var spanId: String
            var attributes: [KeyValue]
        }
        struct Status: Encodable { var code: Int }
        var traceId: String
        var spanId: String
        var traceState: String?
        var parentSpanId: String?
        var name: String
        var kind: Int
        var startTimeUnixNano: String
        var endTimeUnixNano: String
        var attributes: [KeyValue]
        var droppedAttributesCount: Int?
        var events: [Event]?
        var droppedEventsCount: Int?
        var links: [Link]?
        var droppedLinksCount: Int?
        var status: Status?
    }
    struct KeyValue: Encodable {
        var key: String
        var value: Value
    }
    struct Value: Encodable {
        var stringValue: String?
        var boolValue: Bool?
        var intValue: String?
        var doubleValue: Double?
        var arrayValue: [Value]?
        private enum CodingKeys: String, CodingKey { case stringValue, boolValue, intValue, doubleValue, arrayValue }
        private struct Values: Encodable { var values: [Value] }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encodeIfPresent(stringValue, forKey: .stringValue)
            try container.encodeIfPresent(boolValue, forKey: .boolValue)
            try container.encodeIfPresent(intValue, forKey: .intValue)
            try container.encodeIfPresent(doubleValue, forKey: .doubleValue)
            try container.encodeIfPresent(arrayValue.map(Values.init), forKey: .arrayValue)
        }
    }

    /// Longer texts are cut.
    private static let longestText = 256
    private var resourceSpans: [ResourceSpans]

    /// - Parameters:
    ///   - resource: who made the spans, `service.name` and the like.
    ///   - version: of the programs.
    public init(_ spans: [FinishedSpan], resource: [(String, String)], version: String) {
        let attributes = resource.map { KeyValue(key: $0.0, value: Value(stringValue: $0.1)) }
        resourceSpans = [
            ResourceSpans(resource: Resource(attributes: attributes), scopeSpans: [ScopeSpans(scope: .init(version: version), spans: spans.map(Self.span))])
        ]
    }

    /// The bytes to post.
    public func bytes() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(self))
    }

    private static func span(_ span: FinishedSpan) -> SpanJSON {
        func some(_ count: Int) -> Int? { count == 0 ? nil : count }
        let events = span.events.map {
            SpanJSON.Event(timeUnixNano: String($0.nanosecondsSinceEpoch), name: cut($0.name), attributes: list($0.attributes))
        }
        let links = span.links.compactMap { link in
            link.context.trace.map { SpanJSON.Link(traceId: $0.id, spanId: $0.spanID, attributes: list(link.attributes)) }
        }
        return SpanJSON(
            traceId: span.trace.id, spanId: span.trace.spanID, traceState: span.trace.state, parentSpanId: span.parentID, name: cut(span.name),
            kind: number(span.kind), startTimeUnixNano: String(span.start), endTimeUnixNano: String(span.end), attributes: list(span.attributes),
            droppedAttributesCount: some(span.dropped.attributes), events: events.isEmpty ? nil : events, droppedEventsCount: some(span.dropped.events),
            links: links.isEmpty ? nil : links, droppedLinksCount: some(span.dropped.links),
            status: span.status.map { SpanJSON.Status(code: $0.code == .error ? 2 : 1) })
    }

    private static func number(_ kind: SpanKind) -> Int {
        switch kind {
        case .internal: 1
        case .server: 2
        case .client: 3
        case .producer: 4
        case .consumer: 5
        }
    }

    private static func list(_ attributes: SpanAttributes) -> [KeyValue] {
        var list: [KeyValue] = []
        attributes.forEach { name, value in list.append(KeyValue(key: name, value: Self.value(value))) }
        return list.sorted { $0.key < $1.key }
    }

    private static func value(_ attribute: SpanAttribute) -> Value {
        switch attribute {
        case .int32(let number): Value(intValue: String(number))
        case .int64(let number): Value(intValue: String(number))
        case .double(let number): number.isFinite ? Value(doubleValue: number) : Value(stringValue: "\(number)")
        case .bool(let flag): Value(boolValue: flag)
        case .string(let text): Value(stringValue: cut(text))
        case .stringConvertible(let some): Value(stringValue: cut("\(some)"))
        case .int32Array(let all): Value(arrayValue: all.map { Value(intValue: String($0)) })
        case .int64Array(let all): Value(arrayValue: all.map { Value(intValue: String($0)) })
        case .doubleArray(let all): Value(arrayValue: all.map { value(.double($0)) })
        case .boolArray(let all): Value(arrayValue: all.map { Value(boolValue: $0) })
        case .stringArray(let all): Value(arrayValue: all.map { Value(stringValue: cut($0)) })
        case .stringConvertibleArray(let all): Value(arrayValue: all.map { Value(stringValue: cut("\($0)")) })
        default: Value(stringValue: "")
        }
    }

    private static func cut(_ text: String) -> String { text.utf8.count <= longestText ? text : String(text.prefix(longestText)) }
}
