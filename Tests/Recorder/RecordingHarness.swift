import Bus
import Compression
import Contract
import Foundation
import Logging
import RecorderClient
import RecorderServer
import Terminal
import TestSupport

let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A real bus, a real database and a recorder, which can be killed and started again.
final class RecordingHarness {
    let nats: NATSServer
    let databaseURL: String
    let bus: BusConnection
    let publisher: AckedPublisher
    let client: RecorderClient
    private var recorder: Recorder?
    private var connections: [BusConnection] = []

    init(database: String? = nil, start: Bool = true, tailAge: Duration = .milliseconds(300), patience: Duration = .seconds(10)) async throws {
        nats = try await NATSServer.start()
        if let database { databaseURL = database } else { databaseURL = try await TestPostgres.database() }
        bus = try await nats.connect()
        try await JetStream(bus).ensureStreams()
        publisher = try AckedPublisher(bus)
        client = RecorderClient(bus: bus)
        if start { try await startRecorder(tailAge: tailAge, patience: patience) }
    }

    func startRecorder(
        tailAge: Duration = .milliseconds(300), patience: Duration = .seconds(10), memoryBytes: Int = 96 << 20, instance: String = "test"
    ) async throws {
        let bus = try await nats.connect(name: "recorder")
        let bulk = try await nats.connect(name: "recorder bulk") { $0.sendAsSoonAsPossible = false }
        let micro = try Microservice(
            bus, name: "recorder", id: instance, version: "0.0.1", summary: "test", started: Timestamp.now().description)
        let logger = ProcessInfo.processInfo.environment["SWITCHBACK_TEST_LOG"] == nil ? quiet : Logger(label: "recorder")
        recorder = try await Recorder.start(
            Recorder.Options(databaseURL: databaseURL, instance: instance, tailAge: tailAge, patience: patience, memoryBytes: memoryBytes),
            bus: bus, bulk: bulk, micro: micro, logger: logger)
        connections += [bus, bulk]
    }

    /// What `/readyz` says is wrong.
    var problem: String? { recorder?.problem }

    /// In order, as SIGTERM does it.
    func stopRecorder() async {
        await recorder?.stop()
        await disconnect()
    }

    /// As kill -9 does it, as far as one process can: nothing more is stored or answered.
    func killRecorder() async {
        await recorder?.abandon()
        await disconnect()
    }

    private func disconnect() async {
        recorder = nil
        for connection in connections { await connection.close(deadline: .milliseconds(100)) }
        connections = []
    }

    func publish(_ frame: Frame) async throws {
        try await publisher.publishWaiting(frame.subject, payload: frame.bytes, headers: frame.headers)
    }

    func publish(_ frames: [Frame]) async throws {
        for frame in frames { try await publish(frame) }
        guard await publisher.waitUntilStored(timeout: .seconds(60)) else { throw TestSupportError("the stream did not take the frames") }
    }

    /// Waits until the recorder answers for frame `seq`.
    func recorded(_ pod: PodID, through seq: UInt64, within limit: Duration = .seconds(60)) async throws {
        try await eventually(within: limit, "frame \(seq) of \(pod) was not recorded") {
            do {
                return try await client.seek(Seek(pod: pod, format: .text)).meta.seq >= seq
            } catch let error as ErrorBody where [.notFound, .unavailable, .timedOut].contains(error.code) {
                return false
            }
        }
    }

    /// Every frame of a recording, by playing one segment after the other.
    func allFrames(_ pod: PodID) async throws -> [Frame] {
        var frames: [Frame] = []
        var next: UInt64 = 1
        while true {
            let (meta, _, part) = try await client.play(Play(pod: pod, seq: next, framesOnly: true))
            frames += part
            if !meta.hasLater { return frames }
            next = meta.lastSeq + 1
        }
    }

    func terminal(_ seek: Seek) async throws -> (Terminal, SeekMeta) {
        var seek = seek
        seek.format = .snapshot
        let (meta, payload) = try await client.seek(seek)
        return (try Terminal(snapshot: try Zstd.decompress(payload, limit: 1 << 28)), meta)
    }

    /// Another instance on the same bus and database.
    final class Second {
        private let recorder: Recorder
        private let connections: [BusConnection]

        init(_ harness: RecordingHarness, instance: String, tailAge: Duration) async throws {
            let bus = try await harness.nats.connect(name: instance)
            let bulk = try await harness.nats.connect(name: instance + " bulk") { $0.sendAsSoonAsPossible = false }
            let micro = try Microservice(
                bus, name: "recorder", id: instance, version: "0.0.1", summary: "test", started: Timestamp.now().description)
            recorder = try await Recorder.start(
                Recorder.Options(databaseURL: harness.databaseURL, instance: instance, tailAge: tailAge), bus: bus, bulk: bulk, micro: micro,
                logger: quiet)
            connections = [bus, bulk]
        }

        func stop() async {
            await recorder.stop()
            for connection in connections { await connection.close(deadline: .milliseconds(100)) }
        }
    }
}
