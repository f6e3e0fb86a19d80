internal import CLibPQ

/// One connection to PostgreSQL, used only on its own thread inside a `withConnection` block.
public final class DatabaseConnection {
    private let handle: OpaquePointer
    private var prepared: [String: String] = [:]
    /// Depth of `transaction` blocks: inner ones are savepoints.
    private var transactionDepth = 0

    init(configuration: DatabaseConfiguration) throws {
        var keywords = ["dbname", "connect_timeout", "client_encoding", "application_name", "options"]
        var values = [
            configuration.address, String(max(2, configuration.connectTimeout.components.seconds)), "UTF8", configuration.applicationName,
            "-c statement_timeout=\(configuration.statementTimeout.inMilliseconds) -c idle_in_transaction_session_timeout=60000",
        ]
        if configuration.address.isEmpty {
            keywords.removeFirst()
            values.removeFirst()
        }
        let connected = withCStrings(keywords) { keywordPointers in
            withCStrings(values) { valuePointers in PQconnectdbParams(keywordPointers, valuePointers, 1) }
        }
        guard let connected else {
            throw DatabaseError(code: .connectionFailed, message: "libpq has no memory for a connection")
        }
        handle = connected
        guard PQstatus(handle) == CONNECTION_OK else {
            // Every property is set: deinit runs and finishes the handle.
            throw DatabaseError(code: .connectionFailed, message: String(cString: PQerrorMessage(handle)).trimmedLine)
        }
        // Notices would go to standard error.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
    }

    deinit {
        PQfinish(handle)
    }

    /// Whether the connection can be used, as far as can be told without asking the server: a server that
    /// was killed has left an end of file in the socket.
    var isUsable: Bool {
        guard PQstatus(handle) == CONNECTION_OK else { return false }
        return PQconsumeInput(handle) == 1 && PQstatus(handle) == CONNECTION_OK
    }

    /// Ends a transaction that a throwing block left open.
    func resetAfterUse() {
        transactionDepth = 0
        if PQpipelineStatus(handle) != PQ_PIPELINE_OFF {
            while let result = PQgetResult(handle) { PQclear(result) }
            _ = PQexitPipelineMode(handle)
        }
        if PQtransactionStatus(handle) == PQTRANS_INTRANS || PQtransactionStatus(handle) == PQTRANS_INERROR {
            _ = try? execute("ROLLBACK")
        }
    }

    // MARK: - Statements

    /// Runs one statement with `$1`, `$2` … as parameters and gives its rows.
    @discardableResult
    public func query(_ statement: String, _ parameters: any DatabaseEncodable...) throws -> DatabaseResult {
        try query(statement, parameters: parameters.map(\.databaseValue))
    }

    @discardableResult
    public func query(_ statement: String, parameters: [DatabaseValue]) throws -> DatabaseResult {
        let result = withParameters(parameters) { count, values, lengths, formats in
            PQexecParams(handle, statement, count, nil, values, lengths, formats, 1)
        }
        return try checked(result, statement)
    }

    /// Runs statements without parameters, several separated by semicolons allowed.
    public func execute(_ statements: String) throws {
        _ = try checked(PQexec(handle, statements), statements)
    }

    /// Runs one statement once for each of the parameter lists, in one pipeline: one round trip for all of them.
    /// All or none take effect. Gives how many rows were touched.
    @discardableResult
    public func executeMany(_ statement: String, _ rows: [[DatabaseValue]]) throws -> Int {
        guard !rows.isEmpty else { return 0 }
        let name = try preparedName(statement)
        var touched = 0
        try transaction {
            // Answers wait in memory while we send: bounded batches keep that small.
            for start in stride(from: 0, to: rows.count, by: 256) {
                touched += try pipeline(name, statement, rows[start..<min(rows.count, start + 256)])
            }
        }
        return touched
    }

    private func preparedName(_ statement: String) throws -> String {
        if let name = prepared[statement] { return name }
        let name = "s\(prepared.count)"
        _ = try checked(PQprepare(handle, name, statement, 0, nil), statement)
        prepared[statement] = name
        return name
    }

    private func pipeline(_ name: String, _ statement: String, _ rows: ArraySlice<[DatabaseValue]>) throws -> Int {
        guard PQenterPipelineMode(handle) == 1 else { throw failure(statement) }
        var sent = true
        for row in rows where sent {
            sent =
                withParameters(row) { count, values, lengths, formats in
                    PQsendQueryPrepared(handle, name, count, values, lengths, formats, 1)
                } == 1
        }
        var first: DatabaseError? = sent ? nil : failure(statement)
        guard PQpipelineSync(handle) == 1 else { throw failure(statement) }
        var touched = 0
        var isSynced = false
        while !isSynced {
            guard let result = PQgetResult(handle) else {
                if PQstatus(handle) != CONNECTION_OK { break }
                continue
            }
            switch PQresultStatus(result) {
            case PGRES_PIPELINE_SYNC: isSynced = true
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK: touched += Int(String(cString: PQcmdTuples(result))) ?? 0
            case PGRES_PIPELINE_ABORTED: break
            default: if first == nil { first = resultError(result, statement) }
            }
            PQclear(result)
        }
        if !isSynced, first == nil { first = failure(statement) }
        _ = PQexitPipelineMode(handle)
        if let first { throw first }
        return touched
    }

