import APIClient
import Bus
import Contract
import Foundation
import Redaction
import Synchronization
import Terminal
import TestSupport
import Testing
import ViewProtocol

@testable import APIServer

/// What a viewer was sent, as text.
private final class Kept: Sendable {
    private let sent = Mutex("")
    var text: String { sent.withLock { $0 } }
    func keep(_ message: TerminalConnection.Message) {
        if case .binary(let bytes) = message { sent.withLock { $0 += String(decoding: bytes, as: UTF8.self) } }
    }
}

/// Every way in which a terminal's content leaves the API.
@Suite("Secrets in terminals", .serialized)
struct SecretTests {
    private let secret = "ghp_" + String((0..<36).map { Array("aB3dE5fG7hJ9")[$0 % 12] })
    /// Part of the secret that is enough to know that it leaked.
    private var tell: String { String(secret.suffix(8)) }

    private func shows(_ body: [UInt8]) -> Bool { String(decoding: body, as: UTF8.self).contains(tell) }

    @Test("are hidden in messages of channels from people, however they are asked for, and shown to an admin who asks for it")
    func messages() async throws {
        let stage = try await APIStage()
        let message = ChannelMessage(
            id: "M-aaaaaaaaaaaa", channel: "C-aaaaaaaaaaaa", channelName: "build", number: 1, author: Author(kind: .person, id: "ada"), authorName: "ada",
            text: "take \(secret) please", created: .now())
        try stage.bus.answer(Subjects.channelsMessages, ListMessages.self) { _ in MessagePage(messages: [message]) }
        for subject in [Subjects.channelsMessage, Subjects.channelsAck] { try stage.bus.answer(subject, MessageRequest.self) { _ in message } }
        try await stage.bus.flush()
        let id = message.id
        for (method, path) in [("GET", "/v1/messages"), ("GET", "/v1/channels/build/messages"), ("GET", "/v1/messages/\(id)"), ("POST", "/v1/messages/\(id)/ack")] {
            for token in [APIStage.operatorToken, APIStage.admin] + (method == "GET" ? [APIStage.viewer] : []) {
                let answer = try await stage.client(token).raw(method, path)
                #expect(answer.status == 200 && !shows(answer.body), "\(path) for \(token)")
                #expect(String(decoding: answer.body, as: UTF8.self).contains("take •"), "\(path)")
            }
            guard method == "GET" else { continue }
            #expect(shows(try await stage.client(APIStage.admin).raw(method, path + "?reveal=1").body), "\(path)")
            #expect(try await stage.client(APIStage.viewer).raw(method, path + "?reveal=1").status == 403)
        }
    }

    @Test("are hidden in notes and reasons of bindings and in texts that are waited for, whoever asks and however")
    func records() async throws {
        let stage = try await APIStage()
        let (from, to) = (PodID.random(), PodID.random())
        let binding = Binding(
            id: "B-aaaaaaaaaaaa", from: from, to: to, state: .pending, requested: [.read], requestedBy: Author(kind: .person, id: "ada"),
            note: "for \(secret) please", created: .now())
        let wait = Wait(
            id: "W-aaaaaaaaaaaa", waiter: Author(kind: .person, id: "ada"), targets: [.init(pod: to)], mode: .all, until: .text,
            text: "for \(secret) please", created: .now(), deadline: .now())
        try stage.bus.answer(Subjects.bindingsList, ListBindings.self) { _ in BindingPage(bindings: [binding]) }
        try stage.bus.answer(Subjects.bindingsGet, GetRecord.self) { _ in binding }
        for subject in [Subjects.bindingsAccept, Subjects.bindingsReject, Subjects.bindingsRevoke] {
            try stage.bus.answer(subject, DecideBinding.self) { _ in binding }
        }
        try stage.bus.answer(Subjects.waitsList, ListWaits.self) { _ in WaitPage(waits: [wait]) }
        try stage.bus.answer(Subjects.waitsGet, GetRecord.self) { _ in wait }
        try stage.bus.answer(Subjects.waitsCancel, CancelWait.self) { _ in wait }
        try await stage.bus.flush()
        let (b, w) = ("/v1/bindings/\(binding.id)", "/v1/waits/\(wait.id)")
        for (method, path) in [
            ("GET", "/v1/bindings"), ("GET", b), ("POST", b + "/accept"), ("POST", b + "/reject"), ("POST", b + "/revoke"), ("GET", "/v1/waits"), ("GET", w), ("DELETE", w),
        ] {
            let answer = try await stage.client(APIStage.admin).raw(method, path, body: method == "POST" ? Array("{}".utf8) : [])
            let text = String(decoding: answer.body, as: UTF8.self)
            #expect(answer.status == 200 && !shows(answer.body) && text.contains("for •") && text.contains("• please"), "\(method) \(path): \(answer.status) \(text)")
        }
    }

