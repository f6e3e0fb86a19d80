internal import Contract
internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A program that is run to its end, off the cooperative threads.
enum Subprocess {
    struct Result: Sendable {
        /// The exit code, or 128 and the signal's number.
        var status: Int32
        /// Standard output and standard error together, at most 64 KiB.
        var output: String
    }

    /// Runs `argv`, found in PATH.
    static func run(_ argv: [String]) async throws(ErrorBody) -> Result {
        let outcome: Swift.Result<Result, ErrorBody> = await withCheckedContinuation { continuation in
            detached { continuation.resume(returning: blocking(argv)) }
        }
        return try outcome.get()
    }

    private static func blocking(_ argv: [String]) -> Swift.Result<Result, ErrorBody> {
        let readEnd: Int32
        let writeEnd: Int32
        do throws(ErrorBody) { (readEnd, writeEnd) = try makePipe() } catch { return .failure(error) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, writeEnd, 1)
        posix_spawn_file_actions_adddup2(&actions, writeEnd, 2)
        var pointers = argv.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        let failed = posix_spawnp(&pid, argv[0], &actions, nil, pointers, environ)
        close(writeEnd)
        defer { close(readEnd) }
        guard failed == 0 else {
            return .failure(ErrorBody(.unavailable, "cannot run \(argv[0]): \(String(cString: strerror(failed))); is it installed?"))
        }
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(readEnd, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            if output.count < 65536 { output += buffer[..<count] }
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        let code = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
        return .success(Result(status: code, output: String(decoding: output, as: UTF8.self).trimmingWhitespace()))
    }
}

/// Runs blocking work on a thread of its own.
func detached(_ body: @escaping @Sendable () -> Void) {
    Thread.detachNewThread(body)
}

/// A pipe that programs do not inherit.
func makePipe() throws(ErrorBody) -> (readEnd: Int32, writeEnd: Int32) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw ErrorBody(.internal, "no pipe: \(String(cString: strerror(errno)))") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}

extension String {
    func trimmingWhitespace() -> String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
