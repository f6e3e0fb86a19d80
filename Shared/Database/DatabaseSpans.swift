internal import Tracing

/// Names and attributes of units of work, by OpenTelemetry's conventions for databases (https://opentelemetry.io/docs/specs/semconv/db/).
///
/// No statement and no message of an error is told: both can hold what people wrote.
enum DatabaseSpans {
    /// `RegistryServer/RegistryStore+Reading.swift` and `list(_:after:limit:)` → `RegistryStore.list`
    static func name(function: String, file: String) -> String {
        let file = file.split(separator: "/").last.map { $0.prefix { $0 != "." && $0 != "+" } } ?? ""
        return "\(file).\(function.prefix { $0 != "(" })"
    }

    static func tell(_ error: DatabaseError, _ attributes: inout SpanAttributes) {
        let code = error.code.rawValue
        attributes.set("error.type", value: .string(code))
        // Five digits and capitals are PostgreSQL's own.
        if code.utf8.count == 5, code.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) }) {
            attributes.set("db.response.status_code", value: .string(code))
        }
    }
}
