internal import CPty
internal import Contract
internal import RunnerClient
internal import ShimCore

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// `switchback-shim DIR` runs the pod whose `spec.json` is in DIR; `switchback-shim --recover DIR` finishes a dead shim's work.
@main
enum Main {
    static func main() {
        cpty_use_little_memory()
        let arguments = CommandLine.arguments
        do throws(ErrorBody) {
            if arguments.count == 3, arguments[1] == "--recover" {
                report(ShimReply(started: .init(pid: getpid())))
                try Recovery.run(directory: arguments[2])
            } else if arguments.count == 2 {
                let shim = try Shim(directory: arguments[1])
                report(ShimReply(started: .init(pid: shim.pid)))
                shim.run()
            } else {
                throw ErrorBody(.badRequest, "usage: switchback-shim [--recover] DIRECTORY")
            }
        } catch {
            report(ShimReply(error: error))
            exit(1)
        }
    }

    /// One line for the runner, which reads until the end: standard output is closed behind it.
    private static func report(_ reply: ShimReply) {
        guard var line = try? JSON.encode(reply) else { return }
        line.append(UInt8(ascii: "\n"))
        _ = line.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
        let null = open("/dev/null", O_WRONLY | O_CLOEXEC)
        if null >= 0 {
            dup2(null, 1)
            close(null)
        }
    }
}
