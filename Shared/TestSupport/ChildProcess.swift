internal import FoundationEssentials
#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif
internal import Synchronization

/// A program that a test starts and must not leave behind.
public final class ChildProcess: Sendable {
    public let pid: Int32

    private static let running = Mutex<Set<Int32>>([])
    private static let killAtExit: Void = {
        atexit { for pid in ChildProcess.running.withLock({ $0 }) { kill(pid, SIGKILL) } }
    }()

    /// Starts `argv`, found in PATH; output goes to the file `log`. `environment` is added to this process's own.
    public init(_ argv: [String], environment: [String: String] = [:], log: String) throws(TestSupportError) {
        _ = Self.killAtExit
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var pointers = argv.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        let merged = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var variables = merged.map { strdup("\($0.key)=\($0.value)") }
        variables.append(nil)
        defer { for variable in variables { free(variable) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, argv[0], &actions, &attributes, pointers, variables)
        guard result == 0 else {
            throw TestSupportError("cannot start \(argv[0]): \(String(cString: strerror(result)))")
        }
        self.pid = pid
        let started = pid
        _ = Self.running.withLock { $0.insert(started) }
    }

    /// Sends `signal` and takes the exit status. Blocks at most about `seconds`, then kills.
    ///
    /// - Returns: The signal of a crash that ended the program, before or after this one; nil where it did not crash.
    @discardableResult
    public func end(_ signal: Int32, seconds: Int = 5) -> Int32? {
        guard Self.running.withLock({ $0.remove(pid) }) != nil else { return nil }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == 0 else { return Self.crash(status) }
        kill(pid, signal)
        for _ in 0..<(seconds * 200) {
            if waitpid(pid, &status, WNOHANG) != 0 { return Self.crash(status) }
            usleep(5000)
        }
        kill(pid, SIGKILL)
        waitpid(pid, &status, 0)
        return Self.crash(status)
    }

    private static func crash(_ status: Int32) -> Int32? {
        let signal = status & 0x7f
        return [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV].contains(signal) ? signal : nil
    }

    /// Sends `signal`.
    public func send(_ signal: Int32) { kill(pid, signal) }
}

/// What a test's own surroundings could not do.
public struct TestSupportError: Error, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}
