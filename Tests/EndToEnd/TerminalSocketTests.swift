import APIClient
import Contract
import Foundation
import Synchronization
import Terminal
import TestSupport
import Testing
import ViewProtocol

@Suite("The terminal socket on the whole stack", .serialized)
struct TerminalSocketTests {
    /// What a viewer of either mode has seen.
    final class Viewer: Sendable {
        struct State {
            var image = ScreenImage()
            var at: UInt64 = 0
            var gaps = 0
            var mode: ViewMessage.Position.Mode?
            var errors: [ErrorBody] = []
            var terminal = Terminal(columns: 80, rows: 24, scrollback: 10_000)
            var binaries = 0
            var closed: Int?
        }
        let state = Mutex(State())

        func raw(_ message: TerminalConnection.Message) {
            state.withLock { state in
                switch message {
                case .binary(let bytes):
                    state.binaries += 1
                    state.terminal.feed(bytes)
                case .text: break
                case .closed(let code, _): state.closed = code
                }
            }
        }

        func view(_ message: TerminalConnection.Message) {
            guard case .binary(let bytes) = message, let message = try? ViewMessage(bytes) else { return }
            state.withLock { state in
                switch message {
                case .keyframe(let screen, let seq, _, _):
                    state.image.apply(screen)
                    state.at = seq
                case .delta(let delta, let base, let seq, _):
                    if base != state.at { state.gaps += 1 }
                    if let delta { state.image.apply(delta) }
                    state.at = seq
                case .position(let position): state.mode = position.mode
                case .notice(let notice): if let error = notice.error { state.errors.append(error) }
                case .status, .timeline: break
                }
            }
        }

        func wait(_ what: String, _ condition: (State) -> Bool) async throws {
            do {
                try await eventually(within: .seconds(20), what) { state.withLock { condition($0) } }
            } catch {
                let (at, mode, errors) = state.withLock { ($0.at, $0.mode, $0.errors) }
                Issue.record("at \(at), \(mode.map { "\($0)" } ?? "nowhere"), errors \(errors)")
                throw error
            }
        }
    }

    private func image(_ terminal: Terminal) -> ScreenImage {
        var image = ScreenImage()
        image.apply(terminal.fullDelta())
        return image
    }

    @Test("A viewer scrubs a running pod to any frame, steps, plays both ways and is live again, exactly")
    func scrub() async throws {
        let stack = try await Stack.start()
        let script = #"i=0; while [ ! -e "$0" ]; do i=$((i+1)); printf '\033[%d;%dH\033[3%dmstep %d 漢\033[0m\n' $((i%24+1)) $((i%60+1)) $((i%8)) $i; sleep 0.005; done"#
        let stop = stack.directory + "/stop"
        let pod = try await stack.run(["sh", "-c", script, stop]).pod
        try await stack.waitForScreen(pod, "step 300")
        let viewer = Viewer()
        let connection = try await APIClient(address: stack.apiURL, token: stack.token).terminal(pod.text, mode: .view) { viewer.view($0) }
        try await viewer.wait("not live") { $0.mode == .live && $0.at > 300 }
        let frames = try await stack.recorded(pod)
        for _ in 0..<25 {
            let seq = UInt64.random(in: 1...UInt64(frames.count))
            var seek = ViewCommand(type: "seek")
            seek.seq = seq
            connection.send(try JSON.encode(seek))
            try await viewer.wait("no seek to \(seq)") { $0.at == seq && $0.mode == .paused }
            let wanted = image(try replayed(frames, upTo: seq))
            #expect(viewer.state.withLock { $0.image } == wanted, "frame \(seq)")
        }
        // By time, between frames.
        let moment = frames[frames.count / 2].time
        connection.send(try JSON.encode(ViewCommand.seek(moment.description)))
        let last = try #require(frames.last { $0.time <= moment }).seq
        try await viewer.wait("no seek to \(moment)") { $0.at == last }
        connection.send(try JSON.encode(ViewCommand.play(rate: -4)))
        try await viewer.wait("not played back") { $0.at + 100 < last }
        connection.send(try JSON.encode(ViewCommand.pause))
        try await viewer.wait("not paused") { $0.mode == .paused }
        let at = viewer.state.withLock { $0.at }
        #expect(viewer.state.withLock { $0.image } == image(try replayed(frames, upTo: at)))
        connection.send(try JSON.encode(ViewCommand.play(rate: 200)))
        try await viewer.wait("not played up to now and live") { $0.mode == .live && $0.at > UInt64(frames.count) }
        #expect(FileManager.default.createFile(atPath: stop, contents: nil))
        _ = try await stack.waitUntilEnded(pod)
        let all = try await stack.recorded(pod)
        let newestOutput = try #require(all.last { $0.kind == .out }).seq
        try await viewer.wait("not up to the end") { $0.at >= newestOutput }
        #expect(viewer.state.withLock { $0.image } == image(try replayed(all, upTo: newestOutput)))
        #expect(viewer.state.withLock { $0.gaps } == 0)
        connection.close()
    }

    @Test("A terminal on a pod survives the death of every service behind it, and shows the pod's screen at the end")
    func survives() async throws {
        let stack = try await Stack.start()
        let stop = stack.directory + "/stop"
        let pod = try await stack.run(["sh", "-c", #"i=0; while [ ! -e "$0" ]; do i=$((i+1)); echo "line $i"; sleep 0.01; done; echo over"#, stop]).pod
        let viewer = Viewer()
        let connection = try await APIClient(address: stack.apiURL, token: stack.token).terminal(pod.text, mode: .raw) { viewer.raw($0) }
        try await viewer.wait("no screen") { $0.binaries > 0 }
        for part in [Stack.Part.relay, .recorder, .registry, .runner] {
            stack.kill9(part)
            try await stack.start(part)
            let before = viewer.state.withLock { $0.binaries }
            try await viewer.wait("nothing came after the death of the \(part)") { $0.binaries > before + 5 }
        }
        #expect(FileManager.default.createFile(atPath: stop, contents: nil))
        try await viewer.wait("not closed at the end") { $0.closed == 1000 }
        let end = try replayed(try await stack.recorded(pod), upTo: .max)
        #expect(viewer.state.withLock { $0.terminal.text() } == end.text())
        connection.close()
    }

    @Test("The API stops within two seconds with sockets, event streams and silent connections open")
    func stops() async throws {
        let stack = try await Stack.start()
        let client = APIClient(address: stack.apiURL, token: stack.token)
        let pod = try await stack.run(["cat"]).pod
        let viewer = Viewer()
        _ = try await client.terminal(pod.text, mode: .raw) { viewer.raw($0) }
        try await viewer.wait("no screen") { $0.binaries > 0 }
        let (begun, continuation) = AsyncStream.makeStream(of: Void.self)
        let events = Task {
            try? await client.events { _ in
                continuation.yield(); return true
            }
        }
        for await _ in begun { break }
        let port = try #require(UInt16(stack.apiURL.split(separator: ":").last ?? ""))
        let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(silent) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(silent, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        #expect(connected == 0)
        #expect(stack.stop(.api) < .seconds(20))
        try await viewer.wait("the viewer was not told") { $0.closed == 1001 }
        events.cancel()
    }
}
