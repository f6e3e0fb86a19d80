internal import Contract
internal import Traces

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// One JSON line on standard error, which the runner keeps in the pod's directory.
/// - Parameter trace: the request that it belongs to, where somebody follows one.
func log(_ message: String, trace: TraceContext? = nil) {
    struct Line: Encodable {
        var time: Timestamp
        var message: String
        var trace: String?
    }
    guard var line = try? JSON.encode(Line(time: .now(), message: message, trace: trace?.id)) else { return }
    line.append(UInt8(ascii: "\n"))
    // A log that cannot be written has nowhere to say so.
    _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}
