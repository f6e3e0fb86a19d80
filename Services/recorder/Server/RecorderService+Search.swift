internal import Contract
internal import Database
internal import Pattern
internal import Redaction
internal import Terminal

/// What a search looks for in a line.
struct LineQuery: Sendable {
    private enum Kind: Sendable {
        case text([UInt8])
        case folded([UInt32])
        case pattern(LinePattern)
    }

    private let kind: Kind
    /// What a segment's signature must hold.
    let required: [UInt32]
    private static let longest = 1000

    /// Throws `bad_request` for an empty, too long or wrong query.
    init(_ request: Search) throws(ErrorBody) {
        let ignoresCase = request.ignoreCase ?? false
        guard !request.query.isEmpty else { throw ErrorBody(.badRequest, "say what to search for") }
        guard request.query.unicodeScalars.count <= Self.longest else {
            throw ErrorBody(.badRequest, "the query is longer than \(Self.longest) characters")
        }
        if request.regex ?? false {
            kind = .pattern(try LinePattern(request.query, ignoringCase: ignoresCase))
            required = LinePattern.requiredTexts(request.query).flatMap { TrigramSignature.required($0, ignoringCase: ignoresCase) }
        } else if ignoresCase {
            kind = .folded(request.query.unicodeScalars.map { LinePattern.folded($0.value, true) })
            required = TrigramSignature.required(request.query, ignoringCase: true)
        } else {
            kind = .text(Array(request.query.utf8))
            required = TrigramSignature.required(request.query, ignoringCase: false)
        }
    }

    func matches(_ line: String) -> Bool {
        switch kind {
        case .text(let wanted): Self.contains(Array(line.utf8), wanted)
        case .folded(let wanted): Self.contains(line.unicodeScalars.map { LinePattern.folded($0.value, true) }, wanted)
        case .pattern(let pattern): pattern.matches(line)
        }
    }

    private static func contains<Element: Equatable>(_ line: [Element], _ wanted: [Element]) -> Bool {
        guard let first = wanted.first, line.count >= wanted.count else { return false }
        for start in 0...(line.count - wanted.count) where line[start] == first {
            if line[start..<(start + wanted.count)].elementsEqual(wanted) { return true }
        }
        return false
    }
}

extension RecorderService {
    private static let defaultLimit = 100
    private static let largestLimit = 1000
    /// A page ends after this much work; the cursor goes on.
    private static let budget: Duration = .seconds(3)

    /// When a text was on screens: pods with the newest recordings first, each from its beginning.
    ///
    /// Signatures say which segments can hold the text; those are replayed, which finds every line that stood on the screen
    /// after any frame, and every line that only scrolled through. An interval that a page's end cuts goes on in the next page
    /// as another hit.
    func search(_ request: Search, in isReadable: @Sendable (PodID) -> Bool = { _ in true }) async throws -> SearchPage {
        let query = try LineQuery(request)
        let limit = max(1, min(request.limit ?? Self.defaultLimit, Self.largestLimit))
        // What is in memory only is stored first: then there is one place to look.
        try await flushAll(of: request.pod)
        var cursor = try request.cursor.map(SearchCursor.init)
        let deadline = ContinuousClock.now + Self.budget
        var hits: [SearchPage.Hit] = []
        let pods = try await store.searchPods(request.pod, from: request.from, to: request.to, after: cursor)
        if let pod = request.pod, pods.isEmpty, try await store.pod(pod) == nil {
            throw ErrorBody(.notFound, "there is no recording of pod \(pod)")
        }
        for pod in pods where isReadable(pod.pod) {
            var seq = cursor?.pod == pod.pod ? cursor?.seq ?? 0 : 0
            var given = cursor?.pod == pod.pod ? cursor?.given ?? 0 : 0
            cursor = nil
            while true {
                let range = try await store.searchSegments(
                    pod.pod, from: request.from, to: request.to, startingAt: seq, required: query.required, limit: 24)
                if range.isEmpty { break }
                let found = try await replay(range, query, isEnded: pod.isEnded, lastSeq: pod.lastSeq, redactor: request.masked == true ? settings.redactor : nil)
                let sorted = found.sorted { ($0.from, $0.seq, $0.row ?? -1) < ($1.from, $1.seq, $1.row ?? -1) }
                for (index, interval) in sorted.enumerated().dropFirst(given) {
                    if let from = request.from, let to = interval.to, to < from { continue }
                    if let to = request.to, interval.from > to { continue }
                    let hit = SearchPage.Hit(
                        pod: pod.pod, line: interval.line, row: interval.row, from: interval.from, to: interval.to, seq: interval.seq)
                    // The same line goes on from the segments looked at before.
                    if let same = hits.lastIndex(where: { $0.pod == hit.pod && $0.line == hit.line && $0.to == hit.from && $0.row == hit.row }) {
                        hits[same].to = hit.to
                    } else if hits.count < limit {
                        hits.append(hit)
                    } else {
                        return SearchPage(hits: hits, next: SearchCursor(time: pod.last, pod: pod.pod, seq: seq, given: index).text)
                    }
                }
                given = 0
                seq = (range.last?.header.lastSeq ?? seq) + 1
                if hits.count >= limit || ContinuousClock.now > deadline {
                    return SearchPage(hits: hits, next: SearchCursor(time: pod.last, pod: pod.pod, seq: seq).text)
                }
            }
        }
        return SearchPage(hits: hits)
    }

