internal import Glibc

/// Keeps logs small while their writers hold them open for appending.
enum LogRotation {
    static let largestBytes = 8 * 1_048_576
    static let kept = 2

    /// Copies a log that grew past the limit to `<log>.1` and empties it. Lines written in between are
    /// lost; the writers need not know, and go on when the supervisor is gone.
    static func rotate(_ path: String, largestBytes: Int = largestBytes) {
        var info = stat()
        guard stat(path, &info) == 0, Int(info.st_size) > largestBytes else { return }
        for number in stride(from: kept - 1, through: 1, by: -1) {
            rename("\(path).\(number)", "\(path).\(number + 1)")
        }
        let source = open(path, O_RDWR | O_CLOEXEC)
        guard source >= 0 else { return }
        defer { close(source) }
        let target = open("\(path).1", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        if target >= 0 {
            var left = Int(info.st_size)
            while left > 0 {
                let count = sendfile(target, source, nil, min(left, 1_048_576))
                if count <= 0 { break }
                left -= count
            }
            close(target)
        }
        ftruncate(source, 0)
    }
}
