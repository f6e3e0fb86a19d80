import Contract
import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import Bus

/// On which thread handlers run: everything holds on both.
enum HandlerThread: CaseIterable {
    case ofLibrary, ofLoop

    var delivery: BusOptions.Delivery { self == .ofLoop ? .loop(.shared) : .threads }
}

@Suite struct BusConnectionTests {
    @Test("a message arrives with its payload and headers")
    func publishSubscribe() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        let (stream, continuation) = AsyncStream.makeStream(of: BusMessage.self)
        try bus.subscribe("a.*") { continuation.yield($0) }
        try bus.publish("a.b", payload: "hello".utf8, headers: [("Sb-Time", "17"), ("X", "y z")], reply: "back")
        var iterator = stream.makeAsyncIterator()
        let message = try #require(await iterator.next())
        #expect(message.subject == "a.b")
        #expect(message.reply == "back")
        #expect(message.payload == Array("hello".utf8))
        #expect(message.header("Sb-Time") == "17")
        #expect(message.integerHeader("X") == nil)
        #expect(message.headers.map(\.name).sorted() == ["Sb-Time", "X"])
        #expect(message.header("none") == nil)
        await bus.close()
        #expect(bus.isClosed)
    }

    @Test("messages of one subscription arrive in order", arguments: HandlerThread.allCases)
    func order(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let seen = Mutex<[Int]>([])
        try bus.subscribe("n.>") { message in
            let number = message.integerHeader("N").map { Int($0) } ?? -1
            seen.withLock { $0.append(number) }
        }
        for number in 0..<20_000 { try bus.publish("n.\(number % 7)", payload: [UInt8(number & 255)], headers: [("N", "\(number)")]) }
        try await eventually { seen.withLock { $0.count == 20_000 } }
        #expect(seen.withLock { $0 } == Array(0..<20_000))
        await bus.close()
    }

    @Test("a request is answered, and one that nobody serves fails at once", arguments: HandlerThread.allCases)
    func requests(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let other = try await server.connect { $0.delivery = thread.delivery }
        try other.serve("echo", queue: "q") { BusReply(Array($0.payload.reversed()), headers: [("K", "v")]) }
        try await other.flush()
        let answer = try await bus.request("echo", payload: [1, 2, 3])
        #expect(answer.payload == [3, 2, 1])
        #expect(answer.header("K") == "v")
        let start = ContinuousClock.now
        await #expect { _ = try await bus.request("nobody", payload: [], timeout: .seconds(600)) } throws: {
            ($0 as? BusError)?.code == .noResponders
        }
        #expect(ContinuousClock.now - start < .seconds(300))
        try other.serve("silent") { _ in nil }
        try await other.flush()
        await #expect { _ = try await bus.request("silent", payload: [], timeout: .milliseconds(50)) } throws: {
            ($0 as? BusError)?.code == .timeout
        }
        await bus.close()
        await other.close()
    }

    @Test("with linger, what comes shortly after the first message is there when that is handled")
    func linger() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        let other = try await server.connect { $0.sendAsSoonAsPossible = false }
        let subscription = Mutex<BusSubscription?>(nil)
        let seen = Mutex<[(payload: [UInt8], waiting: Int)]>([])
        let made = try bus.subscribe("a", linger: Linger(.milliseconds(500))) { message in
            let waiting = subscription.withLock { $0?.pending.messages } ?? 0
            seen.withLock { $0.append((message.payload, waiting)) }
        }
        subscription.withLock { $0 = made }
        try await bus.flush()
        for number in 0..<10 { try other.publish("a", payload: [UInt8(number)]) }
        try await eventually { seen.withLock { $0.count == 10 } }
        #expect(seen.withLock { $0.map(\.payload) } == (0..<10).map { [UInt8($0)] })
        #expect(seen.withLock { $0[0].waiting } >= 9)
        await bus.close()
        await other.close()
    }

    @Test("linger waits after quiet, and not behind a handler that takes long")
    func lingerAfterQuiet() {
        let time = Mutex<UInt64>(1_000_000_000)
        let waits = Mutex(0)
        let linger = Linger(.milliseconds(2), now: { time.withLock { $0 } }, wait: { _ in waits.withLock { $0 += 1 } })
        /// A message so long after the last one was handled, whose handler takes so long, in milliseconds.
        func waited(after gap: UInt64, taking: UInt64) -> Bool {
            time.withLock { $0 += gap * 1_000_000 }
            let before = waits.withLock { $0 }
            linger.handling { time.withLock { $0 += taking * 1_000_000 } }
            return waits.withLock { $0 } > before
        }
        #expect(waited(after: 0, taking: 50))
        #expect(!waited(after: 0, taking: 50))
        #expect(!waited(after: 1, taking: 0))
        #expect(waited(after: 3, taking: 0))
    }

    @Test("a thousand requests at once each get their own answer")
    func manyRequests() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        try bus.answer("double", Int.self) { $0 * 2 }
        let sum = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<1000 {
                group.addTask { try await bus.ask("double", number, as: Int.self) == number * 2 }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(sum == 1000)
        await bus.close()
    }

    @Test("a served error reaches the asker as an error, and bad JSON is refused with the reason")
    func errors() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        try bus.answer("refuse", Int.self) { (_: Int) -> Done in throw ErrorBody(.denied, "not you") }
        await #expect(throws: ErrorBody(.denied, "not you")) { try await bus.ask("refuse", 1, as: Done.self) }
        let bad = try await bus.request("refuse", payload: "{".utf8)
        #expect(Reply.error(in: bad.payload)?.code == .badRequest)
        await bus.close()
    }

    @Test("without a server, connecting fails in time and names the server")
    func noServer() async throws {
        let server = try await NATSServer.start()
        server.kill9()
        let options = BusOptions(servers: ["nats://me:secret@127.0.0.1:\(server.port)"], name: "x", connectTimeout: .milliseconds(300))
        await #expect {
            _ = try await BusConnection.connect(options)
        } throws: { error in
            guard let error = error as? BusError else { return false }
            return error.code == .noServer && error.message.contains(":\(server.port)") && !error.message.contains("secret")
        }
    }

    @Test("wrong credentials are an authentication error")
    func authentication() async throws {
        let server = try await NATSServer.start(configuration: "authorization { user: a, password: b }")
        await #expect { _ = try await server.connect() } throws: { ($0 as? BusError)?.code == .authentication }
        let bus = try await server.connect {
            $0.user = "a"
            $0.password = "b"
        }
        #expect(bus.isConnected)
        await bus.close()
    }

    @Test("a connection without a connect timeout comes up when the server does, with its subscriptions")
    func lateServer() async throws {
        let server = try await NATSServer.start()
        server.kill9()
        let bus = try await server.connect { $0.connectTimeout = nil }
        #expect(!bus.isConnected)
        try bus.serve("hi") { _ in BusReply([7]) }
        let connected = Mutex(0)
        bus.onStateChange { if $0 == .connected { connected.withLock { $0 += 1 } } }
        try await server.restart()
        try await eventually { bus.isConnected }
        let other = try await server.connect()
        try await eventually { (try? await other.request("hi", payload: [], timeout: .seconds(1)))?.payload == [7] }
        try await eventually { connected.withLock { $0 } == 1 }
        await bus.close()
        await other.close()
    }

    @Test("after a server is killed and restarted, subscriptions and requests work again", arguments: HandlerThread.allCases)
    func reconnect(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let states = Mutex<[BusState]>([])
        bus.onStateChange { state in states.withLock { $0.append(state) } }
        try bus.serve("hi") { _ in BusReply([7]) }
        server.kill9()
        try await eventually { !bus.isConnected }
        try await server.restart()
        try await eventually { bus.isConnected }
        #expect(try await bus.request("hi", payload: []).payload == [7])
        // Callbacks come from a thread of their own.
        try await eventually { states.withLock { $0 } == [.disconnected, .reconnected] }
        await bus.close()
        try await eventually { states.withLock { $0.last == .closed } }
    }

    @Test("closing ends waiting requests at once", arguments: HandlerThread.allCases)
    func closeEndsRequests(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        try bus.serve("silent") { _ in nil }
        let waiting = Task { try await bus.request("silent", payload: [], timeout: .seconds(60)) }
        try await bus.flush()
        await bus.close()
        await #expect { _ = try await waiting.value } throws: { ($0 as? BusError)?.code == .closed }
    }

    @Test("a queue group shares messages, each delivered once")
    func queueGroup() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        let counts = Mutex([0, 0])
        let first = try bus.subscribe("work", queue: "q") { _ in counts.withLock { $0[0] += 1 } }
        try bus.subscribe("work", queue: "q") { _ in counts.withLock { $0[1] += 1 } }
        for _ in 0..<1000 { try bus.publish("work", payload: []) }
        try await eventually { counts.withLock { $0[0] + $0[1] == 1000 } }
        #expect(counts.withLock { $0.allSatisfy { $0 > 0 } })
        first.unsubscribe()
        first.unsubscribe()
        try await bus.flush()
        let before = counts.withLock { $0[0] }
        for _ in 0..<100 { try bus.publish("work", payload: []) }
        try await eventually { counts.withLock { $0[0] + $0[1] == 1100 } }
        #expect(counts.withLock { $0[0] } == before)
        await bus.close()
    }

    @Test("a handler that is too slow is reported with the number of messages it lost")
    func slowConsumer() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.pendingMessages = 10 }
        let lost = Mutex<Int64>(0)
        bus.onStateChange { if case .slowConsumer("slow", let count) = $0 { lost.withLock { $0 = max($0, count) } } }
        let gate = DispatchSemaphore(value: 0)
        let subscription = try bus.subscribe("slow") { _ in gate.wait() }
        for _ in 0..<100 { try bus.publish("slow", payload: []) }
        try await eventually { lost.withLock { $0 > 0 } && subscription.dropped > 0 }
        for _ in 0..<100 { gate.signal() }
        #expect(bus.statistics.slowConsumers > 0)
        await bus.close()
    }

    @Test("a payload larger than the server takes is refused by name")
    func tooLarge() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        #expect { try bus.publish("x", payload: [UInt8](repeating: 0, count: 9 << 20)) } throws: {
            ($0 as? BusError)?.code == .payloadTooLarge
        }
        #expect { try bus.publish("", payload: [] as [UInt8]) } throws: { ($0 as? BusError)?.code == .invalidSubject }
        await bus.close()
    }
}
