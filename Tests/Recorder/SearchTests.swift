import Contract
import Foundation
import RecorderClient
import TestSupport
import Testing

@Suite("Searching and timelines")
struct SearchTests {
    @Test("A line is found from the frame that wrote it to the frame that removed it")
    func interval() async throws {
        let harness = try await RecordingHarness()
        var script = Script()
        script.wait(.seconds(1))
        let written = script.now
        script.output("\u{1b}[5;1Hpermission denied: foo")
        script.wait(.seconds(3))
        let removed = script.now
        script.output("\u{1b}[2J")
        script.wait(.seconds(1))
        let again = script.now
        script.output("\u{1b}[1;1HPermission Denied")
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        let hits = try await harness.client.search(Search(query: "permission denied")).hits
        #expect(hits == [.init(pod: script.pod, line: "permission denied: foo", row: 4, from: written, to: removed, seq: 2)])
        let all = try await harness.client.search(Search(query: "permission DENIED", ignoreCase: true, pod: script.pod)).hits
        #expect(all.map(\.from) == [written, again])
        #expect(all.last?.to == nil)
        #expect(try await harness.client.search(Search(query: "perm[a-z]+ denied: f", regex: true)).hits.count == 1)
        #expect(try await harness.client.search(Search(query: "no such text")).hits.isEmpty)
        #expect(try await harness.client.search(Search(query: "permission denied", from: removed + .milliseconds(1))).hits.isEmpty)
        #expect(try await harness.client.search(Search(query: "permission denied", to: written - .milliseconds(1))).hits.isEmpty)
    }

    @Test("Who may not see secrets finds none, not even by guessing them piece by piece, and what stands beside them")
    func masked() async throws {
        let harness = try await RecordingHarness()
        let secret = "ghp_" + String((0..<36).map { Array("aB3dE5fG7hJ9")[$0 % 12] })
        var script = Script(columns: 30, rows: 6)
        script.output("\u{1b}[2J\u{1b}[Hthe key is \(secret) found\r\n")
        script.wait(.seconds(1))
        for number in 0..<12 { script.output("line \(number)\r\n") }
        script.output("again \(secret) there\r\n" + (0..<12).map { "flood \($0)\r\n" }.joined())
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        func hits(_ query: String, regex: Bool = false, masked: Bool) async throws -> [String] {
            try await harness.client.search(Search(query: query, regex: regex, masked: masked)).hits.map(\.line)
        }
        #expect(try await !hits("ghp_aB3d", masked: false).isEmpty)
        for guess in ["ghp_", "ghp_aB3d", "B3dE5", String(secret.suffix(5)), String(secret.prefix(19))] {
            #expect(try await hits(guess, masked: true).isEmpty, "\(guess)")
        }
        #expect(try await hits("ghp_[a-z]", regex: true, masked: true).isEmpty)
        let beside = try await hits("the key is", masked: true)
        #expect(!beside.isEmpty && beside.allSatisfy { $0 == "the key is " + String(repeating: "•", count: 19) })
        #expect(try await hits("found", masked: true).allSatisfy { $0 == String(repeating: "•", count: 21) + " found" })
        #expect(try await !hits("found", masked: true).isEmpty)
    }

    @Test("Text on the alternate screen that is overwritten 33 ms later is found, with its 33 ms")
    func brief() async throws {
        let harness = try await RecordingHarness()
        var script = Script()
        script.output("\u{1b}[?1049h")
        var when: Timestamp?
        for index in 0..<5000 {
            script.wait(.milliseconds(33))
            let text = index == 2500 ? "needle in a frame" : "frame \(index) of the show"
            if index == 2500 { when = script.now }
            script.output("\u{1b}[H\u{1b}[2J\u{1b}[10;20H\(text)\u{1b}[20;1H\(String(repeating: "=-", count: 30))")
        }
        script.output("\u{1b}[?1049l")
        script.control(.exit(.code(0)))
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        let hits = try await harness.client.search(Search(query: "needle in a frame")).hits
        #expect(hits.count == 1)
        #expect(hits.first?.row == 9)
        #expect(hits.first?.from == when)
        #expect(hits.first?.to == when.map { $0 + .milliseconds(33) })
    }

    @Test("A line that scrolls through within one frame is found")
    func scrolledThrough() async throws {
        let harness = try await RecordingHarness()
        var script = Script()
        script.wait(.milliseconds(10))
        script.output((0..<500).map { $0 == 77 ? "the needle\r\n" : "hay \($0)\r\n" }.joined())
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        let hits = try await harness.client.search(Search(query: "the needle")).hits
        #expect(hits == [.init(pod: script.pod, line: "the needle", row: nil, from: script.now, to: script.now, seq: 2)])
    }

    @Test("A line that stands over many segments is one hit; moving and painting again do not end it")
    func acrossSegments() async throws {
        let harness = try await RecordingHarness()
        var script = Script()
        script.output("\u{1b}[?1049h\u{1b}[1;1Hthe standing line")
        let from = script.now
        for index in 0..<400 {
            script.wait(.milliseconds(50))
            script.output("\u{1b}[3;1H" + (0..<20).map { "\u{1b}[K\(index * $0) changing things all the time\r\n" }.joined())
            if index % 50 == 49 { script.output("\u{1b}[1;1H\u{1b}[Kthe standing line") }
        }
        script.wait(.seconds(1))
        script.output("\u{1b}[1;1H\u{1b}[K")
        script.control(.exit(.code(0)))
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        let hits = try await harness.client.search(Search(query: "the standing line")).hits
        #expect(hits == [.init(pod: script.pod, line: "the standing line", row: 0, from: from, to: script.now, seq: 2)])
    }

