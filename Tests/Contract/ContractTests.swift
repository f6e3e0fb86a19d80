import Contract
import Testing

@Suite("Names and shards")
struct NameTests {
    @Test("A random pod id is taken back from its text, and garbled ones are refused")
    func podIDs() {
        for _ in 0..<100 {
            let id = PodID.random()
            #expect(PodID(id.text) == id)
        }
        for bad in ["", "p", "pabcdefghijk", "pabcdefghijklm", "xabcdefghijkl", "pABCDEFGHIJKL", "pabcdefghijk1", "pabcdefghij\u{e9}"] {
            #expect(PodID(bad) == nil, "\(bad)")
        }
    }

    @Test("FNV-1a gives the published values")
    func hash() {
        #expect(fnv1a("".utf8) == 0xcbf2_9ce4_8422_2325)
        #expect(fnv1a("a".utf8) == 0xaf63_dc4c_8601_ec8c)
        #expect(fnv1a("foobar".utf8) == 0x8594_4171_f739_67e8)
    }

    @Test("A PTY subject is taken apart, and one in the wrong shard is not")
    func subjects() throws {
        let pod = try #require(PodID("pabcdefghijkl"))
        let subject = Subjects.pty(pod, .out)
        #expect(Subjects.parsePTY(subject)?.pod == pod)
        #expect(Subjects.parsePTY(subject)?.kind == .out)
        let other = try #require(Shard((pod.shard.number + 1) % 64))
        for bad in ["pty.\(other).\(pod).out", "pty.\(pod.shard).\(pod).zzz", "pty.\(pod.shard).\(pod)", "x.\(pod.shard).\(pod).out", "pty..\(pod).out"] {
            #expect(Subjects.parsePTY(bad) == nil, "\(bad)")
        }
    }

    @Test("With any byte of a PTY subject or of a message id changed, left out or put in, it is read as its parts say")
    func garbled() throws {
        let pod = try #require(PodID("pabcdefghijkl"))
        let subjects = FrameKind.allCases.map { Subjects.pty(pod, $0) }
        for subject in subjects + subjects.flatMap({ Self.garble($0) }) {
            let parts = subject.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            let named = parts.count == 4 ? PodID(parts[2]) : nil
            let isRight = parts[0] == "pty" && named.map { $0.shard.description == parts[1] } ?? false && FrameKind(rawValue: parts[3]) != nil
            let read = Subjects.parsePTY(subject)
            #expect(read?.pod == (isRight ? named : nil), "\(subject)")
            #expect(read?.kind == (isRight ? FrameKind(rawValue: parts[3]) : nil), "\(subject)")
        }
        let id = Frame.messageID(pod, 90)
        #expect(Frame.seq(inMessageID: id, of: pod) == 90)
        for id in Self.garble(id) {
            let dot = id.lastIndex(of: ".")
            let expected = dot.flatMap { id[..<$0] == pod.text ? UInt64(id[id.index(after: $0)...]) : nil }
            #expect(Frame.seq(inMessageID: id, of: pod) == (expected == 0 ? nil : expected), "\(id)")
        }
    }

    private static func garble(_ text: String) -> [String] {
        var garbled: [String] = []
        for at in text.indices {
            let before = String(text[..<at]), behind = String(text[text.index(after: at)...])
            garbled += [before, before + behind, before + "." + String(text[at...])]
            for other in ["x", "9", "0", ".", "é", "P", "1", "+"] { garbled.append(before + other + behind) }
        }
        return garbled
    }
}

