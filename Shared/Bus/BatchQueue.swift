internal import Synchronization

/// Gathers what comes and hands it over in batches, one batch at a time and in order. A batch that cannot be kept now is tried again, with a
/// pause that grows to five seconds; what comes meanwhile gathers for the next.
public final class BatchQueue<Batch: Sendable>: Sendable {
    private struct Fields {
        var gathered: Batch
        var isEmpty = true
        var isWorking = false
        var isStopped = false
    }

    private let empty: Batch
    private let fields: Mutex<Fields>

    /// - Parameter empty: a batch with nothing in it.
    public init(_ empty: Batch) {
        self.empty = empty
        fields = Mutex(Fields(gathered: empty))
    }

    /// Adds to what gathers. Returns at once; `keep` is called by a task, unless one is at work already, which then has this as well.
    /// - Parameter failed: is told why a batch waits.
    public func take(
        _ put: (inout Batch) -> Void, keep: @escaping @Sendable (Batch) async throws -> Void, failed: @escaping @Sendable (any Error) -> Void
    ) {
        let begins = fields.withLock { fields in
            put(&fields.gathered)
            fields.isEmpty = false
            guard !fields.isWorking, !fields.isStopped else { return false }
            fields.isWorking = true
            return true
        }
        if begins { Task { await work(keep, failed) } }
    }

    /// Begins nothing more and waits for the batch in work, at most a second and a half; what was not kept is its sender's to deliver again.
    public func close() async {
        fields.withLock { $0.isStopped = true }
        for _ in 0..<150 where fields.withLock({ $0.isWorking }) { try? await Task.sleep(for: .milliseconds(10)) }
    }

    private func work(_ keep: @Sendable (Batch) async throws -> Void, _ failed: @Sendable (any Error) -> Void) async {
        while let batch = next() {
            var pause = Duration.milliseconds(100)
            while true {
                do {
                    try await keep(batch)
                    break
                } catch {
                    if endIfStopped() { return }
                    failed(error)
                    try? await Task.sleep(for: pause)
                    pause = min(pause * 2, .seconds(5))
                }
            }
        }
    }

    private func next() -> Batch? {
        fields.withLock { fields in
            guard !fields.isStopped, !fields.isEmpty else {
                fields.isWorking = false
                return nil
            }
            defer {
                fields.gathered = empty
                fields.isEmpty = true
            }
            return fields.gathered
        }
    }

    private func endIfStopped() -> Bool {
        fields.withLock { fields in
            if fields.isStopped { fields.isWorking = false }
            return fields.isStopped
        }
    }
}
