import APIClient
import Bus
import Contract
import Foundation
import RelayServer
import Synchronization
import Terminal
import TestSupport
import Testing
import ViewProtocol

@testable import APIServer

@Suite("Views over terminal sockets", .serialized)
struct ViewSocketTests {
    final class ViewClient: Sendable {
        struct State {
            var image = ScreenImage()
            var at: UInt64 = 0
            var gaps = 0
            var keyframes = 0
            var deltas = 0
            var positions: [ViewMessage.Position] = []
            var notices: [ViewNotice] = []
            var statuses: [PodStatus] = []
            var closed: Int?
        }
        let state = Mutex(State())

        func take(_ message: TerminalConnection.Message) {
            state.withLock { state in
                switch message {
                case .closed(let code, _): state.closed = code
                case .text(let text): state.take(Array(text.utf8))
                case .binary(let bytes): state.take(bytes)
                }
            }
        }

        func waitFor(_ what: String, _ condition: (State) -> Bool) async throws {
            do {
                try await eventually("\(what) did not happen") { state.withLock { condition($0) } }
            } catch {
                let now = state.withLock { $0 }
                Issue.record("at \(now.at), \(now.keyframes) keyframes, \(now.deltas) deltas, positions \(now.positions.suffix(3)), notices \(now.notices)")
                throw error
            }
        }
        var at: UInt64 { state.withLock { $0.at } }
        var image: ScreenImage { state.withLock { $0.image } }
    }

    private func send(_ connection: TerminalConnection, _ command: ViewCommand) throws {
        connection.send(try JSON.encode(command))
    }

    @Test("shows a pod live, its past at any frame, playing in both directions, and live again, exactly")
    func view() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("scrubbed", columns: 40, rows: 8)
        for index in 0..<45 { try pod.output("frame \(index) \u{1b}[3\(index % 8)mcolour 漢\u{1b}[m\r\n") }
        let client = ViewClient()
        let connection = try await stage.client.terminal("scrubbed", mode: .view) { client.take($0) }
        try await client.waitFor("live") { $0.at == pod.seq && $0.positions.last?.mode == .live }
        #expect(client.image == (try image(pod.snapshot.bytes)))
        try pod.output("more")
        try await client.waitFor("a change") { $0.at == pod.seq }
        #expect(client.image == (try image(pod.snapshot.bytes)))

        for seq in [UInt64(20), 3, 41, 11, 10, 1] {
            var seek = ViewCommand(type: "seek")
            seek.seq = seq
            try send(connection, seek)
            try await client.waitFor("seek to \(seq)") { $0.at == seq && $0.positions.last?.mode == .paused }
            #expect(client.image == (try image(replay(Array(pod.frames[..<Int(seq)])).snapshot())))
        }
        try pod.output("while away")
        try send(connection, .step(3))
        try await client.waitFor("a step") { $0.at == 4 }
        try send(connection, .step(10))
        try await client.waitFor("a step over a border") { $0.at == 14 }
        #expect(client.image == (try image(replay(Array(pod.frames[..<14])).snapshot())))
        try send(connection, .step(-6))
        try await client.waitFor("a step back over a border") { $0.at == 8 }
        #expect(client.image == (try image(replay(Array(pod.frames[..<8])).snapshot())))

