internal import Synchronization

/// Which request from outside the work at hand belongs to: W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context/).
///
/// It travels as the header `traceparent` of HTTP requests and of requests on the bus, and stands in every line that is logged meanwhile.
public struct Trace: Sendable, Equatable {
    /// 32 hexadecimal digits, the same from the first to the last service.
    public let id: String
    /// 16 hexadecimal digits: this step.
    public let span: String
    /// Whoever asked wants to see it: each service that it touches logs a line.
    public let isSampled: Bool

    /// The request that this task works for.
    @TaskLocal public static var current: Trace?

    /// The name of the header.
    public static let header = "traceparent"

    /// A request that begins here.
    public init(sampled: Bool = false) {
        self.init(id: Self.digits(32), span: Self.digits(16), isSampled: sampled)
    }

    private init(id: String, span: String, isSampled: Bool) {
        (self.id, self.span, self.isSampled) = (id, span, isSampled)
    }

    /// Reads the header's value; nil for what the specification says to ignore.
    public init?(_ header: String) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        func isHex(_ text: Substring, _ count: Int) -> Bool {
            text.utf8.count == count && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        }
        guard parts.count >= 4, isHex(parts[0], 2), parts[0] != "ff", parts[0] != "00" || parts.count == 4, isHex(parts[1], 32), isHex(parts[2], 16),
            isHex(parts[3], 2), parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }), let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        self.init(id: String(parts[1]), span: String(parts[2]), isSampled: flags & 1 == 1)
    }

    /// The next step of the same request.
    public func child() -> Trace { Trace(id: id, span: Self.digits(16), isSampled: isSampled) }

    /// The header's value.
    public var value: String { "00-\(id)-\(span)-\(isSampled ? "01" : "00")" }

    private static func digits(_ count: Int) -> String {
        let alphabet = Array("0123456789abcdef".utf8)
        return String(decoding: (0..<count).map { index in alphabet[Int.random(in: (index == 0 ? 1 : 0)..<16)] }, as: UTF8.self)
    }
}

/// What is called when a request that belongs to one from outside was answered.
public typealias TracedRequest = @Sendable (_ trace: Trace, _ subject: String, _ took: Duration) -> Void

/// Who wants to know of answered requests.
final class TraceListeners: Sendable {
    private let listener = Mutex<TracedRequest?>(nil)

    func set(_ body: @escaping TracedRequest) { listener.withLock { $0 = body } }

    func tell(_ trace: Trace, _ subject: String, since began: ContinuousClock.Instant) {
        listener.withLock { $0 }?(trace, subject, ContinuousClock.now - began)
    }
}

extension BusConnection {
    /// Calls `body` after each answer to a request that carries a trace; one at a time can be set.
    public func onTraced(_ body: @escaping TracedRequest) { traced.set(body) }
}
