import Glibc

/// Measures a terminal that is served on a WebSocket: Switchback's, or the floor, a bare PTY on a WebSocket.
///
///     pipeline-bench floor PORT VIEWERS -- CMD…      serves CMD's PTY, one to each so many that connect
///     pipeline-bench emit COUNT INTERVAL_MS          in the terminal: prints the clock, one line at a time
///     pipeline-bench flood MEGABYTES [hold]          in the terminal: prints that much text as fast as it can, and stays
///     pipeline-bench drip BYTES_PER_SECOND           in the terminal: prints the clock and filler, twenty times a second
///     pipeline-bench measure emit|echo|flood|join URL [TOKEN]     at the viewer's end
///     pipeline-bench measure fan VIEWERS URL [TOKEN] a flood, to so many viewers
///     pipeline-bench measure watch SECONDS URL [TOKEN]    how late the lines of a drip are
///     pipeline-bench measure terminal -- CMD…        how long until CMD, on a terminal, shows the end of a flood
@main
enum PipelineBench {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "floor":
            guard arguments.count > 4, let port = UInt16(arguments[1]), let viewers = Int(arguments[2]), arguments[3] == "--" else { usage() }
            FloorServer.run(port: port, viewers: viewers, command: Array(arguments[4...]))
        case "emit":
            guard arguments.count == 3, let count = Int(arguments[1]), let interval = UInt32(arguments[2]) else { usage() }
            emit(count: count, intervalMilliseconds: interval)
        case "flood":
            guard (2...3).contains(arguments.count), let megabytes = Int(arguments[1]) else { usage() }
            flood(megabytes: megabytes, holds: arguments.last == "hold")
        case "drip":
            guard arguments.count == 2, let rate = Int(arguments[1]) else { usage() }
            drip(bytesPerSecond: rate)
        case "measure":
            measure(Array(arguments.dropFirst()))
        default: usage()
        }
    }

    private static func measure(_ arguments: [String]) {
        func url(_ index: Int) -> ViewerURL {
            guard arguments.count > index, let url = ViewerURL(arguments[index], token: arguments.count > index + 1 ? arguments[index + 1] : nil)
            else { usage() }
            return url
        }
        switch arguments.first {
        case "emit": measureEmit(url(1))
        case "echo": measureEcho(url(1))
        case "flood": measureFlood(url(1))
        case "join": measureJoin(url(1))
        case "fan":
            guard arguments.count > 2, let viewers = Int(arguments[1]) else { usage() }
            measureFan(url(2), viewers: viewers)
        case "watch":
            guard arguments.count > 2, let seconds = Int(arguments[1]) else { usage() }
            measureWatch(url(2), seconds: seconds)
        case "terminal":
            guard arguments.count > 2, arguments[1] == "--" else { usage() }
            measureTerminal(Array(arguments[2...]))
        default: usage()
        }
    }

    static func usage() -> Never {
        complain("usage: pipeline-bench floor | emit | flood | drip | measure …; the head of Main.swift says more\n")
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

/// Prints the clock and filler for ever.
private func drip(bytesPerSecond: Int) {
    let filler = String(repeating: "abcdefghijklmnopqrstuvwxyz ", count: 1 + bytesPerSecond / 20 / 27)
    while true {
        usleep(50_000)
        say("T\(monotonicNanoseconds()) " + String(filler.prefix(max(0, bytesPerSecond / 20 - 20))))
    }
}

/// Waits for a key, then prints `megabytes` of log-like text and `END`.
private func flood(megabytes: Int, holds: Bool) {
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
    while holds { sleep(60) }
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
