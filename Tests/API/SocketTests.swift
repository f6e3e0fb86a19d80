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

@Suite("Terminal sockets", .serialized)
struct SocketTests {
    private func open(_ stage: APIStage, _ pod: ScriptedShim, _ viewer: RawViewer, token: String = APIStage.operatorToken) async throws -> TerminalConnection {
        let connection = try await stage.client(token).terminal(pod.pod.text, mode: .raw) { viewer.take($0) }
        try await eventually("no first message, but \(viewer.texts), close \(viewer.closeCode ?? 0), frame \(pod.seq)") { viewer.binaries > 0 }
        return connection
    }

    private func same(_ viewer: RawViewer, _ pod: ScriptedShim) async throws {
        let wanted = try image(pod.snapshot.bytes)
        do {
            try await eventually("the viewer's screen is not the pod's") { viewer.image.rows == wanted.rows && viewer.image.cursor == wanted.cursor }
        } catch {
            let (mine, at) = (viewer.image, viewer.image.cursor)
            Issue.record("differs: \(zip(mine.rows, wanted.rows).filter { $0 != $1 }.map { "\($0) || \($1)" }) cursor \(at) wanted \(wanted.cursor)")
            Issue.record("screen:\n\(viewer.screen.joined(separator: "\n"))\nwanted:\n\(pod.screen.joined(separator: "\n"))")
            throw error
        }
    }

