#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A moment: UTC microseconds since 1970. As text and in JSON: RFC 3339 with six decimals.
public struct Timestamp: Hashable, Sendable, Comparable, CustomStringConvertible {
    public var microseconds: Int64

    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The clock's time.
    public static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    /// This moment and `duration` later; clamped at the ends of what can be said.
    public static func + (time: Timestamp, duration: Duration) -> Timestamp {
        let (sum, overflow) = time.microseconds.addingReportingOverflow(duration.microseconds)
        return Timestamp(microseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    public static func - (time: Timestamp, duration: Duration) -> Timestamp { time + (.zero - duration) }

    /// From `b` to `a`.
    public static func - (a: Timestamp, b: Timestamp) -> Duration {
        let (difference, overflow) = a.microseconds.subtractingReportingOverflow(b.microseconds)
        return .microseconds(overflow ? (a < b ? .min : .max) : difference)
    }

    /// RFC 3339 in UTC: `2026-11-21T02:14:07.000000Z`.
    public var description: String {
        let (days, inDay) = floorDivide(microseconds, 86_400_000_000)
        let (year, month, day) = CivilDate.from(daysSince1970: days)
        let seconds = inDay / 1_000_000
        return pad(year, 4) + "-" + pad(Int64(month), 2) + "-" + pad(Int64(day), 2) + "T" + pad(seconds / 3600, 2) + ":"
            + pad(seconds / 60 % 60, 2) + ":" + pad(seconds % 60, 2) + "." + pad(inDay % 1_000_000, 6) + "Z"
    }

    /// Takes RFC 3339 with a zone (`Z` or an offset) and up to nine decimals (cut to microseconds); nil if it is not that.
    public init?(_ text: some StringProtocol) {
        guard let time = RFC3339.parse(text) else { return nil }
        self = time
    }
}

extension Timestamp: Codable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let time = Timestamp(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "\"\(text)\" is not an RFC 3339 time"))
        }
        self = time
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Duration {
    /// Whole microseconds, cut towards zero; clamped to 64 bits.
    public var microseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        return overflowed ? (seconds < 0 ? .min : .max) : sum
    }
}

func floorDivide(_ a: Int64, _ b: Int64) -> (quotient: Int64, remainder: Int64) {
    let remainder = a % b
    return remainder < 0 ? (a / b - 1, remainder + b) : (a / b, remainder)
}

func pad(_ number: Int64, _ width: Int) -> String {
    let digits = String(number.magnitude)
    return (number < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
}

/// Days and dates of the proleptic Gregorian calendar.
/// Source of the arithmetic: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
enum CivilDate {
    static func from(daysSince1970 days: Int64) -> (year: Int64, month: Int, day: Int) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = Int(shifted < 10 ? shifted + 3 : shifted - 9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, Int(dayOfYear - (153 * shifted + 2) / 5 + 1))
    }

    static func daysSince1970(year: Int64, month: Int, day: Int) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = floorDivide(shiftedYear, 400)
        let dayOfYear = (153 * Int64(month > 2 ? month - 3 : month + 9) + 2) / 5 + Int64(day) - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func length(ofMonth month: Int, year: Int64) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

enum RFC3339 {
    static func parse(_ text: some StringProtocol) -> Timestamp? {
        var reader = DigitReader(text)
        guard let year = reader.digits(4), reader.take("-"), let month = reader.digits(2), reader.take("-"), let day = reader.digits(2),
            reader.take("T") || reader.take("t") || reader.take(" "),
            let (seconds, micros) = reader.clock(), let offset = reader.zone(), reader.isAtEnd,
            (1...12).contains(month), day >= 1, day <= CivilDate.length(ofMonth: Int(month), year: year)
        else { return nil }
        let days = CivilDate.daysSince1970(year: year, month: Int(month), day: Int(day))
        return Timestamp(microseconds: (days * 86_400 + seconds - offset) * 1_000_000 + micros)
    }
}

/// Reads fixed-width numbers from text.
struct DigitReader {
    private var rest: ArraySlice<UInt8>

    init(_ text: some StringProtocol) {
        rest = Array(text.utf8)[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    mutating func digits(_ count: Int) -> Int64? {
        guard rest.count >= count else { return nil }
        var value: Int64 = 0
        for byte in rest.prefix(count) {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        rest.removeFirst(count)
        return value
    }

    /// `hh:mm:ss` with up to nine decimals: seconds of the day, and microseconds.
    mutating func clock() -> (seconds: Int64, microseconds: Int64)? {
        guard let hour = digits(2), take(":"), let minute = digits(2), take(":"), let second = digits(2), hour < 24, minute < 60, second <= 60
        else { return nil }
        guard let micros = decimals() else { return nil }
        return (hour * 3600 + minute * 60 + second, micros)
    }

    /// A fraction as microseconds; 0 without one; nil if it is empty or longer than nine digits.
    mutating func decimals() -> Int64? {
        guard take(".") else { return 0 }
        var digits = 0
        var micros: Int64 = 0
        while let byte = rest.first, (0x30...0x39).contains(byte) {
            if digits < 6 { micros = micros * 10 + Int64(byte - 0x30) }
            digits += 1
            rest.removeFirst()
        }
        guard (1...9).contains(digits) else { return nil }
        for _ in min(digits, 6)..<6 { micros *= 10 }
        return micros
    }

    /// Seconds east of Greenwich.
    mutating func zone() -> Int64? {
        if take("Z") || take("z") { return 0 }
        let sign: Int64 = take("+") ? 1 : -1
        guard sign == 1 || take("-"), let hours = digits(2), take(":"), let minutes = digits(2), hours < 24, minutes < 60 else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }
}
