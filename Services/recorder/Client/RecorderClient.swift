public import Bus
public import Contract

/// Asks the recorder: screens of the past, segments to play, when a text was on a screen. Every call throws the recorder's own
/// ``ErrorBody``, or one that says that the bus did not answer (`unavailable`, `timed_out`).
public struct RecorderClient: Sendable {
    private let bus: BusConnection
    private let headers: [(String, String)]

    /// - Parameter asker: in whose name everything is asked; the recorder refuses what a pod has no binding for.
    public init(bus: BusConnection, asker: Author? = nil) {
        self.bus = bus
        headers = asker.map { [(Headers.author, $0.description)] } ?? []
    }

    /// The state at a moment, rendered as asked.
    /// - Throws: `not_found` (no recording), `before_start`, `gone` (removed by the retention rules).
    public func seek(_ request: Seek) async throws(ErrorBody) -> (meta: SeekMeta, payload: [UInt8]) {
        try await askBinary("seek", request, request.pod)
    }

    /// One segment: the state before its first frame, as an engine's snapshot (empty with `framesOnly`), and its frames.
    public func play(_ request: Play) async throws(ErrorBody) -> (meta: SliceMeta, keyframe: [UInt8], frames: [Frame]) {
        let (meta, payload): (SliceMeta, [UInt8]) = try await askBinary("play", request, request.pod)
        guard meta.keyframeBytes >= 0, meta.keyframeBytes <= payload.count else {
            throw ErrorBody(.internal, "the recorder's answer is garbled: its keyframe is cut short")
        }
        let frames = try FrameCodec.decode(payload[meta.keyframeBytes...], pod: request.pod)
        return (meta, Array(payload[..<meta.keyframeBytes]), frames)
    }

    /// What happened when: inputs, resizes, markers, idle spans and the density of output.
    public func timeline(_ request: GetTimeline) async throws(ErrorBody) -> Timeline {
        try await bus.ask(Subjects.recorder(request.pod.shard, "timeline"), request, headers: headers, timeout: .seconds(10))
    }

    /// When a text was on a screen, of one pod or of all.
    public func search(_ request: Search) async throws(ErrorBody) -> SearchPage {
        try await bus.ask(Subjects.recorderSearch, request, headers: headers, timeout: .seconds(20))
    }

    /// Checks the chain of a recording from its first segment to its last.
    public func verify(_ pod: PodID) async throws(ErrorBody) -> Verified {
        try await bus.ask(Subjects.recorder(pod.shard, "verify"), RecordingRequest(pod: pod), headers: headers, timeout: .seconds(120))
    }

    /// Sets or clears the legal hold: a recording on hold is never removed.
    public func hold(_ pod: PodID, _ isHeld: Bool) async throws(ErrorBody) {
        let _: Done = try await bus.ask(Subjects.recorder(pod.shard, "hold"), RecordingRequest(pod: pod, on: isHeld), headers: headers)
    }

    /// What the recordings take.
    public func usage(_ pod: PodID? = nil) async throws(ErrorBody) -> RecorderUsage {
        try await bus.ask(Subjects.recorderUsage, GetUsage(pod: pod))
    }

    private func askBinary<Meta: Decodable>(_ verb: String, _ request: some Encodable, _ pod: PodID) async throws(ErrorBody) -> (Meta, [UInt8]) {
        let payload: [UInt8]
        do { payload = try JSON.encode(request) } catch { throw ErrorBody(.internal, "the request could not be encoded: \(error)") }
        let answer: BusMessage
        do throws(BusError) {
            answer = try await bus.request(Subjects.recorder(pod.shard, verb), payload: payload, headers: headers, timeout: .seconds(10))
        } catch  where error.code == .noResponders {
            throw ErrorBody(.unavailable, "no recorder answers for this pod at the moment; try again")
        } catch {
            throw ErrorBody(error)
        }
        let bytes = answer.payload
        guard let meta = answer.header(Headers.meta) else {
            throw Reply.error(in: bytes) ?? ErrorBody(.internal, "the recorder's answer has no \(Headers.meta)")
        }
        return (try JSON.decode(Meta.self, from: meta.utf8), bytes)
    }
}
