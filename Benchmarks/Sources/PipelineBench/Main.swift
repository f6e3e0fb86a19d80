import Glibc

/// Measures a terminal that is served on a WebSocket: Switchback's, or the floor, a bare PTY on a WebSocket.
///
///     pipeline-bench floor PORT -- CMD…              serves CMD's PTY to whoever connects, each connection its own
///     pipeline-bench emit COUNT INTERVAL_MS          in the terminal: prints the clock, one line at a time
///     pipeline-bench flood MEGABYTES                 in the terminal: prints that much text as fast as it can
///     pipeline-bench measure emit|echo|flood URL     at the viewer's end; a token may follow the URL
@main
enum PipelineBench {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "floor":
            guard arguments.count > 3, let port = UInt16(arguments[1]), arguments[2] == "--" else { usage() }
            FloorServer.run(port: port, command: Array(arguments[3...]))
        case "emit":
            guard arguments.count == 3, let count = Int(arguments[1]), let interval = UInt32(arguments[2]) else { usage() }
            emit(count: count, intervalMilliseconds: interval)
        case "flood":
            guard arguments.count == 2, let megabytes = Int(arguments[1]) else { usage() }
            flood(megabytes: megabytes)
        case "measure":
            guard arguments.count >= 3, let url = ViewerURL(arguments[2], token: arguments.count > 3 ? arguments[3] : nil) else { usage() }
            switch arguments[1] {
            case "emit": measureEmit(url)
            case "echo": measureEcho(url)
            case "flood": measureFlood(url)
            default: usage()
            }
        default: usage()
        }
    }

    static func usage() -> Never {
        complain("pipeline-bench floor PORT -- CMD… | emit COUNT MS | flood MB | measure emit|echo|flood ws://HOST:PORT/PATH [TOKEN]\n")
        exit(2)
    }
}

/// Writes on standard error.
func complain(_ text: String) {
    var bytes = Array(text.utf8)
    _ = write(2, &bytes, bytes.count)
}

/// Prints a line at once.
func say(_ text: String) {
    var bytes = Array((text + "\n").utf8)
    _ = write(1, &bytes, bytes.count)
}

/// Nanoseconds of a clock that all processes of this machine share.
func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Waits for a key, then prints the clock `count` times.
private func emit(count: Int, intervalMilliseconds: UInt32) {
    waitForKey()
    for _ in 0..<count {
        usleep(intervalMilliseconds * 1000)
        say("T\(monotonicNanoseconds())")
    }
    say("END")
    sleep(2)
}

/// Waits for a key, then prints `megabytes` of log-like text and `END`.
private func flood(megabytes: Int) {
    waitForKey()
    var block: [UInt8] = []
    var line = 0
    while block.count < 1 << 20 {
        block += Array("line \(line) the quick brown fox jumps over the lazy dog and goes on for a while\r\n".utf8)
        line += 1
    }
    for _ in 0..<megabytes {
        var written = 0
        while written < block.count {
            let count = block.withUnsafeBytes { write(1, $0.baseAddress?.advanced(by: written), block.count - written) }
            guard count > 0 else { exit(1) }
            written += count
        }
    }
    say("END")
    sleep(2)
}

private func waitForKey() {
    var settings = termios()
    tcgetattr(0, &settings)
    cfmakeraw(&settings)
    settings.c_oflag |= tcflag_t(OPOST)
    tcsetattr(0, TCSANOW, &settings)
    say("READY")
    var byte: UInt8 = 0
    _ = read(0, &byte, 1)
}
