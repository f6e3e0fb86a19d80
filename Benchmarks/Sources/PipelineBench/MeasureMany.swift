import Glibc
import Synchronization

/// Megabytes a second of a flood until every one of several viewers has all of it.
func measureFan(_ url: ViewerURL, viewers: Int) {
    let fan = Fan()
    // The floor begins when all are there, so nobody waits for READY before that.
    let connections = (0..<viewers).map { _ in
        guard let connection = WebSocketConnection(url) else { fail("cannot connect") }
        return connection
    }
    let threads = connections.map { connection in Viewer { fan.follow(connection) }.start() }
    while fan.ready.load(ordering: .relaxed) < viewers { usleep(1000) }
    _ = connections[0].send([13], masked: true)
    for thread in threads { pthread_join(thread, nil) }
    let seconds = Double(monotonicNanoseconds() - fan.begun.load(ordering: .relaxed)) / 1e9
    let bytes = fan.received.withLock { $0 }
    guard let least = bytes.min(), least == bytes.max() else { fail("the viewers got \(bytes) bytes") }
    say(
        "{\"what\":\"fan\",\"viewers\":\(viewers),\"megabytes\":\(rounded(Double(least) / 1e6)),"
            + "\"seconds\":\(rounded(seconds)),\"mb_per_s\":\(rounded(Double(least) / 1e6 / seconds))}")
}

private final class Fan: Sendable {
    let ready = Atomic<Int>(0)
    /// When the first byte of the flood came to anybody.
    let begun = Atomic<UInt64>(0)
    let received = Mutex<[Int]>([])

    func follow(_ connection: WebSocketConnection) {
        var connection = connection
        var bytes = 0
        var last: [UInt8] = []
        var isReady = false
        while let message = connection.receive() {
            last = Array((last.suffix(16) + message.suffix(4096)))
            if !isReady {
                isReady = String(decoding: last, as: UTF8.self).contains("READY")
                if isReady {
                    ready.add(1, ordering: .relaxed)
                    last = []
                }
                continue
            }
            if bytes == 0 { _ = begun.compareExchange(expected: 0, desired: monotonicNanoseconds(), ordering: .relaxed) }
            bytes += message.count
            if String(decoding: last.suffix(16), as: UTF8.self).contains("END") { break }
        }
        received.withLock { $0.append(bytes) }
    }
}

/// Milliseconds and bytes from connecting until the end of a flood that is over is on the viewer's screen.
func measureJoin(_ url: ViewerURL) {
    var samples: [Double] = []
    var bytes = 0
    for _ in 0..<20 {
        let start = monotonicNanoseconds()
        guard var connection = WebSocketConnection(url), let screen = connection.receive() else { fail("cannot connect") }
        samples.append(Double(monotonicNanoseconds() - start) / 1e6)
        bytes = screen.count
        guard String(decoding: screen, as: UTF8.self).contains("END") else { fail("the screen is not that of the flood's end") }
        close(connection.descriptor)
        usleep(50_000)
    }
    reportJoin("join", samples, bytes)
}

/// The same for a command on a terminal of its own (`tmux attach`).
func measureTerminal(_ command: [String]) {
    var samples: [Double] = []
    var bytes = 0
    for _ in 0..<20 {
        var pty: Int32 = -1
        var size = winsize(ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0)
        var argv = command.map { strdup($0) }
        argv.append(nil)
        let start = monotonicNanoseconds()
        let pid = forkpty(&pty, nil, nil, &size)
        if pid == 0 {
            if let program = argv[0] { execvp(program, argv) }
            _exit(127)
        }
        var seen: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        var settled: UInt64 = 0
        // The screen is painted when the terminal is quiet.
        while true {
            var descriptor = pollfd(fd: pty, events: Int16(POLLIN), revents: 0)
            guard poll(&descriptor, 1, 200) > 0 else { break }
            let count = read(pty, &buffer, buffer.count)
            guard count > 0 else { break }
            seen += buffer[..<count]
            if settled == 0, String(decoding: seen, as: UTF8.self).contains("END") { settled = monotonicNanoseconds() }
        }
        guard settled > 0 else { fail("\(command[0]) did not show the flood's end in \(seen.count) bytes") }
        samples.append(Double(settled - start) / 1e6)
        bytes = seen.count
        kill(pid, SIGKILL)
        close(pty)
        waitpid(pid, nil, 0)
    }
    reportJoin("terminal", samples, bytes)
}

/// Milliseconds from each line's printing to its message, of a drip.
func measureWatch(_ url: ViewerURL, seconds: Int) {
    guard var connection = WebSocketConnection(url), connection.receive() != nil else { fail("cannot connect") }
    let end = monotonicNanoseconds() + UInt64(seconds) * 1_000_000_000
    var samples: [Double] = []
    var text: [UInt8] = []
    while monotonicNanoseconds() < end, let message = connection.receive() {
        let now = monotonicNanoseconds()
        text += message
        while let stop = text.firstIndex(of: 10) {
            let line = String(decoding: text[..<stop], as: UTF8.self)
            text.removeFirst(stop + 1)
            if let mark = line.lastIndex(of: "T"), let sent = UInt64(line[line.index(after: mark)...].prefix { $0.isNumber }), sent <= now {
                samples.append(Double(now - sent) / 1e6)
            }
        }
    }
    report("watch", samples)
}

private func reportJoin(_ what: String, _ samples: [Double], _ bytes: Int) {
    let sorted = samples.sorted()
    say("{\"what\":\"\(what)\",\"samples\":\(sorted.count),\"p50_ms\":\(rounded(sorted[sorted.count / 2])),\"max_ms\":\(rounded(sorted[sorted.count - 1])),\"bytes\":\(bytes)}")
}

/// A thread that reads.
private final class Viewer: Sendable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() -> pthread_t {
        var id = pthread_t()
        pthread_create(
            &id, nil,
            { pointer in
                if let pointer { Unmanaged<Viewer>.fromOpaque(pointer).takeRetainedValue().body() }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        return id
    }
}
