/// Why something about the local stack cannot go on, and what the person can do about it.
public struct StackError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of trouble; stable, in snake case, so that scripts can tell them apart.
    public enum Code: String, Sendable {
        case missingProgram = "missing_program"
        case portTaken = "port_taken"
        case newerData = "newer_data"
        case wrongDatabaseVersion = "wrong_database_version"
        case noSpace = "no_space"
        case notWritable = "not_writable"
        case pathTooLong = "path_too_long"
        case badSettings = "bad_settings"
        case startFailed = "start_failed"
        case timedOut = "timed_out"
        case busy = "busy"
        case notRunning = "not_running"
        case system = "system"
    }

    public var code: Code
    /// One sentence about what is wrong.
    public var message: String
    /// What to do about it; may be several lines.
    public var fix: String?

    public init(_ code: Code, _ message: String, fix: String? = nil) {
        self.code = code
        self.message = message
        self.fix = fix
    }

    public var description: String {
        guard let fix else { return message }
        return message + "\n" + fix
    }
}