@Suite("Times")
struct TimeTests {
    @Test(
        "RFC 3339 is read and written to the microsecond",
        arguments: [
            ("1970-01-01T00:00:00.000000Z", 0), ("2026-11-21T02:14:07.123456Z", 1_795_227_247_123_456), ("1969-12-31T23:59:59.999999Z", -1),
            ("2024-02-29T12:00:00.000000Z", 1_709_208_000_000_000),
        ])
    func roundTrip(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microseconds == microseconds)
        #expect(Timestamp(microseconds: microseconds).description == text)
    }

    @Test("Offsets, short and long fractions are understood")
    func variants() {
        #expect(Timestamp("2026-11-21T03:14:07+01:00") == Timestamp("2026-11-21T02:14:07Z"))
        #expect(Timestamp("2026-11-21T02:14:07.5Z")?.microseconds == 1_795_227_247_500_000)
        #expect(Timestamp("2026-11-21T02:14:07.123456789Z")?.microseconds == 1_795_227_247_123_456)
    }

    @Test(
        "What is not a time is refused",
        arguments: ["", "2026-11-21", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T02:14:07", "2026-11-21T02:14:07.Z", "x"])
    func refused(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("Moments are read in every form a person uses")
    func moments() throws {
        let now = try #require(Timestamp("2026-11-21T12:00:00Z"))
        let start = try #require(Timestamp("2026-11-21T11:00:00Z"))
        func resolve(_ text: String) throws -> Timestamp { try Moment(text).resolve(start: start, now: now, secondsEast: 3600) }
        #expect(try resolve("-90s") == Timestamp("2026-11-21T11:58:30Z"))
        #expect(try resolve("-1h30m") == Timestamp("2026-11-21T10:30:00Z"))
        #expect(try resolve("+90s") == Timestamp("2026-11-21T11:01:30Z"))
        #expect(try resolve("12:30:00") == Timestamp("2026-11-21T11:30:00Z"))
        #expect(try resolve("14:03:07") == Timestamp("2026-11-20T13:03:07Z"))
        #expect(try resolve("2026-11-21T02:14:07Z") == Timestamp("2026-11-21T02:14:07Z"))
        // As `search` and `audit` print it: the day and the clock here.
        #expect(try resolve("2026-11-20 14:03:07.250") == Timestamp("2026-11-20T13:03:07.25Z"))
        #expect(try resolve("2026-11-20 14:03:07.250+02:00") == Timestamp("2026-11-20T12:03:07.25Z"))
        #expect(throws: MomentError.self) { try Moment("+90s").resolve(start: nil, now: now) }
        for bad in ["", "-", "+", "yesterday", "25:00:00", "-5x", "--5m", "-1.2.3s", "99999999999999999999s", "-5m5"] {
            #expect(throws: MomentError.self, "\(bad)") { try Moment(bad) }
        }
    }

    @Test("Times beyond what can be counted are clamped and do not trap")
    func clamped() {
        let end = Timestamp(microseconds: .max)
        #expect(end + .seconds(5) == end)
        #expect(Timestamp(microseconds: .min) - .seconds(5) == Timestamp(microseconds: .min))
        #expect((end - Timestamp(microseconds: .min)).microseconds == .max)
        #expect(Duration.seconds(Int64.max).microseconds == .max)
    }
}

@Suite("Messages")
struct MessageTests {
    @Test("Every control message comes back from its JSON")
    func controls() throws {
        let author = Author(kind: .person, id: "alice")
        let pod = PodID.random()
        let controls: [Control] = [
            .start(.init(argv: ["bash", "-l"], cwd: "/", columns: 80, rows: 24, pid: 7, runner: "r", name: "n", agent: "shell", resumedFrom: pod)),
            .resize(columns: 100, rows: 30, author: author), .signal(name: "INT", author: nil), .marker(text: "here \u{1F600}", author: author),
            .gap(bytes: 5, reason: "spool_full"), .held(spoolBytes: 9), .released, .exit(.code(0)), .exit(.signal(9)), .exit(.lost(reason: "gone")),
        ]
        for control in controls {
            #expect(try JSON.decode(Control.self, from: JSON.encode(control)) == control)
        }
        #expect(try JSON.decode(Control.self, from: #"{"kind":"later","x":1}"#.utf8) == .other(kind: "later"))
        #expect(try JSON.text(Control.resize(columns: 1, rows: 2, author: author)) == #"{"author":"person:alice","columns":1,"kind":"resize","rows":2}"#)
        #expect(throws: ErrorBody.self) { try JSON.decode(Control.self, from: #"{"kind":"resize"}"#.utf8) }
    }

    @Test("A frame travels in subject, headers and payload, and a garbled one is refused")
    func frames() {
        let frame = Frame(
            pod: .random(), seq: 7, time: Timestamp(microseconds: 5), kind: .in, bytes: [1, 2], author: Author(kind: .pod, id: "x"), via: "send")
        func header(_ name: String) -> String? { frame.headers.first { $0.0 == name }?.1 }
        #expect(Frame(subject: frame.subject, header: header, payload: frame.bytes) == frame)
        #expect(Frame(subject: frame.subject, header: { $0 == Headers.messageID ? "\(PodID.random()).7" : header($0) }, payload: []) == nil)
        #expect(Frame(subject: frame.subject, header: { $0 == Headers.time ? "soon" : header($0) }, payload: []) == nil)
        #expect(Frame(subject: "pty.x", header: header, payload: []) == nil)
    }

    @Test("A run of frames comes back whole, and every cut is an error or a shorter run, never a trap")
    func codec() throws {
        let pod = PodID.random()
        let frames = [
            Frame(pod: pod, seq: 5, time: Timestamp(microseconds: 1_795_227_247_123_456), kind: .ctl, bytes: Array("{}".utf8)),
            Frame(pod: pod, seq: 6, time: Timestamp(microseconds: 1_795_227_247_123_456), kind: .out, bytes: Array(repeating: 7, count: 300)),
            Frame(pod: pod, seq: 7, time: Timestamp(microseconds: 1_795_227_248_000_000), kind: .in, bytes: [3], author: Author(kind: .person, id: "a"), via: "web"),
            Frame(pod: pod, seq: 8, time: Timestamp(microseconds: 1_795_227_248_000_001), kind: .key, bytes: []),
        ]
        let bytes = FrameCodec.encode(frames)
        #expect(try FrameCodec.decode(bytes[...], pod: pod) == frames)
        for cut in 0..<bytes.count {
            if let shorter = try? FrameCodec.decode(bytes[..<cut], pod: pod) {
                #expect(shorter == Array(frames.prefix(shorter.count)))
            }
        }
        #expect(throws: ErrorBody.self) { try FrameCodec.decode([9, 0, 0, 0], pod: pod) }
        #expect(throws: ErrorBody.self) { try FrameCodec.decode([0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], pod: pod) }
    }

    @Test("An error reply is told from an answer")
    func replies() throws {
        let error = ErrorBody(.notFound, "no pod \"x\"")
        #expect(Reply.error(in: Reply.error(error)) == error)
        #expect(Reply.error(in: Reply.encode(Done())) == nil)
        #expect(throws: error) { try Reply.decode(Done.self, from: Reply.error(error)) }
        let broken = #expect(throws: ErrorBody.self) { try Reply.decode(PodPage.self, from: Array(#"{"pods":7}"#.utf8)) }
        #expect(broken?.message.contains("field pods") == true)
    }

    @Test(
        "What is wrong with a field is said in JSON's words",
        arguments: [
            (#"{"command":"true"}"#, "field command is not a list"), (#"{"command":["x"],"rows":"9"}"#, "field rows is not a whole number"),
            (#"{"name":7}"#, "field name is not a text"), (#"{"on_full":"explode"}"#, #"field onFull: "explode" is none of the values that it takes"#),
        ])
    func fields(body: String, words: String) {
        let error = #expect(throws: ErrorBody.self) { try JSON.decode(PodSpec.self, from: body.utf8) }
        #expect(error?.message == words)
    }

    @Test("A pod spec takes its defaults and says what is wrong with it")
    func specs() throws {
        let spec = try JSON.decode(PodSpec.self, from: #"{"command":["bash"],"env":{"someKey_X":"v"},"spool_cap_bytes":5}"#.utf8)
        #expect(spec == PodSpec(command: ["bash"], env: ["someKey_X": "v"], spoolCapBytes: 5))
        #expect(try JSON.decode(PodSpec.self, from: #"{"command":["bash"],"cols":100,"rows":30}"#.utf8) == PodSpec(command: ["bash"], columns: 100, rows: 30))
        #expect(spec.problem() == nil)
        #expect(PodSpec(command: []).problem() != nil)
        #expect(PodSpec(name: "a b", command: ["x"]).problem()?.message.contains("a b") == true)
        #expect(PodSpec(name: "pabcdefghijkl", command: ["x"]).problem() != nil)
        #expect(PodSpec(command: ["x"], cwd: "here").problem() != nil)
        #expect(PodSpec(command: ["x"], columns: 0, rows: 0).problem()?.message.contains("0x0") == true)
        #expect(PodSpec(command: ["x"], env: ["a=b": ""]).problem() != nil)
    }
}

@Suite("Answers to keystrokes")
struct AppliedTests {
    @Test(
        "What is written by hand is the JSON that the library writes, and is read back by both",
        arguments: [
            Applied(result: .applied, seq: 0), Applied(result: .applied, seq: 7), Applied(result: .applied, seq: .max), Applied(result: .applied),
            Applied(result: .applied, seq: 9, message: "typed before"), Applied(result: .applied, seq: 9, tookEffect: false), Applied(result: .busy, seq: 3),
            Applied(result: .screenChanged, seq: 12, message: "the screen changed"),
        ])
    func same(answer: Applied) throws {
        #expect(String(decoding: answer.reply, as: UTF8.self) == (try JSON.text(answer)))
        #expect(try Applied(reply: answer.reply) == answer)
        #expect(try Reply.decode(Applied.self, from: answer.reply) == answer)
    }

    @Test(
        "What is nearly that is judged by the library",
        arguments: [
            #"{"result":"applied","seq":}"#, #"{"result":"applied","seq":007}"#, #"{"result":"applied","seq":-1}"#, #"{"result":"applied","seq":18446744073709551616}"#,
            #"{"result":"applied","seq":7"#, #"{"result":"applied","seq":1e3x}"#, "", "}",
        ])
    func garbled(text: String) {
        #expect(throws: ErrorBody.self) { try Applied(reply: Array(text.utf8)) }
    }

    @Test("Blanks, other fields and errors are read as ever")
    func others() throws {
        #expect(try Applied(reply: Array(#"{"result":"applied","seq": 7}"#.utf8)) == Applied(result: .applied, seq: 7))
        #expect(try Applied(reply: Array(#"{"result":"applied","seq":7,"took_effect":true}"#.utf8)) == Applied(result: .applied, seq: 7, tookEffect: true))
        #expect(throws: ErrorBody(.denied, "no")) { try Applied(reply: Reply.error(ErrorBody(.denied, "no"))) }
    }
}
