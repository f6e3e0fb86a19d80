internal import Dispatch
public import Logging
internal import Synchronization
internal import Traces
internal import Tracing

/// Where a database is and how to use it.
public struct DatabaseConfiguration: Sendable {
    /// A connection URL (`postgresql://user:password@host/name`, `postgresql:///name?host=/socket/folder`)
    /// or libpq's `key=value` words.
    public var address: String
    /// The most connections held open, each with a thread of its own.
    public var connections: Int
    public var statementTimeout: Duration
    public var connectTimeout: Duration
    public var applicationName: String

    public init(
        address: String, connections: Int = 4, statementTimeout: Duration = .seconds(30), connectTimeout: Duration = .seconds(5),
        applicationName: String = "switchback"
    ) {
        self.address = address
        self.connections = connections
        self.statementTimeout = statementTimeout
        self.connectTimeout = connectTimeout
        self.applicationName = applicationName
    }
}

/// Connections to one database, each on its own thread, so that no cooperative thread ever waits for PostgreSQL.
///
/// The unit of work is one `withConnection` block: it runs on the connection's thread, synchronously, with as many
/// statements as it needs. A connection that was lost is made anew at the next block; while the server is away, blocks
/// fail at once with `connection_failed` and only one attempt per back-off (50 ms doubling to 2 s) touches the network.
public final class DatabasePool: Sendable {
    private struct State {
        var idle: [Lane] = []
        var made = 0
        var waiting: [(id: UInt64, continuation: CheckedContinuation<Lane, any Error>)] = []
        var nextWaiter: UInt64 = 0
        var isClosed = false
        var failures = 0
        var retryAt: ContinuousClock.Instant?
        var lastFailure: DatabaseError?
    }

    private let configuration: DatabaseConfiguration
    private let logger: Logger
    private let state = Mutex(State())

