internal import Contract
internal import Digest

extension RecorderStore {
    /// Reads a recording from its oldest segment to its newest: each must be what was sealed, follow the one before and hold
    /// the frames it says. Names the first that does not.
    func verify(_ pod: PodID) async throws -> Verified {
        guard let head = try await self.pod(pod) else { throw ErrorBody(.notFound, "there is no recording of pod \(pod)") }
        var result = Verified(
            ok: true, segments: 0, frames: 0, firstSeq: head.firstSeq, lastSeq: head.firstSeq - 1, problem: nil, head: head.head.hex)
        var link = head.anchor
        var sealed = head.anchor
        var nextSeq = head.firstSeq
        func broken(_ seq: UInt64, _ why: String) -> Verified {
            var result = result
            result.ok = false
            result.problem = "segment \(seq): \(why)"
            return result
        }
        while true {
            let segments = try await segments(pod, from: nextSeq, limit: 32)
            if segments.isEmpty { break }
            for segment in segments {
                let seq = segment.header.firstSeq
                guard seq == nextSeq else { return broken(seq, "frames \(nextSeq) to \(seq - 1) before it are missing") }
                if let problem = segment.problem(after: link) { return broken(seq, problem) }
                do {
                    let content = try SegmentContent(packed: segment.content)
                    let frames = try FrameCodec.decode(content.frames[...], pod: pod)
                    guard frames.first?.seq == seq, frames.last?.seq == segment.header.lastSeq, frames.count == segment.header.frameCount else {
                        return broken(seq, "it does not hold the frames it says")
                    }
                    result.frames += UInt64(frames.count)
                } catch {
                    return broken(seq, "it cannot be unpacked: \(error)")
                }
                result.segments += 1
                result.lastSeq = segment.header.lastSeq
                link = segment.hash
                if segment.isSealed { sealed = segment.hash }
                nextSeq = segment.header.lastSeq + 1
            }
        }
        guard result.lastSeq >= head.lastSeq else { return broken(nextSeq, "it and all after it are missing, up to frame \(head.lastSeq)") }
        guard sealed == head.head else { return broken(result.lastSeq, "the newest sealed segment is not the one that was written down as such") }
        return result
    }
}
