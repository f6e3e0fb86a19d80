internal import Contract
internal import FoundationEssentials
public import Logging
internal import Traces

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Writes each log line as one JSON object on standard error: `time`, `level`, `service`, `instance`, `message`, the metadata's own keys, and
/// `trace`, the id of the request from outside that the line belongs to, where it belongs to one.
public struct JSONLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    private let service: String
    private let instance: String

    public init(service: String, instance: String, level: Logger.Level) {
        self.service = service
        self.instance = instance
        logLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var fields: [(String, String)] = [
            ("time", Timestamp.now().description), ("level", event.level.rawValue), ("service", service), ("instance", instance),
            ("message", event.message.description),
        ]
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        // A key stands once in a line.
        if all["trace"] == nil, let trace = TraceContext.current { fields.append(("trace", trace.id)) }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { fields.append((key, "\(value)")) }
        var line = "{"
        for (key, value) in fields {
            if line.utf8.count > 1 { line += "," }
            line += quoted(key) + ":" + quoted(value)
        }
        line += "}\n"
        // One write call, so that lines of several threads do not mix.
        var bytes = Array(line.utf8)
        _ = bytes.withUnsafeMutableBytes { write(2, $0.baseAddress, $0.count) }
    }
}

/// A JSON string literal.
func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
