internal import Contract
public import Database
internal import Metrics

/// How much stands open, for `/metrics`.
public struct OpenCounts: Sendable {
    private let pool: DatabasePool

    public init(pool: DatabasePool) { self.pool = pool }

    /// Counts every ten seconds, until the task is cancelled. While the database is away the last numbers stand.
    public func run() async {
        repeat { try? await count() } while (try? await Task.sleep(for: .seconds(10))) != nil
    }

    /// Counts what needs a person, by kind, and open waits.
    public func count() async throws {
        let counts = try await pool.withConnection { connection in
            try connection.query(
                """
                SELECT kind, coalesce(state->>'kind', '') AS what, count(*) AS open FROM bindings.records
                WHERE is_open AND kind IN ('attention', 'wait') GROUP BY 1, 2
                """
            ).map { row in (kind: try row.decode("kind", as: String.self), what: try row.decode("what", as: String.self), open: try row.decode("open", as: Int64.self)) }
        }
        for kind in Attention.Kind.allCases {
            let open = counts.first { $0.kind == "attention" && $0.what == kind.rawValue }?.open ?? 0
            Gauge(label: "bindings.attention_open", dimensions: [("kind", kind.rawValue)]).record(Double(open))
        }
        Gauge(label: "bindings.waits_open").record(Double(counts.filter { $0.kind == "wait" }.reduce(0) { $0 + $1.open }))
    }
}
