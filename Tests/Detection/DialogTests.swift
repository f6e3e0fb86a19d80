import Detection
import Testing

@Suite("Questions, and what only looks like one")
struct DialogTests {
    @Test("Dialogs are found at every width, wrapped or cut", arguments: [20, 30, 40, 80, 200], Dialogs.all.indices)
    func widths(columns: Int, index: Int) {
        let dialog = Dialogs.all[index]
        for rows in [Dialogs.wrapped(dialog.rows, columns), Dialogs.cut(dialog.rows, columns)] {
            var play = Play(dialog.agent, columns: columns, rows: max(24, rows.count + 1))
            play.at(0, .assume(.executing))
            play.at(0, feed: Play.screen(rows))
            play.wait(until: 1000)
            #expect(play.statuses == ["waiting"], "\(rows)")
        }
    }

    static let said: [[String]] = [
        ["● Do you want to proceed?", "  ❯ 1. Yes", "    2. No, and tell Claude", "  Esc to cancel · Tab to amend"],
        ["Do you want to proceed?", "❯ 1. Yes", "  2. No", "", "Enter to confirm · Esc to cancel", ""],
        ["npm ERR! permission denied; use --allow-root", "progress 40%", "maxRetries?", "> Note: quoted", "  Is this correct?"],
        ["The installer asks: Continue? [y/n]"], ["It prints Password:"], ["> Do you want to proceed?", "> 1. Yes", "> 2. No"],
        ["● It shows:", "  Run shell command? (Y)es/(N)o [Yes]:"],
    ]

    @Test("What an agent only says is no question", arguments: said.indices, ["claude", "codex", "generic", "vibe", "gemini"])
    func prose(index: Int, agent: String) {
        let composers = [
            "claude": DetectorTests.claudeComposer, "generic": DetectorTests.claudeComposer, "codex": ["› Ask Codex to do anything", "", "  model default · ~/x"],
        ]
        let box = ["╭" + String(repeating: "─", count: 78) + "╮", "│ >" + String(repeating: " ", count: 76) + "│", "╰" + String(repeating: "─", count: 78) + "╯"]
        var play = Play(agent)
        play.at(0, feed: Play.screen(Self.said[index] + [""] + (composers[agent] ?? box)))
        play.wait(until: 5000)
        #expect(!play.statuses.contains("waiting"), "\(play.said)")
    }

    @Test(
        "What scrolls by is no question",
        arguments: ["Do you want to proceed? ❯ 1. Yes\r\n", "permission denied\r\n40%\r\nmaxRetries?\r\n", "Is this correct?\r\n", "{\"question\": \"Continue? (y/n)\"}\r\n"])
    func scrolling(text: String) {
        for agent in ["generic", "shell", "aider"] {
            var play = Play(agent)
            if agent == "shell" {
                play.at(0, Play.report(icanon: true, echo: true, isig: true, fg: 20, [(10, "bash", "S", 10, 0.1), (20, "npm", "S", 20, 0.1)]))
            }
            for turn in 0..<8 { play.at(Double(turn) * 700, feed: text) }
            #expect(!play.statuses.contains("waiting"), "\(agent)")
        }
    }

    @Test(
        "A question as the last row waits",
        arguments: [
            "Continue? (y/n) ", "Do you want to continue? [Y/n] ", "Apply this change? [y/n/a(ll)/d(on't)]: ",
            "Are you sure you want to continue connecting (yes/no/[fingerprint])? ", "Overwrite file? (y/N): ", "Press Enter to continue", "Press any key to continue . . . ",
            "Press [ENTER] to continue: ", "--More--", "Proceed?",
        ])
    func lastRow(text: String) {
        for agent in ["generic", "shell"] {
            var play = Play(agent)
            play.at(0, feed: "$ command\r\n" + text)
            play.wait(until: 2500)
            #expect(play.statuses == ["waiting"], "\(agent)")
        }
    }

