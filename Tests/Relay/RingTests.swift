import Contract
import Testing

@testable import RelayServer

@Suite("The ring of newest output")
struct RingTests {
    private func frame(_ seq: UInt64, bytes: Int) -> Frame {
        Frame(
            pod: PodID("paaaaaaaaaaaa")!, seq: seq, time: Timestamp(microseconds: Int64(seq)), kind: .out,
            bytes: Array(repeating: UInt8(ascii: "x"), count: bytes))
    }

    private func filled(_ limits: FrameRing.Limits, _ sizes: [Int]) -> FrameRing {
        var ring = FrameRing(limits: limits)
        for (index, size) in sizes.enumerated() { _ = ring.append(frame(UInt64(index + 1), bytes: size)) }
        return ring
    }

    @Test("keeps exactly the last five of seven messages, in order")
    func countLimit() {
        let ring = filled(.init(bytes: 1000, messages: 5), Array(repeating: 1, count: 7))
        #expect(ring.held.map(\.seq) == [3, 4, 5, 6, 7])
    }

    @Test("keeps the last two of three when only two fit by bytes")
    func byteLimit() {
        let ring = filled(.init(bytes: 10, messages: 100), [5, 5, 5])
        #expect(ring.held.map(\.seq) == [2, 3])
        #expect(ring.bytes == 10)
    }

    @Test("asks for a keyframe instead of losing a message larger than itself")
    func largeMessage() {
        var ring = filled(.init(bytes: 10, messages: 100), [5, 5])
        let fits = ring.append(frame(3, bytes: 11))
        #expect(!fits)
        #expect(ring.count == 0)
        ring.keep(.init(seq: 3, snapshot: [1]))
        let next = ring.append(frame(4, bytes: 1))
        #expect(next)
        #expect(ring.keyframe?.seq == 3)
        #expect(ring.held.map(\.seq) == [4])
    }

    @Test("holds 262,144 bytes exactly, and evicts the first at one more; likewise at 200 messages")
    func defaultLimits() {
        #expect(filled(.init(), Array(repeating: 1, count: 201)).held.first?.seq == 2)
        var ring = filled(.init(), [131_072, 131_072])
        #expect(ring.held.first?.seq == 1)
        _ = ring.append(frame(3, bytes: 1))
        #expect(ring.held.first?.seq == 2)
    }

    @Test("keeps the newest keyframe at or before its first frame, and those after it")
    func keyframes() {
        var ring = FrameRing(limits: .init(bytes: 1000, messages: 4))
        for seq in 1...12 {
            _ = ring.append(frame(UInt64(seq), bytes: 1))
            if seq % 3 == 0 { ring.keep(.init(seq: UInt64(seq), snapshot: [UInt8(seq)])) }
        }
        // Frames 9 to 12 are held; the keyframe after frame 6 is the newest from which all of them can be replayed.
        #expect(ring.firstSeq == 9)
        #expect(ring.keyframe?.seq == 6)
        _ = ring.append(frame(13, bytes: 1))
        #expect(ring.keyframe?.seq == 9)
    }

    @Test("gives what came after a frame, or says that it no longer can")
    func after() {
        let ring = filled(.init(bytes: 1000, messages: 3), [1, 1, 1, 1, 1])
        #expect(ring.frames(after: 2)?.map(\.seq) == [3, 4, 5])
        #expect(ring.frames(after: 4)?.map(\.seq) == [5])
        #expect(ring.frames(after: 5)?.isEmpty == true)
        #expect(ring.frames(after: 1) == nil)
    }

    @Test("stays within its bytes over ten thousand messages")
    func memory() {
        var ring = FrameRing()
        for seq in 1...10_000 { _ = ring.append(frame(UInt64(seq), bytes: 5000)) }
        #expect(ring.bytes <= 262_144)
        #expect(ring.frames.count < 300)
    }
}
