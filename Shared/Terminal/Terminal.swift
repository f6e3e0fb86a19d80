/// A terminal: bytes in, screen out. No input and no output of its own, no clock.
///
/// Not `Sendable`: whoever owns one guards it.
public final class Terminal {
    var core: Core
    private var sent: (cursor: Cursor, modes: ViewerModes, isAlternate: Bool)?

    /// Sizes are clamped to 1…1000 columns, 1…400 rows, 0…100,000 lines of scrollback.
    public init(columns: Int, rows: Int, scrollback: Int = 1000) {
        core = Core(columns: columns, rows: rows, scrollback: scrollback)
    }

    /// A terminal exactly as the one the keyframe was made of.
    ///
    /// `page` is given the references that stand for sealed history pages and gives their bytes; nil leaves the page's lines blank,
    /// and its reference in later keyframes.
    public init(snapshot: [UInt8], page: (([UInt8]) -> [UInt8]?)? = nil) throws(SnapshotError) {
        core = try Core.restored(snapshot, page: page)
    }

    // MARK: - Feeding

    /// Takes output of a program, cut anywhere.
    public func feed(_ bytes: UnsafeRawBufferPointer) { core.feed(bytes) }

    public func feed(_ bytes: [UInt8]) { bytes.withUnsafeBytes { core.feed($0) } }

    public func feed(_ bytes: ArraySlice<UInt8>) { bytes.withUnsafeBytes { core.feed($0) } }

    public func feed(_ bytes: RawSpan) { bytes.withUnsafeBytes { core.feed($0) } }

    public func feed(_ text: String) {
        var text = text
        text.withUTF8 { core.feed(UnsafeRawBufferPointer($0)) }
    }

    /// Gives the screen another size; the same size changes nothing at all. The main screen wraps its lines again.
    public func resize(columns: Int, rows: Int) { core.resize(columns: columns, rows: rows) }

    /// RIS: everything but the size is as new.
    public func reset() { core.reset() }

    // MARK: - State

    public var columns: Int { core.columns }
    public var rows: Int { core.rows }
    public var scrollback: Int { core.scrollback }
    public var cursor: Cursor { core.cursor }
    public var title: String { core.title }
    public var isAlternateScreen: Bool { core.isAlternate }
    public var modes: Modes { core.modes }
    /// The modes a viewer needs to encode input.
    public var viewerModes: ViewerModes { core.viewerModes }
    /// Grows whenever something visible changed: cells, the cursor's place or visibility. A title does not count.
    public var screenVersion: UInt64 { core.version }

    /// The text of a row without the blanks at its end; empty for a row that is not there.
    public func rowText(_ row: Int) -> String { row >= 0 && row < core.rows ? core.rowText(row) : "" }

    /// The texts of all rows.
    public func text() -> [String] { (0..<core.rows).map { core.rowText($0) } }

    /// A row as runs; empty for a row that is not there.
    public func runs(_ row: Int) -> [StyledRun] { row >= 0 && row < core.rows ? core.runs(row) : [] }

    /// Reads a row, as ``runs(_:)`` gives it, into `text`, which keeps its room; nothing of a row that is not there.
    public func read(_ row: Int, into text: inout RowText) {
        if row >= 0 && row < core.rows { core.read(row, into: &text) } else { text.clear() }
    }

    /// True when the row's text goes on in the next row.
    public func isWrapped(_ row: Int) -> Bool { row >= 0 && row < core.rows && core.grid.isWrapped(row) }

    /// Lines of scrollback.
    public var historyCount: Int { core.history.count }

    /// The texts of the newest lines of scrollback, newest last.
    public func history(lines: Int) -> [String] { core.historyTexts(lines) }

    // MARK: - Outlets

    /// What the terminal answers to the program since the last call: at most 64 KiB are kept.
    public func takeReplies() -> [UInt8] {
        let replies = core.replies
        core.replies = []
        return replies
    }

    /// What the program said beside the screen since the last call: at most 1024 are kept.
    public func takeEvents() -> [TerminalEvent] {
        if core.events.isEmpty { return [] }
        let events = core.events
        core.events = []
        return events
    }

    /// What changed since the last call; nil when nothing did, or while a synchronized update is open and `force` is not set.
    ///
    /// Owners force after 150 ms, so that a program that forgets to end its update is seen.
    public func takeDelta(force: Bool = false) -> ScreenDelta? {
        guard let changes = takeChanges(force: force) else { return nil }
        return ScreenDelta(
            columns: core.columns, rows: core.rows, scroll: changes.scroll, changed: changes.rows.map { ScreenDelta.Row(row: $0, runs: core.runs($0)) },
            cursor: changes.cursor, title: changes.title, isAlternateScreen: changes.isAlternateScreen, modes: changes.modes, bells: changes.bells)
    }

    /// The same for whoever reads only some of the rows: what one of the two gave is not given again by the other.
    public func takeChanges(force: Bool = false) -> ScreenChanges? {
        if core.modes.synchronizedUpdate && !force { return nil }
        let cursor = core.cursor, modes = core.viewerModes
        let rows = core.rows
        var changed: [Int] = []
        for row in 0..<rows where core.grid.isDirty(row, RowFlags.deltaDirty) { changed.append(row) }
        // When everything scrolled away every row is new anyhow.
        let scroll = core.grid.scrolled < rows ? core.grid.scrolled : 0
        if changed.isEmpty && scroll == 0 && core.bells == 0 && !core.titleChanged, let sent,
            sent.cursor == cursor, sent.modes == modes, sent.isAlternate == core.isAlternate
        {
            return nil
        }
        let changes = ScreenChanges(
            scroll: scroll, rows: changed, cursor: cursor, title: core.titleChanged ? core.title : nil, isAlternateScreen: core.isAlternate, modes: modes,
            bells: core.bells)
        core.grid.clean(RowFlags.deltaDirty)
        core.grid.scrolled = 0
        core.bells = 0
        core.titleChanged = false
        sent = (cursor, modes, core.isAlternate)
        return changes
    }

    /// The whole screen: a viewer's keyframe. Takes nothing from `takeDelta`.
    public func fullDelta() -> ScreenDelta { core.fullDelta() }

    /// What leads a viewer from one terminal's screen to another's, in either direction of time.
    public static func delta(from: Terminal, to: Terminal) -> ScreenDelta { ScreenDelta.between(from.core, to.core) }

    /// What changed for the text index since the last call; the first call says every row and starts the collection of `scrolledText`.
    public func takeChangedRows() -> IndexChanges { core.takeChangedRows() }

    /// Ends a synchronized update the program did not end.
    public func endSynchronizedUpdate() { core.modes.synchronizedUpdate = false }

    // MARK: - Keyframes

    /// The complete state. Equal states give equal bytes.
    ///
    /// With `page`, each sealed page of history is replaced by the reference the closure gives.
    public func snapshot(page: ((HistoryPage) -> [UInt8])? = nil) -> [UInt8] { core.snapshot(page: page) }

    /// Sealed pages of history, oldest first.
    public var historyPages: [HistoryPage] { core.history.pages }
}
