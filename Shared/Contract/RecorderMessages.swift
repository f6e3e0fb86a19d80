/// `recorder.<shard>.seek` → ``SeekMeta`` in `Sb-Meta`, payload by `format`: the state at a moment.
public struct Seek: Sendable, Codable {
    public var pod: PodID
    /// The state after the last frame at or before this time; the newest where neither is given.
    public var at: Timestamp?
    /// The state after this frame.
    public var seq: UInt64?
    public var format: Attach.Format
    public var scrollback: Int?

    public init(pod: PodID, at: Timestamp? = nil, seq: UInt64? = nil, format: Attach.Format, scrollback: Int? = nil) {
        self.pod = pod
        self.at = at
        self.seq = seq
        self.format = format
        self.scrollback = scrollback
    }
}

public struct SeekMeta: Sendable, Codable, Equatable {
    /// The frame after which this is the state, and its time.
    public var seq: UInt64
    public var time: Timestamp
    public var columns: Int
    public var rows: Int
    /// Bytes decoded to get here: keyframe and frames.
    public var decodedBytes: Int
    /// The recording's bounds.
    public var first: Timestamp
    public var last: Timestamp
    /// Whether frames may still come.
    public var live: Bool

    public init(
        seq: UInt64, time: Timestamp, columns: Int, rows: Int, decodedBytes: Int, first: Timestamp, last: Timestamp, live: Bool
    ) {
        self.seq = seq
        self.time = time
        self.columns = columns
        self.rows = rows
        self.decodedBytes = decodedBytes
        self.first = first
        self.last = last
        self.live = live
    }
}

/// `recorder.<shard>.play` → ``SliceMeta`` in `Sb-Meta`; payload: ``Slice`` bytes. One segment: the one that holds `seq` or `at`.
public struct Play: Sendable, Codable {
    public var pod: PodID
    public var at: Timestamp?
    public var seq: UInt64?
    /// Without the keyframe (for exports, which need only the first).
    public var framesOnly: Bool?

    public init(pod: PodID, at: Timestamp? = nil, seq: UInt64? = nil, framesOnly: Bool? = nil) {
        self.pod = pod
        self.at = at
        self.seq = seq
        self.framesOnly = framesOnly
    }
}

public struct SliceMeta: Sendable, Codable, Equatable {
    /// Frames `firstSeq...lastSeq` are in the payload; the keyframe is the state before `firstSeq`.
    public var firstSeq: UInt64
    public var lastSeq: UInt64
    public var from: Timestamp
    public var to: Timestamp
    /// Bytes of the payload that are the keyframe (an engine snapshot with its history embedded, uncompressed); frames follow.
    public var keyframeBytes: Int
    /// The segment is still being written.
    public var open: Bool
    /// Whether segments stand before and after this one.
    public var hasEarlier: Bool
    public var hasLater: Bool
    /// The recording's bounds.
    public var first: Timestamp
    public var last: Timestamp
    public var live: Bool

    public init(
        firstSeq: UInt64, lastSeq: UInt64, from: Timestamp, to: Timestamp, keyframeBytes: Int, open: Bool, hasEarlier: Bool, hasLater: Bool,
        first: Timestamp, last: Timestamp, live: Bool
    ) {
        self.firstSeq = firstSeq
        self.lastSeq = lastSeq
        self.from = from
        self.to = to
        self.keyframeBytes = keyframeBytes
        self.open = open
        self.hasEarlier = hasEarlier
        self.hasLater = hasLater
        self.first = first
        self.last = last
        self.live = live
    }
}

/// `recorder.search` → ``SearchPage``: when was a text on a screen.
public struct Search: Sendable, Codable {
    public var query: String
    /// The query is a regular expression.
    public var regex: Bool?
    public var ignoreCase: Bool?
    public var pod: PodID?
    public var from: Timestamp?
    public var to: Timestamp?
    public var limit: Int?
    public var cursor: String?
    /// Secrets are hidden before anything is looked for, so that none can be guessed piece by piece.
    public var masked: Bool?

    public init(
        query: String, regex: Bool? = nil, ignoreCase: Bool? = nil, pod: PodID? = nil, from: Timestamp? = nil, to: Timestamp? = nil,
        limit: Int? = nil, cursor: String? = nil, masked: Bool? = nil
    ) {
        self.masked = masked
        self.query = query
        self.regex = regex
        self.ignoreCase = ignoreCase
        self.pod = pod
        self.from = from
        self.to = to
        self.limit = limit
        self.cursor = cursor
    }
}

public struct SearchPage: Sendable, Codable, Equatable {
    public struct Hit: Sendable, Codable, Equatable {
        public var pod: PodID
        /// The whole line.
        public var line: String
        /// The screen row where it stood first; none for a line that only passed through.
        public var row: Int?
        /// On screen from here to there; `to` is missing while it still is.
        public var from: Timestamp
        public var to: Timestamp?
        /// The frame after which it was first seen.
        public var seq: UInt64