    @Test("rebuilds the screen first, then passes output on, for a viewer that joins at any byte")
    func lateJoin() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let session = Array(
            "plain\r\n\u{1b}[1;38;5;200mgrün 漢字\u{1b}[0m\r\n\u{1b}[3;7H\u{1b}[4mline\u{1b}[m\u{1b}[?2026h\u{1b}[2J\u{1b}[Hnew 漢\u{1b}[?2026l\r\nend".utf8)
        var connections: [TerminalConnection] = []
        var viewers: [RawViewer] = []
        for byte in session {
            try pod.output([byte])
            let viewer = RawViewer()
            connections.append(try await open(stage, pod, viewer))
            viewers.append(viewer)
        }
        try pod.output("\r\nafter all")
        for (index, viewer) in viewers.enumerated() {
            do {
                try await same(viewer, pod)
            } catch {
                Issue.record("the viewer that joined after byte \(index)")
                throw error
            }
        }
        for connection in connections { connection.close() }
    }

    @Test("shows every viewer all that a pod says, also those who came before it said anything")
    func beforeTheFirstFrame() async throws {
        let stage = try await APIStage()
        let id = stage.podToCome("early")
        let viewers = (0..<3).map { _ in RawViewer() }
        var connections: [TerminalConnection] = []
        for viewer in viewers { connections.append(try await stage.client.terminal("early", mode: .raw) { viewer.take($0) }) }
        let client = ViewSocketTests.ViewClient()
        connections.append(try await stage.client.terminal("early", mode: .view) { client.take($0) })
        // They have asked, and there was nothing.
        try await eventually("nobody asked") { stage.asked(id) >= 8 }
        let pod = try ScriptedShim(try await stage.server.connect(name: "shim"), pod: id)
        try pod.output("first words\r\n")
        for viewer in viewers { try await same(viewer, pod) }
        try await client.waitFor("the first frame") { $0.at == pod.seq }
        #expect(client.image == (try image(pod.snapshot.bytes)))
        try pod.output("and more")
        for viewer in viewers { try await same(viewer, pod) }
        #expect(viewers.allSatisfy { $0.closeCode == nil })
        for connection in connections { connection.close() }
    }

    @Test("loses and repeats nothing under load")
    func gapless() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let received = Mutex<[UInt8]>([])
        let count = Mutex(0)
        let connection = try await stage.client.terminal(pod.pod.text, mode: .raw) { message in
            guard case .binary(let bytes) = message else { return }
            let index = count.withLock { count in
                count += 1
                return count
            }
            if index > 1 { received.withLock { $0 += bytes } }
        }
        try await eventually("no first message") { count.withLock { $0 } > 0 }
        var sent: [UInt8] = []
        for line in 0..<20_000 {
            let bytes = Array("line \(line) of the load that must arrive whole\r\n".utf8)
            sent += bytes
            try pod.output(bytes)
        }
        let wanted = sent
        try await eventually(within: .seconds(20), "not all arrived") { received.withLock { $0.count } >= wanted.count }
        #expect(received.withLock { $0 } == wanted)
        connection.close()
    }

    @Test("joins anew when frames were missed on the way")
    func jump() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let viewer = RawViewer()
        let connection = try await open(stage, pod, viewer)
        try pod.output("one\r\n")
        try pod.output("lost\r\n", publish: false)
        try pod.output("three\r\n")
        try await same(viewer, pod)
        connection.close()
    }

    @Test("shows what was said last before this server and the relay were back on the bus, although nothing comes after it")
    func lastWords() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let viewer = RawViewer()
        let connection = try await open(stage, pod, viewer)
        let client = ViewSocketTests.ViewClient()
        let view = try await stage.client.terminal(pod.pod.text, mode: .view) { client.take($0) }
        try pod.output("before\r\n")
        try await same(viewer, pod)
        try await client.waitFor("the first words") { $0.at == pod.seq }
        stage.server.kill9()
        // So long that those who were cut off try again a second or two apart.
        try await Task.sleep(for: .seconds(4))
        let last = try pod.output("last words\r\n", publish: false)
        try await stage.server.restart()
        try await pod.store(last, by: try await stage.server.connect(name: "early"))
        try await same(viewer, pod)
        try await client.waitFor("the last words") { $0.at == pod.seq }
        #expect(client.image == (try image(pod.snapshot.bytes)))
        connection.close()
        view.close()
    }

    @Test("lets a viewer that does not read miss what comes, without slowing others, and gives it the screen when it reads")
    func isolation() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let slow = RawViewer()
        let fast = RawViewer()
        let stopped = try await open(stage, pod, slow)
        let reading = try await open(stage, pod, fast)
        stopped.setReading(false)
        let piece = Array(String(repeating: "all work and no play makes a dull line\r\n", count: 400).utf8)
        var sent = 0
        for index in 0..<4000 {
            try pod.output(piece)
            sent += piece.count
            // As a PTY would: no faster than a viewer takes it.
            if index % 25 == 0 {
                let mark = "mark \(index)."
                try pod.output(mark)
                try await eventually("the reading viewer stands still at \(mark)") { fast.screen.contains { $0.contains(mark) } }
            }
        }
        try pod.output("the end")
        try await same(fast, pod)
        stopped.setReading(true)
        try await same(slow, pod)
        // What sockets hold, not what was printed.
        #expect(slow.state.withLock { $0.bytes } < sent / 2)
        stopped.close()
        reading.close()
    }

    @Test("passes every key on, the same one too")
    func keys() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let viewer = RawViewer()
        let connection = try await open(stage, pod, viewer)
        for _ in 0..<10 { connection.send([0x1b, 0x5b, 0x41]) }
        try await eventually("not all keys arrived") { pod.typed.count == 10 }
        #expect(pod.typed.allSatisfy { $0.bytes == [0x1b, 0x5b, 0x41] && $0.author == "person:olga" && $0.via == "attach" })
        connection.close()
    }

    @Test("refuses a second writer by name, lets it take over, and lets go when the writer leaves")
    func writers() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let (first, second) = (RawViewer(), RawViewer())
        let one = try await open(stage, pod, first)
        let two = try await open(stage, pod, second, token: APIStage.admin)
        one.send(Array("a".utf8))
        try await eventually("not typed") { pod.typed.count == 1 }
        two.send(Array("b".utf8))
        try await eventually("not refused") { second.texts.contains { $0.contains("busy") && $0.contains("person:olga") } }
        two.send(text: #"{"take":true}"#)
        try await eventually("not taken") { second.texts.contains { $0.contains(#""you":true"#) } }
        two.send(Array("c".utf8))
        try await eventually("not typed") { pod.typed.count == 2 }
        one.send(Array("d".utf8))
        try await eventually("not refused") { first.texts.contains { $0.contains("person:ada") } }
        two.close()
        try await eventually("not released") {
            one.send(Array("e".utf8))
            return pod.typed.contains { $0.bytes == Array("e".utf8) }
        }
        #expect(!pod.typed.contains { $0.bytes == Array("b".utf8) || $0.bytes == Array("d".utf8) })
        one.close()
    }

    @Test("lets viewers come and go ten times in a row; each writes at once, since the one before was seen to leave")
    func comeAndGo() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let left = Mutex<[String]>([])
        try stage.bus.subscribe(Subjects.relay(pod.pod.shard, "release")) { message in
            if let viewer = try? JSON.decode(ViewerRequest.self, from: message.payload).viewer { left.withLock { $0.append(viewer) } }
        }
        try await stage.bus.flush()
        for turn in 0..<10 {
            let viewer = RawViewer()
            let connection = try await open(stage, pod, viewer, token: turn % 2 == 0 ? APIStage.operatorToken : APIStage.admin)
            let key = Array("\(turn)".utf8)
            connection.send(key)
            try await eventually("\(turn) is not let write: \(viewer.texts)") { pod.typed.last?.bytes == key }
            connection.close()
            try await eventually("nobody said that \(turn) left") { left.withLock { $0.count } == turn + 1 }
        }
        #expect(Set(left.withLock { $0 }).count == 10)
        try pod.output("still here")
        let last = RawViewer()
        let connection = try await open(stage, pod, last)
        try await same(last, pod)
        connection.close()
    }

    @Test("refuses input, resize and take-over of a read-only viewer, who goes on seeing")
    func readOnly() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let viewer = RawViewer()
        let connection = try await open(stage, pod, viewer, token: APIStage.viewer)
        connection.send(Array("x".utf8))
        connection.send(text: #"{"resize":[100,30]}"#)
        connection.send(text: #"{"take":true}"#)
        try await eventually("not refused three times") { viewer.texts.filter { $0.contains("denied") }.count == 3 }
        #expect(pod.typed.isEmpty)
        #expect(pod.size == [80, 24])
        try pod.output("still here")
        try await same(viewer, pod)
        connection.close()
    }

    @Test("resizes, tells every viewer, and survives nonsense")
    func control() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let viewer = RawViewer()
        let connection = try await open(stage, pod, viewer)
        connection.send(text: #"{"resize":[100,30]}"#)
        try await eventually("not told") { viewer.texts.contains { $0.contains("[100,30]") } }
        #expect(pod.size == [100, 30])
        for nonsense in ["", "{", "[]", #"{"resize":"big"}"#, #"{"resize":[1]}"#, #"{"resize":[0,0]}"#, #"{"resize":[99999999999999999999,1]}"#] {
            connection.send(text: nonsense)
        }
        try await eventually("not told what is wrong") { viewer.texts.filter { $0.contains("bad_request") }.count >= 6 }
        connection.send(Array("ok".utf8))
        try await eventually("the connection died") { pod.typed.count == 1 }
        connection.close()
    }

    @Test("sizes a pod by its smallest viewer only when asked, and gives the size back")
    func smallest() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("sized", columns: 120, rows: 40)
        let viewer = RawViewer()
        let connection = try await stage.client.terminal("sized", mode: .raw, columns: 90, rows: 30, smallest: true) { viewer.take($0) }
        try await eventually("not resized") { pod.size == [90, 30] }
        connection.close()
        try await eventually("not given back") { pod.size == [120, 40] }
    }

    @Test("says how the pod ended, and closes")
    func exit() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let viewer = RawViewer()
        let connection = try await open(stage, pod, viewer)
        try pod.output("last words")
        try pod.control(.exit(.code(3)))
        try await eventually("not closed") { viewer.closeCode == 1000 }
        #expect(viewer.texts.contains { $0.contains(#""exit":{"code":3}"#) })
        #expect(viewer.screen[0] == "last words")
        connection.close()
    }

    @Test("shows an ended pod's last screen")
    func ended() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        try pod.output("what was")
        try pod.control(.exit(.code(0)))
        stage.change(pod.pod) { pod in
            pod.lifecycle = .ended
            pod.exit = .code(0)
        }
        let viewer = RawViewer()
        let connection = try await open(stage, pod, viewer)
        try await eventually("not closed") { viewer.closeCode == 1000 }
        #expect(viewer.screen[0] == "what was")
        connection.close()
    }

    @Test("closes with 4404 for a pod that is not, and refuses strangers before the upgrade")
    func refused() async throws {
        let stage = try await APIStage()
        let viewer = RawViewer()
        _ = try await stage.client.terminal("nobody", mode: .raw) { viewer.take($0) }
        try await eventually("not closed") { viewer.closeCode == 4404 }
        for (token, code) in [(nil, ErrorBody.Code.unauthenticated), ("wrong-token-wrong-token", .unauthenticated)] as [(String?, ErrorBody.Code)] {
            let error = await #expect(throws: ErrorBody.self) {
                try await stage.client(token).terminal("nobody", mode: .raw) { _ in }
            }
            #expect(error?.code == code)
        }
        let pod = try await stage.pod()
        let foreign = try await stage.client.raw(
            "GET", "/v1/pods/\(pod.pod)/terminal",
            headers: [
                ("Upgrade", "websocket"), ("Connection", "upgrade"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ("Origin", "http://evil.example"),
            ])
        #expect(foreign.status == 403)
    }

    @Test("survives a relay that dies and comes back")
    func relayRestart() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        try pod.output("before ")
        let viewer = RawViewer()
        let connection = try await open(stage, pod, viewer)
        await stage.relay.stop()
        try pod.output("lost ", publish: false)
        try pod.output("meanwhile ")
        try await stage.relay.join(instance: "again")
        try pod.output("after")
        try await same(viewer, pod)
        connection.close()
    }

    @Test("closes on frames that no client may send")
    func protocolErrors() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let viewer = RawViewer()
        let connection = try await open(stage, pod, viewer)
        connection.send(Array(repeating: 0x61, count: 2 << 20))
        try await eventually("not closed") { viewer.closeCode == 1009 }
    }
}
