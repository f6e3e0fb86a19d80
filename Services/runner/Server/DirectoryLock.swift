internal import CPty
internal import Contract

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Makes a directory one runner's own: two would start each other's pods twice and remove what the other began. Let go when the process
/// ends, however it ends.
final class DirectoryLock: Sendable {
    private let descriptor: Int32

    /// - Throws: `conflict` where another runner has the directory, `unavailable` where it cannot be locked.
    init(_ directory: String) throws(ErrorBody) {
        // A child that is between its fork and its program has its parent's files for a moment, also those of a runner that has just ended.
        descriptor = cpty_lock(directory + "/runner.lock", 200)
        let reason = errno
        guard descriptor < 0 else { return }
        throw reason == EWOULDBLOCK
            ? ErrorBody(.conflict, "another runner keeps its pods in \(directory); stop it, or set SWITCHBACK_RUNNER_DIR to another folder")
            : ErrorBody(.unavailable, "cannot lock \(directory)/runner.lock: \(String(cString: strerror(reason)))")
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
