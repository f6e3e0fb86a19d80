internal import FoundationEssentials
internal import Glibc

/// Small file operations that say in a `StackError` what went wrong.
enum Files {
    static func reason(_ code: Int32 = errno) -> String {
        String(cString: strerror(code))
    }

    /// Makes the directory and its parents; the last one gets `mode` whether it is new or not. With nil only
    /// what lets others read or write is taken from its mode.
    static func makeDirectory(_ path: String, mode: mode_t? = 0o700) throws(StackError) {
        var partial = path.hasPrefix("/") ? "" : "."
        for component in path.split(separator: "/") {
            partial += "/" + component
            if mkdir(partial, 0o700) != 0 && errno != EEXIST {
                throw trouble("make the directory", partial)
            }
        }
        guard isDirectory(path) else {
            throw StackError(
                .notWritable, "\(path) exists and is not a directory.", fix: "Move it away, or set SWITCHBACK_HOME to another directory.")
        }
        var info = stat()
        let old = stat(path, &info) == 0 ? info.st_mode & 0o7777 : 0o700
        let wanted = mode ?? (old & 0o711 | 0o700)
        if old != wanted && chmod(path, wanted) != 0 { throw trouble("set the mode of", path) }
    }

    static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && (info.st_mode & S_IFMT) == S_IFDIR
    }

    static func exists(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0
    }

    static func isProgram(_ path: String) -> Bool {
        access(path, X_OK) == 0 && !isDirectory(path)
    }

    /// The file's text, or nil when it is not there or not readable.
    static func read(_ path: String) -> String? {
        guard let bytes = readBytes(path) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads to the end; good for files of `/proc` whose size is not known before.
    static func readBytes(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return content }
            content.append(contentsOf: chunk[..<count])
        }
    }

    /// The last `lines` lines of a log.
    static func tail(_ path: String, lines: Int) -> [String] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        let size = lseek(file, 0, SEEK_END)
        let length = Int(min(size, 32768))
        lseek(file, size - off_t(length), SEEK_SET)
        var buffer = [UInt8](repeating: 0, count: length)
        let count = length > 0 ? Glibc.read(file, &buffer, length) : 0
        guard count > 0 else { return [] }
        let text = String(decoding: buffer[..<count], as: UTF8.self)
        return text.split(separator: "\n").suffix(lines).map(String.init)
    }

    /// Writes the whole file in one step: readers see the old content or the new, also after a crash.
    static func write(_ text: String, to path: String, mode: mode_t = 0o600) throws(StackError) {
        try write([UInt8](text.utf8), to: path, mode: mode)
    }

    static func write(_ content: [UInt8], to path: String, mode: mode_t = 0o600) throws(StackError) {
        let temporary = path + ".\(getpid()).new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw trouble("write", path) }
        var done = 0
        while done < content.count {
            let count = content[done...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                let error = trouble("write", path)
                close(file)
                unlink(temporary)
                throw error
            }
            done += count
        }
        fchmod(file, mode)
        fsync(file)
        close(file)
        if rename(temporary, path) != 0 {
            let error = trouble("write", path)
            unlink(temporary)
            throw error
        }
    }

    static func remove(_ path: String) {
        unlink(path)
    }

    /// Bytes a person without privileges can still write on the file system of `path`.
    static func freeBytes(_ path: String) -> UInt64? {
        var info = statvfs()
        guard statvfs(path, &info) == 0 else { return nil }
        return UInt64(info.f_bavail) * UInt64(info.f_frsize)
    }

    static func trouble(_ action: String, _ path: String) -> StackError {
        let code = errno
        switch code {
        case ENOSPC, EDQUOT:
            return StackError(
                .noSpace, "Cannot \(action) \(path): \(reason(code)).",
                fix: "Free some space there, or set SWITCHBACK_HOME to a directory on a larger disk.")
        case ENAMETOOLONG:
            return StackError(.pathTooLong, "Cannot \(action) \(path): the path is too long.", fix: "Set SWITCHBACK_HOME to a shorter path.")
        case EACCES, EPERM, EROFS:
            return StackError(
                .notWritable, "Cannot \(action) \(path): \(reason(code)).",
                fix: "Make it writable for you, or set SWITCHBACK_HOME to a directory that is.")
        default:
            return StackError(.system, "Cannot \(action) \(path): \(reason(code)).")
        }
    }
}
