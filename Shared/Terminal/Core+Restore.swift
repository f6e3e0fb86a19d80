extension Core {
    static func restored(_ snapshot: [UInt8], page: (([UInt8]) -> [UInt8]?)?) throws(SnapshotError) -> Core {
        guard snapshot.count > SnapshotFormat.magic.count + 5 else { throw .truncated }
        guard snapshot.starts(with: SnapshotFormat.magic) else { throw .malformed("not a keyframe") }
        guard snapshot[SnapshotFormat.magic.count] == SnapshotFormat.version else {
            throw SnapshotError(code: .version, message: "version \(snapshot[SnapshotFormat.magic.count]) is not known")
        }
        let end = snapshot.count - 4
        var sum: UInt32 = 0
        for index in 0..<4 { sum |= UInt32(snapshot[end + index]) << UInt32(index * 8) }
        guard sum == SnapshotFormat.checksum(snapshot[..<end]) else {
            throw SnapshotError(code: .checksum, message: "the checksum does not match")
        }
        var reader = ByteReader(snapshot, end: end)
        reader.at = SnapshotFormat.magic.count + 1

        let columns = try reader.number(1...Core.maximumColumns, "columns")
        let rows = try reader.number(1...Core.maximumRows, "rows")
        let scrollback = try reader.number(0...Core.maximumScrollback, "scrollback")
        var core = Core(columns: columns, rows: rows, scrollback: scrollback)
        core.isAlternate = try reader.flag()
        let hasOther = try reader.flag()
        guard hasOther || !core.isAlternate else { throw .malformed("screens") }
        core.hasDoubleRows = try reader.flag()
        var decoded = DecodedRows()
        try decoded.readTables(&reader)
        let openCount = try reader.number(0...(HistoryPage.linesPerPage - 1), "history")
        try decoded.readRows(&reader, count: hasOther ? rows * 2 : rows, columns: columns)
        try decoded.readRows(&reader, count: openCount, columns: Core.maximumColumns)
        let linkCount = decoded.links.count
        let tables = decoded
        let all = core.adopt(decoded)
        place(all[0..<rows], in: &core.grid)
        if hasOther {
            core.other = Grid(columns: columns, rows: rows)
            place(all[rows..<(rows * 2)], in: &core.other)
        }
        try core.readHistory(&reader, open: Array(all.suffix(openCount)), page)
        try core.readCursor(&reader, links: linkCount, tables)
        try core.readModes(&reader)
        try core.readTexts(&reader)
        try core.readParser(&reader)
        guard reader.remaining == 0 else { throw .malformed("length") }
        core.penIsStale = true
        core.updatePlainPrinting()
        return core
    }

    private static func place(_ rows: ArraySlice<DecodedRows.Row>, in grid: inout Grid) {
        for (index, row) in rows.enumerated() {
            let cells = grid.row(index)
            for (column, cell) in row.cells.enumerated() { cells[column] = cell }
            grid.setContentFlags(index, row.flags)
        }
    }

    private mutating func readHistory(
        _ reader: inout ByteReader, open: [DecodedRows.Row], _ load: (([UInt8]) -> [UInt8]?)?
    ) throws(SnapshotError) {
        let skipped = try reader.number(0...(HistoryPage.linesPerPage - 1), "history")
        let count = try reader.count(atMost: Core.maximumScrollback / HistoryPage.linesPerPage + 2, size: 3, "pages")
        var pages: [HistoryPage] = []
        for _ in 0..<count {
            let lines = try reader.number(1...HistoryPage.linesPerPage, "page")
            let isReference = try reader.byte()
            let data = try reader.data(atMost: 1 << 26, "page")
            switch isReference {
            case 0:
                _ = try HistoryPage.decode(data, lineCount: lines)
                pages.append(HistoryPage(lineCount: lines, bytes: data))
            case 1:
                let bytes = load?(data)
                if let bytes { _ = try HistoryPage.decode(bytes, lineCount: lines) }
                pages.append(HistoryPage(lineCount: lines, bytes: bytes, reference: data))
            default: throw .malformed("page")
            }
        }
        let first = pages.first?.lineCount ?? open.count
        let total = pages.reduce(0) { $0 + $1.lineCount } + open.count
        guard skipped <= first, total - skipped <= scrollback else { throw .malformed("history") }
        history.restore(pages: pages, skipped: skipped, open: open)
    }

    private static func style(_ reader: inout ByteReader) throws(SnapshotError) -> TextStyle {
        var style = TextStyle()
        style.foreground = try DecodedRows.color(&reader)
        style.background = try DecodedRows.color(&reader)
        style.underlineColor = try DecodedRows.color(&reader)
        let attributes = try reader.number(0...Int(TextStyle.Attributes.known), "attributes")
        guard attributes >> 8 & 7 <= 5 else { throw .malformed("attributes") }
        style.attributes = TextStyle.Attributes(rawValue: UInt32(attributes))
        return style
    }

    private static func charset(_ reader: inout ByteReader) throws(SnapshotError) -> Charset {
        guard let charset = Charset(rawValue: try reader.byte()) else { throw .malformed("character set") }
        return charset
    }

    private mutating func readCursor(_ reader: inout ByteReader, links linkCount: Int, _ tables: DecodedRows) throws(SnapshotError) {
        row = try reader.number(0...(rows - 1), "cursor")
        column = try reader.number(0...(columns - 1), "cursor")
        pendingWrap = try reader.flag()
        cursorVisible = try reader.flag()
        guard let shape = CursorShape(rawValue: try reader.byte()) else { throw .malformed("cursor") }
        cursorShape = shape
        cursorBlinks = try reader.flag()
        style = try Core.style(&reader)
        let penLink = try reader.number(0...max(0, linkCount - 1), "link")
        link = penLink == 0 ? 0 : links.number(of: tables.links[penLink])
        protected = try reader.flag()
        originMode = try reader.flag()
        charsets = (try Core.charset(&reader), try Core.charset(&reader), try Core.charset(&reader), try Core.charset(&reader))
        locked = UInt8(try reader.number(0...3, "character set"))
        singleShift = UInt8(try reader.number(0...3, "character set"))
        saved = try readSaved(&reader)
        otherSaved = try readSaved(&reader)
        joinable = try reader.flag()
        lastRow = try reader.number(0...(rows - 1), "cursor")
        lastColumn = try reader.number(0...(columns - 1), "cursor")
        lastScalar = UInt32(try reader.number(0...0x10FFFF, "character"))
        top = try reader.number(0...(rows - 1), "margins")
        bottom = try reader.number(top...(rows - 1), "margins")
        left = try reader.number(0...(columns - 1), "margins")
        right = try reader.number(left...(columns - 1), "margins")
    }

    private func readSaved(_ reader: inout ByteReader) throws(SnapshotError) -> SavedCursor {
        var cursor = SavedCursor()
        cursor.row = try reader.number(0...(Core.maximumRows - 1), "cursor")
        cursor.column = try reader.number(0...(Core.maximumColumns - 1), "cursor")
        cursor.pendingWrap = try reader.flag()
        cursor.style = try Core.style(&reader)
        cursor.protected = try reader.flag()
        cursor.origin = try reader.flag()
        for slot in 0..<4 { cursor.charsets[slot] = try Core.charset(&reader) }
        cursor.locked = UInt8(try reader.number(0...3, "character set"))
        return cursor
    }

    private mutating func readModes(_ reader: inout ByteReader) throws(SnapshotError) {
        let bits = try reader.number(0...(1 << Core.switches.count - 1), "modes")
        for (index, path) in Core.switches.enumerated() { modes[keyPath: path] = bits >> index & 1 == 1 }
        guard let mouse = MouseTracking(rawValue: try reader.byte()), let encoding = MouseEncoding(rawValue: try reader.byte()) else {
            throw .malformed("mouse")
        }
        modes.mouse = mouse
        modes.mouseEncoding = encoding
        modes.kittyKeyboard = UInt8(try reader.number(0...31, "keyboard"))
        modes.modifyOtherKeys = UInt8(try reader.number(0...2, "keyboard"))
        otherKittyFlags = UInt8(try reader.number(0...31, "keyboard"))
        kittyStack = try reader.data(atMost: Core.maximumKittyStack, "keyboard")
        otherKittyStack = try reader.data(atMost: Core.maximumKittyStack, "keyboard")
        guard kittyStack.allSatisfy({ $0 < 32 }), otherKittyStack.allSatisfy({ $0 < 32 }) else { throw .malformed("keyboard") }
        let savedCount = try reader.count(atMost: 128, size: 2, "modes")
        for _ in 0..<savedCount {
            let mode = UInt32(try reader.number(0...99_999, "mode"))
            savedModes[mode] = try reader.flag()
        }
        let stops = try reader.count(atMost: columns, "tabs")
        for _ in 0..<stops { tabs[try reader.number(0...(columns - 1), "tab")].toggle() }
    }

    private mutating func readTexts(_ reader: inout ByteReader) throws(SnapshotError) {
        let longest = Core.maximumString * 3
        title = try reader.text(atMost: longest, "title")
        iconTitle = try reader.text(atMost: longest, "title")
        let titles = try reader.count(atMost: Core.maximumTitles, "titles")
        for _ in 0..<titles { titleStack.append(try reader.text(atMost: longest, "title")) }
        let colors = try reader.count(atMost: 256, size: 2, "palette")
        for _ in 0..<colors {
            let index = try reader.byte()
            palette[index] = UInt32(try reader.number(0...0xFF_FFFF, "colour"))
        }
        for slot in 0..<3 {
            let value = try reader.number(0...0x100_0000, "colour")
            dynamicColors[slot] = value == 0 ? nil : UInt32(value - 1)
        }
    }

    private mutating func readParser(_ reader: inout ByteReader) throws(SnapshotError) {
        guard let state = ParserState(rawValue: try reader.byte()) else { throw .malformed("parser") }
        self.state = state
        utf8.missing = UInt8(try reader.number(0...3, "text"))
        if utf8.missing > 0 {
            utf8.low = try reader.byte()
            utf8.high = try reader.byte()
            utf8.value = UInt32(try reader.number(0...0x3FFF, "text"))
            guard utf8.low >= 0x80, utf8.high <= 0xBF, utf8.low <= utf8.high, utf8.value << (6 * UInt32(utf8.missing)) <= 0x10FFFF else {
                throw .malformed("text")
            }
        }
        if state == .ground { return }
        prefix = try reader.byte()
        intermediate = try reader.byte()
        secondIntermediate = try reader.byte()
        if state == .escape || state == .escapeIntermediate { return }
        parameterCount = try reader.number(0...(Core.maximumParameters + 1), "parameters")
        for index in 0..<min(parameterCount, Core.maximumParameters) { parameters[index] = Int32(try reader.number(0...99_999, "parameter")) }
        subparameters = UInt32(try reader.number(0...Int(UInt32.max), "parameters"))
        parameterStarted = try reader.flag()
        guard parameterCount > 0 || !parameterStarted else { throw .malformed("parameters") }
        string = try reader.data(atMost: Core.maximumString, "string")
        stringLength = try reader.number(0...(1 << 41), "string")
    }
}