    @Test("The fleet is searched in pages that give every hit once")
    func pages() async throws {
        let harness = try await RecordingHarness()
        var pods: [PodID] = []
        for pod in 0..<5 {
            var script = Script(start: Timestamp(microseconds: 1_750_000_000_000_000 + Int64(pod) * 1_000_000))
            for index in 0..<600 {
                script.wait(.milliseconds(10))
                script.output(index % 100 == 50 ? "common text \(pod) \(index)\r\n" : "\(index) " + String(repeating: "filler ", count: 60) + "\r\n")
            }
            try await harness.publish(script.frames)
            try await harness.recorded(script.pod, through: script.last)
            pods.append(script.pod)
        }
        var hits: [SearchPage.Hit] = []
        var cursor: String?
        var count = 0
        repeat {
            let page = try await harness.client.search(Search(query: "common text", limit: 7, cursor: cursor))
            #expect(page.hits.count <= 7)
            hits += page.hits
            cursor = page.next
            count += 1
        } while cursor != nil && count < 100
        #expect(count > 2)
        #expect(Set(hits.map(\.line)).count == 30)
        #expect(hits.count == 30)
        #expect(Set(hits.map(\.pod)) == Set(pods))
    }

    @Test("A page has no more than was asked for, also where one segment has many, and the next goes on behind it")
    func limit() async throws {
        let harness = try await RecordingHarness()
        var script = Script()
        for round in 0..<10 {
            script.wait(.milliseconds(100))
            script.output((0..<20).map { "common text \(round) \($0)\r\n" }.joined())
        }
        script.control(.exit(.code(0)))
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        let all = try await harness.client.search(Search(query: "common text", limit: 1000)).hits
        #expect(all.count == 200)
        var hits: [SearchPage.Hit] = []
        var cursor: String?
        repeat {
            let page = try await harness.client.search(Search(query: "common text", limit: 7, cursor: cursor))
            #expect(page.hits.count == min(7, 200 - hits.count))
            hits += page.hits
            cursor = page.next
        } while cursor != nil && hits.count < 300
        #expect(hits == all)
    }

    @Test("Wrong searches are refused with a reason")
    func refused() async throws {
        let harness = try await RecordingHarness()
        for search in [Search(query: ""), Search(query: "(", regex: true), Search(query: "x", cursor: "nonsense"), Search(query: String(repeating: "x", count: 5000))] {
            let error = await #expect(throws: ErrorBody.self) { try await harness.client.search(search) }
            #expect(error?.code == .badRequest)
        }
        let unknown = await #expect(throws: ErrorBody.self) { try await harness.client.search(Search(query: "x", pod: .random())) }
        #expect(unknown?.code == .notFound)
    }

    @Test("Spinners and clocks are idle time, output and typing are not")
    func idle() async throws {
        let harness = try await RecordingHarness()
        var script = Script()
        script.output("$ make\r\n")
        let start = script.now
        let glyphs = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
        for tick in 0..<300 {
            script.wait(.milliseconds(100))
            script.output("\r\u{1b}[K\(glyphs[tick % 10]) working \(tick / 10)s 12:\(10 + tick / 60):\(10 + tick % 50)")
        }
        script.output("\r\u{1b}[K")
        let end = script.now
        script.output("done: everything is built\r\n")
        for index in 0..<20 {
            script.wait(.milliseconds(500))
            script.output("test number \(["one", "two", "three", "four"][index % 4]) of suite \(Character(Unicode.Scalar(UInt8(97 + index))))\r\n")
        }
        let typing = script.now
        script.wait(.seconds(60))
        script.input("ls\r")
        script.control(.marker(text: "look here", author: nil))
        let typed = script.now
        script.wait(.seconds(2))
        script.control(.exit(.code(0)))
        try await harness.publish(script.frames)
        try await harness.recorded(script.pod, through: script.last)
        let timeline = try await harness.client.timeline(GetTimeline(pod: script.pod, buckets: 50))
        #expect(timeline.idle.count == 2, "\(timeline.idle)")
        let first = try #require(timeline.idle.first), second = try #require(timeline.idle.last)
        #expect(first.from - start < .seconds(2) && end - first.to < .milliseconds(200) && first.to <= end + .milliseconds(2))
        #expect(abs((second.from - typing).microseconds) < 2000 && abs((second.to - typed).microseconds) < 2000)
        #expect(timeline.entries.map(\.what) == ["start", "input", "marker", "exit"])
        #expect(timeline.entries[1].text == "ls\r")
        #expect(timeline.entries[1].author?.id == "alice")
        #expect(timeline.entries[2].text == "look here")
        #expect(timeline.density.count == 50)
        let total = script.frames.filter { $0.kind == .out }.reduce(0) { $0 + $1.bytes.count }
        #expect(abs(Int(timeline.density.reduce(0, +)) - total) <= 60)
        #expect(timeline.first == script.start)
        #expect(timeline.last == script.now)
        #expect(!timeline.live)
    }
}
