import Asciicast
import Foundation
import Testing

func decode(_ bytes: [UInt8], pieces: Int = .max, limits: AsciicastLimits = AsciicastLimits()) throws(AsciicastError) -> (AsciicastHeader?, [AsciicastEvent]) {
    var decoder = AsciicastDecoder(limits: limits)
    var events: [AsciicastEvent] = []
    var rest = bytes[...]
    while !rest.isEmpty {
        events += try decoder.feed(rest.prefix(pieces))
        rest = rest.dropFirst(pieces)
    }
    events += try decoder.finish()
    return (decoder.header, events)
}

func decode(_ text: String) throws(AsciicastError) -> (AsciicastHeader?, [AsciicastEvent]) {
    try decode(Array(text.utf8))
}

func output(_ time: Int64, _ text: String) -> AsciicastEvent {
    AsciicastEvent(time: time, content: .output(Array(text.utf8)))
}

private let v2 = """
    {"version": 2, "width": 80, "height": 24, "timestamp": 1504467315, "title": "Démo", "env": {"TERM": "xterm-256color", "SHELL": "/bin/zsh"}}
    [0.248848, "o", "\\u001b[1;31mHello \\u001b[32mWörld! \\ud83d\\ude00 naïve\\u001b[0m\\n"]
    [1.001376, "i", "x"]
    [1.5, "m", "here"]
    [2, "r", "100x30"]
    [2e1, "o", ""]
    [20.0000015, "z", "?"]

    """

private let v3 = """
    {"version":3,"term":{"cols":110,"rows":54,"type":"xterm-256color"},"timestamp":1776199990,"idle_time_limit":2.5,"env":{"SHELL":"/bin/zsh"}}
    # a comment
    [0.101, "o", "a"]
    [0.031, "o", "b"]

    [0.0, "x", "3"]

    """

private let v1 = """
    {
      "version": 1, "width": 80,
      "height": 24, "duration": 1.515658, "command": "/bin/zsh", "title": "",
      "env": {"TERM": "xterm"},
      "stdout": [
        [0.248848, "a]}\\"["],
        [
          1.001376,
          "b"
        ]
      ]
    }
    """

