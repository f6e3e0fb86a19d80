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

@Suite("The pace of a flood")
struct FloodPacingTests {
    /// A watched screen of 80x24, and what is published of it.
    private final class View {
        let terminal = Terminal(columns: 80, rows: 24)
        var pacing = ViewPacing()
        var now = Timestamp(microseconds: 1_000_000)
        private var seq: UInt64 = 1
        private let redactor = Redactor.standard

        init() {
            pacing.watch(until: now + .seconds(3600))
            _ = pacing.take(terminal, seq: seq, time: now, now: now, force: true, redactor: redactor)
            now = now + .seconds(1)
        }

        /// Feeds output, and gives how long it waits until it is published.
        func shown(_ output: String) -> Duration {
            seq += 1
            terminal.feed(Array(output.utf8))
            var waited = Duration.zero
            while true {
                switch pacing.next(terminal, seq: seq, now: now) {
                case .publishViewLater(let wait):
                    waited += wait
                    now = now + wait
                case .publishView, .nothing, .repair: break
                }
                if pacing.take(terminal, seq: seq, time: now, now: now, force: false, redactor: redactor) != nil { return waited }
            }
        }

        /// Lines that change the whole screen, as fast as they are shown; gives the last wait.
        func flood(_ changes: Int) -> Duration {
            (0..<changes).reduce(Duration.zero) { _, change in shown((0..<30).map { "line \($0) of \(change)\r\n" }.joined()) }
        }

        func rest(_ duration: Duration) { now = now + duration }
    }

    @Test("A flood is shown thirty times a second, until something else happens")
    func flood() {
        let view = View()
        #expect(view.flood(ViewPacing.flood) == ViewPacing.interval)
        #expect(view.flood(1) == ViewPacing.floodInterval)
        #expect(view.flood(100) == ViewPacing.floodInterval)
        #expect(view.shown("a key") == ViewPacing.floodInterval)
        #expect(view.shown("and the next") == ViewPacing.interval)
        #expect(view.flood(2) == ViewPacing.interval)
    }

    @Test("A flood that pauses begins anew, and its first change is shown at once")
    func pause() {
        let view = View()
        _ = view.flood(ViewPacing.flood + 5)
        view.rest(.milliseconds(100))
        #expect(view.flood(1) == .zero)
        #expect(view.flood(1) == ViewPacing.interval)
    }

    @Test("Whole screens some times a second are no flood")
    func slowScreens() {
        let view = View()
        for _ in 0..<100 {
            #expect(view.flood(1) == .zero)
            view.rest(.milliseconds(100))
        }
        #expect(view.flood(1) == .zero)
        #expect(view.shown("x") == ViewPacing.interval)
    }
}
