import Bus
import Contract
import Database
import Logging
import PostgresPrograms
import TestSupport
import Testing

private let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

private func pool(connections: Int = 2, timeout: Duration = .seconds(10)) async throws -> DatabasePool {
    let url = try await TestPostgres.database()
    return DatabasePool(DatabaseConfiguration(address: url, connections: connections, statementTimeout: timeout), logger: quiet)
}

private struct Stop: Error {}

@Suite("The database pool")
struct DatabaseTests {
    @Test("Values of every kind come back as they were sent")
    func roundTrip() async throws {
        let pool = try await pool()
        defer { pool.close() }
        let bytes = (0...255).map { UInt8($0) }
        try await pool.withConnection { connection in
            let row = try connection.query(
                "SELECT $1::bigint AS a, $2::text AS b, $3::bytea AS c, $4::boolean AS d, $5::float8 AS e, $6::timestamptz AS f, $7::text AS g, $8::bytea[] AS h, $9::text[] AS i, $10::bigint[] AS j, $11::jsonb AS k, $12::int AS l",
                Int64.min, "naïve \u{1F980} \"\\", bytes, true, 0.1, DatabaseValue.microseconds(1_777_876_937_000_001), DatabaseValue.null,
                [[], [0, 255], bytes], ["a\"b", "c\\d", "", "NULL", "x,y"], [Int64.max, -1], "{\"x\": 1}", Int32(-7))[0]
            #expect(try row.decode("a", as: Int64.self) == .min)
            #expect(try row.decode("b", as: String.self) == "naïve \u{1F980} \"\\")
            #expect(try row.decode("c", as: [UInt8].self) == bytes)
            #expect(try row.decode("d", as: Bool.self))
            #expect(try row.decode("e", as: Double.self) == 0.1)
            #expect(try row.decode("f", as: Int64.self) == 1_777_876_937_000_001)
            #expect(try row.decode("g", as: String?.self) == nil)
            #expect(try row.decode("h", as: [[UInt8]].self) == [[], [0, 255], bytes])
            #expect(try row.decode("i", as: [String].self) == ["a\"b", "c\\d", "", "NULL", "x,y"])
            #expect(try row.decode("j", as: [Int64].self) == [.max, -1])
            #expect(try row.decode("k", as: String.self) == "{\"x\": 1}")
            #expect(try row.decode("l", as: Int32.self) == -7)
            #expect(throws: DatabaseError.self) { try row.decode("g", as: String.self) }
            #expect(throws: DatabaseError.self) { try row.decode("a", as: Bool.self) }
            #expect(throws: DatabaseError.self) { try row.decode("absent", as: Int.self) }
        }
    }

    @Test(
        "A timestamp before 1970 and one in a leap year come back to the microsecond", arguments: [-1, -86_400_000_001, 951_782_400_123_456, 0, 4_102_444_800_000_000] as [Int64])
    func timestamps(value: Int64) async throws {
        let pool = try await pool()
        defer { pool.close() }
        let back = try await pool.withConnection { try $0.query("SELECT $1::timestamptz", DatabaseValue.microseconds(value))[0].decode(0, as: Int64.self) }
        #expect(back == value)
    }