    /// Replays segments in order and gives the intervals of lines that match.
    private func replay(
        _ segments: [RecorderStore.Found], _ query: LineQuery, isEnded: Bool, lastSeq: UInt64, redactor: Redactor?
    ) async throws -> [LineTracker.Interval] {
        try await onWorker {
            var tracker = LineTracker(redactor: redactor) { query.matches($0) }
            var followed: (seq: UInt64, time: Timestamp)?
            for segment in segments {
                if let followed, followed.seq + 1 != segment.header.firstSeq { tracker.interrupt(at: followed.time) }
                let content = try SegmentContent(packed: segment.packed)
                let engine = try Terminal(snapshot: content.keyframe) { HistoryPages.number($0).flatMap { segment.pages[$0] } }
                tracker.begin(engine, seq: max(1, segment.header.firstSeq) - 1, time: segment.header.from)
                for frame in try FrameCodec.decode(content.frames[...], pod: segment.header.pod) {
                    FrameEffect.apply(frame, to: engine)
                    tracker.applied(frame, to: engine)
                }
                followed = (segment.header.lastSeq, segment.header.to)
            }
            var intervals = tracker.takeEnded()
            for var interval in tracker.standing {
                let isLive = !isEnded && followed?.seq == lastSeq
                interval.to = isLive ? nil : followed?.time
                intervals.append(interval)
            }
            return intervals
        }
    }
}

/// Where a search goes on: `time.pod.seq`, and `.given` where a page was full before the segments from there on were through.
struct SearchCursor: Sendable {
    var time: Timestamp
    var pod: PodID
    var seq: UInt64
    /// How many of their intervals were looked at.
    var given = 0

    init(time: Timestamp, pod: PodID, seq: UInt64, given: Int = 0) {
        self.time = time
        self.pod = pod
        self.seq = seq
        self.given = given
    }

    /// Throws `bad_request` for anything that was not given out.
    init(_ text: String) throws(ErrorBody) {
        let parts = text.split(separator: ".")
        guard (3...4).contains(parts.count), let time = Int64(parts[0]), let pod = PodID(parts[1]), let seq = UInt64(parts[2]),
            let given = parts.count == 3 ? 0 : Int(parts[3]), given >= 0
        else { throw ErrorBody(.badRequest, "\"\(text)\" is not a cursor of a search") }
        self.init(time: Timestamp(microseconds: time), pod: pod, seq: seq, given: given)
    }

    var text: String { "\(time.microseconds).\(pod).\(seq)" + (given > 0 ? ".\(given)" : "") }
}

extension RecorderStore {
    /// Pods whose recording touches the range, newest first, from the cursor's on.
    func searchPods(_ pod: PodID?, from: Timestamp?, to: Timestamp?, after cursor: SearchCursor?) async throws -> [PodHead] {
        let heads = try await pods(pod)
        return heads.filter { head in
            if let from, head.last < from { return false }
            if let to, head.first > to { return false }
            // A pod that goes on moves to the front between two pages: the cursor's own pod always counts.
            if let cursor, head.pod != cursor.pod, (head.last, head.pod) > (cursor.time, cursor.pod) { return false }
            return true
        }.sorted { a, b in
            if let cursor, (a.pod == cursor.pod) != (b.pod == cursor.pod) { return a.pod == cursor.pod }
            return (a.last, a.pod) > (b.last, b.pod)
        }
    }

    /// The next segments, in order, that may hold what is required; with what is needed to replay them.
    func searchSegments(
        _ pod: PodID, from: Timestamp?, to: Timestamp?, startingAt seq: UInt64, required: [UInt32], limit: Int
    ) async throws -> [Found] {
        try await pool.withReader { connection in
            var next = Int64(clamping: seq)
            var found: [Found] = []
            while found.count < limit {
                let rows = try connection.query(
                    """
                    SELECT first_seq, last_seq, signature FROM recorder.segments
                    WHERE pod = $1 AND first_seq >= $2 AND to_us >= $3 AND from_us <= $4 ORDER BY first_seq LIMIT 1024
                    """, pod.text, next, from?.microseconds ?? Int64.min, to?.microseconds ?? Int64.max)
                if rows.isEmpty { break }
                var wanted: [Int64] = []
                for row in rows {
                    next = try row.decode("last_seq", as: Int64.self) + 1
                    if TrigramSignature.mayHold(try row.decode("signature"), required) { wanted.append(try row.decode("first_seq")) }
                    if found.count + wanted.count >= limit { break }
                }
                for first in wanted {
                    guard let segment = try Self.segment(pod, firstSeq: first, connection) else { continue }
                    found.append(segment)
                }
            }
            return found
        }
    }
}
