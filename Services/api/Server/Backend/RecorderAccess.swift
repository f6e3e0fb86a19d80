internal import Bus
internal import Compression
internal import Contract
internal import Terminal

/// What the API asks of the recorder: states and slices of the past.
struct RecorderAccess: Sendable {
    let bus: BusConnection

    /// The engine as it was: after the last frame at or before a time, or after a frame, or at the end.
    func state(_ pod: PodID, at: Timestamp? = nil, seq: UInt64? = nil) async throws(ErrorBody) -> (Terminal, SeekMeta) {
        let request = Seek(pod: pod, at: at, seq: seq, format: .snapshot)
        let (meta, payload) = try await ask(pod, "seek", request, meta: SeekMeta.self)
        return (try Self.terminal(compressed: payload), meta)
    }

    /// One segment: the one that holds the frame or the time.
    func slice(_ request: Play) async throws(ErrorBody) -> RecordedSlice {
        let (meta, payload) = try await ask(request.pod, "play", request, meta: SliceMeta.self)
        guard meta.keyframeBytes >= 0, meta.keyframeBytes <= payload.count else {
            throw ErrorBody(.internal, "the recorder's slice is garbled")
        }
        return RecordedSlice(
            meta: meta, keyframe: Array(payload[..<meta.keyframeBytes]),
            frames: try FrameCodec.decode(payload[meta.keyframeBytes...], pod: request.pod))
    }

    func timeline(_ request: GetTimeline) async throws(ErrorBody) -> Timeline {
        try await bus.ask(Subjects.recorder(request.pod.shard, "timeline"), request, timeout: .seconds(10))
    }

    func search(_ request: Search) async throws(ErrorBody) -> SearchPage {
        try await bus.ask(Subjects.recorderSearch, request, timeout: .seconds(20))
    }

    private func ask<Meta: Decodable>(
        _ pod: PodID, _ verb: String, _ request: some Encodable, meta: Meta.Type
    ) async throws(ErrorBody) -> (Meta, [UInt8]) {
        let payload: [UInt8]
        do { payload = try JSON.encode(request) } catch { throw ErrorBody(.internal, "\(error)") }
        let message: BusMessage
        do throws(BusError) {
            message = try await bus.request(Subjects.recorder(pod.shard, verb), payload: payload, timeout: .seconds(10))
        } catch  where error.code == .noResponders {
            throw ErrorBody(.unavailable, "no recorder answers for this pod at the moment; try again")
        } catch {
            throw ErrorBody(error)
        }
        let answer = message.payload
        guard let header = message.header(Headers.meta) else {
            throw Reply.error(in: answer) ?? ErrorBody(.internal, "the recorder's answer has no \(Headers.meta)")
        }
        return (try JSON.decode(Meta.self, from: header.utf8), answer)
    }

    static func terminal(compressed: [UInt8]) throws(ErrorBody) -> Terminal {
        do {
            return try Terminal(snapshot: try Zstd.decompress(compressed, limit: 256 << 20))
        } catch {
            throw ErrorBody(.internal, "a keyframe cannot be read: \(error)")
        }
    }
}

/// A segment of a recording, taken apart: a keyframe and the frames after it.
struct RecordedSlice: Sendable {
    var meta: SliceMeta
    /// An engine snapshot: the state before the first frame. Empty if it was not asked for.
    var keyframe: [UInt8]
    var frames: [Frame]
}
