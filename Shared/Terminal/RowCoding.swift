/// Writes rows of cells as runs, with the styles and links they use in tables of their own.
///
/// A row is: flags, number of runs, runs. A run is a header (style << 4 | protected << 3 | linked << 2 | kind), the link
/// when it has one, and by kind: 0 narrow characters (count, UTF-8) · 1 one narrow character repeated (count, UTF-8) ·
/// 2 wide characters (count, UTF-8) · 3 one cell of any other sort (its kind, count, scalars).
struct RowEncoder {
    private(set) var rows = ByteWriter()
    private(set) var styles: [TextStyle] = []
    private(set) var links: [TextLink] = []
    /// By number in the terminal's table; -1 has none here yet.
    private var styleNumbers: [Int32] = []
    private var linkNumbers: [Int: Int] = [:]
    private var lastStyle = -1
    private var lastStyleNumber = 0

    @inline(__always)
    mutating func style(_ number: Int, _ table: borrowing StyleTable) -> Int {
        if number == lastStyle { return lastStyleNumber }
        lastStyle = number
        if number < styleNumbers.count && styleNumbers[number] >= 0 {
            lastStyleNumber = Int(styleNumbers[number])
            return lastStyleNumber
        }
        return newStyle(number, table)
    }

    @inline(never)
    private mutating func newStyle(_ number: Int, _ table: borrowing StyleTable) -> Int {
        if number >= styleNumbers.count {
            styleNumbers.append(contentsOf: repeatElement(-1, count: max(number + 1, 64) - styleNumbers.count))
        }
        if styleNumbers[number] >= 0 {
            lastStyleNumber = Int(styleNumbers[number])
        } else {
            lastStyleNumber = styles.count
            styleNumbers[number] = Int32(truncatingIfNeeded: styles.count)
            styles.append(table[number])
        }
        return lastStyleNumber
    }

    /// 0 is no link.
    mutating func link(_ number: Int, _ table: InternTable<TextLink>) -> Int {
        if number == 0 { return 0 }
        if let known = linkNumbers[number] { return known }
        links.append(table[number])
        linkNumbers[number] = links.count
        return links.count
    }

    mutating func append(
        _ cells: UnsafeBufferPointer<UInt64>, flags: UInt8, styles: borrowing StyleTable, clusters: InternTable<[UInt32]>, links: InternTable<TextLink>
    ) {
        var used = cells.count
        while used > 0 && cells[used - 1] == 0 { used -= 1 }
        rows.byte(flags)
        // Most rows of a log are one run of ASCII.
        if used > 0 {
            let pen = cells[0] & ~0x7F
            var difference: UInt64 = 0
            for index in 0..<used { difference |= cells[index] ^ pen }
            if difference & ~0x7F == 0 && pen & 0xFFFF_FFFF == 0 && pen >> Cell.linkShift == 0 {
                rows.number(1)
                rows.number(style(Cell(raw: pen).style, styles) << 4)
                rows.number(used)
                rows.ascii(UnsafeBufferPointer(rebasing: cells[..<used]))
                return
            }
        }
        // What a row can take at most, so that no byte asks whether there is room: 13 bytes a cell, and its scalars for a cluster.
        var room = used * 13
        for index in 0..<used where cells[index] & Cell.clusterBit != 0 { room += Core.maximumClusterScalars * 4 }
        let scratch = UnsafeMutablePointer<UInt8>.allocate(capacity: max(room, 1))
        defer { scratch.deallocate() }
        var writer = RunWriter(at: scratch)
        var runs = 0
        var index = 0
        while index < used {
            let cell = Cell(raw: cells[index])
            let style = self.style(cell.style, styles)
            let link = cell.link == 0 ? 0 : self.link(cell.link, links)
            let header = style << 4 | (cell.isProtected ? 8 : 0) | (link > 0 ? 4 : 0)
            let pen = cell.raw & ~(Cell.contentMask & ~Cell.protectedBit)
            runs += 1
            if cell.isNarrow && !cell.isCluster {
                var end = index + 1
                while end < used && cells[end] == cell.raw { end += 1 }
                if end - index >= 4 {
                    writer.number(header | 1)
                    if link > 0 { writer.number(link) }
                    writer.number(end - index)
                    writer.utf8(cell.scalar)
                    index = end
                    continue
                }
                end = index + 1
                while end < used {
                    let raw = cells[end]
                    guard raw & ~Cell.scalarMask == pen else { break }
                    if end + 3 < used && cells[end + 1] == raw && cells[end + 2] == raw && cells[end + 3] == raw { break }
                    end += 1
                }
                writer.number(header)
                if link > 0 { writer.number(link) }
                writer.number(end - index)
                for column in index..<end { writer.utf8(Cell(raw: cells[column]).scalar) }
                index = end
            } else if cell.isHead && !cell.isCluster && index + 1 < used && cells[index + 1] == pen | Cell.wideTail {
                var end = index + 2
                while end + 1 < used && cells[end] & ~Cell.scalarMask == pen | Cell.wideHead && cells[end + 1] == pen | Cell.wideTail { end += 2 }
                writer.number(header | 2)
                if link > 0 { writer.number(link) }
                writer.number((end - index) / 2)
                for column in stride(from: index, to: end, by: 2) { writer.utf8(Cell(raw: cells[column]).scalar) }
                index = end
            } else {
                writer.number(header | 3)
                if link > 0 { writer.number(link) }
                writer.byte(UInt8(truncatingIfNeeded: (cell.raw & Cell.kindMask) >> 22) | (cell.isCluster ? 4 : 0))
                let scalars = cell.isCluster ? clusters[Int(cell.scalar)] : [cell.scalar]
                precondition(scalars.count <= Core.maximumClusterScalars, "a character of more scalars than are kept")
                writer.number(scalars.count)
                for scalar in scalars { writer.utf8(scalar) }
                index += 1
            }
        }
        rows.number(runs)
        rows.bytes.append(contentsOf: UnsafeBufferPointer(start: scratch, count: writer.at - scratch))
    }

