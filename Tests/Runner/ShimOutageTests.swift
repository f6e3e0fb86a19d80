import Bus
import Contract
import Foundation
import RunnerClient
import Synchronization
import TestSupport
import Testing

@Suite(.serialized) struct ShimOutageTests {
    @Test("with the server killed while the program prints, every line is in the stream once and in order")
    func serverKilled() async throws {
        let (server, bus) = try await ShimTests.start()
        let script = "for i in $(seq 1 30000); do echo \"line $i\"; done"
        let pod = try await ShimPod(["bash", "-c", script], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        for part in 1...3 {
            try await eventually { reader.frames.count > part * 4 }
            server.kill9()
            try await Task.sleep(for: .milliseconds(300))
            try await server.restart()
        }
        try await eventually(within: .seconds(180), "no exit: \(pod.log)", holds: { reader.exit != nil })
        #expect(reader.isWhole)
        let isRight = ShimTests.lines(reader.text) == (1...30000).map { "line \($0)" }
        #expect(isRight)
        try await pod.waitUntilDone()
        #expect(try await JetStream(bus).streamInfo(Streams.terminals).messages == UInt64(reader.frames.count))
        await bus.close()
    }

    /// Debug builds of the engine are two hundred times slower, so they get less to print.
    #if DEBUG
        static let last = 11_000_000
    #else
        static let last = 16_250_000
    #endif

    @Test("what is printed while the server is away, 56 MB with an optimized build, is caught up in order")
    func longOutage() async throws {
        let (server, bus) = try await ShimTests.start()
        let pod = try await ShimPod(["bash", "-c", "echo ready; read x; seq 10000000 \(Self.last); echo end; read y"], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("ready") }
        #expect(try await pod.write("go\n", bus).result == .applied)
        server.kill9()
        // The program is through when the spool holds all of it.
        let total = (Self.last - 10_000_000) * 10
        try await eventually(within: .seconds(180), "the spool does not fill", holds: { Self.spoolBytes(pod) > total })
        let start = ContinuousClock.now
        try await server.restart()
        try await eventually(within: .seconds(180), "not caught up: \(pod.log)", holds: { reader.text.hasSuffix("end\r\n") })
        print("caught up \(total) bytes, reader included, in \(ContinuousClock.now - start)")
        #expect(reader.isWhole)
        let lines = ShimTests.lines(reader.text)
        let isRight = Array(lines.drop { !$0.hasPrefix("1000000") }.dropLast()) == (10_000_000...Self.last).map(String.init)
        #expect(isRight)
        try await eventually(holds: { Self.spoolBytes(pod) < 3 << 20 })
        await bus.close()
    }

    @Test("at its cap the spool holds the program, which goes on by itself, and nothing is missing")
    func held() async throws {
        let (server, bus) = try await ShimTests.start()
        let pod = try await ShimPod(["bash", "-c", "echo ready; read x; seq 1 700000; exit 5"], server: server, cap: 2 << 20)
        let reader = try await FrameReader.start(bus, pod.pod)
        let alarms = Mutex(0)
        try bus.subscribe("event.pod.\(pod.pod).spool_full") { _ in alarms.withLock { $0 += 1 } }
        try await eventually { reader.text.contains("ready") }
        #expect(try await pod.write("go\n", bus).result == .applied)
        server.kill9()
        try await eventually(within: .seconds(20), "never held: \(pod.log)", holds: { pod.log.contains("spool is full") })
        let size = Self.spoolBytes(pod)
        try await Task.sleep(for: .milliseconds(500))
        #expect(Self.spoolBytes(pod) == size, "a held program makes no more output")
        #expect(size < 3 << 20)
        #expect(pod.state?.phase == .running)
        try await server.restart()
        try await eventually(within: .seconds(180), "no exit: \(pod.log)", holds: { reader.exit != nil })
        #expect(reader.isWhole && reader.exit == .code(5))
        let numbers = ShimTests.lines(reader.text).suffix(700_000)
        let isRight = Array(numbers) == (1...700_000).map(String.init)
        #expect(isRight)
        #expect(reader.controls.contains { if case .held(let bytes) = $0 { bytes >= 2 << 20 } else { false } })
        #expect(reader.controls.contains(.released))
        await bus.close()
    }

    @Test("with on_full = drop the program is not held and the gap is recorded with its size")
    func dropped() async throws {
        let (server, bus) = try await ShimTests.start()
        let pod = try await ShimPod(
            ["bash", "-c", "stty -echo; echo ready; read x; seq 1 700000; echo through; read y"], server: server, cap: 2 << 20, onFull: .drop)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("ready") }
        #expect(try await pod.write("go\n", bus).result == .applied)
        server.kill9()
        try await eventually(within: .seconds(20), "never full: \(pod.log)", holds: { pod.log.contains("spool is full") })
        // Waits in `read` only once everything was printed.
        let pid = try #require(pod.state?.pid)
        try await eventually(within: .seconds(30), holds: { Self.children(of: pid).isEmpty && Self.isAsleep(pid) })
        try await server.restart()
        try await eventually(within: .seconds(20), "no gap: \(pod.log)", holds: { reader.controls.contains { $0.kind == "gap" } })
        var expected = (1...700_000).reduce(0) { $0 + String($1).utf8.count + 2 }
        expected += "ready\r\n".utf8.count + "through\r\n".utf8.count
        var gap: UInt64 = 0
        for case .gap(let bytes, _) in reader.controls { gap += bytes }
        #expect(gap > 0)
        #expect(UInt64(reader.output.count) + gap == UInt64(expected))
        #expect(reader.isWhole)
        await bus.close()
    }

