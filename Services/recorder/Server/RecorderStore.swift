internal import Compression
internal import Contract
internal import Database
internal import Digest

/// The recorder's tables.
struct RecorderStore: Sendable {
    static let schema = "recorder"

    static let migrations = [
        Migration(
            "segments, pods, positions",
            """
            CREATE TABLE pods (
                pod text COLLATE "C" PRIMARY KEY,
                shard smallint NOT NULL,
                first_us bigint NOT NULL,
                last_us bigint NOT NULL,
                first_seq bigint NOT NULL,
                last_seq bigint NOT NULL,
                sealed_seq bigint NOT NULL,
                head bytea NOT NULL,
                anchor bytea NOT NULL,
                ended boolean NOT NULL,
                announced boolean NOT NULL DEFAULT false,
                held boolean NOT NULL DEFAULT false
            );
            CREATE INDEX pods_shard ON pods (shard);
            CREATE INDEX pods_unannounced ON pods (shard) WHERE ended AND NOT announced;
            CREATE TABLE segments (
                pod text COLLATE "C" NOT NULL,
                first_seq bigint NOT NULL,
                last_seq bigint NOT NULL,
                from_us bigint NOT NULL,
                to_us bigint NOT NULL,
                output_bytes integer NOT NULL,
                frame_count integer NOT NULL,
                has_resize boolean NOT NULL,
                first_page integer NOT NULL,
                page_count integer NOT NULL,
                oldest_page integer NOT NULL,
                stored_bytes integer NOT NULL,
                sealed boolean NOT NULL,
                content bytea NOT NULL,
                pages bytea NOT NULL,
                signature bytea NOT NULL,
                summary bytea NOT NULL,
                previous bytea NOT NULL,
                hash bytea NOT NULL,
                PRIMARY KEY (pod, first_seq)
            );
            -- They are compressed already.
            ALTER TABLE segments ALTER content SET STORAGE EXTERNAL, ALTER pages SET STORAGE EXTERNAL,
                ALTER signature SET STORAGE EXTERNAL, ALTER summary SET STORAGE EXTERNAL;
            CREATE INDEX segments_time ON segments (pod, from_us);
            CREATE INDEX segments_age ON segments (to_us);
            CREATE INDEX segments_pages ON segments (pod, first_page) WHERE page_count > 0;
            CREATE TABLE positions (shard smallint PRIMARY KEY, stream_seq bigint NOT NULL);
            """),
        Migration("of which stream positions are", "ALTER TABLE positions ADD COLUMN stream text;"),
        // Nothing changes in the schema, but a program from before would take these segments for garbled ones: so it refuses instead.
        Migration("segments of the second format", "COMMENT ON COLUMN segments.content IS 'see SegmentContent: formats 1 and 2';"),
    ]

    let pool: DatabasePool

    func migrate() async throws {
        try await pool.migrate(schema: Self.schema, Self.migrations)
    }

    // MARK: - Positions and pods

    struct PodHead: Sendable {
        var pod: PodID
        var first: Timestamp
        var last: Timestamp
        var firstSeq: UInt64
        var lastSeq: UInt64
        var sealedSeq: UInt64
        var isEnded: Bool
        var isHeld: Bool
        var head: SHA256Digest
        var anchor: SHA256Digest
    }

    /// Where a shard's stream goes on, of which stream that is (when it was made), and what is known of its pods.
    func shard(_ shard: Shard) async throws -> (position: UInt64, stream: String?, pods: [PodHead], unannounced: [PodID]) {
        try await pool.withReader { connection in
            let position = try connection.query("SELECT stream_seq, stream FROM recorder.positions WHERE shard = $1", shard.number)
            let pods = try connection.query("SELECT \(Self.podColumns) FROM recorder.pods WHERE shard = $1", shard.number)
            let unannounced = try connection.query(
                "SELECT pod FROM recorder.pods WHERE shard = $1 AND ended AND NOT announced", shard.number)
            return (
                UInt64(try position.first?.decode(0, as: Int64.self) ?? 0), try position.first?.decode(1, as: String?.self) ?? nil,
                try pods.map(Self.podHead), try unannounced.map { try Self.podID($0) }
            )
        }
    }

    func pod(_ pod: PodID) async throws -> PodHead? {
        try await pool.withReader { connection in
            try connection.query("SELECT \(Self.podColumns) FROM recorder.pods WHERE pod = $1", pod.text).first.map(Self.podHead)
        }
    }

    /// All recordings, or one.
    func pods(_ pod: PodID?) async throws -> [PodHead] {
        try await pool.withReader { connection in
            try connection.query(
                "SELECT \(Self.podColumns) FROM recorder.pods WHERE $1::text IS NULL OR pod = $1", pod?.text
            ).map(Self.podHead)
        }
    }

