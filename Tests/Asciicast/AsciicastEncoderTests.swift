import Asciicast
import Testing

@Suite("Writing asciicasts")
struct AsciicastEncoderTests {
    private func written(_ version: AsciicastVersion, _ events: [AsciicastEvent]) -> [UInt8] {
        var encoder = AsciicastEncoder(version: version)
        let header = AsciicastHeader(
            version: version, columns: 100, rows: 30, timestamp: 1_776_199_990, command: "vim \"x\"", title: "Tëst\n", environment: ["TERM": "xterm", "A": ""],
            terminalType: "xterm", idleTimeLimit: 2.5)
        return encoder.header(header) + events.flatMap { encoder.encode($0) } + encoder.flush()
    }

    @Test("What is written is read back the same", arguments: [AsciicastVersion.v2, .v3])
    func roundTrip(version: AsciicastVersion) throws {
        let everyByte = (0..<0x80).map { String(Unicode.Scalar(UInt8($0))) }.joined() + "é漢😀"
        let events = [
            output(0, "a"), output(1, everyByte), AsciicastEvent(time: 1, content: .input([0x1b, 0x5b, 0x41])),
            AsciicastEvent(time: 999_999, content: .resize(columns: 1, rows: 500)), AsciicastEvent(time: 1_000_000, content: .marker("hier \"da\"")),
            output(86_400_000_000_123, "z"), AsciicastEvent(time: 86_400_000_000_123, content: .exit(-2)),
        ]
        let (header, back) = try decode(written(version, events))
        #expect(back == events)
        #expect(header?.columns == 100)
        #expect(header?.command == "vim \"x\"")
        #expect(header?.title == "Tëst\n")
        #expect(header?.timestamp == 1_776_199_990)
        #expect(header?.terminalType == "xterm")
        #expect(header?.idleTimeLimit == 2.5)
        #expect(header?.environment["A"] == "")
    }

    @Test("A character split over events at any byte is written whole", arguments: [AsciicastVersion.v2, .v3])
    func splitCharacters(version: AsciicastVersion) throws {
        let text = Array("aé漢😀b".utf8)
        for first in 0...text.count {
            for second in first...text.count {
                let parts = [text[..<first], text[first..<second], text[second...]]
                let events = parts.enumerated().map { AsciicastEvent(time: Int64($0.offset), content: .output(Array($0.element))) }
                let (_, back) = try decode(written(version, events))
                var joined: [UInt8] = []
                for case .output(let bytes) in back.map(\.content) {
                    #expect(String(validating: bytes, as: UTF8.self) != nil)
                    joined += bytes
                }
                #expect(joined == text)
            }
        }
    }

    @Test("Bytes that are no character become U+FFFD and lose nothing around them")
    func invalid() throws {
        let (_, back) = try decode(
            written(.v2, [AsciicastEvent(time: 0, content: .output([0x61, 0xff, 0x62, 0xe6, 0xbc])), AsciicastEvent(time: 5, content: .output([0x63, 0xe6]))]))
        var joined: [UInt8] = []
        for case .output(let bytes) in back.map(\.content) { joined += bytes }
        #expect(String(decoding: joined, as: UTF8.self) == "a\u{fffd}b\u{fffd}c\u{fffd}")
    }

    @Test("Every random sequence of events survives", arguments: 0..<50)
    func random(seed: Int) throws {
        var time: Int64 = 0
        let events = (0..<100).map { _ -> AsciicastEvent in
            time += Int64.random(in: 0...3_000_000)
            let text = String((0..<Int.random(in: 1...20)).map { _ in Character(["a", "\u{1b}", "é", "\"", "\\", "漢", "😀", "\r\n", "\u{7f}"].randomElement() ?? "x") })
            return AsciicastEvent(time: time, content: Bool.random() ? .output(Array(text.utf8)) : .input(Array(text.utf8)))
        }
        for version in [AsciicastVersion.v2, .v3] {
            #expect(try decode(written(version, events), pieces: Int.random(in: 1...500)).1 == events)
        }
    }
}
