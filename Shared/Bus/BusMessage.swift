internal import CNats
#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif
internal import Synchronization

/// A message as libnats delivered it. Keeping the object keeps the bytes; nothing is copied until asked.
// The C message is never changed after delivery, except that libnats parses its headers at the first look, which `headerLock` guards.
public final class BusMessage: @unchecked Sendable {
    let pointer: OpaquePointer
    private let headerLock = Mutex(())
    /// With a trace, until it is answered. One that nobody here answers makes no span: it was somebody else's.
    let served = Mutex<ServedRequest?>(nil)

    /// Takes over the C message.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { MessageTrash.shared.discard(pointer, bytes: payloadSize) }

    public var subject: String { natsMsg_GetSubject(pointer).map { String(cString: $0) } ?? "" }

    /// Where an answer is expected.
    public var reply: String? { natsMsg_GetReply(pointer).map { String(cString: $0) } }

    public var payloadSize: Int { max(0, Int(natsMsg_GetDataLength(pointer))) }

    /// A copy of the payload.
    public var payload: [UInt8] { withPayload { Array($0) } }

    /// The payload without a copy, valid inside `body`.
    public func withPayload<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: natsMsg_GetData(pointer), count: payloadSize))
    }

    /// The subject without a copy, valid inside `body`: for dispatch on the hot path.
    public func withSubject<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        guard let text = natsMsg_GetSubject(pointer) else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        var count = 0
        while text[count] != 0 { count += 1 }
        return try body(UnsafeRawBufferPointer(start: text, count: count))
    }

    /// The first value of a header; names are compared as they are spelled.
    public func header(_ name: String) -> String? {
        headerLock.withLock { _ in
            var value: UnsafePointer<CChar>?
            guard natsMsgHeader_Get(pointer, name, &value) == NATS_OK, let value else { return nil }
            return String(cString: value)
        }
    }

    /// A header that is a whole number (sequence, microseconds); `nil` when absent or anything else.
    public func integerHeader(_ name: String) -> Int64? { header(name).flatMap { Int64($0) } }

    /// All headers, in no particular order.
    public var headers: [(name: String, value: String)] {
        headerLock.withLock { _ in
            var keys: UnsafeMutablePointer<UnsafePointer<CChar>?>?
            var count: Int32 = 0
            guard natsMsgHeader_Keys(pointer, &keys, &count) == NATS_OK, let keys else { return [] }
            defer { free(keys) }
            var result: [(name: String, value: String)] = []
            for index in 0..<Int(count) {
                guard let key = keys[index] else { continue }
                var values: UnsafeMutablePointer<UnsafePointer<CChar>?>?
                var valueCount: Int32 = 0
                guard natsMsgHeader_Values(pointer, key, &values, &valueCount) == NATS_OK, let values else { continue }
                defer { free(values) }
                for position in 0..<Int(valueCount) {
                    if let value = values[position] { result.append((String(cString: key), String(cString: value))) }
                }
            }
            return result
        }
    }

    /// The server's "nobody listens" answer.
    var isNoResponders: Bool { headerLock.withLock { _ in natsMsg_IsNoResponders(pointer) } }

    /// The inline status of an empty message of the server (`404`, `408`, `409`, `100` …).
    var status: Int? {
        guard payloadSize == 0, let text = header("Status") else { return nil }
        return Int(text)
    }
}

/// An answer to a request.
public struct BusReply: Sendable {
    public var payload: [UInt8]
    public var headers: [(String, String)]

    public init(_ payload: [UInt8] = [], headers: [(String, String)] = []) {
        self.payload = payload
        self.headers = headers
    }
}
