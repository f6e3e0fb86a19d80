internal import Glibc

/// A file that is whole under its name, or not there: what is written stands beside it until it is finished.
///
/// A device, a pipe or a socket is written as it is, and a link stays one: the file that it leads to is replaced.
public struct OutputFile: Sendable {
    public struct Problem: Error, Equatable { public var message: String }

    private let name: String
    private let target: String
    /// Where it is written until then; nil for what is not a regular file.
    private let part: String?
    private let file: Int32

    public init(_ name: String) throws(Problem) {
        var info = stat()
        let exists = stat(name, &info) == 0
        guard !exists || (info.st_mode & S_IFMT) != S_IFDIR else { throw Problem(message: "Cannot write \(name): it is a directory.") }
        let isPlain = !exists || (info.st_mode & S_IFMT) == S_IFREG
        let resolved = exists ? realpath(name, nil) : nil
        defer { free(resolved) }
        self.name = name
        target = resolved.map { String(cString: $0) } ?? name
        part = isPlain ? target + ".part" : nil
        file = open(part ?? name, (isPlain ? O_CREAT | O_TRUNC : 0) | O_WRONLY | O_CLOEXEC, exists ? info.st_mode & 0o7777 : 0o644)
        guard file >= 0 else { throw Problem(message: "Cannot write \(part ?? name): \(Self.reason).") }
    }

    public func write(_ bytes: [UInt8]) throws(Problem) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw Problem(message: "Cannot write \(name): \(Self.reason).")
            }
            done += count
        }
    }

    /// All is written: from now on it is there under its name.
    public func finish() throws(Problem) {
        guard close(file) == 0 else { throw Problem(message: "Cannot write \(name): \(Self.reason).") }
        guard let part else { return }
        guard rename(part, target) == 0 else { throw Problem(message: "Cannot write \(name): \(Self.reason).") }
    }

    /// It broke off: what was there before stays.
    public func abandon() {
        close(file)
        if let part { unlink(part) }
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
