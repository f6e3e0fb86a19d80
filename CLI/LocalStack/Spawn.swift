internal import CLaunch
internal import Glibc

/// How a process ended.
public enum ProcessEnd: Equatable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    init(waitStatus: Int32) {
        // The macros WIFEXITED and friends are not visible in Swift; the layout is wait(2)'s.
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .killed(signal: signal)
    }

    public var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .killed(let signal): "signal \(signal) (\(String(cString: strsignal(signal))))"
        }
    }
}

/// Starts programs with posix_spawn. Foundation's `Process` reports an exit only when every descendant
/// is gone, and cannot start a session; both matter here.
enum Spawn {
    /// Where a started program belongs.
    enum Group {
        /// A session of its own: it survives our terminal.
        case session
        /// A process group of its own, so that a signal meant for us does not reach it.
        case group
    }

    /// - Parameters:
    ///   - log: file the program's standard output and error are appended to; `/dev/null` when nil.
    /// - Returns: the process's number. It must be waited for.
    static func start(
        _ program: String, _ arguments: [String], environment: [String: String], directory: String? = nil,
        log: String? = nil, group: Group
    ) throws(StackError) -> pid_t {
        let output = open(log ?? "/dev/null", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw Files.trouble("write", log ?? "/dev/null") }
        defer { close(output) }
        return try spawn(program, arguments, environment: environment, directory: directory, output: output, error: output, group: group)
    }

    /// Runs a program to its end and gives what it printed (standard output and error together, at most 1 MB).
    static func run(
        _ program: String, _ arguments: [String], environment: [String: String], directory: String? = nil,
        input: String? = nil, seconds: Double = 60
    ) throws(StackError) -> (end: ProcessEnd, output: String) {
        var ends: [Int32] = [0, 0]
        // Close-on-exec is not needed: what we start closes all descriptors but its three.
        guard pipe(&ends) == 0 else { throw StackError(.system, "Cannot make a pipe: \(Files.reason()).") }
        var inputFile: Int32 = -1
        if let input {
            inputFile = memory(input)
        }
        defer { if inputFile >= 0 { close(inputFile) } }
        let pid: pid_t
        do {
            pid = try spawn(
                program, arguments, environment: environment, directory: directory, input: inputFile, output: ends[1], error: ends[1], group: .group)
        } catch {
            close(ends[0])
            close(ends[1])
            throw error
        }
        close(ends[1])
        defer { close(ends[0]) }

        let deadline = Clock.now() + seconds
        var printed: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        var timedOut = false
        while true {
            let left = deadline - Clock.now()
            if left <= 0 { timedOut = true; break }
            var entry = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, Int32(min(left * 1000, 1000)))
            if ready < 0 && errno != EINTR { break }
            guard ready > 0 else { continue }
            let count = read(ends[0], &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { break }
            if printed.count < 1_048_576 { printed.append(contentsOf: chunk[..<count]) }
        }
        if timedOut { kill(-pid, SIGKILL) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        if timedOut {
            throw StackError(.timedOut, "\(program) did not finish within \(Int(seconds)) seconds.")
        }
        return (ProcessEnd(waitStatus: status), String(decoding: printed, as: UTF8.self))
    }

    /// A file descriptor from which `text` can be read: an unlinked temporary file.
    private static func memory(_ text: String) -> Int32 {
        let file = claunch_memory_file()
        guard file >= 0 else { return -1 }
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            if count <= 0 { break }
            done += count
        }
        lseek(file, 0, SEEK_SET)
        return file
    }

    private static func spawn(
        _ program: String, _ arguments: [String], environment: [String: String], directory: String?,
        input: Int32 = -1, output: Int32, error: Int32, group: Group
    ) throws(StackError) -> pid_t {
        let argv = CStrings([program] + arguments)
        let envp = CStrings(environment.map { "\($0.key)=\($0.value)" }.sorted())
        var pid: pid_t = 0
        let result = claunch_start(&pid, program, argv.pointers, envp.pointers, directory, input, output, error, group == .session ? 1 : 0)
        guard result == 0 else {
            throw StackError(result == ENOENT ? .missingProgram : .system, "Cannot start \(program): \(Files.reason(result)).")
        }
        return pid
    }
}

/// A null-terminated array of C strings, freed with the object.
private final class CStrings {
    var pointers: [UnsafeMutablePointer<CChar>?]

    init(_ strings: [String]) {
        pointers = strings.map { strdup($0) } + [nil]
    }

    deinit {
        for pointer in pointers { free(pointer) }
    }
}

/// Time for deadlines and for showing.
enum Clock {
    /// Monotonic seconds.
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// UTC microseconds since 1970.
    static func utcMicroseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// Waits without anything to wake up for; only for programs' own polling of files and processes.
    static func pause(_ seconds: Double) {
        usleep(UInt32(max(0, min(seconds, 60)) * 1e6))
    }
}
