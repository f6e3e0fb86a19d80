import Glibc

/// Milliseconds from a line's printing in the terminal to its message at the viewer.
func measureEmit(_ url: ViewerURL) {
    var connection = open(url)
    var samples: [Double] = []
    var text: [UInt8] = []
    _ = connection.send([13], masked: true)
    while let message = connection.receive() {
        let now = monotonicNanoseconds()
        text += message
        while let end = text.firstIndex(of: 10) {
            let line = String(decoding: text[..<end], as: UTF8.self)
            text.removeFirst(end + 1)
            if line.contains("END") { return report("emit", samples) }
            if let mark = line.lastIndex(of: "T"), let sent = UInt64(line[line.index(after: mark)...].prefix { $0.isNumber }) {
                samples.append(Double(now - sent) / 1e6)
            }
        }
    }
    fail("the connection ended after \(samples.count) samples")
}

/// Milliseconds from a key's sending to its echo at the viewer. The terminal runs `cat`.
func measureEcho(_ url: ViewerURL) {
    var connection = open(url, waitForReady: false)
    // What the screen holds already comes first.
    usleep(300_000)
    var samples: [Double] = []
    for index in 0..<400 {
        let key = UInt8(ascii: "a") + UInt8(index % 26)
        let start = monotonicNanoseconds()
        guard connection.send([key], masked: true) else { fail("cannot type") }
        while true {
            guard let message = connection.receive() else { fail("the connection ended") }
            if message.contains(key) { break }
        }
        samples.append(Double(monotonicNanoseconds() - start) / 1e6)
        usleep(5000)
    }
    report("echo", samples)
}

/// Megabytes a second from the first to the last byte.
func measureFlood(_ url: ViewerURL) {
    var connection = open(url)
    _ = connection.send([13], masked: true)
    var bytes = 0
    var started: UInt64 = 0
    var last: [UInt8] = []
    while let message = connection.receive() {
        if started == 0 { started = monotonicNanoseconds() }
        bytes += message.count
        last = Array((last + message.suffix(16)).suffix(16))
        if String(decoding: last, as: UTF8.self).contains("END") {
            let seconds = Double(monotonicNanoseconds() - started) / 1e9
            return say("{\"what\":\"flood\",\"megabytes\":\(rounded(Double(bytes) / 1e6)),\"mb_per_s\":\(rounded(Double(bytes) / 1e6 / seconds))}")
        }
    }
    fail("the connection ended after \(bytes) bytes")
}

func open(_ url: ViewerURL, waitForReady: Bool = true) -> WebSocketConnection {
    guard var connection = WebSocketConnection(url) else { fail("cannot connect") }
    var seen: [UInt8] = []
    while waitForReady, !String(decoding: seen, as: UTF8.self).contains("READY") {
        guard let message = connection.receive() else { fail("the connection ended before READY") }
        seen += message
    }
    return connection
}

func report(_ what: String, _ samples: [Double]) {
    let sorted = samples.sorted()
    func quantile(_ q: Double) -> Double { sorted.isEmpty ? 0 : rounded(sorted[min(sorted.count - 1, Int(Double(sorted.count) * q))]) }
    say("{\"what\":\"\(what)\",\"samples\":\(sorted.count),\"p50_ms\":\(quantile(0.5)),\"p90_ms\":\(quantile(0.9)),\"p99_ms\":\(quantile(0.99))}")
}

func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

func fail(_ message: String) -> Never {
    complain("pipeline-bench: \(message)\n")
    exit(1)
}
