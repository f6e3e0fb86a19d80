import Contract
import Detection
import Testing

@Suite("Screens of every agent, drawn at six widths")
struct DrawnScreenTests {
    static let widths = [200, 100, 80, 60, 40, 30]

    @Test("The screens are there, of every agent, and show work, questions and rest")
    func enough() {
        #expect(DrawnScreen.all.count >= 200)
        let agents = Dictionary(grouping: DrawnScreen.all, by: \.agent)
        #expect(agents.count >= 20)
        for agent in ["claude", "codex", "gemini", "qwen", "opencode", "cursor", "copilot", "aider", "amp", "droid", "kimi", "goose", "vibe"] {
            #expect(Set(agents[agent]?.map(\.expected) ?? []) == ["executing", "waiting", "idle"], "\(agent)")
        }
    }

    @Test("Each is what it shows, whatever was before", arguments: DrawnScreen.all.indices)
    func screens(index: Int) {
        let screen = DrawnScreen.all[index]
        for columns in Self.widths {
            let rows = screen.laidOut(columns)
            var play = Play(screen.agent, columns: columns, rows: max(24, rows.count + 1))
            play.at(0, .assume(screen.expected == "executing" ? .idle : .executing))
            play.at(0, feed: screen.bytes(rows))
            // What rests is told late; a picture of what works would be known for a picture after a while.
            play.wait(until: screen.expected == "executing" ? 400 : 15_000)
            #expect(play.detector.status.status == screen.expected, "\(screen.id) at \(columns): \(play.detector.status.evidence ?? "")\n\(rows.joined(separator: "\n"))")
            if let reason = screen.reason { #expect(play.detector.status.reason == reason, "\(screen.id) at \(columns)") }
            // A question that waits is no prompt to write in, at any moment.
            if screen.expected == "idle" { #expect(!play.statuses.contains("waiting"), "\(screen.id) at \(columns)") }
        }
    }
}