    public init(_ configuration: DatabaseConfiguration, logger: Logger) {
        precondition(configuration.connections > 0, "a pool needs at least one connection")
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs `body` with a connection, on that connection's thread. Throws what `body` throws, or `DatabaseError`.
    /// A transaction that `body` left open is rolled back.
    ///
    /// Of a sampled request it makes a span, named after the function that wants it.
    public func withConnection<Value: Sendable>(
        function: String = #function, file: String = #fileID, _ body: @escaping @Sendable (DatabaseConnection) throws -> Value
    ) async throws -> Value {
        guard TraceContext.current?.isSampled == true else { return try await work(nil, body) }
        let name = DatabaseSpans.name(function: function, file: file)
        return try await withSpan(name, ofKind: .client) { span in
            span.attributes = ["db.system.name": "postgresql", "db.query.summary": .string(name), "code.function.name": .string(name)]
            do {
                return try await work(span, body)
            } catch let error as DatabaseError {
                span.updateAttributes { DatabaseSpans.tell(error, &$0) }
                throw error
            }
        }
    }

    private func work<Value: Sendable>(
        _ span: (any Span)?, _ body: @escaping @Sendable (DatabaseConnection) throws -> Value
    ) async throws -> Value {
        let lane = try await borrow()
        // What came before was waiting for others.
        span?.addEvent("connection")
        return try await withCheckedThrowingContinuation { continuation in
            lane.queue.async {
                let outcome = Result { try body(try self.connection(of: lane)) }
                lane.finishUse()
                self.giveBack(lane)
                continuation.resume(with: outcome)
            }
        }
    }

    /// As `withConnection`, for a block that only reads: when the connection is lost, or the server has just come back and is
    /// not quite there, it is run again, for up to `patience`.
    public func withReader<Value: Sendable>(
        patience: Duration = .seconds(1), function: String = #function, file: String = #fileID,
        _ body: @escaping @Sendable (DatabaseConnection) throws -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + patience
        while true {
            do {
                return try await withConnection(function: function, file: file, body)
            } catch let error as DatabaseError where error.isConnectionLoss && ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(25))
            }
        }
    }

    /// Runs `body` in one transaction, committed when it returns.
    public func withTransaction<Value: Sendable>(
        function: String = #function, file: String = #fileID, _ body: @escaping @Sendable (DatabaseConnection) throws -> Value
    ) async throws -> Value {
        try await withConnection(function: function, file: file) { connection in try connection.transaction { try body(connection) } }
    }

    /// Why the database does not answer now; nil when it does. For a service's readiness.
    public func problem() async -> String? {
        do {
            try await withConnection { _ = try $0.query("SELECT 1") }
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Waits until the database answers, at most `timeout`; throws the last reason when it does not.
    public func waitUntilReachable(timeout: Duration) async throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            do {
                return try await withConnection { _ = try $0.query("SELECT 1") }
            } catch let error as DatabaseError where error.isConnectionLoss {
                guard ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    /// Closes every connection; blocks under way finish, later ones fail with `closed`.
    public func close() {
        let (idle, waiting) = state.withLock { state in
            state.isClosed = true
            defer {
                state.idle = []
                state.waiting = []
            }
            return (state.idle, state.waiting)
        }
        for lane in idle { lane.queue.async { lane.disconnect() } }
        for waiter in waiting { waiter.continuation.resume(throwing: Self.closed) }
    }

    private static let closed = DatabaseError(code: .closed, message: "the database pool was closed")

    // MARK: - Lanes

    /// A thread's queue and its connection.
    // Unchecked: `connection` is touched only on `queue`, which is serial.
    private final class Lane: @unchecked Sendable {
        // A serial queue of its own is backed by a thread of its own while it has work.
        let queue = DispatchQueue(label: "database")
        private var connection: DatabaseConnection?

        func usable() -> DatabaseConnection? {
            if let connection, connection.isUsable { return connection }
            connection = nil
            return nil
        }

        func adopt(_ connection: DatabaseConnection) {
            self.connection = connection
        }

        func finishUse() {
            connection?.resetAfterUse()
            if let connection, !connection.isUsable { self.connection = nil }
        }

        func disconnect() {
            connection = nil
        }
    }

    private func connection(of lane: Lane) throws -> DatabaseConnection {
        if let connection = lane.usable() { return connection }
        let now = ContinuousClock.now
        try state.withLock { state in
            guard let retryAt = state.retryAt else { return }
            if now < retryAt { throw state.lastFailure ?? Self.closed }
            // This attempt is the one of the back-off; others go on failing at once until it is decided.
            state.retryAt = now + .seconds(2)
        }
        do {
            let connection = try DatabaseConnection(configuration: configuration)
            let failures = state.withLock { state in
                defer {
                    state.failures = 0
                    state.retryAt = nil
                }
                return state.failures
            }
            if failures > 0 { logger.info("database is back", metadata: ["attempts": "\(failures + 1)"]) }
            lane.adopt(connection)
            return connection
        } catch let error as DatabaseError {
            let failures = state.withLock { state in
                state.failures += 1
                state.lastFailure = error
                state.retryAt = ContinuousClock.now + min(.seconds(2), .milliseconds(50) * (1 << min(state.failures - 1, 6)))
                return state.failures
            }
            if failures == 1 { logger.warning("database is away", metadata: ["reason": "\(error.message)"]) }
            throw error
        }
    }

    private func borrow() async throws -> Lane {
        try Task.checkCancellation()
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Lane, any Error>) in
                let answer: Result<Lane, any Error>? = state.withLock { state in
                    if state.isClosed { return .failure(Self.closed) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if let lane = state.idle.popLast() { return .success(lane) }
                    if state.made < configuration.connections {
                        state.made += 1
                        return .success(Lane())
                    }
                    state.waiting.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0) }
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }
    }

    private func giveBack(_ lane: Lane) {
        let (next, isClosed) = state.withLock { state -> (CheckedContinuation<Lane, any Error>?, Bool) in
            if !state.waiting.isEmpty { return (state.waiting.removeFirst().continuation, false) }
            if !state.isClosed { state.idle.append(lane) }
            return (nil, state.isClosed)
        }
        if let next {
            next.resume(returning: lane)
        } else if isClosed {
            lane.disconnect()
        }
    }
}
