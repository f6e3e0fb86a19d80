/// What goes wrong, as every request subject and every route answers it: `{"error":{"code":"…","message":"…"}}`.
public struct ErrorBody: Error, Sendable, Equatable, Codable, CustomStringConvertible {
    /// A snake_case word that programs may match on. New ones may come.
    public struct Code: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
        public var rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        public var description: String { rawValue }

        public static let badRequest = Code(rawValue: "bad_request")
        public static let unauthenticated = Code(rawValue: "unauthenticated")
        public static let denied = Code(rawValue: "denied")
        public static let notFound = Code(rawValue: "not_found")
        public static let conflict = Code(rawValue: "conflict")
        public static let tooLarge = Code(rawValue: "too_large")
        public static let gone = Code(rawValue: "gone")
        public static let unavailable = Code(rawValue: "unavailable")
        public static let tooManyRequests = Code(rawValue: "too_many_requests")
        public static let timedOut = Code(rawValue: "timed_out")
        public static let `internal` = Code(rawValue: "internal")
    }

    public var code: Code
    /// A sentence for a person: what happened and what can be done.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code): \(message)" }
}

/// An error that knows what it means to somebody who asked.
public protocol ErrorBodyConvertible: Error, Sendable, CustomStringConvertible {
    var errorBody: ErrorBody { get }
}

/// The envelope of an ``ErrorBody``.
public struct ErrorReply: Codable, Sendable {
    public var error: ErrorBody
    public init(error: ErrorBody) { self.error = error }
}

/// A reply is either what was asked for or an ``ErrorBody``.
public enum Reply {
    /// The bytes of a good answer.
    public static func encode(_ value: some Encodable) -> [UInt8] {
        do {
            return try JSON.encode(value)
        } catch {
            return self.error(ErrorBody(.internal, "the answer could not be encoded: \(error)"))
        }
    }

    /// The bytes of a bad one.
    public static func error(_ error: ErrorBody) -> [UInt8] {
        // An ErrorBody is two strings: it always encodes.
        (try? JSON.encode(ErrorReply(error: error))) ?? Array(#"{"error":{"code":"internal","message":"unencodable"}}"#.utf8)
    }

    /// The error in a reply, if it is one.
    public static func error(in bytes: [UInt8]) -> ErrorBody? {
        guard bytes.starts(with: Array(#"{"error":"#.utf8)) else { return nil }
        return try? JSON.decode(ErrorReply.self, from: bytes).error
    }

    /// Takes the answer, or throws the error that stands in its place.
    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws(ErrorBody) -> Value {
        if let error = error(in: bytes) { throw error }
        return try JSON.decode(type, from: bytes)
    }
}

/// The answer of a request that has nothing to say.
public struct Done: Codable, Sendable, Equatable {
    public init() {}
}
