internal import Synchronization

/// A question that many ask at once and that is put once: who asks while it is under way gets the same answer.
final class SharedQuestion<Answer: Sendable>: Sendable {
    private let ask: @Sendable () async throws -> Answer
    private let current = Mutex<Task<Answer, any Error>?>(nil)

    init(_ ask: @escaping @Sendable () async throws -> Answer) {
        self.ask = ask
    }

    /// The question that is under way, or a new one.
    func put() -> Task<Answer, any Error> {
        current.withLock { current in
            if let current { return current }
            let task = Task {
                defer { self.current.withLock { $0 = nil } }
                return try await ask()
            }
            current = task
            return task
        }
    }
}
