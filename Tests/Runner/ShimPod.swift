import Bus
import CPty
import Contract
import Foundation
import RunnerClient
import Synchronization
import TestSupport

/// A real shim with a real program, in a directory of its own.
final class ShimPod: Sendable {
    let pod = PodID.random()
    let path: String
    let reply: ShimReply

    /// Standing beside the test bundle.
    static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path + "/switchback-shim"

    init(
        _ argv: [String], server: NATSServer, columns: Int = 80, rows: Int = 24, cwd: String = "/tmp", cap: UInt64 = 1 << 30,
        onFull: PodSpec.OnFull = .hold, hides: String? = nil
    ) async throws {
        path = FileManager.default.temporaryDirectory.path + "/switchback-shim-\(pod)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let spec = ShimSpec(
            pod: pod, name: "test", agent: nil, runner: "r", argv: argv,
            environment: ["PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8", "HOME": "/tmp"], cwd: cwd,
            columns: columns, rows: rows, resumedFrom: nil, natsServers: [server.url], natsCredentialsFile: nil, spoolCapBytes: cap,
            onFull: onFull, hides: hides)
        try Data(JSON.encode(spec)).write(to: URL(filePath: path + "/" + ShimFiles.spec))
        reply = try await Self.launch([Self.program, path], log: path + "/" + ShimFiles.log)
    }

    deinit {
        if let state {
            kill(state.shimPid, SIGKILL)
            if state.phase == .running { kill(-state.pid, SIGKILL) }
        }
        try? FileManager.default.removeItem(atPath: path)
    }

    static func launch(_ argv: [String], log: String) async throws -> ShimReply {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw TestSupportError("no pipe") }
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        var pointers = argv.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        var stage: Int32 = 0
        let error = cpty_spawn_detached(pointers, cpty_environment(), log, ends[1], &pid, &stage)
        close(ends[1])
        defer { close(ends[0]) }
        guard error == 0 else { throw TestSupportError("cannot run \(argv[0]): \(String(cString: strerror(error))); build it first") }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        var line: [UInt8] = []
        return try await eventually(within: .seconds(20), "the shim said nothing") {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(ends[0], &buffer, buffer.count)
            if count > 0 { line += buffer[..<count] }
            return line.contains(10) ? try JSON.decode(ShimReply.self, from: line) : nil
        }
    }

    func recover() async throws { _ = try await Self.launch([Self.program, "--recover", path], log: path + "/" + ShimFiles.log) }

    var state: ShimState? {
        FileManager.default.contents(atPath: path + "/" + ShimFiles.state).flatMap { try? JSON.decode(ShimState.self, from: $0) }
    }

    var log: String { String(decoding: FileManager.default.contents(atPath: path + "/" + ShimFiles.log) ?? Data(), as: UTF8.self) }

    func waitUntilDone(within limit: Duration = .seconds(30)) async throws {
        try await eventually(within: limit, "the shim has not finished: \(log)", holds: { state?.phase == .done })
    }

    /// Whether the shim process is there.
    var isAlive: Bool { state.map { kill($0.shimPid, 0) == 0 } ?? false }

    // MARK: - Requests

    func write(_ bytes: [UInt8], _ bus: BusConnection, ifSeq: UInt64? = nil, author: String = "person:test") async throws -> Applied {
        var headers = [(Headers.author, author), (Headers.via, "send")]
        if let ifSeq { headers.append((Headers.ifSeq, String(ifSeq))) }
        let answer = try await bus.request(Subjects.shimWrite(pod), payload: bytes, headers: headers)
        return try Reply.decode(Applied.self, from: answer.payload)
    }

    func write(_ text: String, _ bus: BusConnection, ifSeq: UInt64? = nil) async throws -> Applied {
        try await write(Array(text.utf8), bus, ifSeq: ifSeq)
    }

    func resize(_ columns: Int, _ rows: Int, _ bus: BusConnection) async throws -> Applied {
        try await bus.ask(
            Subjects.shimResize(pod), Resize(pod: pod, columns: columns, rows: rows, author: Author(kind: .person, id: "test")))
    }
}

/// Everything the stream holds of one pod, as it comes.
final class FrameReader: Sendable {
    private let kept = Mutex<[Frame]>([])
    private let consumer: Mutex<PullConsumer?> = Mutex(nil)

    static func start(_ bus: BusConnection, _ pod: PodID) async throws -> FrameReader {
        let reader = FrameReader()
        let consumer = try await PullConsumer.start(bus, .init(stream: Streams.terminals, filter: Subjects.pty(pod), maxBytes: 8 << 20)) {
            [weak reader] message in
            guard
                let frame = Frame(
                    subject: message.subject, header: { message.message.header($0) }, payload: message.message.payload)
            else { return }
            reader?.kept.withLock { $0.append(frame) }
        }
        reader.consumer.withLock { $0 = consumer }
        return reader
    }

    var frames: [Frame] { kept.withLock { $0 } }

    var output: [UInt8] { frames.filter { $0.kind == .out }.flatMap(\.bytes) }

    var text: String { String(decoding: output, as: UTF8.self) }

    var controls: [Control] { frames.filter { $0.kind == .ctl }.compactMap { try? JSON.decode(Control.self, from: $0.bytes) } }

    var exit: Exit? {
        for case .exit(let exit) in controls { return exit }
        return nil
    }

    /// Numbers of the frames are 1, 2, 3 … and times never decrease.
    var isWhole: Bool {
        let frames = frames
        return frames.map(\.seq) == frames.indices.map { UInt64($0) + 1 }
            && zip(frames, frames.dropFirst()).allSatisfy { $0.time <= $1.time }
    }
}
