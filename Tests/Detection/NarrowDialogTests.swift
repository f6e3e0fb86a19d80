import Contract
import Detection
import Testing

/// Narrow terminals, on which no option is left to know a question by: only its words, or the keys that answer.
@Suite("Questions on narrow screens")
struct NarrowDialogTests {
    @Test("Keys that answer are read although a terminal cut them within a word", arguments: 27...34)
    func cutKeys(columns: Int) {
        for hint in ["↑↓ navigate · Enter select · Esc reject", "Tab to amend · Ctrl+E explain · Enter ok · Esc cancel"] {
            var play = Play("generic", columns: columns, rows: 12)
            play.at(0, .assume(.executing))
            play.at(0, feed: Play.screen(["the words of a long command", ""] + Dialogs.cut([hint], columns)))
            play.wait(until: 1000)
            #expect(play.statuses == ["waiting"], "\(Dialogs.cut([hint], columns))")
        }
    }

    /// What each says without options, in one row.
    static let words: [(agent: String, reason: String, row: String)] = [
        ("gemini", "approval", "Waiting for user confirmation..."), ("qwen", "approval", "Waiting for user confirmation..."),
        ("antigravity", "approval", "Waiting for user confirmation..."), ("amp", "approval", "Waiting for approval…"),
        ("opencode", "approval", "△ Permission required"), ("kiro", "approval", "This tool requires approval"),
        ("vibe", "approval", "Permission for the bash tool"), ("cline", "approval", "Let Cline use this tool?"),
        ("codex", "trust", "enter continue · esc back"), ("mcode", "approval", "permission: pending"),
    ]

    @Test("Words that ask are read although a narrow terminal wraps them", arguments: words.indices, [12, 14, 16])
    func wrappedWords(index: Int, columns: Int) {
        let (agent, reason, row) = Self.words[index]
        var play = Play(agent, columns: columns, rows: 16)
        play.at(0, .assume(.executing))
        let rows = Dialogs.wrapped([row], columns)
        #expect(rows.count > 1)
        play.at(0, feed: Play.screen(["rm -rf", ""] + rows))
        play.wait(until: 1000)
        #expect(play.statuses == ["waiting"], "\(rows)")
        #expect(play.now == "waiting/" + reason)
    }

    @Test("A question is told whole however many rows it takes", arguments: [20, 24, 30, 40])
    func wholeQuestion(columns: Int) {
        let question = "Do you want to make this edit to Package.swift and to everything that depends on it?"
        let rows = Dialogs.wrapped([question, "❯ 1. Yes", "  2. No", "", "Esc to cancel"], columns)
        var play = Play("claude", columns: columns, rows: 24)
        play.at(0, feed: Play.screen([Dialogs.rule.prefix(columns).description, "Edit file"] + [""] + rows))
        play.wait(until: 500)
        #expect(play.detector.status.question == question)
    }
}
