internal import Bus
internal import Compression
internal import Contract
internal import Detection

/// What stands in stream `DETECTOR` of a pod: all that another detector needs to go on. The payload is zstd(engine snapshot), this is
/// in `Sb-Meta`.
struct PodMemory: Codable, Sendable, Equatable {
    /// The newest frame that the engine has, and its time.
    var seq: UInt64
    var time: Timestamp
    /// A sequence number of stream `PTY` behind which every later frame of the pod is.
    var streamFloor: UInt64
    var origin: PodOrigin
    /// The manifest in use, which need not be the pod's own: a shell may run an agent.
    var manifest: String?
    var memory: DetectorMemory

    static func read(_ message: StoredMessage) -> (memory: PodMemory, snapshot: [UInt8])? {
        guard let meta = message.header(Headers.meta), let memory = try? JSON.decode(PodMemory.self, from: meta.utf8),
            let snapshot = try? Zstd.decompress(message.payload, limit: 64 << 20)
        else { return nil }
        return (memory, snapshot)
    }
}

/// What a pod is, as far as its status depends on it.
struct PodOrigin: Codable, Sendable, Equatable {
    var agent: String?
    var command: [String]
    var columns: Int
    var rows: Int
    /// It comes from a recording: only its frames' times count, not the clock.
    var imported: Bool

    init(agent: String?, command: [String], columns: Int, rows: Int, imported: Bool) {
        self.agent = agent
        self.command = command
        self.columns = columns
        self.rows = rows
        self.imported = imported
    }

    init(_ start: Control.Start) {
        self.init(
            agent: start.agent, command: start.argv, columns: start.columns, rows: start.rows, imported: start.imported ?? false)
    }

    init(_ pod: Pod) {
        self.init(agent: pod.agent, command: pod.spec.command, columns: pod.columns, rows: pod.rows, imported: pod.imported)
    }
}
