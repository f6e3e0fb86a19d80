/// What a frame holds.
public enum FrameKind: String, Sendable, Codable, CaseIterable {
    /// Output bytes of the terminal.
    case out
    /// Input applied to the terminal, with its author.
    case `in`
    /// A ``Control`` as JSON.
    case ctl
    /// A keyframe: the engine's state after the frame before it, zstd-compressed.
    case key
}

/// One entry of a pod's log.
public struct Frame: Sendable, Equatable {
    public var pod: PodID
    /// 1, 2, 3 … without gaps over all kinds.
    public var seq: UInt64
    /// Never decreases within a pod.
    public var time: Timestamp
    public var kind: FrameKind
    public var bytes: [UInt8]
    /// Who wrote an `in` frame.
    public var author: Author?
    /// The way an `in` frame came.
    public var via: String?

    public init(
        pod: PodID, seq: UInt64, time: Timestamp, kind: FrameKind, bytes: [UInt8], author: Author? = nil, via: String? = nil
    ) {
        self.pod = pod
        self.seq = seq
        self.time = time
        self.kind = kind
        self.bytes = bytes
        self.author = author
        self.via = via
    }

    /// The message id of frame `seq` of `pod`.
    public static func messageID(_ pod: PodID, _ seq: UInt64) -> String { "\(pod).\(seq)" }

    /// The sequence number in a message id of `pod`; nil if the id is garbled or another pod's.
    public static func seq(inMessageID id: String, of pod: PodID) -> UInt64? {
        let bytes = id.utf8
        guard bytes.starts(with: pod.text.utf8) else { return nil }
        let number = bytes.dropFirst(pod.text.utf8.count)
        guard number.first == UInt8(ascii: "."), let seq = UInt64(Substring(number.dropFirst())), seq > 0 else { return nil }
        return seq
    }

    /// The subject on which this frame travels.
    public var subject: String { Subjects.pty(pod, kind) }

    /// The headers with which this frame travels.
    public var headers: [(String, String)] {
        var headers = [(Headers.messageID, Self.messageID(pod, seq)), (Headers.time, String(time.microseconds))]
        if let author { headers.append((Headers.author, author.description)) }
        if let via { headers.append((Headers.via, via)) }
        return headers
    }

    /// `<pod>.<seq>`, of a message that is a frame or the copy of one.
    public static func id(_ header: (String) -> String?) -> String? { header(Headers.messageID) ?? header(Headers.copyID) }

    /// Rebuilds a frame from a message; nil if subject or headers are not a frame's.
    public init?(subject: String, header: (String) -> String?, payload: [UInt8]) {
        guard let (pod, kind) = Subjects.parsePTY(subject),
            let seq = Self.id(header).flatMap({ Self.seq(inMessageID: $0, of: pod) }),
            let time = header(Headers.time).flatMap({ Int64($0) })
        else { return nil }
        self.init(
            pod: pod, seq: seq, time: Timestamp(microseconds: time), kind: kind, bytes: payload,
            author: header(Headers.author).flatMap(Author.init), via: header(Headers.via))
    }
}

/// Who did something: `person:alice`, `pod:pabc…`, `system:shim`.
public struct Author: Hashable, Sendable, Codable, CustomStringConvertible, LosslessStringConvertible {
    public enum Kind: String, Sendable, Codable { case person, pod, system }

    public var kind: Kind
    public var id: String

    public init(kind: Kind, id: String) {
        self.kind = kind
        self.id = id
    }

    /// The pod that it is, if it is one.
    public var pod: PodID? { kind == .pod ? PodID(id) : nil }

    public init?(_ description: String) {
        guard let colon = description.firstIndex(of: ":"), let kind = Kind(rawValue: String(description[..<colon])) else { return nil }
        let id = description[description.index(after: colon)...]
        guard !id.isEmpty, id.utf8.count <= 256, id.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return nil }
        self.init(kind: kind, id: String(id))
    }

    public var description: String { "\(kind.rawValue):\(id)" }

    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let author = Author(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "\"\(text)\" is not an author (kind:id)"))
        }
        self = author
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
