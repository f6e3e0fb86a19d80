internal import CPty
internal import Contract
internal import RunnerClient

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Starts shims and waits for their one line.
struct ShimLauncher: Sendable {
    /// The path of `switchback-shim`.
    var program: String
    /// How long a shim may take to say that its program runs.
    var limit: Duration = .seconds(15)

    /// Starts the pod of `directory`. Returns when its program runs.
    func start(_ directory: PodDirectory) async throws(ErrorBody) -> ShimReply.Started {
        let reply = try await launch([program, directory.path], directory)
        if let error = reply.error { throw error }
        guard let started = reply.started else { throw ErrorBody(.internal, "the shim answered neither start nor error") }
        return started
    }

    /// Has a dead shim's spool published, and its pod declared lost if its end was not seen. Does not wait for the end of that.
    func recover(_ directory: PodDirectory) throws(ErrorBody) {
        _ = try spawn([program, "--recover", directory.path], directory, output: -1)
    }

    private func launch(_ argv: [String], _ directory: PodDirectory) async throws(ErrorBody) -> ShimReply {
        let (readEnd, writeEnd) = try makePipe()
        do throws(ErrorBody) {
            _ = try spawn(argv, directory, output: writeEnd)
        } catch {
            close(readEnd)
            close(writeEnd)
            throw error
        }
        close(writeEnd)
        let line = await readLine(readEnd)
        guard !line.isEmpty else {
            throw ErrorBody(.unavailable, "the shim did not start the program within \(limit): \(directory.logTail())")
        }
        return try JSON.decode(ShimReply.self, from: line)
    }

    private func spawn(_ argv: [String], _ directory: PodDirectory, output: Int32) throws(ErrorBody) -> pid_t {
        var pointers = argv.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        var stage: Int32 = 0
        let failed = cpty_spawn_detached(pointers, cpty_environment(), directory.logFile, output, &pid, &stage)
        guard failed == 0 else {
            throw ErrorBody(.unavailable, "cannot run the shim \(argv[0]): \(String(cString: strerror(failed)))")
        }
        return pid
    }

    /// Reads to the end of the pipe or the limit, on a thread of its own; closes the descriptor.
    private func readLine(_ descriptor: Int32) async -> [UInt8] {
        let milliseconds = Int32(clamping: limit.microseconds / 1000)
        return await withCheckedContinuation { continuation in
            detached {
                var line: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 4096)
                var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                while !line.contains(10), poll(&polled, 1, milliseconds) > 0 {
                    let count = read(descriptor, &buffer, buffer.count)
                    guard count > 0 else { break }
                    line += buffer[..<count]
                }
                close(descriptor)
                continuation.resume(returning: line)
            }
        }
    }
}
