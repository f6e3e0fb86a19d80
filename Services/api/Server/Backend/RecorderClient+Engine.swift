internal import Compression
internal import Contract
internal import RecorderClient
internal import Terminal

/// The recorder's answers as the API needs them: engines instead of compressed keyframes.
extension RecorderClient {
    /// The engine as it was: after the last frame at or before a time, or after a frame, or at the end.
    func state(_ pod: PodID, at: Timestamp? = nil, seq: UInt64? = nil) async throws(ErrorBody) -> (Terminal, SeekMeta) {
        let (meta, payload) = try await seek(Seek(pod: pod, at: at, seq: seq, format: .snapshot))
        return (try Self.terminal(compressed: payload), meta)
    }

    /// One segment: the one that holds the frame or the time.
    func slice(_ request: Play) async throws(ErrorBody) -> RecordedSlice {
        let (meta, keyframe, frames) = try await play(request)
        return RecordedSlice(meta: meta, keyframe: keyframe, frames: frames)
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
