internal import Terminal
internal import Testing

@Suite("What holds for every stream")
struct PropertyTests {
    @Test("Cutting the bytes anywhere changes nothing", arguments: SampleStreams.bytes.map(\.name))
    func splitting(name: String) throws {
        let bytes = try #require(SampleStreams.bytes.first { $0.name == name }).bytes
        let whole = Terminal(columns: 46, rows: 12)
        whole.feed(bytes)
        let expected = whole.snapshot()
        let replies = whole.takeReplies()
        let events = whole.takeEvents()
        for cut in 0...bytes.count {
            let parts = Terminal(columns: 46, rows: 12)
            parts.feed(bytes[..<cut])
            parts.feed(bytes[cut...])
            #expect(parts.snapshot() == expected, "cut at \(cut)")
            #expect(parts.takeReplies() == replies)
            #expect(parts.takeEvents() == events)
        }
        let single = Terminal(columns: 46, rows: 12)
        for byte in bytes { single.feed([byte]) }
        #expect(single.snapshot() == expected)
    }

    @Test("A restored terminal goes on as if it had never stopped, from every byte", arguments: SampleStreams.bytes.map(\.name))
    func restoring(name: String) throws {
        let bytes = try #require(SampleStreams.bytes.first { $0.name == name }).bytes
        let whole = Terminal(columns: 46, rows: 12)
        whole.feed(bytes)
        let expected = whole.snapshot()
        let original = Terminal(columns: 46, rows: 12)
        for cut in 0...bytes.count {
            if cut > 0 { original.feed([bytes[cut - 1]]) }
            let keyframe = original.snapshot()
            let copy = try Terminal(snapshot: keyframe)
            #expect(copy.snapshot() == keyframe, "at \(cut)")
            #expect(copy.fullDelta() == original.fullDelta())
            copy.feed(bytes[cut...])
            #expect(copy.snapshot() == expected, "going on from \(cut)")
        }
    }

