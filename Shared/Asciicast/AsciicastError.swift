/// Why a recording could not be read.
public struct AsciicastError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// There is nothing in the file.
        case empty
        /// The file ends inside its header or inside an event.
        case truncated
        /// Bytes that are not UTF-8, which the format is.
        case notUTF8 = "not_utf8"
        /// Not JSON, or JSON of another shape than the format's.
        case malformed
        /// A version other than 1, 2 and 3.
        case unsupportedVersion = "unsupported_version"
        /// A terminal without columns or rows, or larger than is allowed.
        case badSize = "bad_size"
        /// An event that is earlier than the one before it.
        case timeBackwards = "time_backwards"
        /// A line (an event, a header) longer than is allowed.
        case tooLarge = "too_large"
    }

    public var code: Code
    /// Counted from 1.
    public var line: Int
    public var message: String

    public init(code: Code, line: Int, message: String) {
        self.code = code
        self.line = line
        self.message = message
    }

    public var description: String { "line \(line): \(message)" }
}
