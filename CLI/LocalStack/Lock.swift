internal import Glibc

/// A file locked by this process; released when the process ends, however it ends.
final class Lock {
    private let file: Int32

    private init(file: Int32) {
        self.file = file
    }

    deinit { close(file) }

    /// Nil when another process holds it.
    static func take(_ path: String) throws(StackError) -> Lock? {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Files.trouble("open", path) }
        if flock(file, LOCK_EX | LOCK_NB) == 0 { return Lock(file: file) }
        close(file)
        return nil
    }

    /// True when another process holds it. False as well when there is no such file.
    static func isHeld(_ path: String) -> Bool {
        let file = open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return flock(file, LOCK_EX | LOCK_NB) != 0
    }
}