        public init(pod: PodID, line: String, row: Int?, from: Timestamp, to: Timestamp?, seq: UInt64) {
            self.pod = pod
            self.line = line
            self.row = row
            self.from = from
            self.to = to
            self.seq = seq
        }
    }
    public var hits: [Hit]
    public var next: String?

    public init(hits: [Hit], next: String? = nil) {
        self.hits = hits
        self.next = next
    }
}

/// `recorder.<shard>.timeline` → ``Timeline``.
public struct GetTimeline: Sendable, Codable {
    public var pod: PodID
    public var from: Timestamp?
    public var to: Timestamp?
    /// How many buckets of density; 200 where missing.
    public var buckets: Int?

    public init(pod: PodID, from: Timestamp? = nil, to: Timestamp? = nil, buckets: Int? = nil) {
        self.pod = pod
        self.from = from
        self.to = to
        self.buckets = buckets
    }
}

public struct Timeline: Sendable, Codable, Equatable {
    public struct Entry: Sendable, Codable, Equatable {
        public var seq: UInt64
        public var time: Timestamp
        /// `input`, `resize`, `marker`, `signal`, `gap`, `held`, `released`, `start`, `exit`.
        public var what: String
        public var author: Author?
        /// What was typed, marked or said, shortened.
        public var text: String?

        public init(seq: UInt64, time: Timestamp, what: String, author: Author? = nil, text: String? = nil) {
            self.seq = seq
            self.time = time
            self.what = what
            self.author = author
            self.text = text
        }
    }
    public struct Span: Sendable, Codable, Equatable {
        public var from: Timestamp
        public var to: Timestamp

        public init(from: Timestamp, to: Timestamp) {
            self.from = from
            self.to = to
        }
    }
    public var first: Timestamp
    public var last: Timestamp
    public var live: Bool
    public var entries: [Entry]
    /// Nothing of substance changed; spinners and clocks do not count.
    public var idle: [Span]
    /// Changed output bytes per bucket, over `first...last`.
    public var density: [UInt64]

    public init(first: Timestamp, last: Timestamp, live: Bool, entries: [Entry], idle: [Span], density: [UInt64]) {
        self.first = first
        self.last = last
        self.live = live
        self.entries = entries
        self.idle = idle
        self.density = density
    }
}

/// `recorder.<shard>.verify` → ``Verified``; `.hold` with `on`.
public struct RecordingRequest: Sendable, Codable {
    public var pod: PodID
    public var on: Bool?

    public init(pod: PodID, on: Bool? = nil) {
        self.pod = pod
        self.on = on
    }
}

public struct Verified: Sendable, Codable, Equatable {
    public var ok: Bool
    public var segments: Int
    public var frames: UInt64
    public var firstSeq: UInt64
    public var lastSeq: UInt64
    /// Where and why it is broken.
    public var problem: String?
    /// The newest segment's hash, hexadecimal.
    public var head: String

    public init(ok: Bool, segments: Int, frames: UInt64, firstSeq: UInt64, lastSeq: UInt64, problem: String?, head: String) {
        self.ok = ok
        self.segments = segments
        self.frames = frames
        self.firstSeq = firstSeq
        self.lastSeq = lastSeq
        self.problem = problem
        self.head = head
    }
}

/// `event.recording.<pod>.complete`: every frame of an ended pod is stored.
public struct RecordingComplete: Sendable, Codable, Equatable {
    public var pod: PodID
    public var time: Timestamp

    public init(pod: PodID, time: Timestamp) {
        self.pod = pod
        self.time = time
    }

    /// The subject it is published on.
    public var subject: String { Subjects.event("recording", pod.text, "complete") }
}

/// `recorder.usage` → ``RecorderUsage``: what the recordings take, all or one pod's.
public struct GetUsage: Sendable, Codable {
    public var pod: PodID?

    public init(pod: PodID? = nil) {
        self.pod = pod
    }
}

public struct RecorderUsage: Sendable, Codable, Equatable {
    public var pods: Int
    public var segments: Int
    /// Bytes of terminal output recorded.
    public var outputBytes: Int64
    /// Bytes they take, compressed, with keyframes, history and index.
    public var storedBytes: Int64
    /// Pods on legal hold.
    public var held: Int
    /// The oldest frame's time.
    public var oldest: Timestamp?

    public init(pods: Int, segments: Int, outputBytes: Int64, storedBytes: Int64, held: Int, oldest: Timestamp?) {
        self.pods = pods
        self.segments = segments
        self.outputBytes = outputBytes
        self.storedBytes = storedBytes
        self.held = held
        self.oldest = oldest
    }
}
