import APIClient
import Bus
import Compression
import Contract
import Foundation
import Logging
import RelayServer
import ServiceKit
import Synchronization
import Terminal
import TestSupport

@testable import APIServer

/// A nats-server, a relay, the API, and a registry and recorder that answer from scripted pods.
final class APIStage: Sendable {
    static let admin = "token-of-the-admin-0001"
    static let operatorToken = "token-of-the-operator-1"
    static let viewer = "token-of-the-viewer-001"

    let server: NATSServer
    let bus: BusConnection
    let relay: RelayService
    let client: APIClient
    let address: String
    private let task: Task<Void, Never>
    private let pods = Mutex<[PodID: (pod: Pod, shim: ScriptedShim?)]>([:])
    /// What the registry says of pods' pasts.
    let histories = Mutex<[PodID: PodHistory]>([:])
    /// How often the registry was asked for a pod.
    private let askedFor = Mutex<[PodID: Int]>([:])

    init() async throws {
        server = try await NATSServer.start()
        bus = try await server.connect(name: "test")
        try await JetStream(bus).ensureStreams()
        try await JetStream(bus).ensureAuditStream()
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        relay = RelayService(bus: try await server.connect(name: "relay"), logger: quiet)
        try await relay.join(instance: "one")
        let tokens = server.directory + "/tokens"
        let lines = "# who may what\n\(Self.admin) admin ada\n\(Self.operatorToken) operator olga\n\(Self.viewer) viewer vera\n"
        try lines.write(toFile: tokens, atomically: true, encoding: .utf8)
        let web = server.directory + "/web"
        try FileManager.default.createDirectory(atPath: web, withIntermediateDirectories: true)
        try "<p>page</p>".write(toFile: web + "/index.html", atomically: true, encoding: .utf8)
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let api = try APIServer(
            APIConfiguration(
                listen: ListenAddress("127.0.0.1:0", variable: "listen"), tokenFile: tokens, webDirectory: web, instance: "test",
                version: "0"),
            bus: try await server.connect(name: "api"), bulk: try await server.connect(name: "bulk"), health: Health(),
            metrics: PrometheusRegistry(), logger: quiet
        ) { port in continuation.yield(port) }
        task = Task { try? await api.run() }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else { throw TestSupportError("the API did not start") }
        address = "http://127.0.0.1:\(port)"
        client = APIClient(address: address, token: Self.operatorToken)
        try serve()
        try await bus.flush()
    }

    deinit { task.cancel() }

    func client(_ token: String?) -> APIClient { APIClient(address: address, token: token) }

    /// A pod that the registry knows and a script plays.
    func pod(_ name: String = "pod", columns: Int = 80, rows: Int = 24) async throws -> ScriptedShim {
        let shim = try ScriptedShim(try await server.connect(name: "shim"), columns: columns, rows: rows)
        var pod = Pod(
            pod: shim.pod, name: name, spec: PodSpec(command: ["script"], columns: columns, rows: rows), lifecycle: .running, created: .now())
        pod.started = .now()
        pods.withLock { $0[shim.pod] = (pod, shim) }
        return shim
    }

    /// A pod that the registry knows and that has not said anything yet.
    func podToCome(_ name: String) -> PodID {
        let pod = Pod(pod: .random(), name: name, spec: PodSpec(command: ["script"]), lifecycle: .starting, created: .now())
        pods.withLock { $0[pod.pod] = (pod, nil) }
        return pod.pod
    }

    func asked(_ id: PodID) -> Int { askedFor.withLock { $0[id] ?? 0 } }

    func change(_ id: PodID, _ change: @Sendable (inout Pod) -> Void) {
        pods.withLock { pods in
            guard var entry = pods[id] else { return }
            change(&entry.pod)
            pods[id] = entry
        }
    }

    // MARK: - The registry's and the recorder's answers

    private func find(_ ref: String) throws(ErrorBody) -> Pod {
        guard let pod = pods.withLock({ $0.values.first { $0.pod.pod.text == ref || $0.pod.name == ref }?.pod }) else {
            throw ErrorBody(.notFound, "there is no pod \"\(ref)\"")
        }
        return pod
    }

    private func serve() throws {
        try bus.answer(Subjects.podsGet, GetPod.self) { [weak self] request in
            guard let self else { throw ErrorBody(.unavailable, "gone") }
            let pod = try self.find(request.ref)
            self.askedFor.withLock { $0[pod.pod, default: 0] += 1 }
            return pod
        }
        try bus.answer(Subjects.podsHistory, PodRequest.self) { [weak self] request in
            self?.histories.withLock { $0[request.pod] } ?? PodHistory(entries: [])
        }
        try bus.answer(Subjects.podsList, ListPods.self) { [weak self] _ in
            PodPage(pods: self?.pods.withLock { $0.values.map(\.pod) } ?? [])
        }
        try bus.answer(Subjects.podsImport, ImportPod.self) { [weak self] request in
            var pod = Pod(
                pod: request.pod, name: request.name ?? "imported", spec: PodSpec(command: request.command, columns: request.columns, rows: request.rows),
                lifecycle: .running, created: .now(), imported: true)
            pod.started = request.started
            let made = pod
            self?.pods.withLock { $0[made.pod] = (made, nil) }
            return made
        }
        try bus.serve(
            "recorder.*.*",
            handler: { [weak self] message in
                do {
                    return try self?.record(message)
                } catch {
                    return BusReply(Reply.error(ErrorBody(describing: error)))
                }
            })
    }