    @Test("Random output with resizes: keyframes, deltas, dumps and the index agree with the screen", arguments: 0..<24)
    func randomOutput(seed: Int) throws {
        var generator = SeededGenerator(state: UInt64(seed) &* 7919 &+ 1)
        let columns = [1, 2, 3, 20, 46, 80].randomElement(using: &generator) ?? 20
        let terminal = Terminal(columns: columns, rows: Int.random(in: 1...24, using: &generator), scrollback: [0, 3, 100, 1000][seed % 4])
        var twin = Terminal(columns: terminal.columns, rows: terminal.rows, scrollback: [0, 3, 100, 1000][seed % 4])
        var image = ScreenImage()
        var texts = Array(repeating: "", count: terminal.rows)
        for round in 0..<300 {
            if Int.random(in: 0..<25, using: &generator) == 0 {
                let columns = [1, 2, 5, 20, 46, 81].randomElement(using: &generator) ?? 20, rows = Int.random(in: 1...24, using: &generator)
                terminal.resize(columns: columns, rows: rows)
                twin.resize(columns: columns, rows: rows)
            }
            let bytes = SampleStreams.random(&generator)
            terminal.feed(bytes)
            twin.feed(bytes)
            if let delta = terminal.takeDelta(force: round % 7 == 0) { image.apply(delta) }
            if !terminal.modes.synchronizedUpdate {
                var full = ScreenImage()
                full.apply(terminal.fullDelta())
                try #require(image == full, "seed \(seed) round \(round) \(bytes)")
            }
            let changes = terminal.takeChangedRows()
            if texts.count != terminal.rows { texts = Array(repeating: "", count: terminal.rows) }
            texts = Array((texts + Array(repeating: "", count: changes.scrollCount)).suffix(terminal.rows))
            for row in changes.rows { texts[row] = terminal.rowText(row) }
            try #require(texts == terminal.text(), "seed \(seed) round \(round)")
            if round % 10 == 9 {
                let keyframe = terminal.snapshot()
                try #require(twin.snapshot() == keyframe, "seed \(seed) round \(round)")
                twin = try Terminal(snapshot: keyframe)
                try #require(twin.snapshot() == keyframe, "seed \(seed) round \(round)")
            }
            #expect(terminal.cursor.row < terminal.rows && terminal.cursor.column < terminal.columns)
            #expect(terminal.historyCount <= terminal.scrollback)
            if round % 50 == 0 { #expect(terminal.history(lines: .max).count == terminal.historyCount) }
        }
    }

    @Test("Who asks for no texts is told of the same rows, and reads the same in them", arguments: 0..<12)
    func changes(seed: Int) {
        var generator = SeededGenerator(state: UInt64(seed) &* 31 &+ 5)
        let terminal = Terminal(columns: [2, 20, 46, 80][seed % 4], rows: 12), twin = Terminal(columns: [2, 20, 46, 80][seed % 4], rows: 12)
        var read = RowText()
        for round in 0..<300 {
            let bytes = SampleStreams.random(&generator)
            terminal.feed(bytes)
            twin.feed(bytes)
            let delta = terminal.takeDelta(force: round % 7 == 0), changes = twin.takeChanges(force: round % 7 == 0)
            #expect(changes?.rows == delta?.changed.map(\.row))
            #expect(changes?.scroll == delta?.scroll)
            #expect(changes?.cursor == delta?.cursor)
            for row in delta?.changed ?? [] {
                twin.read(row.row, into: &read)
                #expect(read.scalars == row.runs.flatMap { $0.text.unicodeScalars.map(\.value) })
                #expect(read.runs.map(\.style) == row.runs.map(\.style))
                #expect(read.runs.map(\.end) == row.runs.indices.map { row.runs[...$0].reduce(0) { $0 + $1.text.unicodeScalars.count } })
            }
        }
        twin.read(twin.rows, into: &read)
        #expect(read.scalars.isEmpty && read.runs.isEmpty)
    }

    @Test("A delta between any two terminals leads from one image to the other", arguments: 0..<6)
    func deltasBetween(seed: Int) {
        var generator = SeededGenerator(state: UInt64(seed) + 77)
        let terminal = Terminal(columns: 40, rows: 12)
        var states: [Terminal] = []
        for round in 0..<120 {
            terminal.feed(SampleStreams.random(&generator))
            if round % 20 == 0, let copy = try? Terminal(snapshot: terminal.snapshot()) { states.append(copy) }
        }
        for from in states {
            for to in states {
                var image = ScreenImage(), expected = ScreenImage()
                image.apply(from.fullDelta())
                image.apply(Terminal.delta(from: from, to: to))
                expected.apply(to.fullDelta())
                #expect(image == expected)
            }
        }
    }

    @Test("The ANSI dump rebuilds screen, cursor and modes in a fresh terminal", arguments: SampleStreams.bytes.map(\.name))
    func ansiDump(name: String) throws {
        let bytes = try #require(SampleStreams.bytes.first { $0.name == name }).bytes
        let terminal = Terminal(columns: 46, rows: 12)
        terminal.feed(bytes)
        try Self.expectRebuilt(terminal, name)
    }

    @Test("A character that a selector made narrow leaves nothing behind it in a dump")
    func narrowed() throws {
        let terminal = Terminal(columns: 46, rows: 12)
        terminal.feed("\u{1B}]8;;http://a\u{7}漢⌚\u{FE0E}\u{1B}]8;;\u{7}\u{1B}[1;4H\u{1B}[X")
        try Self.expectRebuilt(terminal, "narrowed")
    }

    @Test("A dump keeps the cursor and the text where a wrap waits that no line's end brings about")
    func waitingElsewhere() {
        let terminal = Terminal.fed("\u{1B}[?69h\u{1B}[2;4s\u{1B}[1;2Habc\u{1B}[!p", columns: 6)
        #expect(terminal.cursor.pendingWrap)
        let other = Terminal(columns: 6, rows: 10)
        other.feed(terminal.ansi())
        #expect(other.place == terminal.place && other.lines == terminal.lines)
    }

    @Test("The ANSI dump of random screens rebuilds them", arguments: 0..<40)
    func randomAnsiDump(seed: Int) throws {
        var generator = SeededGenerator(state: UInt64(seed) &* 31 &+ 5)
        let terminal = Terminal(columns: 46, rows: 12)
        for _ in 0..<15 {
            for _ in 0..<20 { terminal.feed(SampleStreams.random(&generator)) }
            try Self.expectRebuilt(terminal, "seed \(seed)")
        }
    }

    static func expectRebuilt(_ terminal: Terminal, _ name: String) throws {
        let other = Terminal(columns: terminal.columns, rows: terminal.rows)
        other.feed("rubbish\u{1B}[31m that was there \u{1B}[2;4r\u{1B}[?1h")
        other.feed(terminal.ansi())
        var image = ScreenImage(), expected = ScreenImage()
        image.apply(other.fullDelta())
        expected.apply(terminal.fullDelta())
        for row in 0..<terminal.rows where image.rows[row] != expected.rows[row] {
            try #require(image.rows[row] == expected.rows[row], "\(name) row \(row)")
        }
        try #require(image == expected, "\(name)")
        var modes = other.modes, wanted = terminal.modes
        // What the size's owner decides, or what a dump has no business to set.
        for path in [\Modes.columns132, \.allowColumnChange, \.keyboardLocked, \.localEchoOff, \.sizeReports] {
            modes[keyPath: path] = false
            wanted[keyPath: path] = false
        }
        try #require(modes == wanted, "\(name)")
    }
}
