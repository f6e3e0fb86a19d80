import APIClient
import Bus
import Contract
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import APIServer

@Suite("Routes", .serialized)
struct RouteTests {
    private func error(_ body: [UInt8]) -> ErrorBody? { Reply.error(in: body) }

    @Test("gives screens as text, ANSI and cells, now and at a frame")
    func screens() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown", columns: 20, rows: 3)
        let first = try pod.output("one\r\n")
        let last = try pod.output("two \u{1b}[1mbold")
        let now = try await eventually("not there") {
            let screen = try await stage.client.screen("shown")
            return screen.seq == last ? screen : nil
        }
        #expect(String(decoding: now.body, as: UTF8.self) == "one\ntwo bold\n\n")
        let then = try await stage.client.screen("shown", seq: first)
        #expect(String(decoding: then.body, as: UTF8.self) == "one\n\n\n")
        #expect(then.decodedBytes == 1)
        let ansi = try await stage.client.screen("shown", format: "ansi")
        #expect(ansi.body.contains(0x1b))
        let json = try await stage.client.screen("shown", format: "json")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.body)) as? [String: Any])
        #expect(object["screen"] as? [String] == ["one", "two bold", ""])
        #expect(object["pod"] as? String == pod.pod.text)
        #expect((object["cells"] as? [[Any]])?.count == 3)
        #expect(object["cursor"] as? [Int] == [1, 8])
    }

    @Test(
        "answers bad requests with words, and goes on",
        arguments: [
            ("GET", "/v1/pods/nobody", 404, "not_found"), ("GET", "/v1/pods/nobody/screen", 404, "not_found"),
            ("GET", "/v1/pods/shown/screen?at=2999-01-01T00:00:00Z", 400, "bad_request"), ("GET", "/v1/pods/shown/screen?at=yesterday", 400, "bad_request"),
            ("GET", "/v1/pods/shown/screen?format=gif", 400, "bad_request"), ("GET", "/v1/pods/shown/screen?scrollback=-1", 400, "bad_request"),
            ("GET", "/v1/pods/shown/screen?seq=0", 400, "bad_request"), ("GET", "/v1/pods?limit=0", 400, "bad_request"),
            ("GET", "/v1/pods?status=asleep", 400, "bad_request"), ("GET", "/v1/pods?lifecycle=dead", 400, "bad_request"),
            ("GET", "/v1/search", 400, "bad_request"), ("GET", "/v1/events?after=x", 400, "bad_request"),
            ("GET", "/v1/pods/shown/recording?format=gif", 400, "bad_request"), ("GET", "/v1/pods/shown/recording?version=1", 400, "bad_request"),
            ("GET", "/v1/nothing", 404, "not_found"), ("DELETE", "/v1/pods", 405, "method_not_allowed"),
            ("POST", "/v1/pods/shown/input", 400, "bad_request"), ("POST", "/v1/pods/shown/resize", 400, "bad_request"),
            ("GET", "/v1/pods/shown/terminal", 426, "upgrade_required"), ("GET", "/web/../tokens", 404, "not_found"),
            ("GET", "/web/%2e%2e/tokens", 404, "not_found"),
        ])
    func bad(method: String, path: String, status: Int, code: String) async throws {
        let stage = try await APIStage()
        _ = try await stage.pod("shown")
        let answer = try await stage.client.raw(method, path, body: method == "POST" ? Array("{".utf8) : nil)
        #expect(answer.status == status)
        #expect(error(answer.body)?.code.rawValue == code)
        #expect((error(answer.body)?.message.count ?? 0) > 10)
    }

    @Test(
        "refuses bodies that are wrong, with the field",
        arguments: [
            ("input", "{}"), ("input", #"{"text":"a","bytes_b64":"YQ=="}"#), ("input", #"{"bytes_b64":"?"}"#), ("input", #"{"text":7}"#),
            ("resize", #"{"columns":0,"rows":0}"#), ("resize", #"{"columns":80}"#), ("signal", #"{"signal":"FOO"}"#), ("marker", #"{"text":""}"#),
            ("stop", #"{"grace_ms":-1}"#),
        ])
    func badBodies(route: String, body: String) async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown")
        let answer = try await stage.client.raw("POST", "/v1/pods/shown/\(route)", body: Array(body.utf8))
        #expect(answer.status == 400)
        #expect(error(answer.body)?.code == .badRequest)
        #expect(pod.typed.isEmpty && pod.size == [80, 24])
    }

    @Test("lets nobody in without a token, and viewers only look")
    func access() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown")
        let stranger = try await stage.client(nil).raw("GET", "/v1/pods")
        #expect(stranger.status == 401)
        #expect(stranger.headers.contains { $0.0.lowercased() == "www-authenticate" })
        let viewer = stage.client(APIStage.viewer)
        #expect(try await viewer.pods().pods.count == 1)
        for route in ["input", "resize", "signal", "marker", "stop", "resume"] {
            let answer = try await viewer.raw("POST", "/v1/pods/shown/\(route)", body: Array(#"{"text":"x","columns":9,"rows":9,"signal":"INT"}"#.utf8))
            #expect(answer.status == 403)
            #expect(error(answer.body)?.message.contains("vera") == true)
        }
        #expect(try await viewer.raw("POST", "/v1/pods", body: Array(#"{"command":["x"]}"#.utf8)).status == 403)
        #expect(try await viewer.raw("POST", "/v1/recordings", body: [0x7b]).status == 403)
        #expect(pod.typed.isEmpty && pod.signals.isEmpty && pod.size == [80, 24])
    }

    @Test("refuses a body of 100 MB without keeping it, and answers the next request on the connection")
    func hugeBody() async throws {
        let stage = try await APIStage()
        _ = try await stage.pod("shown")
        let huge = Array(repeating: UInt8(ascii: " "), count: 100 << 20)
        let before = residentBytes()
        let answer = try await stage.client.raw("POST", "/v1/pods/shown/input", body: huge)
        #expect(answer.status == 413)
        #expect(error(answer.body)?.code == .tooLarge)
        // Client and server share this process: one copy is the client's own.
        #expect(residentBytes() - before < 190 << 20)
        #expect(try await stage.client.raw("GET", "/healthz").status == 200)
    }

    private func residentBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }

    @Test("types, with preconditions, once per key")
    func input() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown")
        let seen = try pod.output("ready? ")
        #expect(try await stage.client.input("shown", .init(text: "y", ifSeq: seen)).result == .applied)
        try pod.output("changed")
        let refused = await #expect(throws: ErrorBody.self) { try await stage.client.input("shown", .init(text: "y", ifSeq: seen)) }
        #expect(refused?.code.rawValue == "screen_changed")
        #expect(pod.typed.count == 1)
        let first = try await stage.client.input("shown", .init(text: "once"), idempotencyKey: "k1")
        let again = try await stage.client.input("shown", .init(text: "once"), idempotencyKey: "k1")
        #expect(first == again)
        let other = await #expect(throws: ErrorBody.self) { try await stage.client.input("shown", .init(text: "something else"), idempotencyKey: "k1") }
        #expect(other?.code == .conflict)
        #expect(pod.typed.count == 2)
        try await stage.client.signal("shown", "SIGINT")
        #expect(pod.signals == ["INT"])
        #expect(try await stage.client.resize("shown", columns: 100, rows: 30).result == .applied)
        #expect(pod.size == [100, 30])
        stage.change(pod.pod) { $0.lifecycle = .ended }
        let gone = await #expect(throws: ErrorBody.self) { try await stage.client.input("shown", .init(text: "x")) }
        #expect(gone?.code == .gone)
    }

    @Test("tells a writer over HTTP who writes on a socket")
    func busy() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown")
        let connection = try await stage.client(APIStage.admin).terminal("shown", mode: .raw) { _ in }
        connection.send([0x61])
        try await eventually("not typed") { pod.typed.count == 1 }
        let refused = await #expect(throws: ErrorBody.self) { try await stage.client.input("shown", .init(text: "b")) }
        #expect(refused?.code.rawValue == "busy")
        #expect(refused?.message.contains("person:ada") == true)
        #expect(try await stage.client.input("shown", .init(text: "c", take: true)).result == .applied)
        connection.close()
    }

    @Test("exports what was recorded, as asciicast, text and JSON Lines")
    func export() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod("shown", columns: 30, rows: 4)
        for index in 0..<35 { try pod.output("line \(index)\r\n") }
        var text: [UInt8] = []
        try await stage.client.export("shown", format: "text") { text += $0 }
        #expect(String(decoding: text, as: UTF8.self) == (0..<35).map { "line \($0)\n" }.joined())
        var cast: [UInt8] = []
        try await stage.client.export("shown", version: 3) { cast += $0 }
        #expect(String(decoding: cast, as: UTF8.self).split(separator: "\n").count == 36)
        var lines: [UInt8] = []
        try await stage.client.export("shown", format: "json") { lines += $0 }
        let count = String(decoding: lines, as: UTF8.self).split(separator: "\n").count
        #expect(count == 36)
    }

    @Test("imports a recording as frames of a new pod, and nothing of a broken one", arguments: [1, 2, 3])
    func importing(version: Int) async throws {
        let stage = try await APIStage()
        let cast: [String]
        switch version {
        case 1: cast = [#"{"version":1,"width":80,"height":24,"duration":1.5,"stdout":[[0.5,"hello "],[1.0,"world"]]}"#]
        case 2: cast = [#"{"version":2,"width":80,"height":24}"# + "\n", #"[0.5,"o","hello "]"# + "\n", #"[1.5,"o","world"]"# + "\n"]
        default: cast = [#"{"version":3,"term":{"cols":80,"rows":24}}"# + "\n", #"[0.5,"o","hello "]"# + "\n", #"[1.0,"o","world"]"# + "\n"]
        }
        let pieces = AsyncStream<[UInt8]> { stream in
            for piece in cast { stream.yield(Array(piece.utf8)) }
            stream.finish()
        }
        let pod = try await stage.client.importRecording(pieces, name: "old-\(version)")
        #expect(pod.name == "old-\(version)")
        let stream = JetStream(stage.bus)
        var frames: [Frame] = []
        var next: UInt64 = 1
        while let message = try await stream.nextMessage(Streams.terminals, subject: Subjects.pty(pod.pod), from: next) {
            next = message.sequence + 1
            frames.append(try #require(Frame(subject: message.subject, header: { message.header($0) }, payload: message.payload)))
        }
        #expect(frames.map(\.seq) == [1, 2, 3, 4])
        #expect(frames.map(\.kind) == [.ctl, .out, .out, .ctl])
        #expect(frames.filter { $0.kind == .out }.flatMap(\.bytes) == Array("hello world".utf8))
        #expect((frames[2].time - frames[1].time).microseconds == 1_000_000)
    }

    @Test(
        "says what is wrong with a recording, and makes no pod of it",
        arguments: [
            "", "nonsense", #"{"version":2,"width":0,"height":0}"#, #"{"version":9,"width":80,"height":24}"#,
            "{\"version\":2,\"width\":80,\"height\":24}\n[1.0,\"o\",\"a\"]\n[0.0,\"o\"", "{\"version\":2,\"width\":80,\"height\":24}\n[9.0,\"o\",\"a\"]\n[1.0,\"o\",\"b\"]\n",
            "{\"version\":2,\"width\":80,\"height\":24}\n[1.0,\"r\",\"0x0\"]\n",
        ])
    func badRecordings(text: String) async throws {
        let stage = try await APIStage()
        let answer = try await stage.client.raw("POST", "/v1/recordings", body: Array(text.utf8))
        #expect(answer.status == 400)
        #expect(error(answer.body)?.message.hasPrefix("not imported: line") == true)
        #expect(try await stage.client.pods().pods.isEmpty)
    }

    @Test("streams events after an id, says what is lost, and ends no event in two")
    func events() async throws {
        let stage = try await APIStage()
        func publish(_ what: String) async throws {
            _ = try await stage.bus.request(Subjects.event("pod", "paaaaaaaaaaaa", what), payload: Array(#"{"n":1}"#.utf8))
        }
        try await publish("one")
        try await publish("two")
        var seen: [ServerEvent] = []
        try await stage.client.events(after: "1") { event in
            seen.append(event)
            if event.event == "pod.two" { try await publish("three") }
            return event.event != "pod.three"
        }
        #expect(seen.map(\.event) == ["hello", "pod.two", "pod.three"])
        let hello = try JSON.decode(EventRoutes.Hello.self, from: seen[0].data.utf8)
        #expect(hello.oldest == 1 && hello.newest == 2 && hello.gap == 0 && !hello.boot.isEmpty)
        #expect(seen[1].id == "2")
        #expect(seen[1].data.contains(#""what":"two""#))
    }

    @Test("streams one area's events to who asks for those, and refuses what is no area's name")
    func areaEvents() async throws {
        let stage = try await APIStage()
        for (area, what) in [("pod", "one"), ("runner", "online"), ("podium", "one"), ("pod", "two"), ("runner", "offline"), ("pod", "three")] {
            _ = try await stage.bus.request(Subjects.event(area, "aaaaaaaaaaaa", what), payload: Array("{}".utf8))
        }
        for (area, wanted) in [("pod", ["pod.one", "pod.two", "pod.three"]), ("runner", ["runner.online", "runner.offline"])] {
            var seen: [String] = []
            try await stage.client.events(after: "0", area: area) { event in
                seen.append(event.event ?? "")
                return seen.count <= wanted.count
            }
            #expect(seen == ["hello"] + wanted)
        }
        for area in ["pod.one", ">", "*", "a b", "p/d"] {
            let error = await #expect(throws: ErrorBody.self) { try await stage.client.events(area: area) { _ in false } }
            #expect(error?.code == .badRequest, "\(area)")
        }
    }

    @Test("says how many events after the last one seen are gone, and begins anew for who knows ids of another time")
    func lostEvents() async throws {
        let stage = try await APIStage()
        for index in 1...6 { _ = try await stage.bus.request(Subjects.event("pod", "paaaaaaaaaaaa", "e\(index)"), payload: Array("{}".utf8)) }
        _ = try await stage.bus.request("$JS.API.STREAM.PURGE.\(Streams.events)", payload: Array(#"{"seq":5}"#.utf8))
        for (after, gap, wanted) in [("1", 3, ["e5", "e6"]), ("4", 0, ["e5", "e6"]), ("5", 0, ["e6"]), ("99", 0, ["e5", "e6"])] as [(String, UInt64, [String])] {
            var seen: [ServerEvent] = []
            try await stage.client.events(after: after) { event in
                seen.append(event)
                return seen.count <= wanted.count
            }
            let hello = try JSON.decode(EventRoutes.Hello.self, from: try #require(seen.first).data.utf8)
            #expect(hello.oldest == 5 && hello.newest == 6 && hello.gap == gap, "after \(after)")
            #expect(seen.dropFirst().map(\.event) == wanted.map { "pod." + $0 }, "after \(after)")
        }
    }

    @Test("describes exactly the routes there are, each with its role and answers")
    func openAPI() async throws {
        let stage = try await APIStage()
        let answer = try await stage.client(nil).raw("GET", "/openapi.json")
        let document = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        let wanted: Set<String> = [
            "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/pods", "/v1/pods/{pod}", "/v1/pods/{pod}/input", "/v1/pods/{pod}/resize",
            "/v1/pods/{pod}/signal", "/v1/pods/{pod}/stop", "/v1/pods/{pod}/resume", "/v1/pods/{pod}/screen", "/v1/pods/{pod}/timeline",
            "/v1/pods/{pod}/recording", "/v1/pods/{pod}/terminal", "/v1/recordings", "/v1/search", "/v1/events", "/v1/runners",
        ]
        #expect(wanted.isSubset(of: Set(paths.keys)))
        let schemas = try #require((document["components"] as? [String: Any])?["schemas"] as? [String: Any])
        let text = String(decoding: answer.body, as: UTF8.self)
        for reference in text.matches(of: /#\/components\/schemas\/([A-Za-z]+)/) { #expect(schemas[String(reference.1)] != nil) }
        // Each path that is described is routed: none answers that there is nothing.
        for (path, operations) in paths {
            for method in operations.keys {
                if path == "/v1/events" { continue }
                let answer = try await stage.client.raw(method.uppercased(), path.replacing("{pod}", with: "nobody"), body: method == "post" ? [0x7b] : nil)
                #expect(error(answer.body)?.message.contains("there is nothing at") != true)
                #expect(answer.status != 405)
            }
        }
    }

    @Test("signs a browser in by its first address, and serves the page")
    func page() async throws {
        let stage = try await APIStage()
        let index = try await stage.client(nil).raw("GET", "/")
        #expect(String(decoding: index.body, as: UTF8.self) == "<p>page</p>")
        for address in ["/pods/shown?t=2026-01-01T00:00:00Z", "/topology", "/channels/all", "/sign-in", "/?token=wrong", "/?token=\(APIStage.viewer)"] {
            #expect(try await stage.client(nil).raw("GET", address).body == index.body)
        }
        let policy = try #require(index.headers.first { $0.0.lowercased() == "content-security-policy" }?.1)
        #expect(policy.contains("default-src 'none'") && policy.contains("script-src 'self'") && !policy.contains("unsafe"))
        let tag = try #require(index.headers.first { $0.0.lowercased() == "etag" }?.1)
        let same = try await stage.client(nil).raw("GET", "/", headers: [("If-None-Match", tag)])
        #expect(same.status == 304 && same.body.isEmpty)
        let ready = try await stage.client(nil).raw("GET", "/readyz")
        #expect(ready.status == 200)
        let cookie = try await stage.client(nil).raw("GET", "/v1/pods", headers: [("Cookie", "switchback=\(APIStage.viewer)")])
        #expect(cookie.status == 200)
        let foreign = try await stage.client(nil).raw(
            "POST", "/v1/pods", body: Array("{}".utf8), headers: [("Cookie", "switchback=\(APIStage.admin)"), ("Origin", "http://evil.example")])
        #expect(foreign.status == 403)
    }

    @Test("gives a browser the page at an address that nobody knows, as not found; JSON to everybody else, and under known addresses")
    func nowhere() async throws {
        let stage = try await APIStage()
        let browser = [("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")]
        func field(_ name: String, _ answer: (status: Int, headers: [(String, String)], body: [UInt8])) -> String? {
            answer.headers.first { $0.0.lowercased() == name }?.1
        }
        let index = try await stage.client(nil).raw("GET", "/")
        for address in ["/nowhere", "/pods/a/b/c", "/v1/nothing?token=\(APIStage.admin)"] {
            let page = try await stage.client(nil).raw("GET", address, headers: browser + [("If-None-Match", field("etag", index) ?? "")])
            #expect(page.status == 404 && page.body == index.body, "\(address)")
            #expect(field("content-type", page) == "text/html; charset=utf-8" && field("cache-control", page) == "no-store" && field("etag", page) == nil)
            #expect(field("content-security-policy", page) == field("content-security-policy", index) && field("set-cookie", page) == nil)
            for accept in [[("Accept", "*/*")], [("Accept", "application/json")], []] {
                let answer = try await stage.client(nil).raw("GET", address, headers: accept)
                #expect(answer.status == 404 && error(answer.body)?.message.contains("there is nothing at") == true, "\(address)")
            }
        }
        #expect(error(try await stage.client(nil).raw("POST", "/nowhere", headers: browser).body)?.code == .notFound)
        #expect(error(try await stage.client(nil).raw("GET", "/web/none.js", headers: browser).body)?.code == .notFound)
        let pod = try await stage.client(APIStage.admin).raw("GET", "/v1/pods/nobody", headers: browser)
        #expect(pod.status == 404 && error(pod.body)?.code == .notFound)
        #expect(try await stage.client(APIStage.admin).raw("PUT", "/v1/pods", headers: browser).status == 405)
    }

    @Test("signs in with a token typed into the page, says who is signed in, and signs out")
    func session() async throws {
        let stage = try await APIStage()
        let nobody = stage.client(nil)
        func cookie(_ answer: (status: Int, headers: [(String, String)], body: [UInt8])) -> String? {
            answer.headers.first { $0.0.lowercased() == "set-cookie" }?.1
        }
        let wrong = try await nobody.raw("POST", "/v1/session", body: Array(#"{"token":"wrong"}"#.utf8))
        #expect(wrong.status == 401 && cookie(wrong) == nil)
        let body = Array(#"{"token":"\#(APIStage.viewer)"}"#.utf8)
        let foreign = try await nobody.raw("POST", "/v1/session", body: body, headers: [("Origin", "http://evil.example")])
        #expect(foreign.status == 403 && cookie(foreign) == nil)
        let right = try await nobody.raw("POST", "/v1/session", body: body)
        let given = try #require(cookie(right))
        #expect(right.status == 200 && given.contains("HttpOnly") && given.contains("SameSite=Strict"))
        let who = try await nobody.raw("GET", "/v1/session", headers: [("Cookie", String(given.prefix { $0 != ";" }))])
        #expect(String(decoding: who.body, as: UTF8.self) == #"{"name":"vera","role":"viewer"}"#)
        let out = try await nobody.raw("DELETE", "/v1/session")
        #expect(cookie(out)?.contains("Max-Age=0") == true)
        #expect(try await nobody.raw("GET", "/v1/session").status == 401)
    }
}
