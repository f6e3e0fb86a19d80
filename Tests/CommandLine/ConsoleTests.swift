import Contract
import Terminal
import Testing
import ViewProtocol

@testable import Console

@Suite("Leaving a pod with ctrl-b d")
struct DetachFilterTests {
    @Test(
        "ctrl-b d leaves, ctrl-b ctrl-b sends one, others pass",
        arguments: [
            ("abc", DetachFilter.Result.keys(Array("abc".utf8))), ("\u{2}d", .detach([])), ("x\u{2}dy", .detach(Array("x".utf8))),
            ("\u{2}\u{2}", .keys([2])), ("\u{2}x", .keys([2, 120])), ("\u{2}\u{2}d", .keys([2, 100])), ("\u{2}", .keys([])),
        ])
    func whole(typed: String, result: DetachFilter.Result) {
        var filter = DetachFilter()
        #expect(filter.filter(typed.utf8) == result)
    }

    @Test("The keys may come one by one")
    func split() {
        var filter = DetachFilter()
        #expect(filter.filter([2]) == .keys([]))
        #expect(filter.filter([UInt8(ascii: "d")]) == .detach([]))
        #expect(filter.filter([2]) == .keys([]))
        #expect(filter.filter([2]) == .keys([2]))
        #expect(filter.filter([UInt8(ascii: "d")]) == .keys([UInt8(ascii: "d")]))
    }
}

@Suite("Keys of a raw terminal")
struct KeyParserTests {
    @Test(
        "Arrows, controls and characters",
        arguments: [
            ("\u{1b}[D", [Key.left]), ("\u{1b}OC", [.right]), ("\u{1b}[1;2D", [.shiftLeft]), ("\u{1b}[5~", [.pageUp]), ("q", [.character("q")]),
            ("\u{1b}", [.escape]), ("\u{3}", [.interrupt]), ("\r", [.enter]), ("\u{7f}", [.backspace]),
            ("\u{1b}[Dq\u{1b}[C", [.left, .character("q"), .right]),
            ("\u{1b}[200~", []), ("\u{1b}[", []), ("\u{1b}[99", []),
        ])
    func parse(typed: String, keys: [Key]) {
        #expect(KeyParser.keys(in: Array(typed.utf8)) == keys)
    }
}

@Suite("The scrubber")
struct ReplayStateTests {
    private let start = Timestamp("2026-11-21T10:00:00Z")!
    private let now = Timestamp("2026-11-21T12:00:00Z")!

    private func at(_ seconds: Int) -> Timestamp { start + .seconds(seconds) }

    private func state(_ mode: ViewMessage.Position.Mode, at seconds: Int, live: Bool = true, last: Int = 600) -> ReplayState {
        var state = ReplayState(name: "fix", secondsEast: 0)
        _ = state.receive(
            .position(.init(mode: mode, seq: 5, time: at(seconds), rate: mode == .playing ? 1 : nil, first: start, last: at(last), live: live)),
            now: now)
        return state
    }

    private func sent(_ actions: [ReplayState.Action]) -> [ViewCommand] {
        actions.compactMap { if case .send(let command) = $0 { command } else { nil } }
    }

    @Test("Arrows move five seconds, and presses in a row add up before an answer comes")
    func arrows() {
        var state = state(.paused, at: 100)
        #expect(sent(state.press(.left, now: now)) == [.seek(at(95).description)])
        #expect(sent(state.press(.left, now: now)) == [.seek(at(90).description)])
        #expect(sent(state.press(.right, now: now)) == [.seek(at(95).description)])
    }

    @Test("Before the beginning is the beginning; beyond the end of a running pod is live, of an ended one its end")
    func bounds() {
        var early = state(.paused, at: 2)
        #expect(sent(early.press(.left, now: now)) == [.seek(start.description)])
        var running = state(.paused, at: 598)
        #expect(sent(running.press(.right, now: now)) == [.live])
        var ended = state(.paused, at: 598, live: false)
        #expect(sent(ended.press(.right, now: now)) == [.seek(at(600).description)])
    }

