import Pattern
import Testing

@Suite("Many patterns at once")
struct PatternSetTests {
    private static let patterns = [
        "esc to (interrupt|cancel)", "^\\s*[❯>]\\s", "\\b\\d+s\\b", "[⠁-⣿◐◑]", "do you want", "\\w+…$", "漢.?字", "ä[ö-ü]+", "\\Bing\\b", "(a|b)+c", "x*$", "─{3,}", "[^a-z ]{4}",
    ]
    private static let pieces = [
        "esc to ", "interrupt", "Cancel", "❯ ", "> ", "12s", "7", "⠙", "◐", "Do you", " want", "Working…", "漢", "字", "한", "Ä", "ö", "Ü", "ing", "ab", "c", "x", "───", "─", " ",
        " ", "!",
        "\u{1F600}", "\u{a0}", "é", "_", "\u{3000}",
    ]

    private static func text(_ generator: inout SystemRandomNumberGenerator) -> String {
        (0..<Int.random(in: 0...12, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
    }

    @Test("A set finds what each of its patterns finds alone, in texts and in code points")
    func together() throws {
        var generator = SystemRandomNumberGenerator()
        let set = try PatternSet(Self.patterns, ignoringCase: true)
        let alone = try Self.patterns.map { try LinePattern($0, ignoringCase: true) }
        var seen: Set<Int> = []
        for _ in 0..<2000 {
            let text = Self.text(&generator)
            let found = set.matches(text)
            let scalars = [0x20] + text.unicodeScalars.map(\.value)
            #expect(set.matches(scalars.dropFirst()) == found, "\(text.debugDescription)")
            for (number, pattern) in alone.enumerated() {
                #expect(found.contains(number) == pattern.matches(text), "\(Self.patterns[number]) in \(text.debugDescription)")
                if found.contains(number) { seen.insert(number) }
            }
        }
        #expect(seen.count == Self.patterns.count)
    }

    @Test("Characters beyond ASCII belong to words as Unicode says, whatever was met before")
    func words() throws {
        let cases: [(String, Bool)] = [("äab", false), ("ab─", true), ("ab漢", false), ("ab、", true), ("ab²", false), ("ab\u{301}", true), ("ab①", false), ("⠙ab", true)]
        for (text, expected) in cases + cases.reversed() {
            #expect(try LinePattern("\\bab\\b", ignoringCase: true).matches(text) == expected, "\(text)")
        }
        let set = try PatternSet(["\\bab\\b"], ignoringCase: true)
        for (text, expected) in cases + cases.reversed() { #expect(set.matches(text).contains(0) == expected, "\(text)") }
    }

    @Test("Whoever looks while others do finds the same")
    func atOnce() async throws {
        var generator = SystemRandomNumberGenerator()
        // Long, so that one is nearly always being looked at.
        let texts = (0..<40).map { _ in (0..<500).map { _ in Self.text(&generator) }.joined() + " x" }
        let quiet = try PatternSet(["ingx$", " x$", "esc to cancel.*漢"], ignoringCase: true)
        let expected = texts.map { quiet.matches($0) }
        let set = try PatternSet(["ingx$", " x$", "esc to cancel.*漢"], ignoringCase: true)
        let found = await withTaskGroup(of: [PatternMatches].self) { group in
            for _ in 0..<8 { group.addTask { (0..<5).flatMap { _ in texts.map { set.matches($0) } } } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let wrong = found.count { $0 != (0..<5).flatMap { _ in expected } }
        #expect(wrong == 0)
    }
}