    /// `ByteWriter` where it is known that there is room.
    private struct RunWriter {
        var at: UnsafeMutablePointer<UInt8>

        @inline(__always)
        mutating func byte(_ value: UInt8) {
            at.pointee = value
            at += 1
        }

        @inline(__always)
        mutating func number(_ value: Int) {
            var rest = UInt64(bitPattern: Int64(value))
            while rest >= 0x80 {
                byte(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            byte(UInt8(truncatingIfNeeded: rest))
        }

        @inline(__always)
        mutating func utf8(_ scalar: UInt32) {
            if scalar < 0x80 {
                byte(UInt8(truncatingIfNeeded: scalar))
            } else if scalar < 0x800 {
                byte(0xC0 | UInt8(truncatingIfNeeded: scalar >> 6))
                byte(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
            } else if scalar < 0x10000 {
                byte(0xE0 | UInt8(truncatingIfNeeded: scalar >> 12))
                byte(0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F))
                byte(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
            } else {
                byte(0xF0 | UInt8(truncatingIfNeeded: scalar >> 18))
                byte(0x80 | UInt8(truncatingIfNeeded: scalar >> 12 & 0x3F))
                byte(0x80 | UInt8(truncatingIfNeeded: scalar >> 6 & 0x3F))
                byte(0x80 | UInt8(truncatingIfNeeded: scalar & 0x3F))
            }
        }
    }

    func writeTables(_ writer: inout ByteWriter) {
        writer.number(styles.count)
        for style in styles {
            writer.number(Int(style.foreground.raw))
            writer.number(Int(style.background.raw))
            writer.number(Int(style.underlineColor.raw))
            writer.number(Int(style.attributes.rawValue))
        }
        writer.number(links.count)
        for link in links {
            writer.text(link.uri)
            writer.text(link.id)
        }
    }
}

/// Rows with the numbers of their own tables in their cells.
struct DecodedRows {
    struct Row {
        var cells: [UInt64]
        var flags: UInt8
    }

    var styles: [TextStyle] = []
    var links: [TextLink] = [TextLink(uri: "")]
    var clusters: [[UInt32]] = [[]]
    var rows: [Row] = []

    mutating func readTables(_ reader: inout ByteReader) throws(SnapshotError) {
        let styleCount = try reader.count(atMost: Cell.maximumStyles, size: 4, "styles")
        for _ in 0..<styleCount {
            var style = TextStyle()
            style.foreground = try DecodedRows.color(&reader)
            style.background = try DecodedRows.color(&reader)
            style.underlineColor = try DecodedRows.color(&reader)
            let attributes = try reader.number(0...Int(TextStyle.Attributes.known), "attributes")
            style.attributes = TextStyle.Attributes(rawValue: UInt32(attributes))
            guard attributes >> 8 & 7 <= 5 else { throw .malformed("attributes") }
            styles.append(style)
        }
        let linkCount = try reader.count(atMost: Cell.maximumLinks - 1, size: 2, "links")
        for _ in 0..<linkCount {
            let uri = try reader.text(atMost: Core.maximumString * 3, "link")
            links.append(TextLink(uri: uri, id: try reader.text(atMost: Core.maximumString * 3, "link")))
        }
    }

    static func color(_ reader: inout ByteReader) throws(SnapshotError) -> TextColor {
        let raw = try reader.number(0...Int(UInt32.max), "colour")
        guard TextColor.isValid(raw: UInt32(raw)) else { throw .malformed("colour") }
        return TextColor(raw: UInt32(raw))
    }

    /// Reads `count` rows of at most `columns` cells.
    mutating func readRows(_ reader: inout ByteReader, count: Int, columns: Int) throws(SnapshotError) {
        for _ in 0..<count {
            let flags = try reader.byte()
            guard flags & ~RowFlags.content == 0 else { throw .malformed("row") }
            let runs = try reader.count(atMost: columns, "runs")
            var cells: [UInt64] = []
            for _ in 0..<runs {
                let header = try reader.number(0...(Cell.maximumStyles << 4), "run")
                let style = header >> 4
                guard style < styles.count else { throw .malformed("style") }
                let link = header & 4 != 0 ? try reader.number(1...max(1, links.count - 1), "link") : 0
                guard link < links.count else { throw .malformed("link") }
                let pen =
                    UInt64(style) << Cell.styleShift | UInt64(link) << Cell.linkShift | (header & 8 != 0 ? Cell.protectedBit : 0)
                switch header & 3 {
                case 0:
                    let length = try reader.count(atMost: columns - cells.count, "run")
                    for _ in 0..<length { cells.append(pen | UInt64(try reader.utf8())) }
                case 1:
                    let length = try reader.number(0...(columns - cells.count), "run")
                    let scalar = try reader.utf8()
                    cells.append(contentsOf: repeatElement(pen | UInt64(scalar), count: length))
                case 2:
                    let length = try reader.count(atMost: (columns - cells.count) / 2, "run")
                    for _ in 0..<length {
                        cells.append(pen | Cell.wideHead | UInt64(try reader.utf8()))
                        cells.append(pen | Cell.wideTail)
                    }
                default:
                    let kind = try reader.byte()
                    guard kind < 8, cells.count < columns else { throw .malformed("cell") }
                    let scalarCount = try reader.number(1...Core.maximumClusterScalars, "cluster")
                    var scalars: [UInt32] = []
                    for _ in 0..<scalarCount { scalars.append(try reader.utf8()) }
                    var raw = pen | UInt64(kind & 3) << 22
                    if kind & 4 != 0 {
                        guard clusters.count < 1 << 21 else { throw .malformed("cluster") }
                        raw |= Cell.clusterBit | UInt64(clusters.count)
                        clusters.append(scalars)
                    } else {
                        raw |= UInt64(scalars[0])
                    }
                    cells.append(raw)
                }
            }
            rows.append(Row(cells: cells, flags: flags))
        }
    }
}

extension Core {
    /// Takes decoded rows into this terminal's tables.
    mutating func adopt(_ decoded: consuming DecodedRows) -> [DecodedRows.Row] {
        var styleNumbers: [UInt64] = []
        for style in decoded.styles {
            if styles.shouldCollect { styles.collectAt = min(Cell.maximumStyles, styles.collectAt * 2) }
            styleNumbers.append(UInt64(styles.number(of: style)))
        }
        // No collection here: the rows are not in any grid yet.
        var linkNumbers: [UInt64] = []
        for (index, link) in decoded.links.enumerated() { linkNumbers.append(index == 0 ? 0 : UInt64(links.number(of: link))) }
        var clusterNumbers: [UInt64] = []
        for (index, cluster) in decoded.clusters.enumerated() { clusterNumbers.append(index == 0 ? 0 : UInt64(clusters.number(of: cluster))) }
        for row in decoded.rows.indices {
            for column in decoded.rows[row].cells.indices {
                let cell = Cell(raw: decoded.rows[row].cells[column])
                if cell.raw == 0 && styleNumbers.first == 0 { continue }
                var raw = cell.raw & Cell.contentMask
                if styleNumbers.indices.contains(cell.style) { raw |= styleNumbers[cell.style] << Cell.styleShift }
                raw |= linkNumbers[cell.link] << Cell.linkShift
                if cell.isCluster { raw = raw & ~Cell.scalarMask | clusterNumbers[Int(cell.scalar)] }
                decoded.rows[row].cells[column] = raw
            }
        }
        return decoded.rows
    }
}
