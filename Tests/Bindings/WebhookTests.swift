import BindingsClient
import Bus
import Contract
import Database
import Digest
import Foundation
import RegistryClient
import Synchronization
import TestSupport
import Testing

@testable import BindingsServer

/// Takes posts, writes each down, and refuses the first few.
private final class Receiver {
    struct Post: Decodable {
        var headers: [String: String]
        var body: String
        var refused: Bool
    }

    private let process: ChildProcess
    private let file: String
    let url: String

    init(refusing count: Int) async throws {
        let folder = FileManager.default.temporaryDirectory.path
        file = folder + "/posts-\(PodID.random())"
        let script = """
            import http.server, json, sys
            left = int(sys.argv[2])
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    global left
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                    refused, left = left > 0, left - 1
                    with open(sys.argv[1] + ".new", "a") as out:
                        out.write(json.dumps({"headers": {k.lower(): v for k, v in self.headers.items()}, "body": body, "refused": refused}) + "\\n")
                    self.send_response(503 if refused else 204); self.end_headers()
                def log_message(self, *_): pass
            server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
            open(sys.argv[1] + ".port.tmp", "w").write(str(server.server_address[1]))
            import os; os.rename(sys.argv[1] + ".port.tmp", sys.argv[1] + ".port")
            server.serve_forever()
            """
        process = try ChildProcess(["/usr/bin/python3", "-c", script, file, "\(count)"], log: file + ".log")
        let portFile = file + ".port"
        let port = try await eventually("no receiver") { try? String(contentsOfFile: portFile, encoding: .utf8) }
        url = "http://127.0.0.1:\(port)/hook"
    }

    var posts: [Post] {
        ((try? String(contentsOfFile: file + ".new", encoding: .utf8)) ?? "").split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Post.self, from: Data($0.utf8))
        }
    }

    deinit { process.send(SIGKILL) }
}

@Suite("Telling people elsewhere", .serialized)
struct WebhookTests {
    private static let person = Author(kind: .person, id: "ada")

    private func ask(_ stage: Stage, _ pod: PodID, _ seq: UInt64, fingerprint: String) throws {
        try stage.say("waiting", "approval", of: pod, seq: seq, fingerprint: fingerprint)
    }

    @Test("An item is posted once, signed, and tried again until it is taken; a status that is said again posts nothing")
    func posted() async throws {
        let stage = try await Stage.start(instances: 2)
        let receiver = try await Receiver(refusing: 2)
        let pod = try await stage.pod("builder")
        let webhook = try await stage.client.add(AddWebhook(url: receiver.url, secret: "a-good-secret", kinds: [.approval], author: Self.person))
        #expect(webhook.isSigned && webhook.kinds == [.approval])
        try ask(stage, pod, 3, fingerprint: "00000000000000aa")
        try await eventually(within: .seconds(60), "the item did not arrive; \(receiver.posts)") { receiver.posts.contains { !$0.refused } }
        // The same question, told again, and one second for a post too many to come.
        try ask(stage, pod, 4, fingerprint: "00000000000000aa")
        try await Task.sleep(for: .seconds(1))
        let posts = receiver.posts
        #expect(posts.map(\.refused) == [true, true, false])
        #expect(Set(posts.map(\.body)).count == 1)
        let item = try #require(try await stage.client.attention().first { $0.kind == .approval })
        for post in posts {
            #expect(post.headers["switchback-delivery"] == "\(webhook.id).\(item.id)")
            let signature = try #require(post.headers["switchback-signature"])
            let time = try #require(signature.dropFirst(2).split(separator: ",").first)
            #expect(signature == "t=\(time),v1=" + HMAC.sha256(key: Array("a-good-secret".utf8), Array("\(time).\(post.body)".utf8)))
            #expect(!post.body.contains("a-good-secret"))
        }
        let known = try #require(try await stage.client.webhooks().first)
        #expect(known.waiting == 0 && known.lastProblem == nil && known.lastPost != nil)
        // Another question is another episode.
        try ask(stage, pod, 5, fingerprint: "00000000000000bb")
        try await eventually("the next episode was not posted") { receiver.posts.count == 4 }
        await stage.end()
    }

