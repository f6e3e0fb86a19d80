/// What DECSC keeps.
struct SavedCursor: Hashable {
    var row = 0
    var column = 0
    var pendingWrap = false
    var style = TextStyle.plain
    var protected = false
    var origin = false
    var charsets: [Charset] = [.ascii, .ascii, .ascii, .ascii]
    var locked: UInt8 = 0
}

/// The whole state of a terminal: a struct, so that the hot path pays neither reference counting nor exclusivity checks.
struct Core: ~Copyable {
    static let maximumColumns = 1000
    static let maximumRows = 400
    static let maximumScrollback = 100_000
    static let maximumReplies = 1 << 16
    static let maximumEvents = 1024
    static let maximumString = 4096
    static let maximumParameters = 32
    static let maximumClusterScalars = 24
    static let maximumTitles = 16
    static let maximumKittyStack: Int = 16

    // Size and screens
    var columns: Int
    var rows: Int
    let scrollback: Int
    /// The screen that is shown.
    var grid: Grid
    /// The other one; has no rows until it is first needed.
    var other: Grid
    var isAlternate = false
    var history: History
    var hasDoubleRows = false

    // Cursor and pen
    var row = 0
    var column = 0
    var pendingWrap = false
    var cursorVisible = true
    var cursorShape = CursorShape.block
    var cursorBlinks = true
    var style = TextStyle.plain
    var link = 0
    var protected = false
    /// Style, link and protection as cell bits; right unless `penIsStale`.
    var pen: UInt64 = 0
    /// What erasing writes: the background alone.
    var erasePen: UInt64 = 0
    var penIsStale = false
    var originMode = false
    var charsets: (Charset, Charset, Charset, Charset) = (.ascii, .ascii, .ascii, .ascii)
    var locked: UInt8 = 0
    /// 2 or 3 after SS2 or SS3, else 0.
    var singleShift: UInt8 = 0
    /// GL is ASCII, no single shift, no insert mode: bytes may be written straight.
    var plainPrinting = true
    var saved = SavedCursor()
    var otherSaved = SavedCursor()

    // Where the last character went, for what joins it
    var joinable = false
    var lastRow = 0
    var lastColumn = 0
    /// The last graphic character, for REP; 0 when there was none.
    var lastScalar: UInt32 = 0

    // Margins, inclusive
    var top = 0
    var bottom: Int
    var left = 0
    var right: Int

    var tabs: [Bool]
    var modes = Modes()
    var savedModes: [UInt32: Bool] = [:]
    var kittyStack: [UInt8] = []
    var otherKittyStack: [UInt8] = []
    var otherKittyFlags: UInt8 = 0

    // Tables behind the cells
    var styles = StyleTable()
    var clusters = InternTable<[UInt32]>(reserved: [], capacity: 1 << 21, collectAt: 4096)
    var links = InternTable<TextLink>(reserved: TextLink(uri: ""), capacity: Cell.maximumLinks, collectAt: Cell.maximumLinks)

    // Titles and colours
    var title = ""
    var iconTitle = ""
    var titleStack: [String] = []
    var palette: [UInt8: UInt32] = [:]
    /// OSC 10, 11, 12 when set.
    var dynamicColors: [UInt32?] = [nil, nil, nil]

    // Parser
    var state = ParserState.ground
    var utf8 = UTF8Decoder()
    let parameters: UnsafeMutablePointer<Int32>
    var parameterCount = 0
    /// Bit n: parameter n was joined to the one before it by a colon.
    var subparameters: UInt32 = 0
    var parameterStarted = false
    var prefix: UInt8 = 0
    var intermediate: UInt8 = 0
    var secondIntermediate: UInt8 = 0
    var string: [UInt8] = []
    /// Length of the string including what was not kept.
    var stringLength = 0

    // Outlets
    var replies: [UInt8] = []
    var events: [TerminalEvent] = []
    var bells = 0
    var cursorVersion: UInt64 = 0
    var titleChanged = true
    /// Texts that scrolled off, when somebody indexes.
    var tracksIndex = false
    var scrolledText: [UInt8] = []

    init(columns: Int, rows: Int, scrollback: Int) {
        self.columns = min(max(columns, 1), Core.maximumColumns)
        self.rows = min(max(rows, 1), Core.maximumRows)
        self.scrollback = min(max(scrollback, 0), Core.maximumScrollback)
        grid = Grid(columns: self.columns, rows: self.rows)
        other = Grid(columns: 0, rows: 0)
        history = History(limit: self.scrollback)
        bottom = self.rows - 1
        right = self.columns - 1
        tabs = Core.defaultTabs(self.columns)
        parameters = .allocate(capacity: Core.maximumParameters)
        parameters.initialize(repeating: 0, count: Core.maximumParameters)
    }

