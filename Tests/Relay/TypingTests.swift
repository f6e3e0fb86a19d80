import Bus
import Contract
import RelayClient
import Synchronization
import TestSupport
import Testing

/// Keystrokes as a viewer's socket sends them, with whoever answers them played by the test.
@Suite struct TypingTests {
    enum HandlerThread: CaseIterable {
        case ofLibrary, ofLoop

        var delivery: BusOptions.Delivery { self == .ofLoop ? .loop(.shared) : .threads }
    }

    /// What became of each keystroke, in the order it was told.
    private final class Outcomes: Sendable {
        private let told = Mutex<[String]>([])

        func note(_ key: String, _ result: Result<Applied, ErrorBody>) {
            let text =
                switch result {
                case .success(let applied): applied.result.rawValue
                case .failure(let error): error.message
                }
            told.withLock { $0.append("\(key): \(text)") }
        }

        var all: [String] { told.withLock { $0 } }
    }

    private static let nobody = "nothing takes input for this pod at the moment"

    private static func type(_ key: String, _ client: RelayClient, _ keyboard: RelayClient.Keyboard, _ outcomes: Outcomes) {
        client.type(Array(key.utf8), on: keyboard) { outcomes.note(key, $0) }
    }

    @Test("keys that nobody takes fail at once, each and in order", arguments: HandlerThread.allCases)
    func nobodyListens(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let client = RelayClient(bus: bus)
        let keyboard = try RelayClient.Keyboard(Write(pod: .random(), author: Author(kind: .person, id: "anna"), role: .operator))
        let outcomes = Outcomes()
        for key in ["a", "b", "c"] { Self.type(key, client, keyboard, outcomes) }
        try await eventually { outcomes.all.count == 3 }
        #expect(outcomes.all == ["a", "b", "c"].map { "\($0): \(Self.nobody)" })
        await bus.close()
    }

    @Test("an answer that is late is not taken for one that never comes", arguments: HandlerThread.allCases)
    func lateAnswer(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let other = try await server.connect()
        let client = RelayClient(bus: bus)
        let pod = PodID.random()
        let keyboard = try RelayClient.Keyboard(Write(pod: pod, author: Author(kind: .person, id: "anna"), role: .operator))
        let asked = Mutex<[BusMessage]>([])
        let relay = try other.subscribe(Subjects.relay(pod.shard, "write")) { message in asked.withLock { $0.append(message) } }
        try await other.flush()
        let outcomes = Outcomes()
        Self.type("a", client, keyboard, outcomes)
        try await eventually { asked.withLock { $0.count == 1 } }
        relay.unsubscribe()
        try await other.flush()
        Self.type("b", client, keyboard, outcomes)
        // Behind this, what the bus says of "b" has come.
        try await bus.flush()
        try other.publish(try #require(asked.withLock { $0[0] }.reply), payload: Applied(result: .applied).reply)
        try await eventually { outcomes.all.count == 2 }
        #expect(outcomes.all == ["a: applied", "b: \(Self.nobody)"])
        await bus.close()
        await other.close()
    }
}