    @Test("A line is asked for: a choice, a name, a prompt of its own", arguments: ["Enter choice [1-3]: ", "Your name: ", ">>> ", "Which one? "])
    func line(text: String) {
        for agent in ["generic", "shell"] {
            var play = Play(agent)
            play.at(0, feed: "$ command\r\n" + text)
            play.at(50, Self.reading)
            play.wait(until: 5000)
            #expect(play.now == "waiting/input", "\(agent)")
        }
    }

    /// A command that reads a line, as bash runs it.
    private static let reading = Play.report(
        icanon: true, echo: true, isig: true, fg: 20, [(10, "bash", "S", 10, 0.1), (20, "command", "S", 20, 0)])

    @Test("What is said is no question any more once something stands below it", arguments: ["Press Enter to continue", "Continue? (y/n)", "Proceed?", "Your name:"])
    func below(text: String) {
        for agent in ["generic", "shell"] {
            var play = Play(agent)
            play.at(0, feed: "$ command\r\n" + text + "\r\n")
            play.at(50, Self.reading)
            play.wait(until: 5000)
            #expect(!play.statuses.contains("waiting"), "\(agent)")
        }
    }

    @Test(
        "What a person types behind a question answers nothing before it is sent",
        arguments: ["Continue? (y/n) ", "Proceed? ", "Enter choice [1-3]: ", "Your name: ", "[sudo] password for bob: "], ["generic", "shell"])
    func draft(text: String, agent: String) {
        var play = Play(agent)
        play.at(0, feed: "$ command\r\n" + text)
        play.at(50, Self.reading)
        play.wait(until: 2000)
        #expect(play.statuses.last == "waiting")
        let told = play.said
        for (index, letter) in "yes, it is: (y/n)? ".enumerated() {
            play.at(3000 + Double(index) * 400, .input(Array(String(letter).utf8), author: nil))
            play.at(3005 + Double(index) * 400, feed: String(letter))
        }
        // One letter is taken back, a title comes, and a long time passes.
        play.at(12_000, .input([0x7f], author: nil))
        play.at(12_005, feed: "\u{8} \u{8}\u{1b}]0;x\u{7}")
        play.at(13_000, Self.reading)
        play.wait(until: 120_000)
        #expect(play.said.map(\.at) == told.map(\.at), "\(play.said.dropFirst(told.count))")
        play.at(120_000, .input([0x0d], author: nil))
        play.at(120_005, feed: "\r\nworking on it\r\n")
        play.wait(until: 122_000)
        #expect(play.statuses.suffix(2) == ["waiting", "executing"])
    }

    @Test("A menu that a person opened holds the status before")
    func overlay() {
        var play = Play("claude")
        play.at(0, feed: "\u{1b}]0;✳ Claude Code\u{7}" + Play.screen(Array(repeating: "", count: 10) + DetectorTests.claudeComposer))
        play.at(3000, .input(Array("/theme\r".utf8), author: nil))
        play.at(3100, feed: Play.screen([DetectorTests.rule, " Choose a theme", "", " ❯ 1. Dark", "   2. Light", "", " Enter to select · Esc to cancel"]))
        play.wait(until: 30_000)
        #expect(play.statuses == ["idle"])
    }

    @Test("What runs below a question says that it was answered")
    func answered() {
        var play = Play("codex")
        play.at(0, feed: Play.screen(Dialogs.all[4].rows + ["", "› Apple", "", "• Working (4s • esc to interrupt)"]))
        play.wait(until: 1000)
        #expect(play.statuses == ["executing"])
    }

    @Test("Words that a narrow terminal cuts in two are still those words")
    func cutHard() {
        var play = Play("codex", columns: 10, rows: 20)
        play.at(0, feed: Play.screen(["Trust this folder? Codex can read it.", "", "enter continue · esc back"]))
        play.wait(until: 1000)
        #expect(play.now == "waiting/trust")
    }
}