    func announced(_ pod: PodID) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query("UPDATE recorder.pods SET announced = true WHERE pod = $1", pod.text)
        }
    }

    private static let podColumns = "pod, first_us, last_us, first_seq, last_seq, sealed_seq, ended, held, head, anchor"

    private static func podID(_ row: DatabaseRow) throws -> PodID {
        let text: String = try row.decode("pod")
        guard let pod = PodID(text) else { throw DatabaseError(code: .unexpectedResult, message: "\"\(text)\" is not a pod id") }
        return pod
    }

    private static func digest(_ row: DatabaseRow, _ column: String) throws -> SHA256Digest {
        guard let digest = SHA256Digest(bytes: try row.decode(column)) else {
            throw DatabaseError(code: .unexpectedResult, message: "column \"\(column)\" is not a SHA-256")
        }
        return digest
    }

    private static func podHead(_ row: DatabaseRow) throws -> PodHead {
        PodHead(
            pod: try podID(row), first: Timestamp(microseconds: try row.decode("first_us")),
            last: Timestamp(microseconds: try row.decode("last_us")), firstSeq: UInt64(clamping: try row.decode("first_seq", as: Int64.self)),
            lastSeq: UInt64(clamping: try row.decode("last_seq", as: Int64.self)),
            sealedSeq: UInt64(clamping: try row.decode("sealed_seq", as: Int64.self)), isEnded: try row.decode("ended"),
            isHeld: try row.decode("held"), head: try digest(row, "head"), anchor: try digest(row, "anchor"))
    }

    // MARK: - Writing

    /// What one pod adds.
    struct PodBatch: Sendable {
        var pod: PodID
        /// What the writer believes is sealed; another writer's work is not overwritten.
        var sealedSeq: UInt64
        var head: SHA256Digest
        var closed: [ClosedSegment]
        var tail: ClosedSegment?
        var first: Timestamp
        var isEnded: Bool
    }

    struct PodResult: Sendable {
        var pod: PodID
        var closed: Int
        var head: SHA256Digest
        var tail: UInt64?
        var storedBytes: Int
    }

    /// Another instance recorded this pod meanwhile.
    struct Conflict: Error {
        var pods: [PodID]
    }

    /// Stores segments and the shard's position in one transaction. Throws `Conflict` without storing anything when
    /// another instance was faster.
    func write(_ batches: [PodBatch], shard: Shard, position: UInt64, of stream: String?, level: Int32) async throws -> [PodResult] {
        try await pool.withTransaction { connection in
            let present = try connection.query(
                "SELECT pod, sealed_seq FROM recorder.pods WHERE pod = ANY($1::text[]) ORDER BY pod FOR UPDATE",
                batches.map(\.pod.text))
            var sealed: [PodID: UInt64] = [:]
            for row in present { sealed[try Self.podID(row)] = UInt64(clamping: try row.decode("sealed_seq", as: Int64.self)) }
            let conflicts = batches.filter { sealed[$0.pod, default: 0] != $0.sealedSeq }.map(\.pod)
            guard conflicts.isEmpty else { throw Conflict(pods: conflicts) }

            let compressor = try ZstdCompressor(level: level)
            // A tail is replaced soon.
            let quick = try ZstdCompressor(level: min(level, 3))
            var segments: [[DatabaseValue]] = []
            var pods: [[DatabaseValue]] = []
            var results: [PodResult] = []
            for batch in batches {
                var result = PodResult(pod: batch.pod, closed: batch.closed.count, head: batch.head, tail: nil, storedBytes: 0)
                var sealedSeq = batch.sealedSeq
                for segment in batch.closed {
                    let stored = try segment.stored(after: result.head, isSealed: true, compressor)
                    result.head = stored.hash
                    result.storedBytes += stored.byteCount
                    sealedSeq = stored.header.lastSeq
                    segments.append(Self.values(stored))
                }
                if let tail = batch.tail {
                    let stored = try tail.stored(after: result.head, isSealed: false, quick)
                    result.tail = stored.header.lastSeq
                    segments.append(Self.values(stored))
                }
                guard let last = batch.tail ?? batch.closed.last else { continue }
                let firstSeq = (batch.closed.first ?? last).header.firstSeq
                pods.append([
                    .text(batch.pod.text), .integer(Int64(batch.pod.shard.number)), .integer(batch.first.microseconds),
                    .integer(last.header.to.microseconds), .integer(Int64(clamping: firstSeq)), .integer(Int64(clamping: last.header.lastSeq)),
                    .integer(Int64(clamping: sealedSeq)), .bytes(result.head.bytes), .bytes(SHA256Digest.zero.bytes), .bool(batch.isEnded),
                ])
                results.append(result)
            }
            try connection.executeMany(
                """
                INSERT INTO recorder.pods (pod, shard, first_us, last_us, first_seq, last_seq, sealed_seq, head, anchor, ended)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                ON CONFLICT (pod) DO UPDATE SET last_us = excluded.last_us, last_seq = excluded.last_seq, sealed_seq = excluded.sealed_seq,
                    head = excluded.head, ended = excluded.ended
                """, pods)
            try connection.executeMany(
                """
                INSERT INTO recorder.segments (\(Self.segmentColumns), stored_bytes)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
                ON CONFLICT (pod, first_seq) DO UPDATE SET last_seq = excluded.last_seq, to_us = excluded.to_us,
                    output_bytes = excluded.output_bytes, frame_count = excluded.frame_count, has_resize = excluded.has_resize,
                    first_page = excluded.first_page, page_count = excluded.page_count, oldest_page = excluded.oldest_page,
                    sealed = excluded.sealed, content = excluded.content, pages = excluded.pages, signature = excluded.signature,
                    summary = excluded.summary, previous = excluded.previous, hash = excluded.hash, stored_bytes = excluded.stored_bytes
                    WHERE NOT recorder.segments.sealed
                """, segments)
            try connection.query(
                """
                INSERT INTO recorder.positions (shard, stream_seq, stream) VALUES ($1, $2, $3)
                ON CONFLICT (shard) DO UPDATE SET stream_seq = excluded.stream_seq, stream = excluded.stream
                """, shard.number, Int64(clamping: position), stream)
            return results
        }
    }

    // MARK: - Reading segments

    private static let segmentColumns = """
        pod, first_seq, last_seq, from_us, to_us, output_bytes, frame_count, has_resize, first_page, page_count, oldest_page, sealed, content, \
        pages, signature, summary, previous, hash
        """

    private static func values(_ segment: StoredSegment) -> [DatabaseValue] {
        let header = segment.header
        return [
            .text(header.pod.text), .integer(Int64(clamping: header.firstSeq)), .integer(Int64(clamping: header.lastSeq)),
            .integer(header.from.microseconds), .integer(header.to.microseconds), .integer(Int64(header.outputBytes)),
            .integer(Int64(header.frameCount)), .bool(header.hasResize), .integer(Int64(header.firstPage)), .integer(Int64(header.pageCount)),
            .integer(Int64(header.oldestPage)), .bool(segment.isSealed), .bytes(segment.content), .bytes(segment.pages),
            .bytes(segment.signature), .bytes(segment.summary), .bytes(segment.previous.bytes), .bytes(segment.hash.bytes),
            .integer(Int64(segment.byteCount)),
        ]
    }

    private static let headerColumns = """
        pod, first_seq, last_seq, from_us, to_us, output_bytes, frame_count, has_resize, first_page, page_count, oldest_page, sealed
        """

    private static func header(_ row: DatabaseRow) throws -> SegmentHeader {
        SegmentHeader(
            pod: try podID(row), firstSeq: UInt64(clamping: try row.decode("first_seq", as: Int64.self)),
            lastSeq: UInt64(clamping: try row.decode("last_seq", as: Int64.self)), from: Timestamp(microseconds: try row.decode("from_us")),
            to: Timestamp(microseconds: try row.decode("to_us")), outputBytes: try row.decode("output_bytes"),
            frameCount: try row.decode("frame_count"), hasResize: try row.decode("has_resize"), firstPage: try row.decode("first_page"),
            pageCount: try row.decode("page_count"), oldestPage: try row.decode("oldest_page"))
    }

    private static func segment(_ row: DatabaseRow) throws -> StoredSegment {
        StoredSegment(
            header: try header(row), isSealed: try row.decode("sealed"), content: try row.decode("content"), pages: try row.decode("pages"),
            signature: try row.decode("signature"), summary: try row.decode("summary"), previous: try digest(row, "previous"),
            hash: try digest(row, "hash"))
    }

    /// A segment and, if asked for, the pages of history its keyframe names.
    struct Found: Sendable {
        var header: SegmentHeader
        var isSealed: Bool
        var packed: [UInt8]
        var pages: [Int: [UInt8]]
    }

    enum Place: Sendable {
        case time(Timestamp)
        case seq(UInt64)
        case newest
    }

    /// The newest segment that begins at or before the place; nil if none does.
    func segment(_ pod: PodID, at place: Place, withPages: @escaping @Sendable (SegmentHeader) -> Bool) async throws -> Found? {
        try await pool.withReader { connection in
            let select = "SELECT \(Self.headerColumns), content FROM recorder.segments WHERE pod = $1"
            let order = "ORDER BY first_seq DESC LIMIT 1"
            let result =
                switch place {
                case .time(let time):
                    try connection.query("\(select) AND from_us <= $2 ORDER BY from_us DESC, first_seq DESC LIMIT 1", pod.text, time.microseconds)
                case .seq(let seq): try connection.query("\(select) AND first_seq <= $2 \(order)", pod.text, Int64(clamping: seq))
                case .newest: try connection.query("\(select) \(order)", pod.text)
                }
            guard let row = result.first else { return nil }
            let header = try Self.header(row)
            let pages = withPages(header) ? try Self.pages(header, connection) : [:]
            return Found(header: header, isSealed: try row.decode("sealed"), packed: try row.decode("content"), pages: pages)
        }
    }

    /// The segment that begins with a frame, with its pages if it needs them to be replayed.
    static func segment(_ pod: PodID, firstSeq: Int64, _ connection: DatabaseConnection) throws -> Found? {
        let row = try connection.query(
            "SELECT \(headerColumns), content FROM recorder.segments WHERE pod = $1 AND first_seq = $2", pod.text, firstSeq
        ).first
        guard let row else { return nil }
        let header = try header(row)
        return Found(
            header: header, isSealed: try row.decode("sealed"), packed: try row.decode("content"),
            pages: header.hasResize ? try pages(header, connection) : [:])
    }

    private static func pages(_ header: SegmentHeader, _ connection: DatabaseConnection) throws -> [Int: [UInt8]] {
        // Its own pages are filled again by its frames, except those its keyframe begins with: they are fetched as well.
        let end = header.firstPage + header.pageCount
        guard header.oldestPage < end else { return [:] }
        let rows = try connection.query(
            """
            SELECT first_page, pages, content FROM recorder.segments
            WHERE pod = $1 AND page_count > 0 AND first_page < $2 AND first_page >= coalesce(
                (SELECT max(first_page) FROM recorder.segments WHERE pod = $1 AND page_count > 0 AND first_page <= $3), 0)
            """, header.pod.text, end, header.oldestPage)
        var pages: [Int: [UInt8]] = [:]
        for row in rows {
            let first: Int = try row.decode(0)
            for (index, page) in try HistoryPages.unpacked(try row.decode(1), content: try row.decode(2)).enumerated() { pages[first + index] = page }
        }
        return pages
    }

    /// What a recording ends with, to go on with it; nil if nothing is stored.
    func tail(_ pod: PodID) async throws -> StoredTail? {
        guard let head = try await self.pod(pod) else { return nil }
        guard let found = try await segment(pod, at: .newest, withPages: { _ in true }) else { return nil }
        return StoredTail(
            header: found.header, content: try SegmentContent(packed: found.packed), isSealed: found.isSealed, pages: found.pages,
            first: head.first, last: found.header.to, firstSeq: head.firstSeq, lastSeq: found.header.lastSeq, sealedSeq: head.sealedSeq, head: head.head, isEnded: head.isEnded)
    }

    /// Sealed and open segments in order, from `seq` on.
    func segments(_ pod: PodID, from seq: UInt64, limit: Int) async throws -> [StoredSegment] {
        try await pool.withReader { connection in
            try connection.query(
                "SELECT \(Self.segmentColumns) FROM recorder.segments WHERE pod = $1 AND first_seq >= $2 ORDER BY first_seq LIMIT $3",
                pod.text, Int64(clamping: seq), limit
            ).map(Self.segment)
        }
    }

    /// Whether segments stand before and after the one that begins at `seq`.
    func neighbours(_ pod: PodID, of seq: UInt64) async throws -> (earlier: Bool, later: Bool) {
        try await pool.withReader { connection in
            let row = try connection.query(
                """
                SELECT EXISTS (SELECT FROM recorder.segments WHERE pod = $1 AND first_seq < $2),
                    EXISTS (SELECT FROM recorder.segments WHERE pod = $1 AND first_seq > $2)
                """, pod.text, Int64(clamping: seq))[0]
            return (try row.decode(0), try row.decode(1))
        }
    }
}

extension StoredSegment {
    /// Bytes of what is stored beside the numbers.
    var byteCount: Int { content.count + pages.count + signature.count + summary.count + 2 * SHA256Digest.byteCount }
}

extension ClosedSegment {
    func stored(after previous: SHA256Digest, isSealed: Bool, _ compressor: ZstdCompressor) throws -> StoredSegment {
        let (packed, text) = try content.packed(compressor)
        let packedPages = try HistoryPages.packed(newPages, dictionary: text, compressor)
        return StoredSegment(
            header: header, isSealed: isSealed, content: packed, pages: packedPages, signature: signature, summary: summary, previous: previous,
            hash: StoredSegment.hash(header, content: packed, pages: packedPages, signature: signature, summary: summary, previous: previous))
    }
}
