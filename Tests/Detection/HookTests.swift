import Contract
import Detection
import Testing

@Suite("What agents' hooks say")
struct HookTests {
    private func hook(_ event: String, tool: String? = nil, detail: String? = nil, state: String? = nil, seq: UInt64? = nil) -> Signal {
        .hook(HookReport(agent: "claude", event: event, state: state, seq: seq, toolName: tool, detail: detail))
    }

    @Test("A permission request waits at once, until its dialog came and went")
    func permission() {
        var play = Play("claude")
        play.at(0, hook("UserPromptSubmit"))
        play.at(1000, hook("PermissionRequest", tool: "Bash"))
        #expect(play.now == "waiting/approval")
        play.at(1100, feed: Play.screen(Dialogs.permission))
        play.at(5000, feed: "\u{1b}]0;◐ x\u{7}" + Play.screen(["● Go on", ""] + DetectorTests.claudeComposer))
        play.wait(until: 5200)
        #expect(play.statuses == ["executing", "waiting", "executing"])
    }

    @Test("Nothing tells of Esc: an idle screen after the key ends what the hook said")
    func interrupt() {
        var play = Play("claude")
        play.at(0, hook("UserPromptSubmit"))
        play.at(500, feed: "\u{1b}]0;◐ x\u{7}" + Play.screen(["", "✻ Thinking… (1s)", ""] + DetectorTests.claudeComposer))
        play.at(3000, .input([0x1b], author: nil))
        play.at(3050, feed: "\u{1b}]0;✳ x\u{7}" + Play.screen(["  ⎿  Interrupted · What should Claude do instead?", ""] + DetectorTests.claudeComposer))
        play.wait(until: 4000)
        #expect(play.now == "idle/interrupted")
    }

    @Test("Working by a hook alone is not for ever")
    func stale() {
        var play = Play("claude")
        play.at(0, feed: Play.screen(["● Hello", ""] + DetectorTests.claudeComposer))
        play.at(1000, hook("UserPromptSubmit"))
        play.wait(until: 3000)
        #expect(play.detector.status.status == "executing")
        play.wait(until: 12_000)
        #expect(play.detector.status.status == "idle")
    }

    @Test("What a program in a shell reported ends with it; a word that comes late revives nothing, one that comes early counts")
    func endsWithItsProgram() {
        let alone = Play.report(icanon: false, echo: false, isig: true, fg: 10, [(10, "bash", "S", 10, 0.1)])
        let runs = Play.report(icanon: true, echo: true, isig: true, fg: 20, [(10, "bash", "S", 10, 0.1), (20, "tool", "S", 20, 0)])
        var play = Play("shell")
        play.at(0, feed: "$ ")
        play.at(50, alone)
        play.at(1000, feed: "tool\r\n")
        play.at(1050, runs)
        play.at(2000, hook("report", state: "blocked"))
        play.wait(until: 30_000)
        #expect(play.now == "waiting/approval")
        // It is killed before it could say that nobody waits any more.
        play.at(30_000, feed: "\r\n$ ")
        play.at(30_050, alone)
        play.wait(until: 40_000)
        #expect(play.now == "idle/prompt")
        play.at(40_000, hook("report", state: "blocked"))
        play.wait(until: 50_000)
        #expect(play.now == "idle/prompt")
        play.at(50_000, feed: "make\r\n")
        play.at(50_050, runs)
        play.wait(until: 60_000)
        #expect(play.now == "executing/tool")
        play.at(60_000, feed: "\r\n$ ")
        play.at(60_050, alone)
        play.wait(until: 70_000)
        // The next one asks before anybody has looked which processes there are.
        play.at(70_000, feed: "tool\r\n")
        play.at(70_100, hook("report", state: "blocked"))
        play.at(70_400, runs)
        play.wait(until: 90_000)
        #expect(play.statuses == ["idle", "executing", "waiting", "idle", "executing", "idle", "waiting"])
    }

    @Test("A reporter's older word and a subagent's are not taken")
    func order() {
        var play = Play("claude")
        play.at(0, hook("report", state: "working", seq: 5))
        play.at(100, hook("report", state: "idle", seq: 4))
        play.at(200, .hook(HookReport(agent: "claude", event: "Stop", subagentId: "a1")))
        play.wait(until: 1000)
        #expect(play.detector.status.status == "executing")
    }
}
