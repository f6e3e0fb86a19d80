public import Contract

/// Why a database call failed.
public struct DatabaseError: ErrorBodyConvertible, Sendable, CustomStringConvertible {
    /// A SQLSTATE of PostgreSQL, or one of this client's own words.
    public struct Code: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        public init(stringLiteral value: String) { self.rawValue = value }

        /// No connection could be made, or it was lost while in use. Trying again later can help.
        public static let connectionFailed: Code = "connection_failed"
        /// The database was written by a newer program.
        public static let newerSchema: Code = "newer_schema"
        /// A result does not have the shape the caller asked for.
        public static let unexpectedResult: Code = "unexpected_result"
        /// The pool was closed.
        public static let closed: Code = "closed"
        /// SQLSTATE 23505.
        public static let uniqueViolation: Code = "23505"
        /// SQLSTATE 57014: the statement ran longer than its timeout.
        public static let queryCanceled: Code = "57014"
        /// SQLSTATE 40001.
        public static let serializationFailure: Code = "40001"
        /// SQLSTATE 40P01.
        public static let deadlockDetected: Code = "40P01"
        /// SQLSTATE 22021: text that the database cannot hold; of what arrives here that is a NUL character.
        public static let characterNotInRepertoire: Code = "22021"
    }

    public var code: Code
    public var message: String
    /// The statement that failed, where one did.
    public var statement: String?

    public init(code: Code, message: String, statement: String? = nil) {
        self.code = code
        self.message = message
        self.statement = statement
    }

    /// Whether the database is away rather than the request wrong: the same call can succeed later.
    public var isConnectionLoss: Bool {
        code == .connectionFailed || code.rawValue.hasPrefix("08")
            || ["57P01", "57P02", "57P03", "53300"].contains(code.rawValue)
    }

    public var description: String {
        statement.map { "\(code.rawValue): \(message) [\($0)]" } ?? "\(code.rawValue): \(message)"
    }

    public var errorBody: ErrorBody {
        if isConnectionLoss { return ErrorBody(.unavailable, "the database is away; try again in a moment") }
        return switch code {
        case .closed: ErrorBody(.unavailable, "the service is stopping; try again in a moment")
        case .queryCanceled: ErrorBody(.timedOut, "the database took too long")
        case .serializationFailure, .deadlockDetected: ErrorBody(.unavailable, "others changed the same; try again")
        case .characterNotInRepertoire: ErrorBody(.badRequest, "a text holds a NUL character, which cannot be kept")
        default: ErrorBody(.internal, "\(self)")
        }
    }
}
