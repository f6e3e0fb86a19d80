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
struct History {
    let limit: Int
    private(set) var pages: [HistoryPage] = []
    /// Lines at the beginning of the first page (or of the open one) that are beyond the limit.
    private(set) var skipped = 0
    /// Cells of the open page, one line after the other.
    private(set) var cells: ContiguousArray<UInt64> = []
    private(set) var ends: ContiguousArray<Int32> = []
    private(set) var flags: ContiguousArray<UInt8> = []
    private(set) var count = 0

    init(limit: Int) { self.limit = limit }

    var openCount: Int { ends.count }

    /// True when the open page is full and must be sealed.
    @inline(__always)
    mutating func append(_ line: UnsafeBufferPointer<UInt64>, flags lineFlags: UInt8) -> Bool {
        cells.append(contentsOf: line)
        ends.append(Int32(truncatingIfNeeded: cells.count))
        flags.append(lineFlags)
        count += 1
        if count > limit { dropOldest() }
        return ends.count >= HistoryPage.linesPerPage
    }

    private mutating func dropOldest() {
        count -= 1
        skipped += 1
        if let first = pages.first, skipped >= first.lineCount {
            skipped -= first.lineCount
            pages.removeFirst()
        }
    }

    func openLine(_ index: Int) -> Range<Int> { (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index]) }

    mutating func seal(_ page: HistoryPage) {
        cells.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        flags.removeAll(keepingCapacity: true)
        pages.append(page)
        if let first = pages.first, skipped >= first.lineCount {
            skipped -= first.lineCount
            pages.removeFirst()
        }
    }

    /// The newest line, from the open page.
    mutating func popOpen() -> DecodedRows.Row? {
        guard count > 0, let last = ends.indices.last else { return nil }
        let range = openLine(last)
        let row = DecodedRows.Row(cells: Array(cells[range]), flags: flags[last])
        cells.removeSubrange(range)
        ends.removeLast()
        flags.removeLast()
        count -= 1
        if count == 0 { removeAll() }
        return row
    }

    /// Opens the newest sealed page again.
    mutating func unseal() -> HistoryPage? {
        guard ends.isEmpty else { return nil }
        return pages.popLast()
    }

    mutating func reopen(_ rows: [DecodedRows.Row]) {
        for row in rows {
            cells.append(contentsOf: row.cells)
            ends.append(Int32(truncatingIfNeeded: cells.count))
            flags.append(row.flags)
        }
    }

    mutating func restore(pages: [HistoryPage], skipped: Int, open: [DecodedRows.Row]) {
        self.pages = pages
        self.skipped = skipped
        reopen(open)
        count = pages.reduce(0) { $0 + $1.lineCount } + ends.count - skipped
    }

    /// Flags of the newest line, nil when there is none.
    var newestFlags: UInt8? {
        if count == 0 { return nil }
        if let last = flags.last { return last }
        return pages.last?.decoded()?.rows.last?.flags ?? 0
    }

    mutating func removeAll() {
        pages = []
        skipped = 0
        cells = []
        ends = []
        flags = []
        count = 0
    }

    func mark(_ used: inout [Bool], _ field: (Cell) -> Int) {
        for cell in cells where cell != 0 { used[field(Cell(raw: cell))] = true }
    }

    mutating func rewrite(_ change: (Cell) -> Cell) {
        for index in cells.indices where cells[index] != 0 { cells[index] = change(Cell(raw: cells[index])).raw }
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
        history.cells.withUnsafeBufferPointer { cells in
            for line in 0..<history.openCount {
                encoder.append(
                    UnsafeBufferPointer(rebasing: cells[history.openLine(line)]), flags: history.flags[line], styles: styles,
                    clusters: clusters, links: links)
            }
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
            history.cells.withUnsafeBufferPointer { texts.append(text(UnsafeBufferPointer(rebasing: $0[history.openLine(line)]))) }
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
