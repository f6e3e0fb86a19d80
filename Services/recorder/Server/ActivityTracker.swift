internal import Contract

/// Finds when something of substance happened on a screen.
///
/// A row's change counts unless its text, with digits and drawing characters taken as one each, stood there lately: spinners,
/// clocks, counters, progress bars and blinking return to what they were.
struct ActivityTracker {
    /// Pauses shorter than this do not end a span of activity.
    static let shortestPause: Duration = .seconds(5)
    private static let remembered = 8

    private var recent: [[UInt64]] = []
    private(set) var spans: [Span] = []

    struct Span: Equatable, Sendable {
        var from: Timestamp
        var to: Timestamp
    }

    /// Forgets the spans, for the next segment, and keeps what was on the screen.
    mutating func startSegment() {
        spans = []
    }

    /// A row has this text now. True if that is news.
    mutating func changed(row: Int, to text: String) -> Bool {
        guard row >= 0, row < 10_000 else { return true }
        while recent.count <= row { recent.append([]) }
        let shape = Self.shape(of: text)
        if recent[row].contains(shape) { return false }
        recent[row].append(shape)
        if recent[row].count > Self.remembered { recent[row].removeFirst() }
        return true
    }

    /// Something of substance happened.
    mutating func happened(at time: Timestamp) {
        if let last = spans.indices.last, time - spans[last].to < Self.shortestPause {
            spans[last].to = max(spans[last].to, time)
        } else {
            spans.append(Span(from: time, to: time))
        }
    }

    /// A hash of the text in which digits are one sign, drawing and punctuation another, each once for a run of them.
    static func shape(of text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var previous: UInt32 = 0
        for scalar in text.unicodeScalars {
            let sign: UInt32
            switch scalar.value {
            case 0x41...0x5a, 0x61...0x7a: sign = scalar.value
            case 0x30...0x39: sign = 1
            case 0x20: sign = 0x20
            case 0..<0x80, 0x2000...0x2fff, 0x1f000...0x1ffff, 0xe000...0xf8ff: sign = 2
            default: sign = scalar.value
            }
            // `1.2k`, `12:04`, `3/10` are one number.
            let merged = sign == 2 && previous == 1 && ".,:/%".unicodeScalars.contains(scalar) ? 1 : sign
            if merged < 0x41, merged == previous { continue }
            previous = merged
            hash = (hash ^ UInt64(merged)) &* 0x0000_0100_0000_01b3
        }
        return hash
    }

    /// The pauses of at least `shortest` between spans, within the bounds.
    static func pauses(between spans: some Sequence<Span>, first: Timestamp, last: Timestamp, shortest: Duration) -> [Timeline.Span] {
        var idle: [Timeline.Span] = []
        var end = first
        for span in spans {
            if span.from - end >= shortest { idle.append(Timeline.Span(from: end, to: span.from)) }
            end = max(end, span.to)
        }
        if last - end >= shortest { idle.append(Timeline.Span(from: end, to: last)) }
        return idle
    }
}
