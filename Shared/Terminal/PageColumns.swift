/// Pages of history as columns, for whoever compresses many of them together: texts line after line as a program prints them, and apart
/// from them what is known of each row and run.
///
/// Lengths (LEB128) and bytes of the columns: pages (lines of each; 0 for bytes that are no page, with their length behind it); styles
/// and links; flags of rows; numbers of runs; pens; lengths of runs; texts, each row ended by CR LF. See `RowEncoder` for rows.
public enum PageColumns {
    private static let names = ["pages", "tables", "flags", "runs", "pens", "lengths", "texts"]
    private static let lineEnd: [UInt8] = [0x0D, 0x0A]

    private struct Columns {
        var pages = ByteWriter(), tables = ByteWriter(), flags = ByteWriter(), runs = ByteWriter(), pens = ByteWriter(), lengths = ByteWriter()
        var texts = ByteWriter()

        var all: [ByteWriter] { [pages, tables, flags, runs, pens, lengths, texts] }

        /// Takes back what was written behind these lengths of `all`.
        mutating func cut(to lengths: [Int]) {
            pages.cut(to: lengths[0])
            tables.cut(to: lengths[1])
            flags.cut(to: lengths[2])
            runs.cut(to: lengths[3])
            pens.cut(to: lengths[4])
            self.lengths.cut(to: lengths[5])
            texts.cut(to: lengths[6])
        }
    }

    /// The columns of pages as `HistoryPage.encoded()` gives them. Any other bytes are kept as they are.
    public static func split(_ pages: [[UInt8]]) -> [UInt8] {
        var columns = Columns()
        for page in pages {
            let before = columns.all.map { $0.bytes.count }
            do {
                try split(page, into: &columns)
            } catch {
                columns.cut(to: before)
                columns.pages.number(0)
                columns.pages.number(page.count)
                columns.texts.bytes.append(contentsOf: page)
            }
        }
        var writer = ByteWriter()
        for column in columns.all { writer.data(column.bytes) }
        return writer.bytes
    }

    private static func split(_ page: [UInt8], into columns: inout Columns) throws(SnapshotError) {
        var reader = ByteReader(page)
        guard try reader.byte() == HistoryPage.version else { throw SnapshotError(code: .version, message: "unknown version of a page") }
        let lines = try reader.number(1...HistoryPage.linesPerPage, "page")
        columns.pages.number(lines)
        let tables = reader.at
        var decoded = DecodedRows()
        try decoded.readTables(&reader)
        columns.tables.bytes.append(contentsOf: page[tables..<reader.at])
        for _ in 0..<lines {
            columns.flags.byte(try reader.byte())
            let runs = try reader.count(atMost: Core.maximumColumns, "runs")
            columns.runs.number(runs)
            for _ in 0..<runs {
                let header = try reader.number()
                columns.pens.number(header)
                if header & 4 != 0 { columns.pens.number(try reader.number()) }
                if header & 3 == 3 { columns.pens.byte(try reader.byte()) }
                let length = try reader.number(0...Core.maximumColumns, "run")
                columns.lengths.number(length)
                let text = reader.at
                try reader.skipText(header & 3 == 1 ? 1 : length)
                columns.texts.bytes.append(contentsOf: page[text..<reader.at])
            }
            columns.texts.bytes.append(contentsOf: lineEnd)
        }
        guard reader.remaining == 0 else { throw .malformed("page") }
    }

    /// The pages that were split.
    public static func joined(_ bytes: [UInt8]) throws(SnapshotError) -> [[UInt8]] {
        var reader = ByteReader(bytes)
        var columns: [ByteReader] = []
        for name in names { columns.append(ByteReader(try reader.data(atMost: bytes.count, name))) }
        var pages: [[UInt8]] = []
        while columns[0].remaining > 0 {
            let lines = try columns[0].number(0...HistoryPage.linesPerPage, "pages")
            if lines == 0 {
                let length = try columns[0].number(0...columns[6].remaining, "pages")
                pages.append(try take(length, &columns[6]))
            } else {
                pages.append(try page(lines, &columns))
            }
        }
        guard columns.allSatisfy({ $0.remaining == 0 }) else { throw .malformed("pages") }
        return pages
    }

    private static func page(_ lines: Int, _ columns: inout [ByteReader]) throws(SnapshotError) -> [UInt8] {
        var writer = ByteWriter()
        writer.byte(HistoryPage.version)
        writer.number(lines)
        let tables = columns[1].at
        var decoded = DecodedRows()
        try decoded.readTables(&columns[1])
        writer.bytes.append(contentsOf: columns[1].bytes[tables..<columns[1].at])
        for _ in 0..<lines {
            writer.byte(try columns[2].byte())
            let runs = try columns[3].number(0...Core.maximumColumns, "runs")
            writer.number(runs)
            for _ in 0..<runs {
                let header = try columns[4].number()
                writer.number(header)
                if header & 4 != 0 { writer.number(try columns[4].number()) }
                if header & 3 == 3 { writer.byte(try columns[4].byte()) }
                let length = try columns[5].number(0...Core.maximumColumns, "run")
                writer.number(length)
                let text = columns[6].at
                try columns[6].skipText(header & 3 == 1 ? 1 : length)
                writer.bytes.append(contentsOf: columns[6].bytes[text..<columns[6].at])
            }
            guard try take(lineEnd.count, &columns[6]) == lineEnd else { throw .malformed("pages") }
        }
        return writer.bytes
    }

    private static func take(_ count: Int, _ reader: inout ByteReader) throws(SnapshotError) -> [UInt8] {
        guard count <= reader.remaining else { throw .truncated }
        reader.at += count
        return Array(reader.bytes[(reader.at - count)..<reader.at])
    }
}
