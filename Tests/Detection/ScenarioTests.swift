import Foundation
import Testing

/// The scores of docs/status.md, as a test: they may rise, not fall. Nothing here depends on how fast the machine is.
@Suite("Scores on recordings with known truth")
struct ScenarioTests {
    private static let own =
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path + "/Benchmarks/status/scenarios"
    /// Recordings of real agents, which are not part of this repository.
    private static let cases = ProcessInfo.processInfo.environment["SWITCHBACK_CASES"].map { $0 + "/agents" }

    @Test("Our own scenarios: no waiting missed, nothing that works called idle, waiting told within 50 ms")
    func own() throws {
        let scenarios = try Scenario.all(in: Self.own)
        try #require(scenarios.count >= 36)
        let score = Scenario.score(scenarios)
        print("scenarios: right \(score.share), missed \(score.missed), flaps \(score.flaps), waiting after \(score.medianLatency) ms")
        #expect(score.share >= 0.983)
        #expect(score.missed == [])
        #expect(score.flapCount <= 3, "\(score.flaps)")
        #expect(score.medianLatency <= 50)
        #expect(score.executingCalledIdle / score.known <= 0.001)
    }

    @Test("With one channel away the scores stay", arguments: zip([Scenario.Channel.title, .process, .termios, .input], [0.983, 0.983, 0.93, 0.983]))
    func without(channel: Scenario.Channel, least: Double) throws {
        let score = Scenario.score(try Scenario.all(in: Self.own, without: [channel]))
        print("without \(channel): right \(score.share), missed \(score.missed), flaps \(score.flaps)")
        #expect(score.share >= least)
        #expect(score.executingCalledIdle / score.known <= 0.02)
    }

    @Test("A person who types for most of the time is idle; sending the prompt makes two changes and no more")
    func typing() throws {
        let scenario = try #require(try Scenario.all(in: Self.own).first { $0.name == "tui-typing-100x30" })
        var score = Scenario.Score()
        scenario.add(to: &score)
        #expect(score.share >= 0.99)
        let said = scenario.play().map(\.status)
        #expect(said.filter { $0 == "executing" }.count == 1)
        #expect(score.flaps == [:])
    }

    @Test("Real agents: 99 % right, no waiting missed, at most one transition too many in ten", .enabled(if: cases != nil, "SWITCHBACK_CASES names no folder of recordings"))
    func agents() throws {
        let scenarios = try Scenario.all(in: try #require(Self.cases))
        try #require(!scenarios.isEmpty)
        let score = Scenario.score(scenarios)
        print("agents: \(scenarios.count), right \(score.share), missed \(score.missed), flaps \(score.flaps), waiting after \(score.medianLatency) ms")
        #expect(score.share >= 0.99)
        #expect(score.missed == [])
        #expect(score.flapCount * 10 <= scenarios.count, "\(score.flaps)")
        #expect(score.medianLatency <= 50)
    }
}
