import Contract
import Redaction
import Terminal
import Testing

@testable import RelayServer

@Suite("When a view is published")
struct ViewPacingTests {
    private let start = Timestamp(microseconds: 1_000_000_000)
    private let terminal = Terminal(columns: 20, rows: 4)

    private func take(_ view: inout ViewPacing, seq: UInt64, now: Timestamp) -> LivePod.ViewChange? {
        view.take(terminal, seq: seq, time: now, now: now, force: false, redactor: .standard)
    }

    @Test("Only while somebody watches, for ten seconds after they said so, and again when they are back")
    func watched() {
        var view = ViewPacing()
        #expect(view.next(terminal, seq: 1, now: start) == .nothing)
        view.watch(until: start + ViewPacing.lease)
        #expect(view.next(terminal, seq: 1, now: start) == .publishView)
        #expect(take(&view, seq: 1, now: start) != nil)
        // Who watches no longer does not shorten what another one asked for.
        view.watch(until: start + .seconds(1))
        #expect(view.next(terminal, seq: 2, now: start + .milliseconds(9_999)) == .publishView)
        #expect(take(&view, seq: 2, now: start + .milliseconds(9_999)) != nil)
        for second in 10...60 { #expect(view.next(terminal, seq: 3, now: start + .seconds(second)) == .nothing) }
        view.watch(until: start + .seconds(71))
        #expect(view.next(terminal, seq: 3, now: start + .seconds(61)) == .publishView)
    }

    @Test("The first change after quiet at once, then one in a sixtieth of a second, with all that came meanwhile")
    func paced() throws {
        var view = ViewPacing()
        view.watch(until: start + ViewPacing.lease)
        #expect(view.next(terminal, seq: 1, now: start) == .publishView)
        _ = take(&view, seq: 1, now: start)
        terminal.feed("one ")
        #expect(view.next(terminal, seq: 2, now: start + .microseconds(1_667)) == .publishViewLater(.microseconds(15_000)))
        for seq in UInt64(3)...5 { #expect(view.next(terminal, seq: seq, now: start + .microseconds(2_000)) == .nothing) }
        terminal.feed("two")
        let change = try #require(take(&view, seq: 5, now: start + ViewPacing.interval))
        #expect(change.base == 1 && change.seq == 5)
        // Nothing came since; later there is quiet again.
        #expect(view.next(terminal, seq: 5, now: start + .seconds(1)) == .nothing)
        #expect(take(&view, seq: 5, now: start + .seconds(1)) == nil)
        #expect(view.next(terminal, seq: 6, now: start + .seconds(1)) == .publishView)
    }
}
