internal import Synchronization

/// Spans that wait to be exported, a bounded number of them. Whoever adds one never waits.
public final class SpanQueue: Sendable {
    private struct State {
        var spans: [FinishedSpan] = []
        var dropped = 0
        var isFinished = false
    }

    /// One element when spans came after there were none, one when half of the room is taken; ends after ``finish()``.
    public let wishes: AsyncStream<Void>
    private let wanted: AsyncStream<Void>.Continuation
    private let capacity: Int
    private let onDrop: @Sendable () -> Void
    private let state = Mutex(State())

    /// - Parameter onDrop: called for each span for which there was no room.
    public init(capacity: Int = 4096, onDrop: @escaping @Sendable () -> Void = {}) {
        precondition(capacity > 0, "a queue has room for something")
        self.capacity = capacity
        self.onDrop = onDrop
        (wishes, wanted) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    public var count: Int { state.withLock { $0.spans.count } }
    /// How many there was no room for.
    public var dropped: Int { state.withLock { $0.dropped } }
    public var isFinished: Bool { state.withLock { $0.isFinished } }

    func add(_ span: FinishedSpan) {
        let (isDropped, isNews) = state.withLock { state -> (Bool, Bool) in
            // The oldest are kept: they tell how it began.
            guard state.spans.count < capacity, !state.isFinished else {
                state.dropped += 1
                return (true, false)
            }
            state.spans.append(span)
            return (false, state.spans.count == 1 || state.spans.count == capacity / 2)
        }
        if isDropped { onDrop() }
        if isNews { wanted.yield() }
    }

    /// The oldest of them.
    public func take(upTo most: Int) -> [FinishedSpan] {
        state.withLock { state in
            let taken = Array(state.spans.prefix(most))
            state.spans.removeFirst(taken.count)
            return taken
        }
    }

    /// Takes no more; what is there can still be taken.
    public func finish() {
        state.withLock { $0.isFinished = true }
        wanted.finish()
    }
}