@Suite("Reading asciicasts")
struct AsciicastDecoderTests {
    @Test("Version 2 is read with its header, all codes and exact times")
    func version2() throws {
        let (header, events) = try decode(v2)
        #expect(header?.version == .v2)
        #expect(header?.columns == 80)
        #expect(header?.rows == 24)
        #expect(header?.timestamp == 1_504_467_315)
        #expect(header?.title == "Démo")
        #expect(header?.terminalType == "xterm-256color")
        #expect(header?.environment["SHELL"] == "/bin/zsh")
        #expect(
            events == [
                output(248_848, "\u{1b}[1;31mHello \u{1b}[32mWörld! 😀 naïve\u{1b}[0m\n"),
                AsciicastEvent(time: 1_001_376, content: .input([0x78])),
                AsciicastEvent(time: 1_500_000, content: .marker("here")),
                AsciicastEvent(time: 2_000_000, content: .resize(columns: 100, rows: 30)),
                output(20_000_000, ""),
                AsciicastEvent(time: 20_000_002, content: .other(code: "z", data: "?")),
            ])
    }

    @Test("Version 3 is read with relative times, comments and the exit")
    func version3() throws {
        let (header, events) = try decode(v3)
        #expect(header?.version == .v3)
        #expect(header?.columns == 110)
        #expect(header?.rows == 54)
        #expect(header?.terminalType == "xterm-256color")
        #expect(header?.idleTimeLimit == 2.5)
        #expect(events == [output(101_000, "a"), output(132_000, "b"), AsciicastEvent(time: 132_000, content: .exit(3))])
    }

    @Test("Version 1 is read whether on one line or on many")
    func version1() throws {
        for text in [v1, v1.split(separator: "\n").joined()] {
            let (header, events) = try decode(text)
            #expect(header?.version == .v1)
            #expect(header?.columns == 80)
            #expect(header?.command == "/bin/zsh")
            #expect(events == [output(248_848, "a]}\"["), output(1_250_224, "b")])
        }
    }

    @Test("Version 1 is read when its fields stand after the events")
    func version1Late() throws {
        let (header, events) = try decode(#"{"stdout":[[1,"a"],[0.5,"b"]],"version":1,"height":2,"width":3}"#)
        #expect(header?.columns == 3)
        #expect(events == [output(1_000_000, "a"), output(1_500_000, "b")])
    }

    @Test("The pieces in which a file comes make no difference", arguments: [v1, v2, v3])
    func pieces(text: String) throws {
        let whole = try decode(text)
        for size in 1...40 {
            let (header, events) = try decode(Array(text.utf8), pieces: size)
            #expect(header == whole.0)
            #expect(events == whole.1)
        }
    }

    @Test("Intervals finer than a microsecond do not drift")
    func drift() throws {
        let lines = (0..<3000).map { _ in "[0.0000013333333, \"o\", \"x\"]\n" }.joined()
        let (_, events) = try decode("{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n" + lines)
        #expect(events.last?.time == 3999)
    }

    @Test("A file cut off at any byte is an error or all of its whole lines", arguments: [v1, v2, v3])
    func truncated(text: String) throws {
        let bytes = Array(text.utf8)
        let all = try decode(text).1
        for length in 0..<bytes.count {
            do {
                let (_, events) = try decode(Array(bytes.prefix(length)))
                #expect(all.starts(with: events))
                #expect(length > 60)
            } catch {
                #expect([.truncated, .empty].contains(error.code), "cut at \(length): \(error)")
            }
        }
    }

    @Test("What came before an error is given, and the error names its line")
    func partial() {
        var decoder = AsciicastDecoder()
        var events: [AsciicastEvent] = []
        let text = "{\"version\":2,\"width\":80,\"height\":24}\n[1,\"o\",\"a\"]\n[2,\"o\",\"b\"]\n[0.5,\"o\",\"c\"]\n"
        let error = #expect(throws: AsciicastError.self) { try decoder.feed(Array(text.utf8)) { events.append($0) } }
        #expect(error?.code == .timeBackwards)
        #expect(error?.line == 4)
        #expect(error?.message.contains("1500000 µs") == true)
        #expect(events == [output(1_000_000, "a"), output(2_000_000, "b")])
    }

    @Test("An event a little earlier than its predecessor happens with it")
    func jitter() throws {
        let (_, events) = try decode("{\"version\":2,\"width\":80,\"height\":24}\n[2,\"i\",\"a\"]\n[1.97,\"o\",\"b\"]\n[1.99,\"o\",\"c\"]\n[2.5,\"o\",\"d\"]\n")
        #expect(events.map(\.time) == [2_000_000, 2_000_000, 2_000_000, 2_500_000])
    }

    static let bad: [(String, AsciicastError.Code, Int)] = [
        ("", .empty, 1),
        ("\n \n", .empty, 1),
        ("hello", .malformed, 1),
        ("[1,2]", .malformed, 1),
        ("{}\n", .malformed, 1),
        ("{\"version\":\"2\",\"width\":80,\"height\":24}\n", .malformed, 1),
        ("{\"version\":4,\"width\":80,\"height\":24}\n", .unsupportedVersion, 1),
        ("{\"version\":0}", .unsupportedVersion, 1),
        ("{\"version\":2,\"width\":80}\n", .malformed, 1),
        ("{\"version\":2,\"width\":0,\"height\":0}\n", .badSize, 1),
        ("{\"version\":2,\"width\":-3,\"height\":24}\n", .badSize, 1),
        ("{\"version\":2,\"width\":99999999999,\"height\":24}\n", .badSize, 1),
        ("{\"version\":3,\"width\":80,\"height\":24}\n", .malformed, 1),
        ("{\"version\":2,\"width\":80,\"height\":24}\n[1,\"r\",\"0x0\"]\n", .badSize, 2),
        ("{\"version\":2,\"width\":80,\"height\":24}\n[1,\"r\",\"axb\"]\n", .malformed, 2),
        ("{\"version\":2,\"width\":80,\"height\":24}\n\n[1,\"o\"]\n", .malformed, 3),
        ("{\"version\":2,\"width\":80,\"height\":24}\n[1e300,\"o\",\"\"]\n", .malformed, 2),
        ("{\"version\":2,\"width\":80,\"height\":24}\n[-1,\"o\",\"\"]\n", .timeBackwards, 2),
        ("{\"version\":2,\"width\":80,\"height\":24}\n[01,\"o\",\"\"]\n", .malformed, 2),
        ("{\"version\":2,\"width\":80,\"height\":24}\n[1,\"o\",\"\\x\"]\n", .malformed, 2),
        ("{\"version\":2,\"width\":80,\"height\":24}\n[1,\"o\",7]\n", .malformed, 2),
        ("{\"version\":2,\"width\":80,\"height\":24}\n{\"a\":1}\n", .malformed, 2),
        ("{\"version\":2,\"width\":80,\"height\":24}\n" + String(repeating: "[", count: 100) + "\n", .malformed, 2),
        ("{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n[-0.5,\"o\",\"\"]\n", .timeBackwards, 2),
        ("{\"version\":3,\"term\":{\"cols\":80,\"rows\":24}}\n[0,\"x\",\"\"]\n", .malformed, 2),
        ("{\"version\":1,\"width\":80,\"height\":24,\"stdout\":[[-1,\"a\"]]}", .timeBackwards, 1),
        ("{\"version\":1,\"width\":80,\"height\":24,\"stdout\":[[1,\"a\"]]}\n[1,\"o\",\"x\"]", .malformed, 2),
        ("{\"version\":1,\"width\":80,\"height\":24,\"stdout\":[[1,\"a\"", .truncated, 1),
    ]

    @Test("Bad files are refused with their line and a reason", arguments: bad)
    func refused(text: String, code: AsciicastError.Code, line: Int) {
        let error = #expect(throws: AsciicastError.self) { try decode(text) }
        #expect(error?.code == code, "\(text.prefix(80)): \(String(describing: error))")
        #expect(error?.line == line)
    }

    @Test("Bytes that are not UTF-8 are refused")
    func notUTF8() {
        var bytes = Array("{\"version\":2,\"width\":80,\"height\":24}\n[1,\"o\",\"".utf8)
        bytes += [0xff, 0xfe] + Array("\"]\n[2,\"o\",\"\"]\n".utf8)
        let error = #expect(throws: AsciicastError.self) { try decode(bytes) }
        #expect(error?.code == .notUTF8)
        #expect(error?.line == 2)
    }

    @Test("A line without an end is refused at the limit, in bounded memory")
    func endlessLine() {
        var decoder = AsciicastDecoder(limits: AsciicastLimits(lineBytes: 1 << 20))
        let error = #expect(throws: AsciicastError.self) {
            _ = try decoder.feed(Array("{\"version\":2,\"width\":80,\"height\":24}\n[1,\"o\",\"".utf8))
            let piece = [UInt8](repeating: 0x41, count: 1 << 16)
            for _ in 0..<65_536 { _ = try decoder.feed(piece) }
        }
        #expect(error?.code == .tooLarge)
        #expect(error?.line == 2)
        var header = AsciicastDecoder(limits: AsciicastLimits(lineBytes: 1 << 16))
        let inHeader = #expect(throws: AsciicastError.self) {
            _ = try header.feed(Array("{\"version\":2,\"title\":\"".utf8))
            for _ in 0..<100 { _ = try header.feed([UInt8](repeating: 0x41, count: 1 << 12)) }
        }
        #expect(inHeader?.code == .tooLarge)
    }

    @Test("Random bytes and mutilated files never trap")
    func fuzz() {
        var generator = SystemRandomNumberGenerator()
        for text in [v1, v2, v3] {
            for _ in 0..<400 {
                var bytes = Array(text.utf8)
                for _ in 0..<Int.random(in: 1...6, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                }
                _ = try? decode(bytes)
            }
        }
    }

    @Test("Every recording among the cases is read", .enabled(if: ProcessInfo.processInfo.environment["SWITCHBACK_CASES"] != nil, "SWITCHBACK_CASES names no folder of recordings"))
    func cases() throws {
        let folder = (ProcessInfo.processInfo.environment["SWITCHBACK_CASES"] ?? "") + "/casts"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".cast") }
        #expect(!files.isEmpty)
        for file in files {
            let data = try #require(FileManager.default.contents(atPath: folder + "/" + file))
            let (header, events) = try decode([UInt8](data), pieces: 1 << 16)
            #expect(header != nil)
            #expect(!events.isEmpty, "\(file)")
        }
    }
}
