/// A statement's parameter.
public enum DatabaseValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case double(Double)
    case text(String)
    /// `bytea`.
    case bytes([UInt8])
    /// `timestamptz`, as microseconds since 1970-01-01T00:00:00Z.
    case microseconds(Int64)
    case integers([Int64])
    case texts([String])
    case byteStrings([[UInt8]])
}

/// A Swift type that a parameter can be made from.
public protocol DatabaseEncodable {
    var databaseValue: DatabaseValue { get }
}

extension DatabaseValue: DatabaseEncodable { public var databaseValue: DatabaseValue { self } }
extension Bool: DatabaseEncodable { public var databaseValue: DatabaseValue { .bool(self) } }
extension Int: DatabaseEncodable { public var databaseValue: DatabaseValue { .integer(Int64(self)) } }
extension Int16: DatabaseEncodable { public var databaseValue: DatabaseValue { .integer(Int64(self)) } }
extension Int32: DatabaseEncodable { public var databaseValue: DatabaseValue { .integer(Int64(self)) } }
extension Int64: DatabaseEncodable { public var databaseValue: DatabaseValue { .integer(self) } }
extension UInt8: DatabaseEncodable { public var databaseValue: DatabaseValue { .integer(Int64(self)) } }
extension UInt16: DatabaseEncodable { public var databaseValue: DatabaseValue { .integer(Int64(self)) } }
extension UInt32: DatabaseEncodable { public var databaseValue: DatabaseValue { .integer(Int64(self)) } }
extension Double: DatabaseEncodable { public var databaseValue: DatabaseValue { .double(self) } }
extension String: DatabaseEncodable { public var databaseValue: DatabaseValue { .text(self) } }
extension Optional: DatabaseEncodable where Wrapped: DatabaseEncodable {
    public var databaseValue: DatabaseValue { self?.databaseValue ?? .null }
}
extension Array: DatabaseEncodable where Element: DatabaseArrayElement {
    public var databaseValue: DatabaseValue { Element.databaseValue(of: self) }
}

/// An element that arrays of parameters can hold; `[UInt8]` is one `bytea`.
public protocol DatabaseArrayElement {
    static func databaseValue(of array: [Self]) -> DatabaseValue
}

extension UInt8: DatabaseArrayElement {
    public static func databaseValue(of array: [UInt8]) -> DatabaseValue { .bytes(array) }
}
extension Int64: DatabaseArrayElement {
    public static func databaseValue(of array: [Int64]) -> DatabaseValue { .integers(array) }
}
extension Int: DatabaseArrayElement {
    public static func databaseValue(of array: [Int]) -> DatabaseValue { .integers(array.map(Int64.init)) }
}
extension String: DatabaseArrayElement {
    public static func databaseValue(of array: [String]) -> DatabaseValue { .texts(array) }
}
extension Array: DatabaseArrayElement where Element == UInt8 {
    public static func databaseValue(of array: [[UInt8]]) -> DatabaseValue { .byteStrings(array) }
}

extension DatabaseValue {
    /// How the value goes over the wire: bytes, and whether they are PostgreSQL's binary format. Nil is NULL.
    var wire: (bytes: [UInt8], isBinary: Bool)? {
        switch self {
        case .null: nil
        case .bool(let value): (Array((value ? "t" : "f").utf8), false)
        case .integer(let value): (Array(String(value).utf8), false)
        case .double(let value): (Array(doubleText(value).utf8), false)
        // A NUL byte cannot be in PostgreSQL's text; sent as binary it is refused with a clear error, never cut.
        case .text(let value): (Array(value.utf8), value.utf8.contains(0))
        case .bytes(let value): (value, true)
        case .microseconds(let value): (Array(timestampText(value).utf8), false)
        case .integers(let values): (Array(("{" + values.map(String.init).joined(separator: ",") + "}").utf8), false)
        case .texts(let values): (Array(("{" + values.map(quotedElement).joined(separator: ",") + "}").utf8), false)
        case .byteStrings(let values):
            (Array(("{" + values.map { "\"\\\\x" + hexText($0) + "\"" }.joined(separator: ",") + "}").utf8), false)
        }
    }
}

private func doubleText(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
    return String(value)
}

private func quotedElement(_ text: String) -> String {
    var quoted = "\""
    for character in text.unicodeScalars {
        if character == "\"" || character == "\\" { quoted.append("\\") }
        quoted.unicodeScalars.append(character)
    }
    return quoted + "\""
}

private func hexText(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// `2026-11-21 12:00:00.000001+00`, computed by the civil-from-days algorithm (Howard Hinnant, public domain).
private func timestampText(_ microseconds: Int64) -> String {
    let day: Int64 = 86_400_000_000
    let days = microseconds >= 0 ? microseconds / day : -((day - 1 - microseconds) / day)
    let rest = microseconds - days * day
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let dayOfMonth = dayOfYear - (153 * monthIndex + 2) / 5 + 1
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    let seconds = rest / 1_000_000
    let date = "\(padded(max(1, year), 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
    let time = "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
    return "\(date) \(time).\(padded(rest % 1_000_000, 6))+00"
}
