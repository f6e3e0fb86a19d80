import Contract
import Detection
import Testing

/// Dialogs whose parts come one after the other, and dialogs that replace one another.
@Suite("Dialogs while they are painted")
struct PaintingTests {
    private static let rows = Dialogs.permission
    private static let rule = Dialogs.rule

    /// Row by row, each where it belongs.
    private func paint(_ rows: [String], _ range: Range<Int>) -> String {
        range.map { "\u{1b}[\($0 + 1);1H\u{1b}[2K" + rows[$0] }.joined()
    }

    private func waiting(_ play: Play) -> [PodStatus] { play.said.map(\.status).filter { $0.status == "waiting" } }

    /// The fingerprint of the whole dialog.
    private func whole(_ rows: [String]) -> String? {
        var play = Play("claude")
        play.at(0, feed: Play.screen(rows))
        play.wait(until: 500)
        return play.detector.status.fingerprint
    }

    @Test("A dialog that is painted in parts, with pauses, is one episode, which ends with all of its words", arguments: [200.0, 400, 900])
    func parts(pause: Double) {
        // Of "No, and tell Claude what to do differently" a half comes first.
        let cut = Self.rows[9].prefix(19)
        for order in [[6..<9, 0..<6, 9..<12], [0..<4, 6..<9, 4..<6, 9..<12], [0..<9, 9..<12]] {
            var play = Play("claude")
            play.at(0, .assume(.executing))
            play.at(0, feed: "\u{1b}[?1049h\u{1b}[2J")
            for (place, range) in order.enumerated() {
                play.at(Double(place) * pause * 2, feed: paint(Self.rows, range))
                if range.upperBound == 9 { play.at(Double(place) * pause * 2 + pause, feed: "\u{1b}[10;1H" + cut) }
            }
            play.wait(until: 20_000)
            #expect(play.statuses == ["waiting"], "\(order)")
            #expect(Set(waiting(play).map(\.since)).count == 1, "\(order): \(waiting(play).map { ($0.since, $0.options ?? []) })")
            #expect(play.detector.status.options?.count == 3 && play.detector.status.fingerprint == whole(Self.rows), "\(order)")
        }
    }

    @Test("A dialog that is painted again, slowly, is told once")
    func again() {
        var play = Play("claude")
        play.at(0, .assume(.executing))
        play.at(0, feed: Play.screen(Self.rows))
        play.at(2000, feed: "\u{1b}[4;1H\u{1b}[2K\u{1b}[6;1H\u{1b}[2K\u{1b}[10;1H\u{1b}[2K")
        play.at(3000, feed: paint(Self.rows, 0..<12))
        play.wait(until: 10_000)
        #expect(play.said.count == 1)
    }

    @Test("Another dialog that comes though nobody typed is another episode; so is one with more words after a key")
    func replaced() {
        let other = Self.rows.map { $0.replacing("rm -rf build", with: "git push --force") }
        var play = Play("claude")
        play.at(0, .assume(.executing))
        play.at(0, feed: Play.screen(Self.rows))
        play.at(2000, feed: Play.screen(other))
        play.wait(until: 4000)
        #expect(waiting(play).count == 2)
        #expect(waiting(play).last?.fingerprint == whole(other) && waiting(play).last?.since == Play.time(2000))

        // Its words are among those of the next one.
        let more = Self.rows.map { $0.replacing("rm -rf build", with: "rm -rf build dist") }
        var typed = Play("claude")
        typed.at(0, .assume(.executing))
        typed.at(0, feed: Play.screen(Self.rows))
        typed.at(1900, .input(Array("1".utf8), author: nil))
        typed.at(2000, feed: Play.screen(more))
        typed.wait(until: 4000)
        #expect(Set(waiting(typed).map(\.since)).count == 2)
        #expect(waiting(typed).last?.fingerprint == whole(more))
    }

    @Test("One that stays with fewer words is another in the end")
    func fewer() {
        let less = Self.rows.enumerated().filter { $0.offset != 8 }.map(\.element)
        var play = Play("claude")
        play.at(0, .assume(.executing))
        play.at(0, feed: Play.screen(Self.rows))
        play.at(2000, feed: Play.screen(less))
        play.wait(until: 10_000)
        #expect(waiting(play).count == 2 && play.detector.status.fingerprint == whole(less))
    }
}