    @Test("Space pauses what moves and plays what stands, at the chosen speed")
    func space() {
        var playing = state(.playing, at: 10)
        #expect(sent(playing.press(.character(" "), now: now)) == [.pause])
        var live = state(.live, at: 600)
        #expect(sent(live.press(.character(" "), now: now)) == [.pause])
        var paused = state(.paused, at: 10)
        #expect(sent(paused.press(.character("3"), now: now)) == [.play(rate: 4)])
        #expect(sent(paused.press(.character(" "), now: now)) == [.play(rate: 4)])
        #expect(sent(paused.press(.character("r"), now: now)) == [.play(rate: -4)])
    }

    @Test("Brackets go to inputs and markers")
    func marks() {
        var state = state(.paused, at: 100)
        let entries: [Timeline.Entry] = [
            .init(seq: 1, time: at(50), what: "input"), .init(seq: 2, time: at(70), what: "resize"), .init(seq: 3, time: at(90), what: "marker"),
            .init(seq: 4, time: at(150), what: "input"),
        ]
        _ = state.receive(.timeline(.init(first: start, last: at(600), live: true, entries: entries, idle: [], density: [])), now: now)
        #expect(sent(state.press(.character("["), now: now)) == [.seek(at(90).description)])
        #expect(sent(state.press(.character("["), now: now)) == [.seek(at(50).description)])
        #expect(sent(state.press(.character("]"), now: now)) == [.seek(at(90).description)])
        #expect(sent(state.press(.character("]"), now: now)) == [.seek(at(150).description)])
        #expect(sent(state.press(.character("]"), now: now)) == [.timeline])
        #expect(state.statusLine(columns: 80, now: now).contains("no input or marker"))
    }

