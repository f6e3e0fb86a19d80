import Agents
import Contract
import Detection
import Terminal
import Testing

@Suite("What an agent is doing")
struct DetectorTests {
    static let rule = String(repeating: "─", count: 80)
    static let claudeComposer = [rule, "❯ ", rule, "  ⏸ manual mode on · ? for shortcuts"]

    @Test("Every manifest that is shipped can be read")
    func manifests() {
        #expect(catalog.problems == [])
        for name in [
            "claude", "codex", "gemini", "antigravity", "opencode", "cursor", "copilot", "aider", "amp", "droid", "kimi", "qwen", "pi", "goose", "vibe", "shell",
            "generic",
        ] { #expect(catalog.manifests[name] != nil, "\(name)") }
    }

    @Test("Nothing seen is unknown, and stays unknown")
    func nothing() {
        var play = Play("claude")
        play.wait(until: 60_000)
        #expect(play.said.isEmpty)
        #expect(play.detector.status.status == "unknown")
        #expect(play.detector.wakeAt == nil)
    }

    @Test("A turn goes from idle through executing, an approval and work to idle")
    func turn() {
        var play = Play("claude")
        play.at(0, feed: "\u{1b}]0;✳ Claude Code\u{7}" + Play.screen(Array(repeating: "", count: 10) + Self.claudeComposer))
        play.at(2000, feed: "\u{1b}]0;◐ Claude Code\u{7}")
        play.at(3000, feed: "\u{1b}]0;✳ Claude Code\u{7}" + Play.screen(Dialogs.permission))
        #expect(play.said.last?.at ?? .infinity <= 3050)
        play.at(9000, feed: "\u{1b}]0;◐ Claude Code\u{7}" + Play.screen(["● Working", ""] + Self.claudeComposer))
        play.wait(until: 9200)
        #expect(play.statuses.last == "executing")
        play.at(12_000, feed: "\u{1b}]0;✳ Claude Code\u{7}" + Play.screen(["● Done.", "", "✻ Baked for 12s", ""] + Self.claudeComposer))
        play.wait(until: 20_000)
        #expect(play.statuses == ["idle", "executing", "waiting", "executing", "idle"])
        let asked = play.said.first { $0.status.status == "waiting" }?.status
        #expect(asked?.question == "Do you want to proceed?")
        #expect(asked?.about == "Bash command\nrm -rf build")
        #expect(asked?.options?.count == 3)
        #expect(asked?.fingerprint?.count == 16)
        #expect(play.now == "idle/turn_done")
    }

    @Test("What a question is about is what stands above it in its box; where no edge says where a dialog begins, nothing is")
    func about() {
        func status(_ agent: String, _ rows: [String], columns: Int = 80) -> PodStatus? {
            var play = Play(agent, columns: columns)
            play.at(0, feed: Play.screen(rows))
            play.wait(until: 3000)
            return play.said.last { $0.status.status == "waiting" }?.status
        }
        let boxed = [
            "● Some words of the turn before.", "", "╭──────────────────────────────────────╮", "│ Edit file                            │",
            "│ src/main.c                           │", "│                                      │", "│ Do you want to make this edit?       │",
            "│ ❯ 1. Yes                             │", "│   2. No, and say what to do (esc)    │", "╰──────────────────────────────────────╯",
        ]
        #expect(status("claude", boxed)?.about == "Edit file\nsrc/main.c")
        let divided = [
            "● I will run a command.", "  Words of the turn.", String(repeating: "─", count: 60), " Bash command",
            " Tip: something about modes — choose it somewhere far to the", " right below",
            " Run the tests", String(repeating: "╌", count: 60), " │ make test | tee log; echo this one is so long that it", " │ takes two rows", String(repeating: "╌", count: 60),
            " Do you want to proceed?", " ❯ 1. Yes", "   2. No", "", " Esc to cancel",
        ]
        let about = status("claude", divided, columns: 60)?.about
        #expect(about == "Bash command\nRun the tests\nmake test | tee log; echo this one is so long that it\ntakes two rows", "\(about ?? "")")
        let headed = [
            "● 31 keys have no owner.", "  31 keys, all of them old.", String(repeating: "─", count: 60), " ☐ Keys", "",
            "What should happen to them?", "", "❯ 1. Keep them", "  2. Delete them",
            String(repeating: "─", count: 60), "  3. Chat about this", "", "Enter to select · ↑/↓ to navigate · Esc to cancel",
        ]
        #expect(status("claude", headed)?.about == "☐ Keys")
        let open = status("codex", ["  Words that somebody said before."] + Dialogs.all[3].rows)
        #expect(open?.question == "$ rm -rf build" && open?.about == nil, "\(open?.question ?? ""): \(open?.about ?? "")")
    }

    @Test("A question on the last row is about what stands right above it, and is another one where that is something else")
    func lastRow() {
        func status(_ command: [String], columns: Int = 80) -> PodStatus {
            var play = Play("aider", columns: columns)
            play.at(0, feed: Play.screen(["Tokens: 2.3k sent, 66 received.", ""] + command + ["Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]: "]))
            play.wait(until: 3000)
            return play.detector.status
        }
        let harmless = status(["make test"])
        #expect(harmless.reason == "approval" && harmless.question?.hasPrefix("Run shell command?") == true, "\(harmless)")
        #expect(harmless.about == "make test")
        let other = status(["rm -rf build"])
        #expect(other.question == harmless.question && other.about == "rm -rf build")
        #expect(other.fingerprint != harmless.fingerprint && status(["make test"]).fingerprint == harmless.fingerprint)
        // However wide the terminal is.
        let long = "make test SUITES=one,two,three,four OUTPUT=somewhere/far/away"
        #expect(status([String(long.prefix(60)), String(long.dropFirst(60))], columns: 60).fingerprint == status([long]).fingerprint)
    }

    @Test("A title that turns for a moment while a program starts is no turn; one that was given its prompt at the start works")
    func starts() {
        let screen = Play.screen(Array(repeating: "", count: 10) + ["› Ask Codex to do anything", "", "  model · ~/x"])
        var play = Play("codex")
        play.at(0, feed: "\u{1b}]0;x\u{7}" + screen)
        play.at(1700, feed: "\u{1b}]0;⠙ x\u{7}")
        play.at(1920, feed: "\u{1b}]0;x\u{7}")
        play.wait(until: 5000)
        #expect(play.statuses == ["idle"])
        play.at(5000, feed: "\u{1b}]0;⠙ x\u{7}")
        play.wait(until: 5400)
        #expect(play.now == "executing/thinking")
    }

    @Test("An approval that is left for an hour is still waiting, and was announced once; an idle pod needs no timer")
    func hour() {
        var play = Play("claude")
        play.at(0, .assume(.executing))
        play.at(0, feed: Play.screen(Dialogs.permission))
        for minute in 1..<60 { play.at(Double(minute) * 60_000, feed: "\u{1b}[8;2H❯ 1. Yes") }
        #expect(play.said.count == 1)
        #expect(play.now == "waiting/approval")
        #expect(play.detector.wakeAt == nil)
    }

    @Test("The same dialog has the same fingerprint wherever the mark stands and however wide the terminal is; another has another")
    func fingerprints() {
        func fingerprint(_ rows: [String], _ columns: Int) -> String? {
            var play = Play("claude", columns: columns, rows: 40)
            play.at(0, feed: Play.screen(rows))
            play.wait(until: 300)
            return play.detector.status.fingerprint
        }
        let moved = Dialogs.permission.map { $0.replacing("❯ 1.", with: "  1.").replacing("   2.", with: " ❯ 2.") }
        #expect(fingerprint(Dialogs.permission, 80) != nil)
        #expect(fingerprint(moved, 80) == fingerprint(Dialogs.permission, 80))
        #expect(fingerprint(Dialogs.wrapped(Dialogs.permission, 40), 40) == fingerprint(Dialogs.permission, 80))
        #expect(fingerprint(Dialogs.permission.map { $0.replacing("rm -rf", with: "rm -r") }, 80) != fingerprint(Dialogs.permission, 80))
    }

    @Test("A draft, another size, a clock and the terminal's own reports change nothing")
    func nothingChanges() {
        var play = Play("claude")
        play.at(0, feed: "\u{1b}]0;✳ Claude Code\u{7}" + Play.screen(Array(repeating: "", count: 10) + Self.claudeComposer))
        for (index, letter) in "please fix it".enumerated() {
            play.at(1000 + Double(index) * 100, .input(Array(String(letter).utf8), author: nil))
            play.at(1005 + Double(index) * 100, feed: "\u{1b}[12;\(3 + index)H\(letter)")
        }
        play.wait(until: 5000)
        #expect(play.now == "idle/draft")
        play.at(6000, .resize(columns: 60, rows: 20))
        play.at(6100, .resize(columns: 80, rows: 24))
        play.at(6150, feed: Play.screen(Array(repeating: "", count: 10) + Self.claudeComposer))
        for second in 0..<20 { play.at(7000 + Double(second) * 1000, feed: "\u{1b}[15;60H12:00:\(10 + second)") }
        play.at(30_000, .input(Array("\u{1b}[I".utf8), author: nil))
        play.wait(until: 40_000)
        #expect(play.statuses == ["idle"])
    }

    @Test(
        "A suggestion in faint letters is no draft, however it is made faint; what is typed is",
        arguments: [
            ("\u{1b}[2m", true), ("\u{1b}[90m", true), ("\u{1b}[38;5;8m", true), ("\u{1b}[38;5;240m", true), ("\u{1b}[38:5:246m", true), ("\u{1b}[38;2;120;120;120m", true),
            ("\u{1b}[0m\u{1b}[2m", true), ("\u{1b}[7mO\u{1b}[27m\u{1b}[2m", true), ("\u{1b}[2m\u{1b}[7mO\u{1b}[27m", true),
            ("", false), ("\u{1b}[1m", false),
            ("\u{1b}[36m", false), ("\u{1b}[97m", false), ("\u{1b}[38;5;231m", false), ("\u{1b}[38;2;200;80;40m", false),
            ("\u{1b}[7mO\u{1b}[27m", false), ("Oh, \u{1b}[7mp\u{1b}[27m\u{1b}[2m", false),
        ])
    func suggestion(style: String, isFaint: Bool) {
        var play = Play("claude")
        play.at(0, feed: "\u{1b}]0;✳ Claude Code\u{7}" + Play.screen(Array(repeating: "", count: 10) + Self.claudeComposer))
        // Drawn in two parts.
        play.at(2000, feed: "\u{1b}[12;3H" + style + "please fix ")
        play.at(2010, feed: "the lint errors\u{1b}[0m\u{1b}[12;3H")
        play.wait(until: 5000)
        #expect(play.detector.status.status == "idle")
        #expect((play.detector.status.reason == "draft") == !isFaint)
    }

    @Test("A dialog that is resized, moved through, and looked at goes on waiting, and was told once")
    func dialogLeftAlone() {
        var play = Play("claude")
        play.at(0, .assume(.executing))
        play.at(0, feed: Play.screen(Dialogs.permission))
        play.at(2000, .input(Array("\u{1b}[O".utf8), author: nil))
        play.at(3000, .resize(columns: 60, rows: 20))
        play.at(3100, feed: Play.screen(Dialogs.wrapped(Dialogs.permission, 60)))
        play.at(5000, .resize(columns: 80, rows: 24))
        play.at(5100, feed: Play.screen(Dialogs.permission))
        play.at(7000, .input(Array("\u{1b}[B".utf8), author: nil))
        play.at(7010, feed: Play.screen(Dialogs.permission.map { $0.replacing("❯ 1.", with: "  1.").replacing("   2.", with: " ❯ 2.") }))
        for second in 0..<20 { play.at(8000 + Double(second) * 1000, feed: "\u{1b}[22;60H12:00:\(10 + second)") }
        play.wait(until: 60_000)
        #expect(play.statuses == ["waiting"])
        #expect(play.said.count == 1, "\(play.said)")
    }

    @Test("Silence after work without any sign is unknown, never idle and never executing for ever")
    func silence() {
        var play = Play("codex")
        play.at(0, .assume(.executing))
        play.at(0, feed: "All done.\r\n")
        play.wait(until: 60_000)
        #expect(play.statuses == ["unknown"])
    }

    @Test("A silent build is executing while a child uses the processor", arguments: ["shell", "generic", "claude"])
    func silentBuild(agent: String) {
        var play = Play(agent)
        play.at(0, feed: "Building target all:\r\n")
        for half in 0..<120 {
            play.at(
                Double(half) * 500,
                Play.report(
                    icanon: true, echo: true, isig: true, fg: 20,
                    [(10, agent == "claude" ? "claude" : "bash", "S", 10, 0.1), (20, "make", "S", 20, 0.2), (21, "cc1", "R", 20, Double(half) / 2)]))
        }
        #expect(play.statuses == ["executing"])
    }

    @Test("A shell's command runs from its start to the next prompt")
    func command() {
        var play = Play("shell")
        play.at(0, feed: "$ ")
        play.at(50, Play.report(icanon: false, echo: false, isig: true, fg: 10, [(10, "bash", "S", 10, 0.1)]))
        play.at(1000, feed: "sleep 5\r\n")
        play.at(1050, Play.report(icanon: true, echo: true, isig: true, fg: 20, [(10, "bash", "S", 10, 0.1), (20, "sleep", "S", 20, 0)]))
        play.at(6000, feed: "$ ")
        play.at(6050, Play.report(icanon: false, echo: false, isig: true, fg: 10, [(10, "bash", "S", 10, 0.1)]))
        play.wait(until: 9000)
        #expect(play.statuses == ["idle", "executing", "idle"])
    }

    @Test("A row of a table with an arrow now and then changes nothing", arguments: ["claude", "codex", "generic", "shell"])
    func table(agent: String) {
        var play = Play(agent)
        for row in 0..<6 { play.at(Double(row) * 1500, feed: "| row \(row) | a > b |  >\r\n") }
        play.wait(until: 9000)
        #expect(play.said.count <= 1)
    }

    @Test(
        "A password is asked for, by whatever program",
        arguments: ["[sudo] password for bob: ", "Password: ", "Enter passphrase for key '/home/x/.ssh/id': ", "bob@host's password: ", "Enter PIN: ", "Passwort: "])
    func password(prompt: String) {
        for agent in ["shell", "generic", "claude", "aider"] {
            var play = Play(agent)
            play.at(0, feed: "$ command\r\n" + prompt)
            play.wait(until: 1000)
            #expect(play.now == "waiting/password", "\(agent)")
        }
    }

    @Test("Hidden input is a password, whatever the words")
    func hiddenInput() {
        var play = Play("shell")
        play.at(0, feed: "The word? ")
        play.at(50, Play.report(icanon: true, echo: false, isig: true, fg: 20, [(10, "bash", "S", 10, 0.1), (20, "getpass", "S", 20, 0)]))
        play.wait(until: 500)
        #expect(play.now == "waiting/password")
    }

    @Test("The end of the process is said, and how")
    func exit() {
        for (exit, words) in [(Exit.code(0), "code 0"), (.code(1), "code 1"), (.signal(9), "signal 9")] {
            var play = Play("claude")
            play.at(0, .assume(.executing))
            play.at(10, .exit(exit))
            #expect(play.said.last?.status.status == "unknown")
            #expect(play.said.last?.status.evidence?.contains(words) == true)
        }
    }

    @Test("A detector that goes on from what it remembered says nothing new")
    func restart() throws {
        var play = Play("claude")
        play.at(0, .assume(.executing))
        play.at(0, feed: Play.screen(Dialogs.permission))
        play.wait(until: 1000)
        let memory = try JSON.decode(DetectorMemory.self, from: JSON.encode(play.detector.carried))
        let terminal = try Terminal(snapshot: play.detector.snapshot())
        var again = Play("claude")
        again.detector = Detector(manifest: catalog.manifest(named: "claude"), fallback: catalog.fallback, terminal: terminal, carried: memory)
        again.wait(until: 5000)
        #expect(again.said.isEmpty)
        #expect(again.now == "waiting/approval")
        #expect(again.detector.status.since == play.detector.status.since)
    }

    @Test("Output cut at every byte says the same")
    func cut() {
        let bytes = Array(("\u{1b}]0;✳ x\u{7}" + Play.screen(Dialogs.permission)).utf8)
        for place in stride(from: 1, to: bytes.count, by: 7) {
            var play = Play("claude")
            play.at(0, .assume(.executing))
            play.at(0, .output(Array(bytes[..<place])))
            play.at(1, .output(Array(bytes[place...])))
            play.wait(until: 200)
            #expect(play.statuses == ["waiting"], "\(place)")
        }
    }

    @Test("A known agent of which nothing is recognised raises the alarm after 30 s, once")
    func drift() {
        var play = Play("claude")
        play.at(0, feed: "\u{1b}[?1049h" + Play.screen(["A wholly new look", "with nothing", "that is known"]))
        play.wait(until: 29_000)
        #expect(play.said.isEmpty)
        play.wait(until: 90_000)
        #expect(play.said.count == 1)
        #expect(play.said.last?.status.drift == true)
        #expect(play.said.last?.status.since == Play.time(0))
        #expect(play.detector.status.status == "unknown")
    }

    @Test("The explanation names the winner first and what was outvoted")
    func explanation() {
        var play = Play("claude")
        play.at(0, .assume(.executing))
        play.at(0, feed: "\u{1b}]0;◐ x\u{7}" + Play.screen(Dialogs.permission))
        play.wait(until: 500)
        let explanation = play.detector.explanation(at: Play.time(500))
        #expect(explanation.evidence.first?.outcome == "won")
        #expect(explanation.evidence.first?.region == "dialog")
        #expect(explanation.evidence.contains { $0.source == "title" && $0.outcome == "outvoted" })
        #expect(explanation.regions.contains { $0.name == "dialog" })
    }
}
