internal import Contract

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// One JSON line on standard error, which the runner keeps in the pod's directory.
func log(_ message: String) {
    struct Line: Encodable {
        var time: Timestamp
        var message: String
    }
    guard var line = try? JSON.encode(Line(time: .now(), message: message)) else { return }
    line.append(UInt8(ascii: "\n"))
    // A log that cannot be written has nowhere to say so.
    _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}
