/// One program of the stack: how to start it, how to know that it is ready, how to stop it.
struct ServerSpec: Sendable {
    enum Readiness: Sendable, Equatable {
        /// `GET /readyz` answers 200.
        case http(port: Int)
        /// The server greets.
        case nats(port: Int)
        case postgres(dataDirectory: String)
    }

    var name: String
    var program: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var directory: String
    var log: String
    var readiness: Readiness
    /// A folder on the disk that this program needs room on, and does not get over without; nil for those that do.
    var disk: String? = nil
    var stopSignal: Int32
    /// Seconds from the stop signal to SIGKILL.
    var patience: Double
    /// Started when all of the stage before are ready.
    var startStage: Int
    /// Stopped when all of the stage before are gone.
    var stopStage: Int
    /// Soft limit of open files; nil keeps ours (so that agents see what the person has).
    var openFiles: UInt?
    /// A text one of the program's arguments must hold before a leftover is taken for this one.
    var mark: String?
}
