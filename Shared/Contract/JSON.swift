internal import FoundationEssentials

/// The project's one JSON dialect: snake_case keys, times as RFC 3339, keys sorted so that equal values give equal bytes.
public enum JSON {
    /// The bytes of `value`.
    public static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(value))
    }

    /// The text of `value`, on one line, or indented for people.
    public static func text(_ value: some Encodable, indented: Bool = false) throws -> String {
        guard indented else { return String(decoding: try encode(value), as: UTF8.self) }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Takes a value from bytes; the error is an ``ErrorBody`` with code `bad_request` that names the field.
    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: some Sequence<UInt8>) throws(ErrorBody) -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw ErrorBody(.badRequest, Self.describe(error))
        } catch {
            throw ErrorBody(.badRequest, "\(error)")
        }
    }

    /// What JSON calls a type.
    private static func words(_ type: any Any.Type) -> String {
        switch "\(type)" {
        case "String": "a text"
        case "Bool": "true or false"
        case "Double": "a number"
        case let name where name.contains("Int"): "a whole number"
        case let name where name.hasPrefix("Array"): "a list"
        case let name where name.hasPrefix("Dictionary"): "an object"
        case let name: "a \(name)"
        }
    }

    private static func describe(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
            let keys = context.codingPath + (key.map { [$0] } ?? [])
            return keys.isEmpty ? "the body" : "field " + keys.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(path(context, key)) is missing"
        case .typeMismatch(let type, let context): return "\(path(context)) is not \(words(type))"
        case .valueNotFound(let type, let context): return "\(path(context)) is null where \(words(type)) is needed"
        case .dataCorrupted(let context):
            if let value = context.debugDescription.split(separator: " from invalid String value ").dropFirst().first {
                return "\(path(context)): \"\(value)\" is none of the values that it takes"
            }
            return context.codingPath.isEmpty ? "not valid JSON: \(context.debugDescription)" : "\(path(context)): \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }
}
