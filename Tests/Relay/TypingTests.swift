import Bus
import Contract
import Synchronization
import TestSupport
import Testing

@testable import RelayClient

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

    /// A relay that hears keys and says nothing by itself.
    private final class SilentRelay: Sendable {
        private let heard = Mutex<[BusMessage]>([])
        private let subscription = Mutex<BusSubscription?>(nil)
        private let bus: BusConnection

        init(_ bus: BusConnection, _ subject: String) async throws {
            self.bus = bus
            let subscription = try bus.subscribe(subject) { [weak self] message in self?.heard.withLock { $0.append(message) } }
            self.subscription.withLock { $0 = subscription }
            try await bus.flush()
        }

        var keys: [String] { heard.withLock { $0.map { String(decoding: $0.payload, as: UTF8.self) } } }

        func answer(_ index: Int, seq: UInt64) throws {
            try bus.publish(try #require(heard.withLock { $0[index].reply }), payload: Applied(result: .applied, seq: seq).reply)
        }

        func die() async throws {
            subscription.withLock { $0 }?.unsubscribe()
            try await bus.flush()
        }
    }

    /// Requests on one subject, and what became of each, in the order it was told.
    private final class Lane: Sendable {
        let requests: OrderedRequests
        private let subject: String
        private let told = Mutex<[(key: String, end: String)]>([])

        init(_ bus: BusConnection, _ subject: String, patience: Duration) {
            requests = OrderedRequests(bus: bus, patience: patience)
            self.subject = subject
        }

        func send(_ key: String) {
            requests.send(subject, payload: Array(key.utf8), headers: []) { result in
                let end =
                    switch result {
                    case .success: "answered"
                    case .failure(let error): error.code.description
                    }
                self.told.withLock { $0.append((key, end)) }
            }
        }

        var all: [String] { told.withLock { $0.map { "\($0.key): \($0.end)" } } }
        var keys: [String] { told.withLock { $0.map(\.key) } }
        func end(of key: String) -> String? { told.withLock { $0.first { $0.key == key }?.end } }
    }

    @Test("keys leave in the order in which they were pressed, and each gets its own answer, whenever that comes", arguments: HandlerThread.allCases)
    func answers(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let other = try await server.connect()
        let client = RelayClient(bus: bus)
        let pod = PodID.random()
        let relay = try await SilentRelay(other, Subjects.relay(pod.shard, "write"))
        let keyboard = try RelayClient.Keyboard(Write(pod: pod, author: Author(kind: .person, id: "anna"), role: .operator))
        let told = Mutex<[Int: UInt64]>([:])
        for key in 0..<200 {
            client.type(Array("\(key)".utf8), on: keyboard) { result in told.withLock { $0[key] = (try? result.get())?.seq } }
        }
        try await eventually { relay.keys.count == 200 }
        #expect(relay.keys == (0..<200).map(String.init))
        for key in (0..<200).shuffled() { try relay.answer(key, seq: UInt64(1000 + key)) }
        try await eventually { told.withLock { $0.count == 200 } }
        #expect(told.withLock { $0 } == Dictionary(uniqueKeysWithValues: (0..<200).map { ($0, UInt64(1000 + $0)) }))
        await bus.close()
        await other.close()
    }

    @Test("that nobody takes one pod's keys says nothing of another's", arguments: HandlerThread.allCases)
    func otherPods(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let other = try await server.connect()
        let requests = OrderedRequests(bus: bus, patience: .seconds(3600))
        let relay = try await SilentRelay(other, "held")
        let told = Mutex<[String]>([])
        for subject in ["held", "nobody"] {
            requests.send(subject, payload: [0x61], headers: []) { result in
                let end = if case .failure(let error) = result { error.code.description } else { "answered" }
                told.withLock { $0.append("\(subject): \(end)") }
            }
        }
        try await eventually { relay.keys.count == 1 && told.withLock { !$0.isEmpty } }
        #expect(told.withLock { $0 } == ["nobody: \(BusError.Code.noResponders.description)"])
        try relay.answer(0, seq: 1)
        try await eventually { told.withLock { $0.last == "held: answered" } }
        await bus.close()
        await other.close()
    }

    @Test(
        "what nobody took ends as soon as all others are answered, and is not held against keys that the next relay takes", arguments: HandlerThread.allCases)
    func nextRelay(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let other = try await server.connect()
        let lane = Lane(bus, "keys", patience: .seconds(3600))
        let relay = try await SilentRelay(other, "keys")
        lane.send("a")
        try await eventually { relay.keys == ["a"] }
        try await relay.die()
        lane.send("b")
        try await bus.flush()
        try relay.answer(0, seq: 1)
        try await eventually("\(lane.all)") { lane.all == ["a: answered", "b: no_responders"] }
        let next = try await SilentRelay(other, "keys")
        for key in ["c", "d"] { lane.send(key) }
        try await eventually { next.keys == ["c", "d"] }
        try next.answer(1, seq: 2)
        try await eventually { lane.end(of: "d") != nil }
        try next.answer(0, seq: 3)
        try await eventually { lane.end(of: "c") != nil }
        #expect(lane.all.suffix(2) == ["d: answered", "c: answered"])
        await bus.close()
        await other.close()
    }

    @Test("when a relay dies with keys in its hands, they and those after them end with an error, in order; later ones do as well")
    func relayDies() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        let other = try await server.connect()
        let patience = Duration.milliseconds(500)
        let lane = Lane(bus, "keys", patience: patience)
        for round in 0..<2 {
            let relay = try await SilentRelay(other, "keys")
            let began = ContinuousClock.now
            for key in ["a", "b"] { lane.send(key + "\(round)") }
            try await eventually { relay.keys.count == 2 }
            try await relay.die()
            lane.send("c\(round)")
            try await eventually("\(lane.all)") { lane.keys.count == 3 * (round + 1) }
            #expect(ContinuousClock.now - began >= patience)
            #expect(lane.keys.suffix(3) == ["a\(round)", "b\(round)", "c\(round)"])
            #expect(lane.end(of: "a\(round)") == BusError.Code.timeout.description && lane.end(of: "b\(round)") == BusError.Code.timeout.description)
            #expect(lane.end(of: "c\(round)") != "answered")
        }
        // That nobody heard "c" is not said of keys that the next relay holds.
        let next = try await SilentRelay(other, "keys")
        for key in ["d", "e"] { lane.send(key) }
        try await eventually { next.keys.count == 2 }
        try next.answer(1, seq: 1)
        try await eventually("\(lane.all)") { lane.end(of: "d") != nil && lane.end(of: "e") != nil }
        #expect(lane.end(of: "d") == BusError.Code.timeout.description)
        #expect(lane.end(of: "e") != BusError.Code.noResponders.description)
        await bus.close()
        await other.close()
    }

    @Test("a key that is held ends with an error after the bus was closed, one that is pressed then at once")
    func closed() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        let other = try await server.connect()
        let lane = Lane(bus, "keys", patience: .seconds(2))
        let relay = try await SilentRelay(other, "keys")
        lane.send("held")
        try await eventually { relay.keys == ["held"] }
        await bus.close()
        lane.send("late")
        #expect(lane.end(of: "late") == BusError.Code.closed.description)
        try await eventually { lane.end(of: "held") != nil }
        #expect(lane.end(of: "held") != "answered")
        let never = Lane(bus, "others", patience: .seconds(3600))
        never.send("first")
        #expect(never.end(of: "first") == BusError.Code.closed.description)
        await other.close()
    }
}
