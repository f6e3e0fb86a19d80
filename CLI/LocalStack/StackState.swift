internal import FoundationEssentials

/// What the supervisor last wrote down about the stack.
public struct StackState: Codable, Sendable, Equatable {
    public enum Phase: String, Codable, Sendable { case starting, ready, stopping }

    public var supervisor: ProcessIdentity
    public var phase: Phase
    /// UTC microseconds.
    public var startedAt: Int64
    public var servers: [ServerState]

    static func load(_ home: StackHome) -> StackState? {
        guard let bytes = Files.readBytes(home.stateFile) else { return nil }
        return try? JSONDecoder().decode(StackState.self, from: Data(bytes))
    }

    func save(_ home: StackHome) throws(StackError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes: [UInt8]
        do {
            bytes = try [UInt8](encoder.encode(self))
        } catch {
            throw StackError(.system, "Cannot encode the stack's state: \(error)")
        }
        try Files.write(bytes, to: home.stateFile)
    }
}

/// One program of the stack as the supervisor sees it.
public struct ServerState: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        /// Its turn has not come.
        case pending
        /// Runs and is not ready yet.
        case starting
        case ready
        /// Was ready, runs, and says that it is not ready now.
        case unready
        /// Died and will be started again.
        case waiting
        case stopped
    }

    public var name: String
    public var state: State
    public var process: ProcessIdentity?
    /// UTC microseconds of the last change of `state`.
    public var since: Int64
    public var restarts: Int
    /// Why it ended last, for example `signal 9 (Killed)`.
    public var lastEnd: String?
    /// UTC microseconds.
    public var lastEndAt: Int64?
    /// What it says about not being ready, or when it will be started again.
    public var detail: String?
    public var log: String
}
