public import Bus
internal import Contract
public import Database
public import Logging
internal import Metrics

/// Sends the events that a service wrote beside what they tell of, in their order, until the stream has them.
///
/// They stand in the table `outbox` (`id`, `subject`, `message_id`, `payload`) of the service's schema, written in the transaction of the
/// change: none is lost, and none tells what did not happen. Two instances that send at once send some twice, under the same id.
public actor EventSender {
    private struct Letter {
        var id: Int64
        var subject: String
        var messageID: String
        var payload: [UInt8]
    }

    /// Most that are read at once.
    private static let batch = 200

    private let pool: DatabasePool
    private let schema: String
    private let bus: BusConnection
    private let logger: Logger
    private var task: Task<Void, Never>?
    private var isWanted = false
    private var isStopped = false

    public init(pool: DatabasePool, schema: String, bus: BusConnection, logger: Logger) {
        precondition(schema.utf8.allSatisfy { (0x61...0x7a).contains($0) }, "a schema's name is lower-case letters")
        self.pool = pool
        self.schema = schema
        self.bus = bus
        self.logger = logger
    }

    /// Something was written. Returns at once.
    public func wake() {
        isWanted = true
        guard task == nil, !isStopped else { return }
        // What is sent belongs to other requests than the one that wakes us.
        task = Task.detached { await self.work() }
    }

    public func stop() async {
        isStopped = true
        await task?.value
    }

    private func work() async {
        var pause = Duration.milliseconds(100)
        while isWanted {
            isWanted = false
            do {
                while true {
                    let letters = try await unsent()
                    if letters.isEmpty { break }
                    try await send(letters)
                }
                pause = .milliseconds(100)
            } catch {
                if isStopped { break }
                logger.warning("events wait", metadata: ["reason": "\(error)"])
                isWanted = true
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
            if isStopped { break }
        }
        task = nil
    }

    private func send(_ letters: [Letter]) async throws {
        for letter in letters {
            try await bus.store(letter.subject, payload: letter.payload, headers: [(Headers.messageID, letter.messageID)])
            let words = letter.subject.split(separator: ".")
            if words.count == 4 { Counter(label: "events", dimensions: [("area", String(words[1])), ("what", String(words[3]))]).increment() }
            let schema = self.schema
            try await pool.withConnection { connection in
                _ = try connection.query("DELETE FROM \(schema).outbox WHERE id = $1", letter.id)
            }
        }
    }

    /// The oldest that were not sent yet.
    private func unsent() async throws -> [Letter] {
        let schema = self.schema
        return try await pool.withConnection { connection in
            try connection.query("SELECT id, subject, message_id, payload FROM \(schema).outbox ORDER BY id LIMIT $1", Self.batch).map { row in
                Letter(
                    id: try row.decode("id"), subject: try row.decode("subject"), messageID: try row.decode("message_id"),
                    payload: try row.decode("payload"))
            }
        }
    }
}
