internal import Contract
internal import Database

extension RecorderService {
    private static let defaultBuckets = 200
    private static let largestBuckets = 5000
    /// Nothing of substance for this long is idle.
    private static let shortestIdle: Duration = .seconds(5)

    /// What happened when, from the segments' summaries: nothing is unpacked.
    func timeline(_ request: GetTimeline) async throws -> Timeline {
        try await flushAll(of: request.pod)
        guard let head = try await store.pod(request.pod) else { throw ErrorBody(.notFound, "there is no recording of pod \(request.pod)") }
        let first = max(head.first, request.from ?? head.first), last = min(head.last, request.to ?? head.last)
        var timeline = Timeline(first: first, last: last, live: !head.isEnded, entries: [], idle: [], density: [])
        let buckets = max(1, min(request.buckets ?? Self.defaultBuckets, Self.largestBuckets))
        guard first <= last else { return timeline }
        let segments = try await store.summaries(request.pod, from: first, to: last)
        var density = [Double](repeating: 0, count: buckets)
        var spans: [ActivityTracker.Span] = []
        let length = max(1, Double(last.microseconds - first.microseconds))
        for segment in segments {
            guard let summary = SegmentSummary(segment.summary, start: segment.from, firstSeq: segment.firstSeq) else {
                throw ErrorBody(.internal, "the summary of segment \(segment.firstSeq) of pod \(request.pod) is garbled")
            }
            timeline.entries += summary.entries.filter { $0.time >= first && $0.time <= last }
            for span in summary.activity {
                if let newest = spans.last, span.from - newest.to < Self.shortestIdle {
                    spans[spans.count - 1].to = max(newest.to, span.to)
                } else {
                    spans.append(span)
                }
            }
            Self.spread(Double(segment.outputBytes), over: summary.activity, from: segment.from, to: segment.to, first: first, length: length, into: &density)
        }
        let inside = spans.compactMap { span -> ActivityTracker.Span? in
            guard span.to >= first, span.from <= last else { return nil }
            return .init(from: max(span.from, first), to: min(span.to, last))
        }
        timeline.idle = ActivityTracker.pauses(between: inside, first: first, last: last, shortest: Self.shortestIdle)
        timeline.density = density.map { UInt64($0.rounded()) }
        return timeline
    }

    /// Spreads a segment's bytes over the time in which something changed.
    private static func spread(
        _ bytes: Double, over activity: [ActivityTracker.Span], from: Timestamp, to: Timestamp, first: Timestamp, length: Double,
        into density: inout [Double]
    ) {
        guard bytes > 0 else { return }
        let spans = activity.isEmpty ? [ActivityTracker.Span(from: from, to: to)] : activity
        // An instant has a millisecond, so that it gets its part.
        let total = spans.reduce(0.0) { $0 + max(1000, Double($1.to.microseconds - $1.from.microseconds)) }
        let width = length / Double(density.count)
        for span in spans {
            let start = Double(span.from.microseconds - first.microseconds)
            let end = start + max(1000, Double(span.to.microseconds - span.from.microseconds))
            let rate = bytes / total
            let low = Int(max(0, start / width)), high = Int(min(Double(density.count - 1), end / width))
            guard low < density.count else {
                if start >= length { density[density.count - 1] += rate * (end - start) }
                continue
            }
            guard low <= high else { continue }
            for bucket in low...high {
                let overlap = min(end, Double(bucket + 1) * width) - max(start, Double(bucket) * width)
                if overlap > 0 { density[bucket] += rate * overlap }
            }
        }
    }
}

extension RecorderStore {
    struct Summary: Sendable {
        var firstSeq: UInt64
        var from: Timestamp
        var to: Timestamp
        var outputBytes: Int
        var summary: [UInt8]
    }

    func summaries(_ pod: PodID, from: Timestamp, to: Timestamp) async throws -> [Summary] {
        try await pool.withReader { connection in
            try connection.query(
                """
                SELECT first_seq, from_us, to_us, output_bytes, summary FROM recorder.segments
                WHERE pod = $1 AND to_us >= $2 AND from_us <= $3 ORDER BY first_seq
                """, pod.text, from.microseconds, to.microseconds
            ).map { row in
                Summary(
                    firstSeq: UInt64(clamping: try row.decode("first_seq", as: Int64.self)),
                    from: Timestamp(microseconds: try row.decode("from_us")), to: Timestamp(microseconds: try row.decode("to_us")),
                    outputBytes: try row.decode("output_bytes"), summary: try row.decode("summary"))
            }
        }
    }

    /// What recordings take: one pod's, or all.
    func usage(_ pod: PodID?) async throws -> RecorderUsage {
        try await pool.withReader { connection in
            let row = try connection.query(
                """
                SELECT (SELECT count(*) FROM recorder.pods WHERE $1::text IS NULL OR pod = $1) AS pods,
                    (SELECT count(*) FROM recorder.pods WHERE held AND ($1::text IS NULL OR pod = $1)) AS held,
                    (SELECT min(first_us) FROM recorder.pods WHERE $1::text IS NULL OR pod = $1) AS oldest,
                    count(*) AS segments, coalesce(sum(output_bytes), 0)::bigint AS output, coalesce(sum(stored_bytes), 0)::bigint AS stored
                FROM recorder.segments WHERE $1::text IS NULL OR pod = $1
                """, pod?.text)[0]
            return RecorderUsage(
                pods: try row.decode("pods"), segments: try row.decode("segments"), outputBytes: try row.decode("output"),
                storedBytes: try row.decode("stored"), held: try row.decode("held"),
                oldest: try row.decode("oldest", as: Int64?.self).map { Timestamp(microseconds: $0) })
        }
    }
}
