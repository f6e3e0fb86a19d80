import Bus
import Contract
import Foundation
import Synchronization
import TestSupport
import Testing

/// A value that a thread of the test's own shares.
private final class Box: Sendable {
    private let value: Mutex<Bool>
    init(_ value: Bool) { self.value = Mutex(value) }
    func withLock<R>(_ body: (inout Bool) -> R) -> R { value.withLock { body(&$0) } }
}

@Suite struct JetStreamTests {
    static let limits = StreamLimits(maxAge: .seconds(3600), maxBytes: 512 << 20)

    static func start() async throws -> (NATSServer, BusConnection, JetStream) {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        let jetStream = JetStream(bus)
        try await jetStream.ensureStream("T", subjects: ["t.>"], limits)
        return (server, bus, jetStream)
    }

    @Test("streams PTY and EVENTS are made once, by whoever comes first, and left alone later")
    func ensure() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try await JetStream(bus).ensureStreams() } }
            try await group.waitForAll()
        }
        try await JetStream(bus).ensureStreams(StreamPlan(bytes: 1 << 20))
        #expect(try await JetStream(bus).streamInfo("PTY").maxBytes == StreamLimits.terminals.maxBytes)
        await #expect { _ = try await JetStream(bus).streamInfo("NONE") } throws: { ($0 as? BusError)?.apiCode == 10059 }
        await bus.close()
    }

    @Test("a server with little room gets a smaller stream instead of an error")
    func littleRoom() async throws {
        let server = try await NATSServer.start(configuration: "jetstream { max_file_store: 300MB }")
        let bus = try await server.connect()
        try await JetStream(bus).ensureStream("T", subjects: ["t.>"], .init(maxAge: .seconds(60), maxBytes: 1 << 30))
        #expect(try await JetStream(bus).streamInfo("T").maxBytes == 256 << 20)
        await bus.close()
    }

    @Test("streams share what little room there is, so that none is left without")
    func shares() async throws {
        let server = try await NATSServer.start(configuration: "jetstream { max_file_store: 300MB }")
        let bus = try await server.connect()
        let plan = StreamPlan(bytes: 290 << 20)
        let jetStream = JetStream(bus)
        try await jetStream.ensureStreams(plan)
        try await jetStream.ensureAuditStream(plan)
        try await jetStream.ensureStream("MEMORY", subjects: ["memory.>"], plan.memory)
        var sizes: [Int64] = []
        for name in ["PTY", "EVENTS", "AUDIT", "MEMORY"] { sizes.append(try await jetStream.streamInfo(name).maxBytes) }
        #expect(sizes == [plan.terminals.maxBytes, plan.events.maxBytes, plan.audit.maxBytes, plan.memory.maxBytes])
        #expect((289 << 20...290 << 20).contains(sizes.reduce(0, +)))
        // Nobody gets more than they wish.
        #expect(StreamPlan(bytes: 1 << 50).terminals.maxBytes == StreamLimits.terminals.maxBytes)
        await bus.close()
    }

    @Test("the newest message is found by subject and wildcard, any message by sequence")
    func lookups() async throws {
        let (server, bus, jetStream) = try await Self.start()
        _ = server
        let publisher = try AckedPublisher(bus)
        for number in 1...10 {
            _ = publisher.publish("t.\(number % 2).x", payload: [UInt8(number)], headers: [("Nats-Msg-Id", "m.\(number)")])
        }
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        #expect(try await jetStream.lastMessage("T", subject: "t.1.x")?.header("Nats-Msg-Id") == "m.9")
        #expect(try await jetStream.lastMessage("T", subject: "t.1.*")?.header("Nats-Msg-Id") == "m.9")
        #expect(try await jetStream.lastMessage("T", subject: "t.>")?.payload == [10])
        #expect(try await jetStream.lastMessage("T", subject: "t.7.x") == nil)
        #expect(try await jetStream.message("T", sequence: 3)?.header("Nats-Msg-Id") == "m.3")
        #expect(try await jetStream.message("T", sequence: 99) == nil)
        #expect(try await jetStream.nextMessage("T", subject: "t.1.x", from: 4)?.sequence == 5)
        await bus.close()
    }

    @Test("a message published twice with one id is stored once, and both are acknowledged")
    func duplicates() async throws {
        let (server, bus, jetStream) = try await Self.start()
        _ = server
        let duplicates = Mutex(0)
        let publisher = try AckedPublisher(bus, onStored: { stored in if stored.isDuplicate { duplicates.withLock { $0 += 1 } } })
        for _ in 0..<2 { _ = publisher.publish("t.a", payload: [1], headers: [("Nats-Msg-Id", "same")]) }
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        #expect(duplicates.withLock { $0 } == 1)
        #expect(try await jetStream.streamInfo("T").messages == 1)
        await bus.close()
    }

    @Test("who polls a loop gets messages in turns of its own, and what it publishes leaves with the turn's end")
    func ownLoop() async throws {
        let server = try await NATSServer.start()
        let other = try await server.connect()
        let loop = BusLoop()
        let answers = Mutex(0)
        let connecting = Task { try await server.connect { $0.delivery = .loop(loop) } }
        let isDone = Box(false)
        // The loop's owner: nothing happens on it but by these turns.
        Thread.detachNewThread {
            while !isDone.withLock({ $0 }) {
                var descriptors: [pollfd] = []
                loop.appendDescriptors(to: &descriptors)
                poll(&descriptors, nfds_t(descriptors.count), 5)
                loop.turn(descriptors[...])
                loop.flush()
            }
        }
        let bus = try await connecting.value
        try bus.serve("double") { message in
            #expect(loop.isOwnThread)
            return BusReply(message.payload.map { $0 * 2 })
        }
        try await bus.flush()
        for number in 0..<100 {
            let answer = try await other.request("double", payload: [UInt8(number)])
            if answer.payload == [UInt8(number * 2)] { answers.withLock { $0 += 1 } }
        }
        #expect(answers.withLock { $0 } == 100)
        await other.close()
        await bus.close()
        isDone.withLock { $0 = true }
    }

    @Test("a publish that no stream takes is reported and kept", arguments: HandlerThread.allCases)
    func noStream(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let refusals = Mutex(0)
        let publisher = try AckedPublisher(bus, ackTimeout: .milliseconds(200), onRefused: { _ in refusals.withLock { $0 += 1 } })
        _ = publisher.publish("t.a", payload: [1], headers: [("Nats-Msg-Id", "a")])
        try await eventually { refusals.withLock { $0 > 0 } }
        #expect(publisher.unacknowledged == 1)
        try await JetStream(bus).ensureStream("T", subjects: ["t.>"], Self.limits)
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        await bus.close()
    }

    @Test("while nobody stores, those who watch see what comes, and all of it is stored later, once and in order", arguments: HandlerThread.allCases)
    func watched(_ thread: HandlerThread) async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect { $0.delivery = thread.delivery }
        let viewer = try await server.connect()
        let pod = PodID.random()
        func frame(_ seq: UInt64) -> Frame { Frame(pod: pod, seq: seq, time: Timestamp(microseconds: Int64(seq)), kind: .out, bytes: [UInt8(seq)]) }
        let seen = Mutex<[Frame]>([])
        try viewer.subscribe(frame(1).subject) { message in
            if let frame = Frame(subject: message.subject, header: { message.header($0) }, payload: message.payload) { seen.withLock { $0.append(frame) } }
        }
        try await viewer.flush()
        let publisher = try AckedPublisher(bus, ackTimeout: .milliseconds(100), unstored: Headers.unstored)
        // The first one is given up on when no acknowledgement comes; from then on nothing is sent to be stored.
        for seq in UInt64(1)...200 {
            _ = publisher.publish(frame(seq).subject, payload: frame(seq).bytes, headers: frame(seq).headers)
            try await eventually { seen.withLock { $0.contains { $0.seq == seq } } }
            try await Task.sleep(for: .milliseconds(5))
        }
        let jetStream = JetStream(bus)
        try await jetStream.ensureStream("T", subjects: ["pty.>"], Self.limits)
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        #expect(try await jetStream.streamInfo("T").messages == 200)
        var stored: [UInt64] = []
        for sequence in UInt64(1)...200 {
            let message = try #require(try await jetStream.message("T", sequence: sequence))
            stored.append(try #require(Frame(subject: message.subject, header: { message.header($0) }, payload: message.payload)).seq)
        }
        #expect(stored == Array(1...200))
        // The stream leaves a copy alone, and takes the frame itself afterwards.
        try bus.publish(frame(201).subject, payload: frame(201).bytes, headers: Headers.unstored(frame(201).headers))
        try await bus.flush()
        try await eventually { seen.withLock { $0.last == frame(201) } }
        #expect(try await jetStream.streamInfo("T").messages == 200)
        _ = publisher.publish(frame(201).subject, payload: frame(201).bytes, headers: frame(201).headers)
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        #expect(try await jetStream.streamInfo("T").messages == 201)
        await bus.close()
        await viewer.close()
    }

    @Test("with the server killed twice in between, every message is in the stream once and in order, and a consumer sees them so", arguments: HandlerThread.allCases)
    func nothingLost(_ thread: HandlerThread) async throws {
        let (server, bus, jetStream) = try await Self.start()
        let seen = Mutex<[Int]>([])
        let reader = try await server.connect(name: "reader") { $0.delivery = thread.delivery }
        let consumer = try await PullConsumer.start(
            reader, .init(stream: "T", filter: "t.>", batch: 100, maxBytes: 64 << 10), onTrouble: { _ in }
        ) { message in
            let number = Int(String(decoding: message.message.payload.prefix(8), as: UTF8.self)) ?? -1
            seen.withLock { $0.append(number) }
        }
        let writer = try await server.connect(name: "writer") {
            $0.reconnectBufferBytes = 0
            $0.delivery = thread.delivery
        }
        let publisher = try AckedPublisher(writer, windowBytes: 256 << 10, ackTimeout: .seconds(1))
        let total = 6000
        let writing = Task {
            for number in 0..<total {
                let text = String(number)
                let payload = Array((String(repeating: "0", count: 8 - text.count) + text).utf8) + [UInt8](repeating: 7, count: 500)
                try await publisher.publishWaiting("t.\(number % 3)", payload: payload, headers: [("Nats-Msg-Id", "m.\(number)")])
            }
        }
        for part in 1...2 {
            try await eventually { seen.withLock { $0.count } > part * 1000 }
            server.kill9()
            try await eventually { !writer.isConnected && !bus.isConnected }
            try await server.restart()
        }
        try await writing.value
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        try await eventually(within: .seconds(20)) { seen.withLock { $0.count } >= total }
        let inOrder = seen.withLock { $0 == Array(0..<total) }
        #expect(inOrder)
        #expect(try await jetStream.streamInfo("T").messages == UInt64(total))
        #expect(consumer.recreations >= 1)
        await consumer.stop()
        await bus.close()
        await writer.close()
        await reader.close()
    }

    @Test("a consumer starts behind a given sequence, follows what comes, and stops")
    func follow() async throws {
        let (server, bus, jetStream) = try await Self.start()
        _ = server
        let publisher = try AckedPublisher(bus)
        for number in 1...50 { _ = publisher.publish("t.a", payload: [UInt8(number)], headers: []) }
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        let seen = Mutex<[UInt64]>([])
        let consumer = try await PullConsumer.start(bus, .init(stream: "T", filter: "t.a", start: .sequence(41))) { message in
            seen.withLock { $0.append(message.streamSequence) }
        }
        try await eventually { seen.withLock { $0.count } == 10 }
        for number in 51...60 { _ = publisher.publish("t.a", payload: [UInt8(number)], headers: []) }
        try await eventually { seen.withLock { $0 } == Array(41...60) }
        #expect(consumer.position == 60)
        await consumer.stop()
        #expect(try await jetStream.streamInfo("T").consumers == 0)
        await bus.close()
    }

    @Test("messages larger than a pull's byte limit still come")
    func largeMessages() async throws {
        let (server, bus, _) = try await Self.start()
        _ = server
        let publisher = try AckedPublisher(bus, windowBytes: 64 << 20)
        let sizes = [10, 3 << 20, 20, 7 << 20, 30]
        for size in sizes { _ = publisher.publish("t.a", payload: [UInt8](repeating: 1, count: size), headers: []) }
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        let seen = Mutex<[Int]>([])
        let consumer = try await PullConsumer.start(bus, .init(stream: "T", maxBytes: 64 << 10)) { message in
            seen.withLock { $0.append(message.message.payloadSize) }
        }
        try await eventually { seen.withLock { $0.count } == sizes.count }
        #expect(seen.withLock { $0 } == sizes)
        await consumer.stop()
        await bus.close()
    }

    @Test("a paused consumer takes in a bounded amount, and goes on where it was")
    func pause() async throws {
        let (server, bus, _) = try await Self.start()
        _ = server
        let publisher = try AckedPublisher(bus)
        let seen = Mutex<[UInt64]>([])
        let consumer = try await PullConsumer.start(bus, .init(stream: "T", batch: 10)) { message in
            seen.withLock { $0.append(message.streamSequence) }
        }
        consumer.pause()
        for _ in 0..<500 { _ = publisher.publish("t.a", payload: [1], headers: []) }
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        try await bus.flush()
        #expect(seen.withLock { $0.count } <= 20)
        consumer.resume()
        try await eventually { seen.withLock { $0.count } == 500 }
        #expect(seen.withLock { $0 } == Array(1...500))
        await consumer.stop()
        await bus.close()
    }

    @Test("a durable consumer delivers again what was not acknowledged, also after a restart")
    func durable() async throws {
        let (server, bus, _) = try await Self.start()
        let publisher = try AckedPublisher(bus)
        for number in 1...5 { _ = publisher.publish("t.a", payload: [UInt8(number)], headers: []) }
        #expect(await publisher.waitUntilStored(timeout: .seconds(60)))
        let options = PullConsumer.Options(
            stream: "T", filter: "t.a", ack: .explicit(durable: "d", wait: .milliseconds(300), maxPending: 100))
        let first = Mutex<[UInt64]>([])
        let (messages, feed) = AsyncStream.makeStream(of: StreamMessage.self)
        let consumer = try await PullConsumer.start(bus, options) { message in
            first.withLock { $0.append(message.streamSequence) }
            feed.yield(message)
        }
        for await message in messages {
            // Message 3 is forgotten once.
            if message.streamSequence != 3 || message.deliveries > 1 { consumer.ack(message) }
            if message.streamSequence == 3 && message.deliveries > 1 { break }
        }
        try await bus.flush()
        await consumer.stop()
        server.stop()
        try await server.restart()
        try await eventually { bus.isConnected }
        let second = Mutex<[UInt64]>([])
        let again = try await PullConsumer.start(bus, options) { message in
            second.withLock { $0.append(message.streamSequence) }
        }
        let later = try AckedPublisher(bus)
        _ = later.publish("t.a", payload: [6], headers: [])
        try await eventually { second.withLock { $0.contains(6) } }
        #expect(second.withLock { !$0.contains(1) && !$0.contains(5) })
        await again.stop()
        await bus.close()
    }

    @Test("a consumer that somebody deletes is made anew without losing or doubling anything")
    func deleted() async throws {
        let (server, bus, jetStream) = try await Self.start()
        _ = server
        let publisher = try AckedPublisher(bus)
        let seen = Mutex<[UInt64]>([])
        let consumer = try await PullConsumer.start(bus, .init(stream: "T")) { message in
            seen.withLock { $0.append(message.streamSequence) }
        }
        for _ in 0..<10 { _ = publisher.publish("t.a", payload: [1], headers: []) }
        try await eventually { seen.withLock { $0.count } == 10 }
        let answer = try await bus.request("$JS.API.CONSUMER.NAMES.T", payload: [])
        let text = String(decoding: answer.payload, as: UTF8.self)
        let start = try #require(text.firstRange(of: "\"consumers\":[\"") ?? text.firstRange(of: "\"consumers\": [\""))
        try await jetStream.deleteConsumer("T", String(text[start.upperBound...].prefix { $0 != "\"" }))
        for _ in 0..<10 { _ = publisher.publish("t.a", payload: [1], headers: []) }
        try await eventually { seen.withLock { $0.count } == 20 }
        #expect(seen.withLock { $0 } == Array(1...20))
        #expect(consumer.recreations == 1)
        await consumer.stop()
        await bus.close()
    }

    @Test("the services protocol names the service and counts its requests")
    func microservice() async throws {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        let service = try Microservice(bus, name: "relay", id: "r1", version: "1.0.0", summary: "s", started: "2026-01-01T00:00:00Z")
        let count = service.addEndpoint(name: "attach", subject: "relay.*.attach", queue: "q")
        count(.milliseconds(2), nil)
        count(.milliseconds(4), "bad")
        for subject in ["$SRV.PING", "$SRV.PING.relay", "$SRV.PING.relay.r1"] {
            let text = String(decoding: try await bus.request(subject, payload: []).payload, as: UTF8.self)
            #expect(text.contains(#""id":"r1""#) && text.contains("io.nats.micro.v1.ping_response"))
        }
        let info = String(decoding: try await bus.request("$SRV.INFO.relay", payload: []).payload, as: UTF8.self)
        #expect(info.contains(#""queue_group":"q""#))
        // What nats-py's parser wants of each endpoint.
        #expect(info.contains(#"{"metadata":{},"name":"attach""#), "\(info)")
        let stats = String(decoding: try await bus.request("$SRV.STATS.relay.r1", payload: []).payload, as: UTF8.self)
        #expect(stats.contains(#""num_requests":2"#) && stats.contains(#""num_errors":1"#) && stats.contains(#""average_processing_time":3000000"#))
        #expect(stats.contains(#""data":{}"#), "\(stats)")
        await bus.close()
    }
}