    @Test("Errors carry PostgreSQL's code and the statement")
    func errors() async throws {
        let pool = try await pool()
        defer { pool.close() }
        let error = await #expect(throws: DatabaseError.self) {
            try await pool.withConnection { connection in
                try connection.execute("CREATE TABLE t (a int PRIMARY KEY)")
                try connection.query("INSERT INTO t VALUES (1)")
                try connection.query("INSERT INTO t VALUES (1)")
            }
        }
        #expect(error?.code == .uniqueViolation)
        #expect(error?.statement == "INSERT INTO t VALUES (1)")
        #expect(error?.isConnectionLoss == false)
        let nul = await #expect(throws: DatabaseError.self) { try await pool.withConnection { _ = try $0.query("SELECT $1::text", "a\0b") } }
        #expect(nul?.errorBody.code == .badRequest)
        #expect(error?.errorBody.code == .internal)
    }

    @Test("A transaction that throws leaves nothing, an inner one only takes back its own")
    func transactions() async throws {
        let pool = try await pool()
        defer { pool.close() }
        try await pool.withConnection { connection in
            try connection.execute("CREATE TABLE t (a int)")
            func failingInsert(_ value: Int) throws -> Bool {
                do {
                    try connection.transaction {
                        try connection.query("INSERT INTO t VALUES ($1)", value)
                        throw Stop()
                    }
                    return false
                } catch is Stop {
                    return true
                }
            }
            #expect(try failingInsert(1))
            try connection.transaction {
                try connection.query("INSERT INTO t VALUES (2)")
                #expect(try failingInsert(3))
            }
            #expect(try connection.query("SELECT a FROM t").map { try $0.decode(0, as: Int.self) } == [2])
        }
    }

    @Test("Ten thousand rows go in one pipeline; a bad one among them leaves none")
    func pipeline() async throws {
        let pool = try await pool()
        defer { pool.close() }
        try await pool.withConnection { connection in
            try connection.execute("CREATE TABLE t (a bigint PRIMARY KEY, b bytea NOT NULL)")
            let rows = (0..<10_000).map { [DatabaseValue.integer(Int64($0)), .bytes([UInt8](repeating: UInt8($0 & 255), count: 100))] }
            #expect(try connection.executeMany("INSERT INTO t VALUES ($1, $2)", rows) == 10_000)
            #expect(try connection.query("SELECT count(*) FROM t")[0].decode(0, as: Int.self) == 10_000)
            let bad = #expect(throws: DatabaseError.self) {
                try connection.executeMany("INSERT INTO t VALUES ($1, $2)", [[.integer(20_000), .bytes([1])], [.integer(5), .bytes([1])]])
            }
            #expect(bad?.code == .uniqueViolation)
            #expect(try connection.query("SELECT count(*) FROM t")[0].decode(0, as: Int.self) == 10_000)
        }
    }

    @Test("A statement that runs too long is stopped, and the connection goes on")
    func timeout() async throws {
        let pool = try await pool(connections: 1, timeout: .milliseconds(200))
        defer { pool.close() }
        let error = await #expect(throws: DatabaseError.self) { try await pool.withConnection { _ = try $0.query("SELECT pg_sleep(30)") } }
        #expect(error?.code == .queryCanceled)
        #expect(try await pool.withConnection { try $0.query("SELECT 1")[0].decode(0, as: Int.self) } == 1)
    }

    @Test("More blocks than connections wait their turn, and all are served")
    func contention() async throws {
        let pool = try await pool(connections: 2)
        defer { pool.close() }
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 1...50 {
                group.addTask { try await pool.withConnection { try $0.query("SELECT $1::int", number)[0].decode(0, as: Int.self) } }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 1275)
    }

    @Test("Blocks that wait for a connection fail when their task is cancelled or the pool closes")
    func cancellation() async throws {
        let pool = try await pool(connections: 1)
        let blocker = Task { try await pool.withConnection { _ = try $0.query("SELECT pg_sleep(0.3)") } }
        let waiter = Task { try await pool.withConnection { _ = try $0.query("SELECT 1") } }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
        try await blocker.value
        pool.close()
        let error = await #expect(throws: DatabaseError.self) { try await pool.withConnection { _ = try $0.query("SELECT 1") } }
        #expect(error?.code == .closed)
    }

    @Test("The pool works again after PostgreSQL was killed and started anew")
    func serverKilled() async throws {
        let server = try await TestPostgres.start()
        let url = try await server.makeDatabase()
        let pool = DatabasePool(DatabaseConfiguration(address: url, connections: 2), logger: quiet)
        defer { pool.close() }
        try await pool.withConnection { try $0.execute("CREATE TABLE t (a int)") }
        try await server.kill9()
        let error = await #expect(throws: DatabaseError.self) { try await pool.withConnection { _ = try $0.query("SELECT 1") } }
        #expect(error?.isConnectionLoss == true)
        #expect(error.map { ErrorBody(describing: $0) } == ErrorBody(.unavailable, "the database is away; try again in a moment"))
        try await server.restart()
        try await pool.waitUntilReachable(timeout: .seconds(60))
        #expect(try await pool.withConnection { try $0.query("SELECT count(*) FROM t")[0].decode(0, as: Int.self) } == 0)
    }

    @Test("Migrations run once, also when several processes start together, and a newer database is refused")
    func migrations() async throws {
        let pool = try await pool(connections: 4)
        defer { pool.close() }
        let steps = [
            Migration("first", "CREATE TABLE things (a int); INSERT INTO things VALUES (1);"),
            Migration("second", "INSERT INTO things VALUES (2);"),
        ]
        try await pool.migrate(schema: "sample", [steps[0]])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try await pool.migrate(schema: "sample", steps) } }
            try await group.waitForAll()
        }
        #expect(try await pool.withConnection { try $0.query("SELECT sum(a) FROM sample.things")[0].decode(0, as: Int.self) } == 3)
        let error = await #expect(throws: DatabaseError.self) { try await pool.migrate(schema: "sample", [steps[0]]) }
        #expect(error?.code == .newerSchema)
        #expect(error?.message.contains("version 2") == true)
    }

    @Test("A server that is not there is a clear error, not a wait")
    func unreachable() async throws {
        let pool = DatabasePool(DatabaseConfiguration(address: "postgresql:///x?host=/nonexistent", connections: 1), logger: quiet)
        defer { pool.close() }
        for _ in 0..<3 {
            let error = await #expect(throws: DatabaseError.self) { try await pool.withConnection { _ in } }
            #expect(error?.code == .connectionFailed)
        }
    }

    @Test("SWITCHBACK_POSTGRES that holds no PostgreSQL is named in the error")
    func programs() throws {
        let error = #expect(throws: PostgresPrograms.NotFound.self) { try PostgresPrograms.find(environment: ["SWITCHBACK_POSTGRES": "/nonexistent"]) }
        #expect(error?.description.contains("/nonexistent") == true)
    }
}