    deinit { parameters.deallocate() }

    static func defaultTabs(_ columns: Int) -> [Bool] { (0..<columns).map { $0 % 8 == 0 && $0 > 0 } }

    var version: UInt64 { grid.version &+ other.version &+ cursorVersion }

    // MARK: - Pen

    @inline(__always)
    mutating func refreshPen() {
        if style == .plain {
            penIsStale = false
            pen = penBase
            erasePen = 0
        } else {
            refreshStyledPen()
        }
    }

    /// The pen but for the style.
    @inline(__always)
    private var penBase: UInt64 { UInt64(truncatingIfNeeded: link) << Cell.linkShift | (protected ? Cell.protectedBit : 0) }

    @inline(never)
    private mutating func refreshStyledPen() {
        if styles.shouldCollect { collectStyles() }
        let number = styles.number(of: style)
        var erase = 0
        if !style.background.isStandard {
            var background = TextStyle.plain
            background.background = style.background
            erase = styles.number(of: background)
        }
        penIsStale = false
        pen = UInt64(truncatingIfNeeded: number) << Cell.styleShift | penBase
        erasePen = UInt64(truncatingIfNeeded: erase) << Cell.styleShift
    }

    var blank: UInt64 {
        mutating get {
            if penIsStale { refreshPen() }
            return erasePen
        }
    }

    mutating func updatePlainPrinting() {
        plainPrinting = singleShift == 0 && !modes.insert && charset(locked) == .ascii
    }

    func charset(_ slot: UInt8) -> Charset {
        switch slot {
        case 0: charsets.0
        case 1: charsets.1
        case 2: charsets.2
        default: charsets.3
        }
    }

    mutating func designate(_ slot: UInt8, _ charset: Charset) {
        switch slot {
        case 0: charsets.0 = charset
        case 1: charsets.1 = charset
        case 2: charsets.2 = charset
        default: charsets.3 = charset
        }
        updatePlainPrinting()
    }

    // MARK: - Collecting what no cell uses any more

    mutating func collectStyles() {
        var used = [Bool](repeating: false, count: styles.count)
        grid.mark(&used) { $0.style }
        other.mark(&used) { $0.style }
        history.mark(&used) { $0.style }
        let numbers = styles.collect(used: used)
        let change: (Cell) -> Cell = {
            Cell(raw: $0.raw & ~Cell.styleMask | UInt64(numbers[$0.style]) << Cell.styleShift)
        }
        grid.rewrite(change)
        other.rewrite(change)
        history.rewrite(change)
        penIsStale = true
    }

    mutating func collectClusters() {
        var used = [Bool](repeating: false, count: clusters.values.count)
        let field: (Cell) -> Int = { $0.isCluster ? Int($0.scalar) : 0 }
        grid.mark(&used, field)
        other.mark(&used, field)
        history.mark(&used, field)
        let numbers = clusters.collect(used: used)
        let change: (Cell) -> Cell = {
            $0.isCluster ? Cell(raw: $0.raw & ~Cell.scalarMask | UInt64(numbers[Int($0.scalar)])) : $0
        }
        grid.rewrite(change)
        other.rewrite(change)
        history.rewrite(change)
    }

    mutating func collectLinks() {
        var used = [Bool](repeating: false, count: links.values.count)
        grid.mark(&used) { $0.link }
        other.mark(&used) { $0.link }
        history.mark(&used) { $0.link }
        used[link] = true
        let numbers = links.collect(used: used)
        let change: (Cell) -> Cell = {
            Cell(raw: $0.raw & ~(UInt64(0xFFF) << Cell.linkShift) | UInt64(numbers[$0.link]) << Cell.linkShift)
        }
        grid.rewrite(change)
        other.rewrite(change)
        history.rewrite(change)
        link = Int(numbers[link])
        penIsStale = true
    }

    /// The number of a link; 0, no link, when as many as can be are in use.
    mutating func linkNumber(_ value: TextLink) -> Int {
        if links.isFull && links.existing(value) == nil { collectLinks() }
        return links.number(of: value)
    }

    mutating func clusterNumber(_ scalars: [UInt32]) -> Int {
        if clusters.shouldCollect && clusters.existing(scalars) == nil { collectClusters() }
        return clusters.number(of: scalars)
    }

    // MARK: - Reading cells

    /// The scalars of a cell, none for a blank.
    func scalars(_ cell: Cell) -> [UInt32] {
        if cell.isCluster { return clusters[Int(cell.scalar)] }
        return cell.scalar == 0 ? [] : [cell.scalar]
    }