    @Test("A text post is what ntfy takes; kinds that were not asked for are not posted; nothing after its removal")
    func text() async throws {
        let stage = try await Stage.start()
        let receiver = try await Receiver(refusing: 0)
        let pod = try await stage.pod("builder")
        let other = try await stage.client.add(AddWebhook(url: receiver.url, kinds: [.cycle], author: Self.person))
        let webhook = try await stage.client.add(AddWebhook(url: receiver.url, format: .text, author: Self.person))
        try ask(stage, pod, 3, fingerprint: "00000000000000aa")
        try await eventually("the item did not arrive") { receiver.posts.count == 1 }
        let post = try #require(receiver.posts.first)
        #expect(post.headers["title"] == "Switchback: approval" && post.headers["tags"] == "approval" && post.headers["switchback-signature"] == nil)
        #expect(post.body.hasPrefix(pod.text))
        try await stage.client.removeWebhook(webhook.id)
        try ask(stage, pod, 4, fingerprint: "00000000000000bb")
        try await Task.sleep(for: .seconds(1))
        #expect(receiver.posts.count == 1)
        #expect(try await stage.client.webhooks().map(\.id) == [other.id])
        await stage.end()
    }

    @Test(
        "An address that nothing can be posted to is refused",
        arguments: ["", "ftp://x/", "example.org/x", "http://", "http://user:word@example.org/", "http://" + String(repeating: "x", count: 2100)])
    func refused(url: String) async throws {
        #expect(BindingsStore.problem(AddWebhook(url: url, author: Self.person))?.code == .badRequest)
    }

    @Test("HMAC-SHA-256 is that of RFC 4231")
    func hmac() {
        #expect(
            HMAC.sha256(key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            HMAC.sha256(key: [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test("A runner that is lost needs a person until it is back; so does a fleet in which nobody works and somebody waits")
    func runnersAndStandstill() async throws {
        let stage = try await Stage.start(offlineAfter: .milliseconds(3500))
        func item(_ kind: Attention.Kind) async throws -> Attention? { try await stage.client.attention().first { $0.kind == kind } }
        stage.beats.withLock { $0 = false }
        try await eventually(within: .seconds(60), "the lost runner opened nothing") { try await item(.runner) }
        stage.beats.withLock { $0 = true }
        try await eventually(within: .seconds(60), "the item stayed") { try await item(.runner) == nil ? true : nil }

        let (first, second) = (try await stage.pod("first"), try await stage.pod("second"))
        for (index, pod) in [first, second].enumerated() { try stage.say("idle", "turn_done", of: pod, seq: UInt64(3 + index)) }
        let wait = try await stage.client.wait(CreateWait(waiter: Stage.author(first), pods: [second], mode: .all, until: .ended))
        try await eventually(within: .seconds(60), "the standstill opened nothing") { try await item(.standstill) }
        try stage.say("executing", "tool", of: second, seq: 9)
        try await eventually(within: .seconds(60), "the item stayed") { try await item(.standstill) == nil ? true : nil }
        // Over as well when nobody waits any more and nothing else is open.
        try stage.say("idle", "turn_done", of: second, seq: 10)
        try await eventually(within: .seconds(60), "the standstill opened nothing again") { try await item(.standstill) }
        _ = try await stage.client.cancel(CancelWait(id: wait.id, author: Self.person))
        try await eventually(within: .seconds(60), "the item stayed although nobody waits") { try await item(.standstill) == nil ? true : nil }
        await stage.end()
    }

    @Test("Secrets are hidden in posts of either form")
    func secrets() async throws {
        let stage = try await Stage.start()
        let receiver = try await Receiver(refusing: 0)
        let pod = try await stage.pod("builder")
        for format in [Webhook.Format.json, .text] { _ = try await stage.client.add(AddWebhook(url: receiver.url, format: format, author: Self.person)) }
        let secret = "ghp_" + String((0..<36).map { Array("aB3dE5fG7hJ9")[$0 % 12] })
        let status = PodStatus(
            status: "waiting", reason: "approval", since: .now(), seq: 3, evidence: "screen dialog: push with \(secret)", question: "Push with \(secret)?",
            options: ["Yes", "No, and forget \(secret)"], fingerprint: "00000000000000aa")
        for subject in [Subjects.status(pod), Subjects.statusChanged(pod)] { try stage.bus.publish(subject, payload: try JSON.encode(status)) }
        try await eventually("the item did not arrive twice") { receiver.posts.count == 2 }
        for post in receiver.posts {
            #expect(post.body.contains("Push with •") && !post.body.contains(secret.suffix(8)), "\(post.body)")
        }
        await stage.end()
    }

    @Test("A question that a channel asks a person is posted")
    func channelQuestion() async throws {
        let stage = try await Stage.start()
        let receiver = try await Receiver(refusing: 0)
        let pod = try await stage.pod("builder")
        _ = try await stage.channel("design", [(pod, "builder")], people: ["eve"])
        _ = try await stage.client.add(AddWebhook(url: receiver.url, kinds: [.question], author: Self.person))
        let message = try await stage.post("@eve which port?", by: Stage.author(pod), "builder", asks: true)
        try await eventually(within: .seconds(60), "the question was not posted") { receiver.posts.count == 1 }
        #expect(receiver.posts.first?.body.contains(message.id) == true)
        await stage.end()
    }
}