    private func frames(_ pod: PodID) throws(ErrorBody) -> [Frame] {
        guard let shim = pods.withLock({ $0[pod]?.shim }) else { throw ErrorBody(.notFound, "there is no recording of \(pod)") }
        return shim.frames
    }

    /// Segments of ten frames, each with the engine before it.
    private func record(_ message: BusMessage) throws -> BusReply? {
        func reply(_ meta: some Encodable, _ payload: [UInt8]) throws -> BusReply {
            BusReply(payload, headers: [(Headers.meta, String(decoding: try JSON.encode(meta), as: UTF8.self))])
        }
        switch message.subject.split(separator: ".").last {
        case "seek":
            let seek = try JSON.decode(Seek.self, from: message.payload)
            let frames = try frames(seek.pod)
            let upTo = frames.filter { frame in (seek.at.map { frame.time <= $0 } ?? true) && (seek.seq.map { frame.seq <= $0 } ?? true) }
            guard let last = upTo.last else { throw ErrorBody(.notFound, "nothing was recorded then") }
            let terminal = replay(upTo)
            return try reply(
                SeekMeta(
                    seq: last.seq, time: last.time, columns: terminal.columns, rows: terminal.rows, decodedBytes: 1, first: frames[0].time,
                    last: frames[frames.count - 1].time, live: true), try Zstd.compress(terminal.snapshot()))
        case "play":
            let play = try JSON.decode(Play.self, from: message.payload)
            let frames = try frames(play.pod)
            let index =
                play.seq.map { seq in frames.firstIndex { $0.seq >= seq } ?? frames.count - 1 }
                ?? play.at.map { at in max(0, frames.filter { $0.time <= at }.count - 1) } ?? frames.count - 1
            let start = index / 10 * 10
            let segment = Array(frames[start..<min(start + 10, frames.count)])
            let keyframe = play.framesOnly == true ? [] : replay(Array(frames[..<start])).snapshot()
            let meta = SliceMeta(
                firstSeq: segment[0].seq, lastSeq: segment[segment.count - 1].seq, from: segment[0].time,
                to: segment[segment.count - 1].time, keyframeBytes: keyframe.count, open: start + 10 >= frames.count,
                hasEarlier: start > 0, hasLater: start + 10 < frames.count, first: frames[0].time, last: frames[frames.count - 1].time,
                live: true)
            return try reply(meta, keyframe + FrameCodec.encode(segment))
        default: return nil
        }
    }
}

/// The engine after these frames from a pod's beginning.
func replay(_ frames: [Frame]) -> Terminal {
    var terminal = Terminal(columns: 80, rows: 24, scrollback: 10_000)
    for frame in frames {
        switch frame.kind {
        case .out: terminal.feed(frame.bytes)
        case .ctl:
            switch try? JSON.decode(Control.self, from: frame.bytes) {
            case .start(let start)?: terminal = Terminal(columns: start.columns, rows: start.rows, scrollback: 10_000)
            case .resize(let columns, let rows, _)?: terminal.resize(columns: columns, rows: rows)
            default: break
            }
        case .in, .key: break
        }
    }
    _ = terminal.takeReplies()
    return terminal
}

/// A raw viewer: a real terminal's screen behind the socket.
final class RawViewer: Sendable {
    struct State {
        var terminal: Terminal
        var binaries = 0
        var bytes = 0
        var texts: [String] = []
        var closed: (code: Int, reason: String)?
    }

    let state: Mutex<State>

    init(columns: Int = 80, rows: Int = 24) {
        state = Mutex(State(terminal: Terminal(columns: columns, rows: rows, scrollback: 10_000)))
    }

    func take(_ message: TerminalConnection.Message) {
        state.withLock { state in
            switch message {
            case .binary(let bytes):
                state.binaries += 1
                state.bytes += bytes.count
                state.terminal.feed(bytes)
                _ = state.terminal.takeReplies()
            case .text(let text): state.texts.append(text)
            case .closed(let code, let reason): state.closed = (code, reason)
            }
        }
    }

    var screen: [String] { state.withLock { $0.terminal.text() } }
    var binaries: Int { state.withLock { $0.binaries } }
    var texts: [String] { state.withLock { $0.texts } }
    var closeCode: Int? { state.withLock { $0.closed?.code } }
    /// Everything a person sees: cells, cursor, screen, title.
    var image: ScreenImage {
        state.withLock { state in
            var image = ScreenImage()
            image.apply(state.terminal.fullDelta())
            return image
        }
    }
}

func image(_ snapshot: [UInt8]) throws -> ScreenImage {
    var image = ScreenImage()
    image.apply(try Terminal(snapshot: snapshot).fullDelta())
    return image
}
