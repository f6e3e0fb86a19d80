internal import Synchronization

/// Whether the bus keeps what is published for its streams. A server whose disk is full goes on answering everything else: 2.10 refuses the message, 2.9
/// and 2.15 say nothing at all.
final class StorageState: Sendable {
    /// Frames ask this thousands of times a second.
    private let isInDoubt = Atomic(false)
    /// By the first token of the subject, which tells the stream.
    private let failures = Mutex<[String: (reason: String, at: ContinuousClock.Instant)]>([:])
    /// Whoever has something to store tries again more often than this. What was given up says nothing about now.
    private static let memory = Duration.seconds(30)

    /// One line about what is not kept, and why; nil while all is.
    var problem: String? { problem(at: .now) }

    func problem(at now: ContinuousClock.Instant) -> String? {
        guard isInDoubt.load(ordering: .relaxed) else { return nil }
        let lines = failures.withLock { failures in
            failures.filter { now - $0.value.at < Self.memory }.sorted { $0.key < $1.key }.map {
                "the bus does not keep \($0.key).*: \($0.value.reason); is nats-server's disk full?"
            }
        }
        return lines.isEmpty ? nil : lines.joined(separator: "; ")
    }

    func failed(_ subject: String, _ reason: String, at now: ContinuousClock.Instant = .now) {
        let reason = reason.split(whereSeparator: \.isNewline).joined(separator: " ")
        failures.withLock { $0[Self.area(subject)] = (reason, now) }
        isInDoubt.store(true, ordering: .relaxed)
    }

    func kept(_ subject: String) {
        guard isInDoubt.load(ordering: .relaxed) else { return }
        let isWell = failures.withLock { failures in
            failures[Self.area(subject)] = nil
            return failures.isEmpty
        }
        if isWell { isInDoubt.store(false, ordering: .relaxed) }
    }

    private static func area(_ subject: String) -> String { String(subject.prefix { $0 != "." }) }
}

extension BusConnection {
    /// Publishes a message that a stream is to keep, and returns when it does. What is not kept is said by `problem` until a message of that kind is.
    /// - Throws: `timeout`, the server's reason (`jetStream`), `noResponders` where no stream takes the subject, and what `publish` throws.
    @discardableResult
    public func store(
        _ subject: String, payload: [UInt8], headers: [(String, String)] = [], timeout: Duration = .seconds(5)
    ) async throws(BusError) -> UInt64 {
        do throws(BusError) {
            let answer = try await request(subject, payload: payload, headers: headers, timeout: timeout)
            switch PublishAck(answer) {
            case .refused(let error): throw error
            case .stored(let sequence, _):
                storage.kept(subject)
                return sequence
            }
        } catch {
            // Without a connection that is what is to be said.
            if isConnected { storage.failed(subject, error.code == .timeout ? "no acknowledgement within \(timeout)" : "\(error)") }
            throw error
        }
    }
}
