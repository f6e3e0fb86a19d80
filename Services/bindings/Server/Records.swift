internal import BindingsCore
internal import Contract

/// What the store keeps with its history: bindings, waits, attention items, channels and their messages.
protocol StoredRecord: Codable, Equatable, Sendable {
    static var recordKind: String { get }
    var id: String { get }
    var isOpen: Bool { get }
    var concerned: [PodID] { get }
    var uniqueKey: String? { get }
    var due: Timestamp? { get }
    var created: Timestamp { get }
    /// `event.<area>.<id>.<what>` is the subject of the events that tell of it.
    var eventArea: String { get }
    var eventID: String { get }
    /// The payload of the event that tells of it.
    func event(_ what: String, time: Timestamp, seq: UInt64) throws -> [UInt8]
}

extension StoredRecord {
    var eventArea: String { Self.recordKind }
    var eventID: String { id }
}

extension Binding: StoredRecord {
    static var recordKind: String { "binding" }
    var isOpen: Bool { isLive }
    var concerned: [PodID] { [from, to] }
    var uniqueKey: String? { "\(from)>\(to)" }
    var due: Timestamp? { expires }
    func event(_ what: String, time: Timestamp, seq: UInt64) throws -> [UInt8] {
        try JSON.encode(BindingEvent(what: what, time: time, seq: seq, binding: self))
    }
}

extension Wait: StoredRecord {
    static var recordKind: String { "wait" }
    var concerned: [PodID] { targets.compactMap(\.pod) + [waiter.pod].compactMap { $0 } }
    var uniqueKey: String? { nil }
    var due: Timestamp? { deadline }
    func event(_ what: String, time: Timestamp, seq: UInt64) throws -> [UInt8] {
        try JSON.encode(WaitEvent(what: what, time: time, seq: seq, wait: self))
    }
}

extension Attention: StoredRecord {
    static var recordKind: String { "attention" }
    var concerned: [PodID] { path ?? pod.map { [$0] } ?? [] }
    var uniqueKey: String? { "\(kind.rawValue) \(subject)" }
    var due: Timestamp? { nil }
    var created: Timestamp { opened }
    func event(_ what: String, time: Timestamp, seq: UInt64) throws -> [UInt8] {
        try JSON.encode(AttentionEvent(what: what, time: time, seq: seq, attention: self))
    }
}

extension Channel: StoredRecord {
    static var recordKind: String { "channel" }
    var isOpen: Bool { true }
    var concerned: [PodID] { members.compactMap { $0.who.pod } }
    var uniqueKey: String? { name }
    var due: Timestamp? { nil }
    func event(_ what: String, time: Timestamp, seq: UInt64) throws -> [UInt8] {
        try JSON.encode(ChannelEvent(what: what, time: time, seq: seq, channel: self))
    }
}

extension ChannelMessage: StoredRecord {
    static var recordKind: String { "message" }
    var isOpen: Bool { MessageDelivery.isOpen(self) }
    var concerned: [PodID] { ([author] + mentions).compactMap { $0.pod } }
    var uniqueKey: String? { nil }
    var due: Timestamp? { MessageDelivery.due(self) }
    var eventArea: String { Channel.recordKind }
    var eventID: String { channel }
    func event(_ what: String, time: Timestamp, seq: UInt64) throws -> [UInt8] {
        try JSON.encode(ChannelEvent(what: what, time: time, seq: seq, message: self))
    }
}
