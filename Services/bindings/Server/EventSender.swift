internal import Bus
internal import Contract
internal import Logging
internal import Synchronization

/// Sends the events that were written beside what they tell of, in their order, until the stream has them.
actor EventSender {
    private let store: BindingsStore
    private let bus: BusConnection
    private let logger: Logger
    private var task: Task<Void, Never>?
    private var isWanted = false
    private var isStopped = false

    init(store: BindingsStore, bus: BusConnection, logger: Logger) {
        self.store = store
        self.bus = bus
        self.logger = logger
    }

    /// Something was written. Returns at once.
    func wake() {
        isWanted = true
        guard task == nil, !isStopped else { return }
        task = Task { await work() }
    }

    func stop() async {
        isStopped = true
        await task?.value
    }

    private func work() async {
        var pause = Duration.milliseconds(100)
        while isWanted {
            isWanted = false
            do {
                while true {
                    let letters = try await store.unsent()
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

    private func send(_ letters: [BindingsStore.Letter]) async throws {
        for letter in letters {
            let answer = try await bus.request(
                letter.subject, payload: letter.payload, headers: [(Headers.messageID, letter.messageID)], timeout: .seconds(5))
            if case .refused(let error) = PublishAck(answer) { throw error }
            try await store.sent([letter.id])
        }
    }
}
