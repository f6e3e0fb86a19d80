/// Which pull requests of a consumer are open, and when to send the next. A value: no clock, no network.
struct PullState {
    struct Pull {
        var id: UInt64
        var messagesLeft: Int
        var bytesLeft: Int
        var isUntouched: Bool
    }

    /// What to do next.
    enum Action: Equatable {
        case pull(id: UInt64, batch: Int, maxBytes: Int)
        case none
    }

    let batch: Int
    let maxBytes: Int
    /// A message larger than `maxBytes` needs one larger pull, at most this.
    let largestBytes: Int
    private(set) var pulls: [Pull] = []
    private var nextID: UInt64 = 0
    private var needsLarger = false

    init(batch: Int, maxBytes: Int, largestBytes: Int = 16 << 20) {
        self.batch = batch
        self.maxBytes = maxBytes
        self.largestBytes = max(largestBytes, maxBytes)
    }

    /// Asks again before the open pull is used up, so that the flow does not stop; two are open at most.
    mutating func next() -> Action {
        let isNearlyUsed = pulls.first.map { $0.messagesLeft <= batch / 2 || $0.bytesLeft <= maxBytes / 2 } ?? true
        guard pulls.count < 2, isNearlyUsed else { return .none }
        nextID += 1
        let bytes = needsLarger ? largestBytes : maxBytes
        needsLarger = false
        pulls.append(Pull(id: nextID, messagesLeft: batch, bytesLeft: bytes, isUntouched: true))
        return .pull(id: nextID, batch: batch, maxBytes: bytes)
    }

    /// A message came; the server serves pulls in the order in which they were asked.
    mutating func received(bytes: Int) {
        guard !pulls.isEmpty else { return }
        pulls[0].messagesLeft -= 1
        pulls[0].bytesLeft -= bytes
        pulls[0].isUntouched = false
        if pulls[0].messagesLeft <= 0 { pulls.removeFirst() }
    }

    /// The server ended a pull (expired, bytes used up).
    mutating func ended(id: UInt64, exceededBytes: Bool) {
        guard let index = pulls.firstIndex(where: { $0.id == id }) else { return }
        if exceededBytes && pulls[index].isUntouched { needsLarger = true }
        // The server has answered those before it as well.
        pulls.removeFirst(index + 1)
    }

    mutating func reset() {
        pulls = []
        needsLarger = false
    }
}
