internal import CPty
internal import Contract

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A program on a terminal of its own; this side holds the master.
final class PseudoTerminal {
    let master: Int32
    let pid: Int32
    /// No program has the terminal open any more.
    private(set) var isHungUp = false
    /// Input that the program has not taken yet.
    private var waiting: [ArraySlice<UInt8>] = []
    private(set) var waitingBytes = 0

    /// Starts the program.
    /// - Throws: `not_found` or `denied` with words for whoever asked for it; nothing runs then.
    init(argv: [String], environment: [String: String], directory: String, columns: Int, rows: Int) throws(ErrorBody) {
        guard let program = argv.first else { throw ErrorBody(.badRequest, "there is no command to run") }
        let arguments = CStrings(argv)
        let variables = CStrings(environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
        var master: Int32 = -1
        var pid: pid_t = 0
        var stage: Int32 = 0
        let error = cpty_spawn(
            arguments.pointer, variables.pointer, directory, Int32(clamping: columns), Int32(clamping: rows), &master, &pid, &stage)
        guard error == 0 else { throw Self.explain(error, stage: UInt32(stage), program: program, directory: directory) }
        self.master = master
        self.pid = pid
    }

    deinit { close(master) }

    static func explain(_ error: Int32, stage: UInt32, program: String, directory: String) -> ErrorBody {
        let reason = String(cString: strerror(error))
        switch stage {
        case CPTY_STAGE_EXEC.rawValue where error == ENOENT:
            return ErrorBody(.notFound, "command not found: \(program)")
        case CPTY_STAGE_EXEC.rawValue where error == EACCES:
            return ErrorBody(.denied, "\(program) cannot be executed: \(reason)")
        case CPTY_STAGE_EXEC.rawValue:
            return ErrorBody(.badRequest, "cannot run \(program): \(reason)")
        case CPTY_STAGE_DIRECTORY.rawValue:
            return ErrorBody(error == ENOENT ? .notFound : .badRequest, "cannot start in the directory \(directory): \(reason)")
        case CPTY_STAGE_PTY.rawValue:
            return ErrorBody(.unavailable, "no terminal could be opened on this host: \(reason)")
        default:
            return ErrorBody(.unavailable, "no process could be started on this host: \(reason)")
        }
    }

    enum ReadResult { case bytes(Int), nothing, hungUp }

    /// Waits until there is something to read. False: there was nothing, or the program has hung up.
    func waitForOutput(_ patience: Duration) -> Bool {
        !isHungUp && cpty_wait(master, Int(patience / .microseconds(1))) == 1
    }

    /// Reads output that is there now onto the end of `buffer`.
    func read(into buffer: inout [UInt8], atMost limit: Int) -> ReadResult {
        var count = 0
        var error: Int32 = 0
        withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { space in
            repeat {
                count = Glibc.read(master, space.baseAddress, limit)
            } while count < 0 && errno == EINTR
            error = errno
            if count > 0 { buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: space[..<count])) }
        }
        if count > 0 {
            isHungUp = false
            return .bytes(count)
        }
        if count < 0 && (error == EAGAIN || error == EWOULDBLOCK) { return .nothing }
        // EIO: every program has closed its side.
        isHungUp = true
        return .hungUp
    }

    /// Hands input to the program, in order; what it does not take now waits.
    func write(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        waiting.append(bytes[...])
        waitingBytes += bytes.count
        flush()
    }

    /// Hands over more of what waits.
    func flush() {
        while let first = waiting.first {
            let count = first.withUnsafeBytes { Glibc.write(master, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                // A terminal without a reader takes nothing more, ever.
                if errno != EAGAIN && errno != EWOULDBLOCK { dropWaiting() }
                return
            }
            waitingBytes -= count
            if count == first.count { waiting.removeFirst() } else { waiting[0] = first.dropFirst(count) }
        }
    }

    func dropWaiting() {
        waiting = []
        waitingBytes = 0
    }

    func resize(columns: Int, rows: Int) -> Bool { cpty_resize(master, Int32(clamping: columns), Int32(clamping: rows)) == 0 }

    /// Sends a signal to the foreground process group, or to the program's own group.
    func signal(_ number: Int32) -> Bool {
        let foreground = cpty_foreground(master)
        if foreground > 1, kill(-foreground, number) == 0 { return true }
        return kill(-pid, number) == 0
    }

    /// How the program ended; nil while it runs.
    func reap() -> Exit? {
        var status: Int32 = 0
        let result = waitpid(pid, &status, WNOHANG)
        if result == 0 { return nil }
        guard result == pid else { return .lost(reason: "its exit status was taken by somebody else") }
        // The macros WIFSIGNALED and WTERMSIG are not visible to Swift.
        let signal = status & 0x7f
        return signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
    }
}

/// A NULL-terminated array of C strings for exec.
final class CStrings {
    let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointer = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { (pointer + index).initialize(to: strdup(string)) }
        (pointer + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(pointer[index]) }
        pointer.deallocate()
    }
}