    // MARK: - Transactions

    /// Runs `body` in a transaction: committed when it returns, rolled back when it throws. Inside another one, a savepoint.
    public func transaction<Value>(_ body: () throws -> Value) throws -> Value {
        let depth = transactionDepth
        try execute(depth == 0 ? "BEGIN" : "SAVEPOINT s\(depth)")
        transactionDepth += 1
        do {
            let value = try body()
            transactionDepth = depth
            try execute(depth == 0 ? "COMMIT" : "RELEASE SAVEPOINT s\(depth)")
            return value
        } catch {
            transactionDepth = depth
            if PQstatus(handle) == CONNECTION_OK, PQpipelineStatus(handle) == PQ_PIPELINE_OFF {
                try execute(depth == 0 ? "ROLLBACK" : "ROLLBACK TO SAVEPOINT s\(depth)")
            }
            throw error
        }
    }

    /// Holds for the rest of the current transaction. Zero means no limit.
    public func setStatementTimeout(_ timeout: Duration) throws {
        try execute("SET LOCAL statement_timeout = \(timeout.inMilliseconds)")
    }

    // MARK: - Errors

    private func checked(_ result: OpaquePointer?, _ statement: String) throws -> DatabaseResult {
        guard let result else { throw failure(statement) }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            return DatabaseResult(handle: result, statement: statement)
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            PQclear(result)
            PQreset(handle)
            throw DatabaseError(code: .unexpectedResult, message: "COPY is not offered; use executeMany", statement: statement)
        default:
            defer { PQclear(result) }
            throw resultError(result, statement)
        }
    }

    private func resultError(_ result: OpaquePointer, _ statement: String) -> DatabaseError {
        // 'C' is PG_DIAG_SQLSTATE, a macro that Swift does not see.
        guard let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))) else { return failure(statement) }
        let message = String(cString: PQresultErrorMessage(result)).trimmedLine
        return DatabaseError(code: .init(rawValue: String(cString: state)), message: message, statement: statement)
    }

    private func failure(_ statement: String) -> DatabaseError {
        let message = String(cString: PQerrorMessage(handle)).trimmedLine
        let isLost = PQstatus(handle) != CONNECTION_OK
        return DatabaseError(code: isLost ? .connectionFailed : .unexpectedResult, message: message, statement: statement)
    }
}

extension Duration {
    var inMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}

extension String {
    fileprivate var trimmedLine: String {
        var text = Substring(self)
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}

/// Calls `body` with a NULL-terminated array of C strings.
private func withCStrings<Value>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value) -> Value {
    var storage: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(storage.count)
        storage.append(contentsOf: string.utf8CString)
    }
    return storage.withUnsafeBufferPointer { buffer in
        var pointers: [UnsafePointer<CChar>?] = offsets.map { offset in buffer.baseAddress.map { $0 + offset } }
        pointers.append(nil)
        return pointers.withUnsafeBufferPointer { pointerBuffer in
            guard let base = pointerBuffer.baseAddress else { preconditionFailure("the array has at least its terminator") }
            return body(base)
        }
    }
}

/// Calls `body` with the parameters as libpq wants them, all in one buffer.
private func withParameters<Value>(
    _ parameters: [DatabaseValue],
    _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Value
) -> Value {
    let wires = parameters.map(\.wire)
    var storage: [UInt8] = []
    storage.reserveCapacity(wires.reduce(1) { $0 + ($1?.bytes.count ?? 0) + 1 })
    var offsets: [Int?] = []
    var lengths: [Int32] = []
    var formats: [Int32] = []
    for wire in wires {
        guard let wire else {
            offsets.append(nil)
            lengths.append(0)
            formats.append(0)
            continue
        }
        precondition(wire.bytes.count < 1 << 30, "PostgreSQL takes values of less than 1 GB")
        offsets.append(storage.count)
        lengths.append(Int32(wire.bytes.count))
        formats.append(wire.isBinary ? 1 : 0)
        storage.append(contentsOf: wire.bytes)
        // Values in text format end with a NUL.
        storage.append(0)
    }
    storage.append(0)
    return storage.withUnsafeBytes { buffer in
        let pointers: [UnsafePointer<CChar>?] = offsets.map { offset in
            guard let offset, let base = buffer.baseAddress else { return nil }
            return base.advanced(by: offset).assumingMemoryBound(to: CChar.self)
        }
        return pointers.withUnsafeBufferPointer { pointerBuffer in
            lengths.withUnsafeBufferPointer { lengthBuffer in
                formats.withUnsafeBufferPointer { formatBuffer in
                    body(Int32(parameters.count), pointerBuffer.baseAddress, lengthBuffer.baseAddress, formatBuffer.baseAddress)
                }
            }
        }
    }
}