    @Test("frames of a shim that was killed are published afterwards, and its pod is lost")
    func shimKilled() async throws {
        let (server, bus) = try await ShimTests.start()
        let pod = try await ShimPod(["bash", "-c", "echo ready; read x; seq 1 50000; exec sleep 60"], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("ready") }
        #expect(try await pod.write("go\n", bus).result == .applied)
        server.kill9()
        let pid = try #require(pod.state?.pid)
        try await eventually(within: .seconds(20)) { try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8) == "sleep\n" ? true : nil }
        var size = 0
        try await eventually(within: .seconds(20)) {
            defer { size = Self.spoolBytes(pod) }
            try await Task.sleep(for: .milliseconds(300))
            return size > 0 && size == Self.spoolBytes(pod)
        }
        let state = try #require(pod.state)
        kill(state.shimPid, SIGKILL)
        try await eventually(holds: { kill(state.shimPid, 0) != 0 })
        // A write that the kill cut short.
        let files = try FileManager.default.contentsOfDirectory(atPath: pod.path + "/spool").filter { $0.hasSuffix(".spool") }.sorted()
        let last = try #require(files.last)
        let handle = try #require(FileHandle(forWritingAtPath: "\(pod.path)/spool/\(last)"))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([0x53, 0x62, 0x46, 0x31, 1, 2, 3]))
        try handle.close()
        try await server.restart()
        try await pod.recover()
        try await eventually(within: .seconds(20), "no exit: \(pod.log)", holds: { reader.exit != nil })
        guard case .lost? = reader.exit else { throw TestSupportError("\(String(describing: reader.exit))") }
        #expect(reader.isWhole)
        let isRight = ShimTests.lines(reader.text).suffix(50000).elementsEqual((1...50000).map(String.init))
        #expect(isRight)
        try await pod.waitUntilDone()
        // Asked again there is nothing to do.
        let count = reader.frames.count
        try await pod.recover()
        try await bus.flush()
        #expect(reader.frames.count == count)
        await bus.close()
    }

    @Test("a shim that starts while the bus is away keeps everything until it comes")
    func startsAlone() async throws {
        let (server, bus) = try await ShimTests.start()
        server.kill9()
        let pod = try await ShimPod(["bash", "-c", "seq 1 1000"], server: server)
        try await eventually(holds: { pod.state?.phase == .exited })
        try await server.restart()
        try await eventually { bus.isConnected }
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually(within: .seconds(20), holds: { reader.exit != nil })
        #expect(reader.isWhole)
        #expect(ShimTests.lines(reader.text) == (1...1000).map(String.init))
        await bus.close()
    }

    @Test("an idle shim uses no CPU and little private memory")
    func idle() async throws {
        let (server, bus) = try await ShimTests.start()
        let pod = try await ShimPod(["bash", "-c", "echo ready; sleep 60"], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually { reader.text.contains("ready") }
        let pid = try #require(pod.state?.shimPid)
        try await Task.sleep(for: .milliseconds(500))
        // One such while is enough: on a busy machine a tick is counted for whoever runs when the clock looks.
        var used: [Int] = []
        while used.count < 4, used.min() ?? 2 > 1 {
            let before = try Self.ticks(pid)
            try await Task.sleep(for: .seconds(3))
            used.append(try Self.ticks(pid) - before)
        }
        #expect(used.min() ?? 2 <= 1, "ticks in three seconds: \(used)")
        let kilobytes = try Self.privateKilobytes(pid)
        print("an idle shim: \(kilobytes) kB private")
        await bus.close()
    }

    // MARK: -

    static func spoolBytes(_ pod: ShimPod) -> Int {
        let folder = pod.path + "/spool"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.reduce(0) { sum, name in
            sum + (((try? FileManager.default.attributesOfItem(atPath: folder + "/" + name))?[.size] as? Int) ?? 0)
        }
    }

    static func children(of pid: Int32) -> String {
        String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/task/\(pid)/children") ?? Data(), as: UTF8.self)
    }

    static func isAsleep(_ pid: Int32) -> Bool {
        let text = String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/wchan") ?? Data(), as: UTF8.self)
        return text.contains("wait_woken") || text.contains("n_tty_read") || text == "0"
    }

    /// CPU used so far in hundredths of a second.
    static func ticks(_ pid: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
        return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
    }

    static func privateKilobytes(_ pid: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/smaps_rollup", encoding: .utf8)
        return text.split(separator: "\n").filter { $0.hasPrefix("Private_") }.reduce(0) { sum, line in
            sum + (line.split(separator: " ").compactMap { Int($0) }.first ?? 0)
        }
    }
}