    @Test("are hidden from everybody on screens, in history and in exports of every format, and shown to an admin who asks for it")
    func screens() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown", columns: 60, rows: 4)
        try pod.output("gone \(secret)\r\n1\r\n2\r\n3\r\n\u{1b}]2;\(secret)\u{7}")
        let last = try pod.output("here \(secret) end")
        for format in ["text", "ansi", "json"] {
            for at in ["", "&seq=\(last)"] {
                let path = "/v1/pods/shown/screen?format=\(format)&scrollback=100\(at)"
                for token in [APIStage.viewer, APIStage.operatorToken, APIStage.admin] {
                    let answer = try await eventually("the screen does not come") {
                        let answer = try await stage.client(token).raw("GET", path)
                        return String(decoding: answer.body, as: UTF8.self).contains("end") ? answer : nil
                    }
                    #expect(answer.status == 200 && !shows(answer.body), "\(path) for \(token)")
                    #expect(String(decoding: answer.body, as: UTF8.self).contains("here " + String(repeating: "•", count: 40) + " end"))
                }
                #expect(shows(try await stage.client(APIStage.admin).raw("GET", path + "&reveal=1").body), "\(path)")
                for token in [APIStage.viewer, APIStage.operatorToken] {
                    #expect(try await stage.client(token).raw("GET", path + "&reveal=1").status == 403)
                }
            }
        }
        for format in ["asciicast", "text", "json"] {
            let path = "/v1/pods/shown/recording?format=\(format)"
            let answer = try await stage.client(APIStage.operatorToken).raw("GET", path)
            #expect(answer.status == 200 && !shows(answer.body) && !answer.body.isEmpty, "\(format)")
            #expect(shows(try await stage.client(APIStage.admin).raw("GET", path + "&reveal=1").body), "\(format)")
            #expect(try await stage.client(APIStage.operatorToken).raw("GET", path + "&reveal=1").status == 403)
        }
    }

    @Test("are hidden in live views of viewers and agents, however they come; who may type sees the terminal as it is")
    func live() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown", columns: 30, rows: 5)
        let viewers = [RawViewer(columns: 30, rows: 5), RawViewer(columns: 30, rows: 5)]
        let typist = RawViewer(columns: 30, rows: 5)
        let seen = Kept()
        let typistSaw = Kept()
        try pod.output("early \(secret)\r\n")
        let connections = [
            try await stage.client(APIStage.viewer).terminal("shown", mode: .raw) { viewers[0].take($0) },
            try await stage.client(APIStage.viewer).terminal("shown", mode: .view) { message in
                viewers[1].take(message)
                seen.keep(message)
            },
            try await stage.client(APIStage.operatorToken).terminal("shown", mode: .raw) { typist.take($0) },
            try await stage.client(APIStage.operatorToken).terminal("shown", mode: .view) { typistSaw.keep($0) },
        ]
        try await eventually("nothing was shown") { viewers.allSatisfy { $0.binaries > 0 } && typist.binaries > 0 ? true : nil }
        for piece in [secret.prefix(5), secret.dropFirst(5).prefix(20), secret.dropFirst(25)] {
            try pod.output(String(piece))
            try await eventually("the change does not come") { seen.text.contains(#""seq":\#(pod.seq)"#) ? true : nil }
        }
        try pod.output("\r\nend")
        try await eventually("the end does not come") {
            viewers[0].screen.contains { $0.hasPrefix("end") } && seen.text.contains("end") && typist.screen.contains { $0.hasPrefix("end") } ? true : nil
        }
        #expect(!seen.text.contains(tell))
        #expect(!viewers[0].screen.joined().contains(tell) && viewers[0].screen.joined().contains("•"))
        #expect(typist.screen.joined().contains(secret.suffix(4)))
        #expect(typistSaw.text.contains("hJ9aB"))
        withExtendedLifetime(connections) {}
    }

    @Test("are hidden when somebody scrubs back, forth and by steps; an admin who asks for it sees them, which the audit log holds")
    func scrub() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown", columns: 60, rows: 6)
        for number in 0..<30 { try pod.output(number % 5 == 2 ? "\(secret)\r\n" : "line \(number)\r\n") }
        let seen = Mutex("")
        let revealed = Mutex("")
        let entries = Mutex<[AuditEntry]>([])
        let listening = try stage.bus.subscribe(Subjects.auditEntry) { message in
            if let entry = try? JSON.decode(AuditEntry.self, from: message.payload) { entries.withLock { $0.append(entry) } }
        }
        func open(_ token: String, _ path: String, _ text: @escaping @Sendable (String) -> Void) async throws -> TerminalConnection {
            try await stage.client(token).terminal("shown", mode: .view, reveal: path == "reveal") { message in
                if case .binary(let bytes) = message { text(String(decoding: bytes, as: UTF8.self)) }
            }
        }
        let connection = try await open(APIStage.operatorToken, "") { text in seen.withLock { $0 += text } }
        let admin = try await open(APIStage.admin, "reveal") { text in revealed.withLock { $0 += text } }
        try await eventually("nothing was shown") { seen.withLock { $0.contains("keyframe") } && revealed.withLock { $0.contains("keyframe") } ? true : nil }
        seen.withLock { $0 = "" }
        for socket in [connection, admin] {
            socket.send(text: #"{"type":"seek","seq":14}"#)
            for step in [1, 3, -5, 7] { socket.send(text: #"{"type":"step","frames":\#(step)}"#) }
            socket.send(text: #"{"type":"play","rate":1000}"#)
            socket.send(text: #"{"type":"seek","seq":20}"#)
            socket.send(text: #"{"type":"play","rate":-1000}"#)
        }
        try await eventually("nothing was played") {
            seen.withLock { $0.contains("•") && $0.contains("line 1") } && revealed.withLock { $0.contains(tell) } ? true : nil
        }
        #expect(!seen.withLock { $0.contains(tell) })
        await #expect(throws: ErrorBody.self) { _ = try await open(APIStage.operatorToken, "reveal") { _ in } }
        try await eventually("the log lacks the look") {
            entries.withLock { $0.contains { $0.action == "revealTerminal" && $0.actor == "person:ada" } && $0.contains { $0.action == "openTerminal" && $0.outcome == .denied } }
                ? true : nil
        }
        withExtendedLifetime((connection, admin, listening)) {}
    }

    @Test("are hidden in what a pod was started with, in statuses and in events")
    func elsewhere() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown")
        let secret = secret
        stage.change(pod.pod) { pod in
            pod.spec.env = ["API_KEY": "correct horse battery", "NORMAL": "kept", "X": secret]
            pod.spec.command = ["mysql", "--password", "hunter2", secret]
            pod.status = PodStatus(status: "waiting", reason: "question", since: .now(), seq: 1, evidence: "saw \(secret)", question: "Use \(secret)?")
        }
        for path in ["/v1/pods", "/v1/pods/shown", "/v1/pods/shown/status"] {
            let text = String(decoding: try await stage.client.raw("GET", path).body, as: UTF8.self)
            #expect(!text.contains(tell) && !text.contains("hunter2") && !text.contains("horse"), "\(path): \(text)")
            #expect(path.hasSuffix("status") || text.contains("kept"))
        }
        let seen = Mutex("")
        let client = stage.client
        let stream = Task {
            try await client.events(after: "0") { event in
                seen.withLock { $0 += event.data }
                return true
            }
        }
        let event = try JSON.encode(["text": "a \(secret) b"])
        _ = try await stage.bus.request("event.attention.x.opened", payload: event, headers: [])
        try await eventually("the event does not come") { seen.withLock { $0.contains(" b") } ? true : nil }
        #expect(!seen.withLock { $0.contains(tell) } && seen.withLock { $0.contains("•") })
        stream.cancel()
    }

    @Test("that were typed where a terminal does not echo are hidden in exports, whatever they look like")
    func typed() throws {
        let pod = PodID.random()
        let terminal = Terminal(columns: 80, rows: 24)
        var hiding = FrameHiding(.standard)
        func frame(_ kind: FrameKind, _ bytes: [UInt8]) -> Frame { Frame(pod: pod, seq: 1, time: .now(), kind: kind, bytes: bytes) }
        #expect(try hiding.shown(frame(.in, Array("ls\r".utf8)), terminal).bytes == Array("ls\r".utf8))
        let quiet = try JSON.encode(Control.process(.init(icanon: true, echo: false, isig: true)))
        _ = try hiding.shown(frame(.ctl, quiet), terminal)
        #expect(try hiding.shown(frame(.in, Array("correct horse\r".utf8)), terminal).bytes == Array("*************\r".utf8))
        // An editor reads keys by itself: what it gets is not a password.
        let raw = try JSON.encode(Control.process(.init(icanon: false, echo: false, isig: false)))
        _ = try hiding.shown(frame(.ctl, raw), terminal)
        #expect(try hiding.shown(frame(.in, Array("dd".utf8)), terminal).bytes == Array("dd".utf8))
    }
}
