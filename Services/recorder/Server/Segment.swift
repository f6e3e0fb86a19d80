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

    init(keyframe: [UInt8], frames: [UInt8]) {
        self.keyframe = keyframe
        self.frames = frames
    }

    // MARK: - As it is stored

    /// The first byte of what is stored. The first version was one zstd frame, which begins with another byte.
    private static let version: UInt8 = 2

    /// The bytes that are stored: version, length (LEB128) of the first and two zstd frames. The first holds the facts of `FrameColumns`, the
    /// second the text: length of the keyframe (LEB128), keyframe, content of the frames.
    ///
    /// The text is the dictionary of the history's pages, which repeat it.
    func packed(_ compressor: ZstdCompressor) throws -> (packed: [UInt8], text: [UInt8]) {
        let columns = try FrameColumns(frames)
        var text: [UInt8] = []
        text.reserveCapacity(keyframe.count + columns.content.count + 8)
        FrameCodec.appendNumber(UInt64(keyframe.count), to: &text)
        text.append(contentsOf: keyframe)
        text.append(contentsOf: columns.content)
        let facts = try compressor.compress(columns.facts)
        var packed: [UInt8] = [Self.version]
        FrameCodec.appendNumber(UInt64(facts.count), to: &packed)
        packed.append(contentsOf: facts)
        packed.append(contentsOf: try compressor.compress(text))
        return (packed, text)
    }

    init(packed: [UInt8]) throws {
        guard let parts = try Self.parts(packed) else {
            try self.init(firstVersion: Zstd.decompress(packed, limit: Self.largest))
            return
        }
        let facts = try Zstd.decompress(Array(parts.facts), limit: Self.largest)
        var reader = ColumnReader(try Zstd.decompress(Array(parts.text), limit: Self.largest)[...])
        let keyframe = Array(try reader.bytes(try reader.number()))
        self.init(keyframe: keyframe, frames: try FrameColumns(facts: facts, content: Array(reader.rest)).run())
    }

    /// The dictionary of the pages that are stored with it.
    static func dictionary(packed: [UInt8]) throws -> [UInt8] {
        try Zstd.decompress(try parts(packed).map { Array($0.text) } ?? packed, limit: largest)
    }

    /// The two frames; nil for the first version.
    private static func parts(_ packed: [UInt8]) throws -> (facts: ArraySlice<UInt8>, text: ArraySlice<UInt8>)? {
        guard packed.first == version else { return nil }
        var reader = ColumnReader(packed.dropFirst())
        let facts = try reader.bytes(try reader.number())
        return (facts, reader.rest)
    }

    private init(firstVersion plain: [UInt8]) throws {
        var reader = ColumnReader(plain[...])
        keyframe = Array(try reader.bytes(try reader.number()))
        frames = try FrameColumns.firstVersion(&reader)
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
    /// Numbers of the pages of history that are stored with this segment: those that were filled while it was written.
    var firstPage: Int
    var pageCount: Int
    /// The oldest page its keyframe names; `firstPage` if it names none of earlier segments.
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

/// Pages of history, compressed with the text of their segment as the dictionary: its output is where most of their text came from.
///
/// The first version was one zstd frame of the pages back to back, each with its length (LEB128) before it. The second is its number and a
/// zstd frame of `PageColumns`.
enum HistoryPages {
    private static let version: UInt8 = 2

    static func packed(_ pages: [[UInt8]], dictionary: [UInt8], _ compressor: ZstdCompressor) throws -> [UInt8] {
        if pages.isEmpty { return [] }
        return [version] + (try compressor.compress(PageColumns.split(pages), dictionary: dictionary))
    }

    static func unpacked(_ packed: [UInt8], content: [UInt8]) throws -> [[UInt8]] {
        if packed.isEmpty { return [] }
        let dictionary = try SegmentContent.dictionary(packed: content)
        guard packed.first != version else {
            return try PageColumns.joined(Zstd.decompress(Array(packed.dropFirst()), limit: SegmentContent.largest, dictionary: dictionary))
        }
        var reader = ColumnReader(try Zstd.decompress(packed, limit: SegmentContent.largest, dictionary: dictionary)[...])
        var pages: [[UInt8]] = []
        while !reader.rest.isEmpty { pages.append(Array(try reader.bytes(try reader.number()))) }
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
