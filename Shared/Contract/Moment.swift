#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A moment as a person writes it: `2026-11-21T02:14:07Z`, `-5m`, `14:03:07`, `+90s` (from the pod's start), `now`, and
/// `2026-11-21 14:03:07.250`, as commands print it.
public enum Moment: Sendable, Equatable {
    case absolute(Timestamp)
    /// Before now.
    case ago(Duration)
    /// After the pod's start.
    case sinceStart(Duration)
    /// The newest local clock time of that name that is not in the future, in seconds of the day.
    case clock(secondsOfDay: Int64, microseconds: Int64)
    /// A day and a clock time in the local zone, as if that were UTC.
    case local(Timestamp)

    /// Takes any of the forms; the error says which forms there are.
    public init(_ text: some StringProtocol) throws(MomentError) {
        guard let moment = Self.parse(String(text)) else { throw MomentError(text: String(text)) }
        self = moment
    }

    private static func parse(_ text: String) -> Moment? {
        if text == "now" { return .ago(.zero) }
        if let time = Timestamp(text) { return .absolute(time) }
        if text.contains(" "), let time = Timestamp(text + "Z") { return .local(time) }
        if text.hasPrefix("-") { return parseDuration(text.dropFirst()).map { .ago($0) } }
        if text.hasPrefix("+") { return parseDuration(text.dropFirst()).map { .sinceStart($0) } }
        let withSeconds = text.utf8.count == 5 ? text + ":00" : text
        var reader = DigitReader(withSeconds)
        guard let (seconds, micros) = reader.clock(), reader.isAtEnd else { return nil }
        return .clock(secondsOfDay: seconds, microseconds: micros)
    }

    /// The moment's time. `start` is the pod's start, `now` the clock, `secondsEast` the local zone's offset.
    public func resolve(start: Timestamp?, now: Timestamp, secondsEast: Int64 = Moment.localOffset()) throws(MomentError) -> Timestamp {
        switch self {
        case .absolute(let time): return time
        case .local(let time): return time - .seconds(secondsEast)
        case .ago(let duration): return now - duration
        case .sinceStart(let duration):
            guard let start else {
                throw MomentError(message: "a time from the start (+90s) needs a pod that has started; use RFC 3339, -5m or 14:03:07")
            }
            return start + duration
        case .clock(let seconds, let micros):
            let day: Int64 = 86_400_000_000
            let east = secondsEast * 1_000_000
            let today = floorDivide(now.microseconds + east, day).quotient * day - east
            let time = today + seconds * 1_000_000 + micros
            return Timestamp(microseconds: time > now.microseconds ? time - day : time)
        }
    }

    /// The local zone's offset from UTC, in seconds east.
    public static func localOffset() -> Int64 {
        var now = time(nil)
        var local = tm()
        localtime_r(&now, &local)
        return Int64(local.tm_gmtoff)
    }
}

/// A length of time as a person writes it: `500ms`, `90s`, `5m`, `1h30m`, `2d`, `12` and `1.5` (seconds); nil if it is not one.
public func parseDuration(_ text: some StringProtocol) -> Duration? {
    var rest = text[...]
    guard !rest.isEmpty else { return nil }
    var total: Int64 = 0
    while !rest.isEmpty {
        let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        rest = rest[number.endIndex...]
        let unit = rest.prefix { $0.isASCII && $0.isLetter }
        rest = rest[unit.endIndex...]
        let scale: Int64
        switch unit {
        case "us": scale = 1
        case "ms": scale = 1000
        case "s", "": scale = 1_000_000
        case "m", "min": scale = 60_000_000
        case "h": scale = 3_600_000_000
        case "d": scale = 86_400_000_000
        default: return nil
        }
        if unit.isEmpty && number.count != text.count { return nil }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = Int64(parts[0]), whole >= 0 else { return nil }
        var value = whole.multipliedReportingOverflow(by: scale)
        guard !value.overflow else { return nil }
        if parts.count == 2 {
            guard (1...9).contains(parts[1].count), let fraction = Double("0." + parts[1]) else { return nil }
            value.partialValue += Int64((fraction * Double(scale)).rounded())
        }
        let sum = total.addingReportingOverflow(value.partialValue)
        guard !sum.overflow else { return nil }
        total = sum.partialValue
    }
    return .microseconds(total)
}

/// A time that could not be understood.
public struct MomentError: Error, Sendable, Equatable, CustomStringConvertible {
    public var message: String

    init(message: String) { self.message = message }

    init(text: String) {
        message = "\"\(text)\" is not a time; use RFC 3339 (2026-11-21T02:14:07Z), -5m (ago), 14:03:07 (the last one) or +90s (from the pod's start)"
    }

    public var description: String { message }
}
