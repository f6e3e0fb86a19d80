/// Lines that scrolled off, as many as a page holds; never changes once it is full.
public final class HistoryPage {
    /// Lines on this page.
    public let lineCount: Int
    private let bytes: [UInt8]?
    /// Where the owner keeps `encoded()`, cached by the owner.
    public var reference: [UInt8]?

    init(lineCount: Int, bytes: [UInt8]?, reference: [UInt8]? = nil) {
        self.lineCount = lineCount
        self.bytes = bytes
        self.reference = reference
    }

    /// The page's content; the same lines always give the same bytes. Empty when the page was restored without it.
    public func encoded() -> [UInt8] { bytes ?? [] }

    /// False when a keyframe named the page and nobody gave its bytes: its lines are blank.
    public var isLoaded: Bool { bytes != nil }

    static let linesPerPage = 64
    static let version: UInt8 = 1

    func decoded() -> DecodedRows? {
        guard let bytes else { return nil }
        return try? HistoryPage.decode(bytes, lineCount: lineCount)
    }

    static func decode(_ bytes: [UInt8], lineCount: Int) throws(SnapshotError) -> DecodedRows {
        var reader = ByteReader(bytes)
        guard try reader.byte() == version else { throw SnapshotError(code: .version, message: "unknown version of a page") }
        guard try reader.number() == lineCount else { throw .malformed("page") }
        var decoded = DecodedRows()
        try decoded.readTables(&reader)
        try decoded.readRows(&reader, count: lineCount, columns: Core.maximumColumns)
        guard reader.remaining == 0 else { throw .malformed("page") }
        return decoded
    }
}

/// The scrollback of the main screen: sealed pages and one page that grows.
struct History: ~Copyable {
    let limit: Int
    private(set) var pages: [HistoryPage] = []
    /// Lines at the beginning of the first page (or of the open one) that are beyond the limit.
    private(set) var skipped = 0
    private(set) var count = 0
    /// Lines of the open page: less than `HistoryPage.linesPerPage`, or as many until it is sealed.
    private(set) var openCount = 0
    /// Cells of the open page, one line after the other; allocated with the first line.
    private var cells: UnsafeMutablePointer<UInt64>?
    private var capacity = 0
    private let ends: UnsafeMutablePointer<Int32>
    private let flags: UnsafeMutablePointer<UInt8>

    init(limit: Int) {
        self.limit = limit
        ends = .allocate(capacity: HistoryPage.linesPerPage)
        flags = .allocate(capacity: HistoryPage.linesPerPage)
    }

    deinit {
        cells?.deallocate()
        ends.deallocate()
        flags.deallocate()
    }

    private var used: Int { openCount == 0 ? 0 : Int(ends[openCount - 1]) }

    /// True when the open page is full and must be sealed.
    @inline(__always)
    mutating func append(_ line: UnsafeBufferPointer<UInt64>, flags lineFlags: UInt8) -> Bool {
        addOpen(line, lineFlags)
        count += 1
        if count > limit { dropOldest() }
        return openCount >= HistoryPage.linesPerPage
    }

    @inline(__always)
    private mutating func addOpen(_ line: UnsafeBufferPointer<UInt64>, _ lineFlags: UInt8) {
        precondition(openCount < HistoryPage.linesPerPage, "a full page was not sealed")
        let start = used
        if start + line.count > capacity { grow(start + line.count) }
        if let cells, let source = line.baseAddress { (cells + start).update(from: source, count: line.count) }
        ends[openCount] = Int32(truncatingIfNeeded: start + line.count)
        flags[openCount] = lineFlags
        openCount += 1
    }

    private mutating func grow(_ wanted: Int) {
        let size = max(1024, wanted * 2)
        let larger = UnsafeMutablePointer<UInt64>.allocate(capacity: size)
        if let cells {
            larger.update(from: cells, count: used)
            cells.deallocate()
        }
        cells = larger
        capacity = size
    }

    private mutating func dropOldest() {
        count -= 1
        skipped += 1
        dropSkippedPage()
    }

    private mutating func dropSkippedPage() {
        if let first = pages.first, skipped >= first.lineCount {
            skipped -= first.lineCount
            pages.removeFirst()
        }
    }

    /// A line of the open page.
    func openLine(_ index: Int) -> (cells: UnsafeBufferPointer<UInt64>, flags: UInt8) {
        precondition(index >= 0 && index < openCount, "no such line")
        let start = index == 0 ? 0 : Int(ends[index - 1])
        let length = Int(ends[index]) - start
        return (UnsafeBufferPointer(start: cells.map { UnsafePointer($0 + start) }, count: length), flags[index])
    }

