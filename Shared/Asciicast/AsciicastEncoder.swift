/// Writes a recording as asciicast version 2 or 3, line by line.
///
/// The format is UTF-8: a character that our frames split is held back and written whole with the event that ends it;
/// bytes that are no UTF-8 at all become U+FFFD, which is what the terminal showed for them.
public struct AsciicastEncoder: Sendable {
    private let version: AsciicastVersion
    /// Microseconds of the newest event written.
    private var clock: Int64 = 0
    private var outputTail: [UInt8] = []
    private var inputTail: [UInt8] = []

    /// `version` is 2 or 3; version 1 is only read.
    public init(version: AsciicastVersion) {
        precondition(version != .v1, "version 1 is only read")
        self.version = version
    }

    /// The first line, with its newline.
    public func header(_ header: AsciicastHeader) -> [UInt8] {
        var text: [UInt8] = []
        func member(_ name: String, _ value: [UInt8]) {
            text += Array((text.isEmpty ? "{" : ",").utf8) + quoted(Array(name.utf8)) + Array(":".utf8) + value
        }
        func number(_ value: Int64) -> [UInt8] { Array(String(value).utf8) }
        func string(_ value: String) -> [UInt8] { quoted(Array(value.utf8)) }
        member("version", number(Int64(version.rawValue)))
        if version == .v3 {
            var term = "{\"cols\":\(header.columns),\"rows\":\(header.rows)"
            if let type = header.terminalType { term += ",\"type\":" + String(decoding: string(type), as: UTF8.self) }
            member("term", Array((term + "}").utf8))
        } else {
            member("width", number(Int64(header.columns)))
            member("height", number(Int64(header.rows)))
        }
        if let timestamp = header.timestamp { member("timestamp", number(timestamp)) }
        if let limit = header.idleTimeLimit { member("idle_time_limit", Array(String(limit).utf8)) }
        if let command = header.command { member("command", string(command)) }
        if let title = header.title { member("title", string(title)) }
        if !header.environment.isEmpty {
            let pairs = header.environment.sorted { $0.key < $1.key }.map { string($0.key) + Array(":".utf8) + string($0.value) }
            member("env", Array("{".utf8) + Array(pairs.joined(separator: Array(",".utf8))) + Array("}".utf8))
        }
        return text + Array("}\n".utf8)
    }

    /// The line of an event, with its newline; empty where nothing can be written yet. Times that go backwards are held.
    public mutating func encode(_ event: AsciicastEvent) -> [UInt8] {
        switch event.content {
        case .output(let bytes):
            let whole = Self.whole(bytes, after: &outputTail)
            return whole.isEmpty ? [] : line(event.time, "o", whole)
        case .input(let bytes):
            let whole = Self.whole(bytes, after: &inputTail)
            return whole.isEmpty ? [] : line(event.time, "i", whole)
        case .resize(let columns, let rows): return line(event.time, "r", Array("\(columns)x\(rows)".utf8))
        case .marker(let text): return line(event.time, "m", Array(text.utf8))
        case .exit(let status): return flush() + line(event.time, "x", Array(String(status).utf8))
        case .other(let code, let data): return line(event.time, code, Array(data.utf8))
        }
    }

    /// What was held back, as U+FFFD; call at the end.
    public mutating func flush() -> [UInt8] {
        var text: [UInt8] = []
        if !outputTail.isEmpty { text += line(clock, "o", outputTail) }
        if !inputTail.isEmpty { text += line(clock, "i", inputTail) }
        outputTail = []
        inputTail = []
        return text
    }

    private static func whole(_ bytes: [UInt8], after tail: inout [UInt8]) -> [UInt8] {
        var all = tail + bytes
        tail = []
        if let cut = incompleteTail(all) {
            tail = Array(all.suffix(cut))
            all.removeLast(cut)
        }
        return all
    }

    private mutating func line(_ time: Int64, _ code: String, _ data: [UInt8]) -> [UInt8] {
        let time = max(time, clock)
        let written = version == .v3 ? time - clock : time
        clock = time
        var text: [UInt8] = []
        text.reserveCapacity(data.count + data.count / 4 + 32)
        text.append(UInt8(ascii: "["))
        text.append(contentsOf: Self.seconds(written).utf8)
        text.append(contentsOf: ",".utf8)
        text.append(contentsOf: quoted(Array(code.utf8)))
        text.append(contentsOf: ",".utf8)
        text.append(contentsOf: quoted(data))
        text.append(contentsOf: "]\n".utf8)
        return text
    }

    /// Seconds with as many of six decimals as are needed, at least one.
    private static func seconds(_ microseconds: Int64) -> String {
        let fraction = String(microseconds % 1_000_000)
        var decimals = Substring(String(repeating: "0", count: 6 - fraction.count) + fraction)
        while decimals.count > 1, decimals.last == "0" { decimals.removeLast() }
        return "\(microseconds / 1_000_000).\(decimals)"
    }
}

/// A JSON string of the bytes; what is not UTF-8 becomes U+FFFD.
private func quoted(_ bytes: [UInt8]) -> [UInt8] {
    let valid = isUTF8(bytes) ? bytes : Array(String(decoding: bytes, as: UTF8.self).utf8)
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = [UInt8(ascii: "\"")]
    text.reserveCapacity(valid.count + valid.count / 8 + 2)
    for byte in valid {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
        case 0x0a: text += Array("\\n".utf8)
        case 0x0d: text += Array("\\r".utf8)
        case 0x09: text += Array("\\t".utf8)
        case 0..<0x20, 0x7f: text += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        default: text.append(byte)
        }
    }
    text.append(UInt8(ascii: "\""))
    return text
}