    @Test(
        "g takes a time in all its forms; nonsense is said and changes nothing",
        arguments: [
            ("+90s", 90), ("10:03:00", 180), ("-1h58m", 120), ("2026-11-21T10:00:07Z", 7),
        ])
    func goTo(text: String, second: Int) {
        var state = state(.paused, at: 300)
        _ = state.press(.character("g"), now: now)
        for character in text { #expect(sent(state.press(.character(character), now: now)) == []) }
        #expect(state.statusLine(columns: 80, now: now).contains(text))
        #expect(sent(state.press(.enter, now: now)) == [.seek(at(second).description)])
        _ = state.press(.character("g"), now: now)
        for character in "soon" { _ = state.press(.character(character), now: now) }
        #expect(sent(state.press(.enter, now: now)) == [])
        #expect(state.statusLine(columns: 100, now: now).contains("not a time"))
    }

    @Test("q leaves, but not while a time is typed")
    func quit() {
        var state = state(.live, at: 600)
        #expect(state.press(.character("q"), now: now) == [.quit])
        _ = state.press(.character("g"), now: now)
        #expect(state.press(.character("q"), now: now) == [.repaint])
        #expect(state.press(.interrupt, now: now) == [.quit])
    }

    @Test("The status line is exactly as wide as the terminal", arguments: [1, 10, 40, 80, 200])
    func width(columns: Int) {
        #expect(Table.width(state(.playing, at: 42).statusLine(columns: columns, now: now)) == columns)
        #expect(Table.width(ReplayState(name: "x").statusLine(columns: columns, now: now)) == columns)
    }

    @Test("The bar leaves room for what stands behind it", arguments: [90, 120])
    func bar(columns: Int) {
        let line = state(.paused, at: 42).statusLine(columns: columns, now: now)
        #expect(line.contains("●") && line.contains("(runs)  ? keys") && !line.contains("…"))
    }

    @Test("Every key is told, however narrow the terminal", arguments: [40, 80, 200])
    func help(columns: Int) {
        var state = state(.live, at: 600)
        var told = ""
        for _ in 0..<8 {
            _ = state.press(.character("?"), now: now)
            let line = state.statusLine(columns: columns, now: now)
            #expect(!line.contains("…"))
            told += line
        }
        for key in ["space", "5 s", "1 min", "g time", "L live", "q quit", "[ ]", ", .", "1-9", "r back", "home"] { #expect(told.contains(key), "\(key)") }
        _ = state.press(.character("1"), now: now)
        #expect(state.statusLine(columns: 120, now: now).contains("LIVE"))
    }

    @Test("The status line says LIVE, the time of day, the place and the speed")
    func says() {
        #expect(state(.live, at: 600).statusLine(columns: 120, now: now).contains("LIVE"))
        let line = state(.playing, at: 42).statusLine(columns: 120, now: now)
        #expect(line.contains("10:00:42") && line.contains("0:42 / 10:00") && line.contains("1×"))
    }

    @Test("The status line says what the agent did then")
    func status() {
        var state = state(.paused, at: 42)
        #expect(!state.statusLine(columns: 120, now: now).contains("waiting"))
        _ = state.receive(.status(PodStatus(status: "waiting", reason: "approval", since: at(40), seq: 7)), now: now)
        #expect(state.statusLine(columns: 120, now: now).contains("waiting/approval"))
        _ = state.receive(.status(PodStatus(status: "unknown", since: at(40), seq: 7)), now: now)
        #expect(state.statusLine(columns: 120, now: now).contains(" unknown "))
    }
}

@Suite("Painting a screen")
struct ScreenPainterTests {
    /// Paints into an engine of ours and gives its rows.
    private func painted(_ feeds: [String], columns: Int = 20, rows: Int = 5, on: (columns: Int, rows: Int) = (20, 6)) -> (Terminal, [UInt8]) {
        let source = Terminal(columns: columns, rows: rows)
        let target = Terminal(columns: on.columns, rows: on.rows)
        var painter = ScreenPainter()
        var image = ScreenImage()
        var last: [UInt8] = []
        for feed in feeds {
            source.feed(feed)
            image.apply(source.fullDelta())
            last = painter.paint(image, status: "status", columns: on.columns, rows: on.rows)
            target.feed(last)
        }
        return (target, last)
    }

    @Test("What is painted is what the pod shows, with the status below")
    func same() {
        let (target, _) = painted(["\u{1b}[31mred\u{1b}[0m plain\r\nsecond", "\r\nthird \u{1b}[1;44mbold on blue"])
        #expect(target.text() == ["red plain", "second", "third bold on blue", "", "", "status"])
        #expect((target.cursor.row, target.cursor.column) == (2, 18))
        let red = target.runs(0)[0]
        #expect(red.text == "red" && red.style.foreground.index == 1)
        let bold = target.runs(2).last
        #expect(bold?.style.background.index == 4 && bold?.style.attributes.contains(.bold) == true)
    }

    @Test("Only rows that changed are painted again")
    func few() {
        let (_, last) = painted(["one\r\ntwo\r\nthree", "\u{1b}[2;1HTWO"])
        let text = String(decoding: last, as: UTF8.self)
        #expect(text.contains("TWO"))
        #expect(!text.contains("one") && !text.contains("three"))
    }

    @Test("A larger screen is cut, wide characters not halved, and the cursor's row stays in view")
    func cut() {
        let (target, _) = painted(["12345678日本語\r\nb\r\nc\r\nd\r\ne"], columns: 20, rows: 5, on: (9, 3))
        #expect(target.text() == ["d", "e", "status"])
        let (wide, _) = painted(["12345678日本語"], columns: 20, rows: 5, on: (9, 3))
        #expect(wide.text()[0] == "12345678")
    }
}

@Suite("Tables")
struct TableTests {
    @Test("Columns are aligned; the last is not padded")
    func aligned() {
        var table = Table(["NAME", "STATE"])
        table.add(["a", "running"])
        table.add(["日本", "x"])
        #expect(table.lines(columns: nil, style: Style(isColoured: false)) == ["NAME  STATE", "a     running", "日本  x"])
    }

    @Test("No line is wider than the terminal, colours not counted", arguments: [20, 30, 50])
    func fits(columns: Int) {
        var table = Table(["A", "B", "C"])
        table.add([String(repeating: "x", count: 50), "\u{1b}[31m" + String(repeating: "y", count: 50) + "\u{1b}[0m", "short"])
        for line in table.lines(columns: columns, style: Style(isColoured: true)) { #expect(Table.width(line) <= columns) }
    }

    @Test("Without a terminal nothing is cut")
    func whole() {
        var table = Table(["A"])
        table.add([String(repeating: "x", count: 5000)])
        #expect(table.lines(columns: nil, style: Style(isColoured: false))[1].count == 5000)
    }

    @Test("A narrow terminal does without columns that say nothing and those that can be spared; what is copied stays whole")
    func narrow() {
        var table = Table(["NAME", "POD", "STATE", "WAITS FOR", "SIZE", "COMMAND"], whole: ["POD"], spare: ["SIZE", "COMMAND"])
        table.add(["a-rather-long-name-for-an-agent-at-work", "p2mjr4kd6cped", "running", "-", "80x24", "bash -c 'while true; do sleep 1; done'"])
        let plain = Style(isColoured: false)
        #expect(table.lines(columns: 200, style: plain)[0].split(separator: " ").count == 7)
        let eighty = table.lines(columns: 80, style: plain)
        #expect(eighty[0].contains("COMMAND") && !eighty[0].contains("WAITS") && !eighty[0].contains("SIZE"))
        let fifty = table.lines(columns: 50, style: plain)
        #expect(fifty[0].split(separator: " ") == ["NAME", "POD", "STATE"])
        #expect(fifty[1].contains("  p2mjr4kd6cped  running") && fifty.allSatisfy { Table.width($0) <= 50 })
    }

    @Test("A time that is shown in milliseconds is not before what began then", arguments: [("123000", "123"), ("123001", "124"), ("123999", "124")])
    func roundedUp(micros: String, shown: String) throws {
        let time = try #require(Timestamp("2026-11-21T10:00:00.\(micros)Z"))
        #expect(Say.local(roundedUp: time).hasSuffix(":00." + shown))
    }

    @Test("The second of two times names its day only where it is another")
    func spans() throws {
        let from = try #require(Timestamp("2026-11-21T10:00:00Z"))
        #expect(Say.local(from + .seconds(90), after: from, secondsEast: 0) == "10:01:30.000")
        #expect(Say.local(from + .seconds(90_000), after: from, secondsEast: 0) == "2026-11-22 11:00:00.000")
    }

    @Test("A cell is one line and steers no terminal, whatever an agent wrote; colours stay")
    func cells() {
        var table = Table(["COMMAND"])
        table.add(["bash -c 'a\n\tb\r\nc'"])
        table.add(["\u{1b}]0;owned\u{7}x\u{1b}[2Jy\u{9b}31mz"])
        table.add(["\u{1b}[31mred\u{1b}[0m"])
        table.add(["\u{1b}[8mhidden \u{1b}[33mopen"])
        #expect(
            table.lines(columns: nil, style: Style(isColoured: false)) == [
                "COMMAND", "bash -c 'a b c'", "\u{fffd}]0;owned\u{fffd}x\u{fffd}[2Jy\u{fffd}31mz", "\u{1b}[31mred\u{1b}[0m",
                "\u{fffd}[8mhidden \u{1b}[33mopen\u{1b}[0m",
            ])
    }

    @Test("A screen is printed as coloured lines, and none of the modes that its program set")
    func screenLines() {
        let terminal = Terminal(columns: 20, rows: 5)
        terminal.feed("\u{1b}[?1049h\u{1b}[?1000h\u{1b}[?2004h\u{1b}[31mred\u{1b}[2;3Hthere")
        let lines = ScreenLines.lines(of: terminal, columns: 80)
        #expect(lines.count == 2 && lines[0].contains(";31mred") && lines[1].contains("there"))
        #expect(lines.allSatisfy { !$0.contains("?") && $0.hasSuffix("\u{1b}[0m") })
        #expect(ScreenLines.lines(of: terminal, columns: 5).allSatisfy { Table.width($0) <= 5 })
    }

    @Test("Attaching takes nobody's scrollback")
    func scrollback() {
        #expect(ConsoleBytes.keepingScrollback(Array("a\u{1b}[3Jb\u{1b}[2Jc\u{1b}[3J".utf8)) == Array("ab\u{1b}[2Jc".utf8))
    }
}
