import Pattern
import Contract
import Testing

@Suite("Regular expressions of searches")
struct LinePatternTests {
    static let cases: [(String, String, Bool)] = [
        ("abc", "xxabcxx", true), ("abc", "ab c", false), ("a.c", "a漢c", true), ("^abc$", "abc", true), ("^abc$", "abcd", false),
        ("a|b|cd", "xcdx", true), ("(ab)+c", "ababc", true), ("(ab){2,3}c", "abc", false), ("(ab){2,3}c", "ababc", true), ("a{3}", "aa", false),
        ("[0-9]+ms", "took 120ms", true), ("[^a-z]", "abc", false), ("\\d{2}:\\d{2}", "at 12:04", true), ("\\bfoo\\b", "a foo.", true),
        ("\\bfoo\\b", "food", false), ("colou?r", "color", true), ("a\\.b", "axb", false), ("x{,3}", "x{,3}", true), ("", "anything", true),
        ("[]a]", "]", true), ("[a-]", "-", true), ("a*?b", "aab", true), ("(?:x|y)z", "yz", true), ("\\s\\S", "a b", true), ("$", "", true),
    ]

    @Test("Patterns match what they say", arguments: cases)
    func matches(pattern: String, line: String, expected: Bool) throws {
        #expect(try LinePattern(pattern, ignoringCase: false).matches(line) == expected)
    }

    @Test("Without case, letters of any alphabet are alike")
    func folding() throws {
        #expect(try LinePattern("ERROR: [Ä-Ö]+", ignoringCase: true).matches("error: äÖ"))
        #expect(try !LinePattern("ERROR", ignoringCase: false).matches("error"))
        #expect(try LinePattern("[A-F]x", ignoringCase: true).matches("dX"))
    }

    @Test("Wrong patterns are refused with a reason", arguments: ["(", ")", "a)", "[a", "*a", "a{5,2}", "\\", "(?=a)", "\\1", "[z-a]", "((((a{1000}){1000}){1000}){1000})"])
    func wrong(pattern: String) {
        let error = #expect(throws: ErrorBody.self) { try LinePattern(pattern, ignoringCase: false) }
        #expect(error?.code == .badRequest)
    }

    @Test("Patterns that ruin backtracking matchers take no time")
    func linear() throws {
        let line = String(repeating: "a", count: 1000) + "!"
        let start = ContinuousClock.now
        #expect(try !LinePattern("(a+)+$", ignoringCase: false).matches(line))
        #expect(try !LinePattern("(a|a|aa)*b", ignoringCase: false).matches(line))
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test("Texts that a match must hold are found, and only those")
    func required() {
        #expect(LinePattern.requiredTexts("permission denied") == ["permission denied"])
        #expect(LinePattern.requiredTexts("error: .*timeout") == ["error: ", "timeout"])
        #expect(LinePattern.requiredTexts("abc?def") == ["def"])
        #expect(LinePattern.requiredTexts("abc|def") == [])
        #expect(LinePattern.requiredTexts("(abc)?xyz") == ["xyz"])
        #expect(LinePattern.requiredTexts("[abc]def\\.ghi") == ["def.ghi"])
    }
}