    mutating func seal(_ page: HistoryPage) {
        openCount = 0
        pages.append(page)
        dropSkippedPage()
    }

    /// The newest line, from the open page.
    mutating func popOpen() -> DecodedRows.Row? {
        guard count > 0, openCount > 0 else { return nil }
        let (cells, flags) = openLine(openCount - 1)
        let row = DecodedRows.Row(cells: Array(cells), flags: flags)
        openCount -= 1
        count -= 1
        if count == 0 { removeAll() }
        return row
    }

    /// Opens the newest sealed page again.
    mutating func unseal() -> HistoryPage? { openCount == 0 ? pages.popLast() : nil }

    mutating func reopen(_ rows: [DecodedRows.Row]) {
        for row in rows.prefix(HistoryPage.linesPerPage) { row.cells.withUnsafeBufferPointer { addOpen($0, row.flags) } }
    }

    mutating func restore(pages: [HistoryPage], skipped: Int, open: [DecodedRows.Row]) {
        self.pages = pages
        self.skipped = skipped
        reopen(open)
        count = pages.reduce(0) { $0 + $1.lineCount } + openCount - skipped
    }

    /// Flags of the newest line, nil when there is none.
    var newestFlags: UInt8? {
        if count == 0 { return nil }
        if openCount > 0 { return flags[openCount - 1] }
        return pages.last?.decoded()?.rows.last?.flags ?? 0
    }

    mutating func removeAll() {
        pages = []
        skipped = 0
        openCount = 0
        count = 0
    }

    func mark(_ used: inout [Bool], _ field: (Cell) -> Int) {
        guard let cells else { return }
        for index in 0..<self.used where cells[index] != 0 { used[field(Cell(raw: cells[index]))] = true }
    }

    func rewrite(_ change: (Cell) -> Cell) {
        guard let cells else { return }
        for index in 0..<used where cells[index] != 0 { cells[index] = change(Cell(raw: cells[index])).raw }
    }
}

extension Core {
    /// Turns the open page into one that stands for itself.
    @inline(never)
    mutating func sealHistory() {
        var encoder = RowEncoder()
        encodeOpenHistory(&encoder)
        var writer = ByteWriter()
        writer.bytes.reserveCapacity(encoder.rows.bytes.count + 64)
        writer.byte(HistoryPage.version)
        writer.number(history.openCount)
        encoder.writeTables(&writer)
        writer.bytes.append(contentsOf: encoder.rows.bytes)
        history.seal(HistoryPage(lineCount: history.openCount, bytes: writer.bytes))
    }

    func encodeOpenHistory(_ encoder: inout RowEncoder) {
        for index in 0..<history.openCount {
            let line = history.openLine(index)
            encoder.append(line.cells, flags: line.flags, styles: styles, clusters: clusters, links: links)
        }
    }

    /// Takes the newest line back.
    mutating func popHistory() -> DecodedRows.Row? {
        guard history.count > 0 else { return nil }
        if history.openCount == 0, let page = history.unseal() {
            let rows =
                page.decoded().map { adopt($0) } ?? Array(repeating: DecodedRows.Row(cells: [], flags: 0), count: page.lineCount)
            history.reopen(rows)
        }
        return history.popOpen()
    }

    /// Texts of the newest lines, oldest first.
    func historyTexts(_ count: Int) -> [String] {
        var texts: [String] = []
        let wanted = min(max(count, 0), history.count)
        var line = history.openCount - 1
        let firstOpen = history.pages.isEmpty ? history.skipped : 0
        while texts.count < wanted && line >= firstOpen {
            texts.append(text(history.openLine(line).cells))
            line -= 1
        }
        for page in history.pages.reversed() where texts.count < wanted {
            guard let decoded = page.decoded() else {
                for _ in 0..<min(page.lineCount, wanted - texts.count) { texts.append("") }
                continue
            }
            for row in decoded.rows.reversed() where texts.count < wanted {
                texts.append(Core.text(row.cells, clusters: decoded.clusters))
            }
        }
        return texts.reversed()
    }

    static func text(_ cells: [UInt64], clusters: [[UInt32]]) -> String {
        var text = String.UnicodeScalarView()
        var blanks = 0
        for raw in cells {
            let cell = Cell(raw: raw)
            if cell.isTail { continue }
            if !cell.isCluster && (cell.scalar == 0 || cell.scalar == 0x20) && !cell.isHead {
                blanks += 1
                continue
            }
            for _ in 0..<blanks { text.append(" ") }
            blanks = 0
            for scalar in cell.isCluster ? clusters[Int(cell.scalar)] : [cell.scalar] { text.append(Unicode.Scalar(scalar) ?? "\u{FFFD}") }
        }
        return String(text)
    }
}
