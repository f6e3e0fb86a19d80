import Contract
import Redaction
import Terminal
import Testing

@testable import RelayServer

@Suite("The pace of a view's changes")
struct PacingTests {
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

    @Test("the first change after quiet is shown at once, the next ones sixty times a second")
    func sixty() {
        let view = View()
        #expect(view.shown("a") == .zero)
        for _ in 0..<100 { #expect(view.shown("b") == ViewPacing.interval) }
        view.rest(.milliseconds(17))
        #expect(view.shown("c") == .zero)
    }

    @Test("a flood is shown thirty times a second, until something else happens")
    func flood() {
        let view = View()
        #expect(view.flood(ViewPacing.flood) == ViewPacing.interval)
        #expect(view.flood(1) == ViewPacing.floodInterval)
        #expect(view.flood(100) == ViewPacing.floodInterval)
        #expect(view.shown("a key") == ViewPacing.floodInterval)
        #expect(view.shown("and the next") == ViewPacing.interval)
        #expect(view.flood(2) == ViewPacing.interval)
    }

    @Test("a flood that pauses begins anew, and its first change is shown at once")
    func pause() {
        let view = View()
        _ = view.flood(ViewPacing.flood + 5)
        view.rest(.milliseconds(100))
        #expect(view.flood(1) == .zero)
        #expect(view.flood(1) == ViewPacing.interval)
    }

    @Test("whole screens some times a second are no flood")
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
