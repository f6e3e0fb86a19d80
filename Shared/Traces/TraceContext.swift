public import Tracing

/// Which request from outside the work at hand belongs to: W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context/).
///
/// It travels as the headers `traceparent` and `tracestate` of HTTP requests and of requests on the bus, in the task as part of the
/// `ServiceContext`, and its id stands in every line that is logged meanwhile.
public struct TraceContext: Sendable, Hashable {
    let high: UInt64
    let low: UInt64
    /// The step that what begins now is part of; 0 while the trace has none yet.
    let spanNumber: UInt64
    /// Whoever asked wants to see it: each service that it touches logs a line and, with an exporter, keeps spans.
    public let isSampled: Bool
    /// What other systems that the request passed want to find again, as it came.
    public let state: String?

    /// The name of the header.
    public static let header = "traceparent"
    public static let stateHeader = "tracestate"

    /// The request that this task works for.
    public static var current: TraceContext? { ServiceContext.current?.trace }

    /// A request that begins here.
    public init(sampled: Bool = false) {
        self.init(high: .random(in: 1...UInt64.max), low: .random(in: 0...UInt64.max), spanNumber: 0, isSampled: sampled, state: nil)
    }

    init(high: UInt64, low: UInt64, spanNumber: UInt64, isSampled: Bool, state: String?) {
        (self.high, self.low, self.spanNumber, self.isSampled, self.state) = (high, low, spanNumber, isSampled, state)
    }

    /// Reads the headers' values; nil for what the specification says to ignore. A `tracestate` that is wrong is left out.
    public init?(_ header: String, state: String? = nil) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, Hex.isOne(parts[0], 2), parts[0] != "ff", parts[0] != "00" || parts.count == 4, Hex.isOne(parts[1], 32),
            Hex.isOne(parts[2], 16), Hex.isOne(parts[3], 2), let high = UInt64(parts[1].prefix(16), radix: 16),
            let low = UInt64(parts[1].suffix(16), radix: 16), let span = UInt64(parts[2], radix: 16), let flags = UInt8(parts[3], radix: 16),
            high != 0 || low != 0, span != 0
        else { return nil }
        self.init(high: high, low: low, spanNumber: span, isSampled: flags & 1 == 1, state: state.flatMap(TraceState.checked))
    }

    /// 32 hexadecimal digits, the same from the first to the last service.
    public var id: String { Hex.text([high, low]) }
    /// 16 hexadecimal digits: this step.
    public var spanID: String { Hex.text([spanInHeader]) }
    /// The header's value.
    public var value: String { "00-\(id)-\(spanID)-\(isSampled ? "01" : "00")" }

    /// The header must name a step. Where there is none yet the name is made of the trace's own, so that it is always the same.
    private var spanInHeader: UInt64 { spanNumber != 0 ? spanNumber : max(high, 1) }

    /// A context of a task that works for it, and knows nothing else.
    public var context: ServiceContext {
        var context = ServiceContext.topLevel
        context.trace = self
        return context
    }

    /// The next step of the same request.
    func child() -> TraceContext {
        TraceContext(high: high, low: low, spanNumber: .random(in: 1...UInt64.max), isSampled: isSampled, state: state)
    }
}

/// `tracestate` is handed on as it came, if it is one: https://www.w3.org/TR/trace-context/#tracestate-header
enum TraceState {
    private static let mostMembers = 32
    private static let mostBytes = 512

    /// The members without the space around them; nil when one of them is wrong, or there are none or too many.
    static func checked(_ text: String) -> String? {
        var keys: Set<Substring> = []
        var members: [Substring] = []
        for part in text.split(separator: ",") {
            var member = part.drop { $0 == " " || $0 == "\t" }
            while let last = member.last, last == " " || last == "\t" { member.removeLast() }
            if member.isEmpty { continue }
            guard let equals = member.firstIndex(of: "="), isKey(member[..<equals]), isValue(member[member.index(after: equals)...]),
                keys.insert(member[..<equals]).inserted
            else { return nil }
            members.append(member)
        }
        let joined = members.joined(separator: ",")
        return members.isEmpty || members.count > mostMembers || joined.utf8.count > mostBytes ? nil : joined
    }

    private static func isKey(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 256 else { return false }
        func isLowerOrDigit(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) }
        return isLowerOrDigit(first) && text.utf8.allSatisfy { isLowerOrDigit($0) || "_-*/@".utf8.contains($0) }
    }

    private static func isValue(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.count <= 256 && text.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "=") }
    }
}

/// Lower-case hexadecimal digits.
enum Hex {
    static func isOne(_ text: Substring, _ count: Int) -> Bool {
        text.utf8.count == count && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    static func text(_ words: [UInt64]) -> String {
        String(unsafeUninitializedCapacity: words.count * 16) { bytes in
            var position = 0
            for word in words {
                for shift in stride(from: 60, through: 0, by: -4) {
                    let digit = UInt8(truncatingIfNeeded: (word >> UInt64(shift)) & 15)
                    bytes[position] = digit < 10 ? 0x30 + digit : 0x57 + digit
                    position += 1
                }
            }
            return position
        }
    }
}

private enum TraceContextKey: ServiceContextKey {
    typealias Value = TraceContext
    static var nameOverride: String? { "trace" }
}

extension ServiceContext {
    /// The request from outside that it belongs to.
    public var trace: TraceContext? {
        get { self[TraceContextKey.self] }
        set { self[TraceContextKey.self] = newValue }
    }
}
