import Contract
import Detection
import Testing

/// `waiting/agent` comes from records, `stalled` from what does not move.
@Suite("Waiting for another agent, and standing still")
struct WaitTests {
    private static let working = "\u{1b}]0;◐ Claude Code\u{7}" + Play.screen(["● Bash(switchback wait builder)", ""] + DetectorTests.claudeComposer)
    private static let resting = "\u{1b}]0;✳ Claude Code\u{7}" + Play.screen(["● Done.", "", "✻ Baked for 12s", ""] + DetectorTests.claudeComposer)

    private static func wait(on pods: [PodID], detached: Bool? = nil) -> Wait {
        Wait(
            id: "W-abcdefghijkl", waiter: Author(kind: .pod, id: "P-abcdefghijkl"), targets: pods.map { .init(pod: $0) }, mode: .all, until: .idle,
            detached: detached, created: Play.time(0), deadline: Play.time(9e9))
    }

    @Test("An open wait makes a working pod wait for the other, and its end lets it work on")
    func wait() {
        let other = PodID.random()
        var play = Play("claude")
        play.at(0, feed: Self.working)
        play.at(3000, .waits([Self.wait(on: [other])]))
        play.wait(until: 4000)
        #expect(play.now == "waiting/agent")
        #expect(play.detector.status.waitsFor == [other])
        #expect(play.detector.status.beneath == "executing")
        #expect(play.detector.status.fingerprint == nil && play.detector.status.question == nil)
        // Its counter goes on meanwhile, and that is no news.
        let told = play.said.count
        for step in 0..<20 { play.at(5000 + Double(step) * 500, feed: "\u{1b}]0;\(step % 2 == 0 ? "◑" : "◐") Claude Code\u{7}") }
        #expect(play.said.count == told)
        play.at(16_000, .waits([]))
        play.wait(until: 16_200)
        #expect(play.now.hasPrefix("executing"))
        #expect(play.statuses == ["executing", "waiting", "executing"])
    }

    @Test("What a person must answer goes before a wait, and the wait comes back after it")
    func dialog() {
        var play = Play("claude")
        play.at(0, feed: Self.working)
        play.at(1000, .waits([Self.wait(on: [PodID.random()])]))
        play.at(5000, feed: "\u{1b}]0;✳ Claude Code\u{7}" + Play.screen(Dialogs.permission))
        play.wait(until: 5500)
        #expect(play.now == "waiting/approval")
        #expect(play.detector.status.fingerprint != nil)
        #expect(play.detector.status.waitsFor == nil)
        #expect(play.detector.status.since >= Play.time(5000))
        play.at(9000, feed: Self.working)
        play.wait(until: 9500)
        #expect(play.now == "waiting/agent")
        #expect(play.detector.status.since >= Play.time(9000))
    }

    @Test("Who works on meanwhile waits only once it rests; what the screen says beneath is told for the gate")
    func detached() {
        var play = Play("claude")
        play.at(0, feed: Self.working)
        play.at(1000, .waits([Self.wait(on: [PodID.random()], detached: true)]))
        play.wait(until: 3000)
        #expect(play.now.hasPrefix("executing"))
        play.at(4000, feed: Self.resting)
        play.wait(until: 8000)
        #expect(play.now == "waiting/agent")
        #expect(play.detector.status.onScreen.status == "idle")
        play.at(9000, .waits([]))
        play.wait(until: 12_000)
        #expect(play.now == "idle/turn_done")
        #expect(play.detector.wakeAt == nil)
    }

    @Test("A wait whose targets are all seen, or that has ended, says nothing")
    func ended() {
        var play = Play("claude")
        play.at(0, feed: Self.resting)
        var wait = Self.wait(on: [PodID.random()])
        wait.outcome = .matched
        play.at(3000, .waits([wait]))
        play.wait(until: 6000)
        #expect(play.now.hasPrefix("idle"))
    }

    @Test("Work that shows and stands still while nothing runs is stalled after 10 s; what moves or runs is not")
    func stalled() {
        let frozen = "\u{1b}]0;Claude\u{7}" + Play.screen(["● Thinking about it", "", "✻ Baking… (12s · esc to interrupt)", ""] + DetectorTests.claudeComposer)
        let asleep: [(pid: Int32, name: String, state: String, group: Int32, cpu: Double)] = [(10, "claude", "S", 10, 3)]
        var play = Play("claude")
        play.at(0, feed: frozen)
        play.at(500, Play.report(icanon: false, echo: false, isig: false, fg: 10, asleep))
        play.wait(until: 9000)
        #expect(play.now.hasPrefix("executing"))
        #expect(play.detector.status.stalled == nil)
        play.wait(until: 11_000)
        #expect(play.detector.status.stalled == true)
        #expect(play.detector.status.evidence?.contains("nothing moved for 10 s") == true)
        let since = play.detector.status.since
        // It moves again: the same work, not stalled.
        play.at(20_000, feed: Play.screen(["● Thinking about it", "", "✻ Baking… (22s · esc to interrupt)", ""] + DetectorTests.claudeComposer))
        play.wait(until: 20_200)
        #expect(play.detector.status.stalled == nil)
        #expect(play.detector.status.since == since)
        #expect(play.statuses == ["executing"])

        // A child uses the processor.
        var busy = Play("claude")
        busy.at(0, feed: frozen)
        for second in 1..<30 {
            busy.at(Double(second) * 1000, Play.report(icanon: false, echo: false, isig: false, fg: 10, asleep + [(11, "cc1", "R", 10, Double(second))]))
        }
        #expect(busy.said.allSatisfy { $0.status.stalled == nil })

        // The counter counts.
        var counting = Play("claude")
        counting.at(0, Play.report(icanon: false, echo: false, isig: false, fg: 10, asleep))
        for second in 1..<30 {
            counting.at(
                Double(second) * 1000,
                feed: Play.screen(["● Thinking about it", "", "✻ Baking… (\(second)s · esc to interrupt)", ""] + DetectorTests.claudeComposer))
        }
        #expect(counting.said.allSatisfy { $0.status.stalled == nil })
    }
}