    func appendText(_ cell: Cell, to text: inout String.UnicodeScalarView) {
        if cell.isTail { return }
        if cell.isCluster {
            for scalar in clusters[Int(cell.scalar)] { text.append(Unicode.Scalar(scalar) ?? "\u{FFFD}") }
        } else {
            text.append(cell.scalar == 0 ? " " : Unicode.Scalar(cell.scalar) ?? "\u{FFFD}")
        }
    }

    /// Text of cells, right-trimmed.
    func text(_ cells: UnsafeBufferPointer<UInt64>) -> String {
        let (end, isASCII) = extent(cells)
        if isASCII {
            return String(unsafeUninitializedCapacity: end) { bytes in
                for index in 0..<end { bytes[index] = Self.ascii(cells[index]) }
                return end
            }
        }
        var bytes: [UInt8] = []
        appendText(cells, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Adds the text of cells, right-trimmed, as UTF-8.
    func appendText(_ cells: UnsafeBufferPointer<UInt64>, to bytes: inout [UInt8]) {
        let (end, isASCII) = extent(cells)
        if isASCII {
            // Nearly every line, and who indexes a flood of output asks for every line.
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: end) { line in
                for index in 0..<end { line[index] = Self.ascii(cells[index]) }
                bytes.append(contentsOf: line)
            }
            return
        }
        var writer = ByteWriter()
        writer.bytes.reserveCapacity(end * 3)
        for index in 0..<end {
            let cell = Cell(raw: cells[index])
            if cell.isTail { continue }
            if cell.isCluster {
                for scalar in clusters[Int(cell.scalar)] { writer.utf8(Unicode.Scalar(scalar)?.value ?? 0xFFFD) }
            } else {
                writer.utf8(cell.scalar == 0 ? 0x20 : Unicode.Scalar(cell.scalar)?.value ?? 0xFFFD)
            }
        }
        bytes.append(contentsOf: writer.bytes)
    }

    /// How many cells are left of the blanks at the end, and whether they are all ASCII.
    private func extent(_ cells: UnsafeBufferPointer<UInt64>) -> (end: Int, isASCII: Bool) {
        var end = cells.count
        while end > 0 {
            let cell = Cell(raw: cells[end - 1])
            guard cell.isEmpty || cell.isSpacer || (cell.isNarrow && !cell.isCluster && cell.scalar == 0x20) else { break }
            end -= 1
        }
        var seen: UInt64 = 0
        for index in 0..<end { seen |= cells[index] }
        return (end, seen & Cell.contentMask & ~Cell.protectedBit < 0x80)
    }

    @inline(__always)
    private static func ascii(_ cell: UInt64) -> UInt8 {
        let byte = UInt8(truncatingIfNeeded: cell & 0x7F)
        return byte == 0 ? 0x20 : byte
    }

    func rowText(_ row: Int) -> String {
        text(UnsafeBufferPointer(start: grid.row(row), count: columns))
    }

    // MARK: - Reset

    /// RIS: as new, but for the size and what owners count.
    mutating func reset() {
        if isAlternate { swapScreens() }
        other = Grid(columns: 0, rows: 0)
        grid.eraseAll()
        row = 0
        column = 0
        pendingWrap = false
        saved = SavedCursor()
        otherSaved = SavedCursor()
        history = History(limit: scrollback)
        tabs = Core.defaultTabs(columns)
        titleStack = []
        palette = [:]
        dynamicColors = [nil, nil, nil]
        kittyStack = []
        otherKittyStack = []
        otherKittyFlags = 0
        savedModes = [:]
        lastScalar = 0
        hasDoubleRows = false
        modes = Modes()
        iconTitle = ""
        if !title.isEmpty { setTitle("") }
        softReset()
        modes = Modes()
        state = .ground
        updatePlainPrinting()
    }

    /// DECSTR.
    mutating func softReset() {
        cursorVisible = true
        cursorShape = .block
        cursorBlinks = true
        style = .plain
        link = 0
        protected = false
        penIsStale = true
        originMode = false
        charsets = (.ascii, .ascii, .ascii, .ascii)
        locked = 0
        singleShift = 0
        top = 0
        bottom = rows - 1
        left = 0
        right = columns - 1
        joinable = false
        modes.insert = false
        modes.keyboardLocked = false
        modes.applicationCursorKeys = false
        modes.applicationKeypad = false
        modes.autowrap = true
        modes.reverseWrap = false
        modes.extendedReverseWrap = false
        modes.leftRightMargins = false
        modes.kittyKeyboard = 0
        modes.modifyOtherKeys = 0
        kittyStack = []
        saved = SavedCursor()
        updatePlainPrinting()
    }
}

extension Grid {
    mutating func eraseAll() {
        for row in 0..<rows {
            clear(row)
            setContentFlags(row, 0)
        }
        touchAll()
    }
}