        try send(connection, .play(rate: 1))
        try await client.waitFor("playing to the end and live") { $0.positions.last?.mode == .live && $0.at == pod.seq }
        #expect(client.image == (try image(pod.snapshot.bytes)))
        try send(connection, .play(rate: -1))
        try await client.waitFor("playing back to the beginning") { $0.positions.last?.mode == .paused && $0.at <= 1 }
        try send(connection, .live)
        try await client.waitFor("live again") { $0.positions.last?.mode == .live && $0.at == pod.seq }
        try pod.output("and on")
        try await client.waitFor("a change") { $0.at == pod.seq }
        #expect(client.image == (try image(pod.snapshot.bytes)))
        #expect(client.state.withLock { $0.gaps } == 0)
        connection.close()
    }

    @Test("says what the agent did at each moment of the past, once, and what it does when the viewer is back")
    func statusOfThePast() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("told", columns: 40, rows: 8)
        for index in 0..<30 {
            try pod.output("frame \(index)\r\n")
            try await Task.sleep(for: .milliseconds(2))
        }
        let frames = pod.frames
        func entry(_ value: String, _ reason: String?, _ from: Int) -> PodHistory.Entry {
            .init(what: "status", value: value, reason: reason, from: frames[from].time, to: nil, seq: frames[from].seq)
        }
        stage.histories.withLock {
            $0[pod.pod] = PodHistory(entries: [
                .init(what: "lifecycle", value: "running", reason: nil, from: frames[0].time, to: nil), entry("executing", "tool", 5), entry("waiting", "approval", 12),
                entry("idle", "turn_done", 20),
            ])
        }
        stage.change(pod.pod) { $0.status = PodStatus(status: "idle", reason: "draft", since: .now(), seq: 30) }
        let client = ViewClient()
        let connection = try await stage.client.terminal("told", mode: .view) { client.take($0) }
        try await client.waitFor("live") { $0.at == pod.seq && $0.positions.last?.mode == .live && $0.statuses.map(\.reason) == ["draft"] }
        func said(_ index: Int, _ wanted: [String]) async throws {
            var seek = ViewCommand(type: "seek")
            seek.seq = frames[index].seq
            try send(connection, seek)
            try await client.waitFor("frame \(index)") { state in
                let said = state.statuses.map { [$0.status, $0.reason].compactMap(\.self).joined(separator: "/") }
                return state.at == frames[index].seq && state.positions.last?.mode == .paused && said == wanted
            }
        }
        try await said(12, ["idle/draft", "waiting/approval"])
        #expect(client.state.withLock { $0.statuses.last?.since } == frames[12].time)
        // The same is not said twice.
        try await said(13, ["idle/draft", "waiting/approval"])
        try await said(6, ["idle/draft", "waiting/approval", "executing/tool"])
        try await said(2, ["idle/draft", "waiting/approval", "executing/tool", "unknown"])
        try await said(29, ["idle/draft", "waiting/approval", "executing/tool", "unknown", "idle/turn_done"])
        try send(connection, .live)
        try await client.waitFor("live again") { $0.positions.last?.mode == .live && $0.statuses.last?.reason == "draft" && $0.statuses.count == 6 }
        connection.close()
    }

    @Test("types, refuses, and tells what it does not understand")
    func viewInput() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let client = ViewClient()
        let connection = try await stage.client.terminal(pod.pod.text, mode: .view) { client.take($0) }
        try send(connection, .input("hi"))
        try await eventually("not typed") { pod.typed.map(\.bytes) == [Array("hi".utf8)] }
        #expect(pod.typed[0].via == "web")
        for nonsense in [
            #"{"type":"fly"}"#, "no json", #"{"type":"seek","time":"soon"}"#, #"{"type":"seek","time":"2999-01-01T00:00:00Z"}"#, #"{"type":"play","rate":0}"#,
            #"{"type":"step","frames":0}"#, #"{"type":"input"}"#,
        ] {
            connection.send(text: nonsense)
        }
        try await client.waitFor("seven errors") { $0.notices.filter { $0.error?.code == .badRequest }.count == 7 }
        let reader = ViewClient()
        let readOnly = try await stage.client(APIStage.viewer).terminal(pod.pod.text, mode: .view) { reader.take($0) }
        try send(readOnly, .input("no"))
        try await reader.waitFor("a refusal") { $0.notices.contains { $0.error?.code == .denied } }
        #expect(pod.typed.count == 1)
        connection.close()
        readOnly.close()
    }

    @Test("sends a small picture few changes, and ends on the newest screen")
    func rate() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let client = ViewClient()
        let connection = try await stage.client.terminal(pod.pod.text, mode: .view, rate: 2) { client.take($0) }
        try await client.waitFor("the screen") { $0.keyframes == 1 }
        let began = ContinuousClock.now
        var written = 0
        while ContinuousClock.now - began < .milliseconds(700) {
            try pod.output("change \(written)\r\n")
            written += 1
            try await Task.sleep(for: .milliseconds(5))
        }
        try await client.waitFor("the newest screen") { $0.at == pod.seq }
        #expect(client.image == (try image(pod.snapshot.bytes)))
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        let shown = client.state.withLock { $0.keyframes + $0.deltas } - 1
        #expect(Double(shown) <= 2 * (seconds * 2 + 2) && shown < written)
        connection.close()
    }
}

extension ViewSocketTests.ViewClient.State {
    mutating func take(_ bytes: [UInt8]) {
        guard let message = try? ViewMessage(bytes) else {
            gaps += 1
            return
        }
        switch message {
        case .keyframe(let screen, let seq, _, _):
            keyframes += 1
            image.apply(screen)
            at = seq
        case .delta(let delta, let base, let seq, _):
            deltas += 1
            if base != at { gaps += 1 }
            if let delta { image.apply(delta) }
            at = seq
        case .position(let position): positions.append(position)
        case .notice(let notice): notices.append(notice)
        case .status(let status): statuses.append(status)
        case .timeline: break
        }
    }
}
