internal import Compression
internal import Contract
internal import Digest
internal import Terminal

/// What a segment holds, unpacked: the state before its first frame, and its frames.
struct SegmentContent: Equatable, Sendable {
    /// An engine snapshot in which pages of history stand by their numbers.
    var keyframe: [UInt8]
    /// A run of `FrameCodec`.
    var frames: [UInt8]

    /// The largest a segment can be unpacked: a keyframe of the largest terminal, and one frame of the largest message.
    static let largest = 64 << 20

    var byteCount: Int { keyframe.count + frames.count }

    /// Length of the keyframe (LEB128), keyframe, frames.
    func packed(_ compressor: ZstdCompressor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount + 8)
        FrameCodec.appendNumber(UInt64(keyframe.count), to: &bytes)
        bytes.append(contentsOf: keyframe)
        bytes.append(contentsOf: frames)
        return try compressor.compress(bytes)
    }

    init(keyframe: [UInt8], frames: [UInt8]) {
        self.keyframe = keyframe
        self.frames = frames
    }

    init(packed: [UInt8]) throws {
        let bytes = try Zstd.decompress(packed, limit: Self.largest)
        var count = 0
        var index = 0
        while true {
            guard index < bytes.count, index < 5 else { throw ErrorBody(.internal, "a segment is garbled: its keyframe has no length") }
            count |= Int(bytes[index] & 0x7f) << (7 * index)
            index += 1
            if bytes[index - 1] < 0x80 { break }
        }
        guard count <= bytes.count - index else { throw ErrorBody(.internal, "a segment is garbled: its keyframe is cut short") }
        keyframe = Array(bytes[index..<(index + count)])
        frames = Array(bytes[(index + count)...])
    }
}

/// What is known of a segment beside its content.
struct SegmentHeader: Equatable, Sendable {
    var pod: PodID
    var firstSeq: UInt64
    var lastSeq: UInt64
    /// Times of its first and last frame.
    var from: Timestamp
    var to: Timestamp
    /// Bytes of terminal output.
    var outputBytes: Int
    var frameCount: Int
    /// Whether the size changes within: then the history may come back to the screen.
    var hasResize: Bool
    /// Numbers of the pages of history that are stored with this segment: those its keyframe names first.
    var firstPage: Int
    var pageCount: Int
    /// The oldest page its keyframe names; `firstPage + pageCount` if none.
    var oldestPage: Int
}

/// A segment as it is stored.
struct StoredSegment: Equatable, Sendable {
    var header: SegmentHeader
    /// False for the tail of a recording that goes on: it is replaced as it grows, and is no link of the chain yet.
    var isSealed: Bool
    /// `SegmentContent`, packed.
    var content: [UInt8]
    /// `HistoryPages`, packed; empty without pages.
    var pages: [UInt8]
    var signature: [UInt8]
    /// `SegmentSummary`.
    var summary: [UInt8]
    var previous: SHA256Digest
    var hash: SHA256Digest

    /// The link of the chain: the digest of the previous link and of everything that is stored.
    static func hash(
        _ header: SegmentHeader, content: [UInt8], pages: [UInt8], signature: [UInt8], summary: [UInt8], previous: SHA256Digest
    ) -> SHA256Digest {
        var fields = Array(header.pod.text.utf8)
        for number in [
            Int64(bitPattern: header.firstSeq), Int64(bitPattern: header.lastSeq), header.from.microseconds, header.to.microseconds,
            Int64(header.outputBytes), Int64(header.frameCount), header.hasResize ? 1 : 0, Int64(header.firstPage), Int64(header.pageCount),
            Int64(header.oldestPage), Int64(content.count), Int64(pages.count), Int64(signature.count), Int64(summary.count),
        ] {
            for shift in stride(from: 0, to: 64, by: 8) { fields.append(UInt8(truncatingIfNeeded: number >> Int64(shift))) }
        }
        return SHA256.digest(previous.bytes, fields, content, pages, signature, summary)
    }

    /// What is wrong with the stored bytes, if anything.
    func problem(after expected: SHA256Digest) -> String? {
        guard previous == expected else { return "it does not follow the segment before it: a segment is missing or was put in" }
        let actual = Self.hash(header, content: content, pages: pages, signature: signature, summary: summary, previous: previous)
        guard actual == hash else { return "its content is not what was sealed" }
        return nil
    }
}

/// Pages of history back to back: length (LEB128) and bytes of each, zstd-compressed together.
enum HistoryPages {
    static func packed(_ pages: [[UInt8]], _ compressor: ZstdCompressor) throws -> [UInt8] {
        if pages.isEmpty { return [] }
        var bytes: [UInt8] = []
        for page in pages {
            FrameCodec.appendNumber(UInt64(page.count), to: &bytes)
            bytes.append(contentsOf: page)
        }
        return try compressor.compress(bytes)
    }

    static func unpacked(_ packed: [UInt8]) throws -> [[UInt8]] {
        if packed.isEmpty { return [] }
        var rest = try Zstd.decompress(packed, limit: SegmentContent.largest)[...]
        var pages: [[UInt8]] = []
        while !rest.isEmpty {
            var count: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                guard let byte = rest.popFirst(), shift < 35 else { throw ErrorBody(.internal, "pages of history are garbled") }
                count |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { break }
                shift += 7
            }
            guard count <= UInt64(rest.count) else { throw ErrorBody(.internal, "pages of history are cut short") }
            pages.append(Array(rest.prefix(Int(count))))
            rest = rest.dropFirst(Int(count))
        }
        return pages
    }

    /// A page's number as keyframes hold it.
    static func reference(_ number: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        FrameCodec.appendNumber(UInt64(number), to: &bytes)
        return bytes
    }

    static func number(_ reference: [UInt8]) -> Int? {
        guard (1...8).contains(reference.count) else { return nil }
        return reference.enumerated().reduce(0) { $0 | Int($1.element & 0x7f) << (7 * $1.offset) }
    }
}
