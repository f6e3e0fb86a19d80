internal import Asciicast
internal import Bus
internal import Contract
internal import FoundationEssentials
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import RegistryClient

/// Makes an ended pod of a recording that somebody sends.
///
/// The body goes to a file first and is read there once to its end, so that a recording with a mistake leaves nothing
/// behind; then its frames are published as a shim would, a bounded number of them unacknowledged.
final class Importer: Sendable {
    /// Most bytes of a recording.
    let limit: Int64
    /// Most bytes of one frame.
    private static let frameBytes = 16 << 10
    private static let readBytes = 256 << 10

    private let bus: BusConnection
    private let registry: RegistryClient
    private let logger: Logger

    /// - Parameter bus: the one that packs.
    init(bus: BusConnection, registry: RegistryClient, logger: Logger, limit: Int64 = 8 << 30) {
        self.bus = bus
        self.registry = registry
        self.logger = logger
        self.limit = limit
    }

    func take(_ body: RequestBody, name: String?, author: Author) async throws -> Pod {
        let file = SpoolFile()
        defer { file.remove() }
        let duration = try await receive(body, file)
        return try await publish(file, duration: duration, name: name, author: author)
    }

    /// Spools the body and reads it to the end. Returns how long the recording is, in microseconds.
    private func receive(_ body: RequestBody, _ file: SpoolFile) async throws -> Int64 {
        var decoder = AsciicastDecoder()
        var duration: Int64 = 0
        var total: Int64 = 0
        for try await piece in body {
            total += Int64(piece.readableBytes)
            guard total <= limit else { throw ErrorBody(.tooLarge, "a recording may have at most \(limit) bytes") }
            try await file.append(piece)
            try Self.readable { () throws(AsciicastError) in try decoder.feed(piece.readableBytesView) { duration = max(duration, $0.time) } }
        }
        try Self.readable { () throws(AsciicastError) in for event in try decoder.finish() { duration = max(duration, event.time) } }
        return duration
    }

    private static func readable(_ read: () throws(AsciicastError) -> Void) throws(ErrorBody) {
        do throws(AsciicastError) {
            try read()
        } catch {
            throw ErrorBody(error.code == .tooLarge ? .tooLarge : .badRequest, "not imported: \(error)")
        }
    }

    // MARK: - Publishing

    private func publish(_ file: SpoolFile, duration: Int64, name: String?, author: Author) async throws -> Pod {
        let publisher = try AckedPublisher(bus, windowBytes: 8 << 20, windowMessages: 2048)
        defer { publisher.close() }
        var decoder = AsciicastDecoder()
        var run: ImportRun?
        var pod: Pod?
        var reader = try file.reader()
        while true {
            let piece = try await reader.read(Self.readBytes)
            var events: [AsciicastEvent] = []
            try Self.readable { () throws(AsciicastError) in
                events = piece.isEmpty ? try decoder.finish() : try decoder.feed(piece)
            }
            if run == nil, let header = decoder.header {
                let id = PodID.random()
                let made = ImportRun(pod: id, header: header, duration: duration, now: .now(), frameBytes: Self.frameBytes)
                run = made
                pod = try await registry.importPod(
                    ImportPod(
                        pod: id, name: name, command: header.command.map { [$0] } ?? [], columns: header.columns, rows: header.rows,
                        started: made.start, author: author))
                try await send(run?.begin(header, name: pod?.name) ?? [], publisher)
            }
            for event in events { try await send(run?.frames(event) ?? [], publisher) }
            if piece.isEmpty { break }
        }
        guard var run, let pod else { throw ErrorBody(.badRequest, "not imported: the file has no header") }
        try await send(run.finish(), publisher)
        guard await publisher.waitUntilStored(timeout: .seconds(60)) else {
            throw ErrorBody(.unavailable, "the recording's last frames were not stored in time; \(pod.name) (\(pod.pod)) may be incomplete")
        }
        logger.info("recording imported", metadata: ["pod": "\(pod.pod)", "frames": "\(run.seq)"])
        return pod
    }

    private func send(_ frames: [Frame], _ publisher: AckedPublisher) async throws {
        for frame in frames {
            try await publisher.publishWaiting(frame.subject, payload: frame.bytes, headers: frame.headers)
        }
    }
}

/// Turns the events of a recording into a pod's frames. Pure.
struct ImportRun {
    let pod: PodID
    let start: Timestamp
    private let frameBytes: Int
    private(set) var seq: UInt64 = 0
    private var time: Timestamp
    private var exit: Exit?
    private static let author = Author(kind: .system, id: "import")

    /// A recording that does not say when it began ended now; none ends in the future.
    init(pod: PodID, header: AsciicastHeader, duration: Int64, now: Timestamp, frameBytes: Int) {
        self.pod = pod
        self.frameBytes = frameBytes
        let latest = now - .microseconds(duration)
        let said = header.timestamp.flatMap { seconds -> Timestamp? in
            let (micros, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
            return overflow || micros < 0 ? nil : Timestamp(microseconds: micros)
        }
        start = said.map { min($0, latest) } ?? latest
        time = start
    }

    mutating func begin(_ header: AsciicastHeader, name: String?) -> [Frame] {
        let argv = header.command.map { [$0] } ?? []
        return control(
            .start(.init(argv: argv, columns: header.columns, rows: header.rows, name: name, imported: true)))
    }

    mutating func frames(_ event: AsciicastEvent) -> [Frame] {
        time = max(time, start + .microseconds(event.time))
        switch event.content {
        case .output(let bytes): return split(.out, bytes)
        case .input(let bytes): return split(.in, bytes)
        case .resize(let columns, let rows): return control(.resize(columns: columns, rows: rows, author: nil))
        case .marker(let text): return control(.marker(text: text, author: nil))
        case .exit(let status):
            exit = .code(status)
            return []
        case .other: return []
        }
    }

    /// The last frame.
    mutating func finish() -> [Frame] {
        control(.exit(exit ?? .lost(reason: "the recording does not say how the program ended")))
    }

    private mutating func control(_ control: Control) -> [Frame] {
        guard let bytes = try? JSON.encode(control) else { return [] }
        return [next(.ctl, bytes)]
    }

    private mutating func split(_ kind: FrameKind, _ bytes: [UInt8]) -> [Frame] {
        if bytes.count <= frameBytes { return bytes.isEmpty ? [] : [next(kind, bytes)] }
        return stride(from: 0, to: bytes.count, by: frameBytes).map { from in
            next(kind, Array(bytes[from..<min(from + frameBytes, bytes.count)]))
        }
    }

    private mutating func next(_ kind: FrameKind, _ bytes: [UInt8]) -> Frame {
        seq += 1
        return Frame(
            pod: pod, seq: seq, time: time, kind: kind, bytes: bytes, author: kind == .in ? Self.author : nil,
            via: kind == .in ? "recording" : nil)
    }
}
