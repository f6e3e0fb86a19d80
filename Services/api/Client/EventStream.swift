internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

/// One server-sent event.
public struct ServerEvent: Sendable, Equatable {
    public var id: String?
    public var event: String?
    /// JSON.
    public var data: String
}

extension APIClient {
    /// Follows `/v1/events` until `receive` returns false or the connection ends.
    /// - Parameters:
    ///   - after: the id of the last event that was seen.
    ///   - area: only events of this one (`pod`, `runner`, `binding`, …).
    public func events(after: String? = nil, area: String? = nil, _ receive: (ServerEvent) async throws -> Bool) async throws {
        let response = try await send(.GET, "/v1/events", query: [("after", after), ("area", area)], timeout: .hours(24 * 365))
        var reader = EventReader()
        for try await piece in response.body {
            for event in reader.read(piece.readableBytesView) {
                guard try await receive(event) else { return }
            }
        }
    }
}

/// Takes an event stream apart (WHATWG HTML, section 9.2.6).
struct EventReader {
    private var line: [UInt8] = []
    private var event = ServerEvent(data: "")
    private var hasData = false

    mutating func read(_ bytes: some Sequence<UInt8>) -> [ServerEvent] {
        var events: [ServerEvent] = []
        for byte in bytes {
            guard byte == 0x0a else {
                if byte != 0x0d { line.append(byte) }
                continue
            }
            if line.isEmpty {
                if hasData { events.append(event) }
                event = ServerEvent(id: event.id, data: "")
                hasData = false
            } else {
                take(String(decoding: line, as: UTF8.self))
                line = []
            }
        }
        return events
    }

    private mutating func take(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count > 1 ? String(parts[1].hasPrefix(" ") ? parts[1].dropFirst() : parts[1]) : ""
        switch parts[0] {
        case "id": event.id = value
        case "event": event.event = value
        case "data":
            event.data += (hasData ? "\n" : "") + value
            hasData = true
        default: break
        }
    }
}
