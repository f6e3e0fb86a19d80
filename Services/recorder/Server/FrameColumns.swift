internal import Contract

/// A run of frames as columns: their number; kinds; steps of seq; steps of time; lengths; authors and ways of inputs; bytes.
enum FrameColumns {
    /// Adds the columns of a `FrameCodec` run.
    static func append(_ run: [UInt8], to bytes: inout [UInt8]) throws {
        var reader = ColumnReader(run[...])
        var count: UInt64 = 0
        var kinds: [UInt8] = [], seqs: [UInt8] = [], times: [UInt8] = [], lengths: [UInt8] = [], authors: [UInt8] = []
        var content: [ArraySlice<UInt8>] = []
        while !reader.rest.isEmpty {
            let kind = try reader.byte()
            kinds.append(kind)
            FrameCodec.appendNumber(UInt64(try reader.number()), to: &seqs)
            FrameCodec.appendNumber(try reader.wideNumber(), to: &times)
            if kind == Self.input {
                for _ in 0..<2 {
                    let text = try reader.bytes(try reader.number())
                    FrameCodec.appendNumber(UInt64(text.count), to: &authors)
                    authors.append(contentsOf: text)
                }
            }
            let part = try reader.bytes(try reader.number())
            FrameCodec.appendNumber(UInt64(part.count), to: &lengths)
            content.append(part)
            count += 1
        }
        FrameCodec.appendNumber(count, to: &bytes)
        for column in [kinds, seqs, times, lengths, authors] {
            FrameCodec.appendNumber(UInt64(column.count), to: &bytes)
            bytes.append(contentsOf: column)
        }
        for part in content { bytes.append(contentsOf: part) }
    }

    /// The `FrameCodec` run of the columns that are the rest of the bytes.
    static func run(_ reader: inout ColumnReader) throws -> [UInt8] {
        let count = try reader.number()
        var columns: [ColumnReader] = []
        for _ in 0..<5 { columns.append(ColumnReader(try reader.bytes(try reader.number()))) }
        var run: [UInt8] = []
        run.reserveCapacity(reader.rest.count + columns.reduce(0) { $0 + $1.rest.count })
        for _ in 0..<count {
            let kind = try columns[0].byte()
            run.append(kind)
            FrameCodec.appendNumber(UInt64(try columns[1].number()), to: &run)
            FrameCodec.appendNumber(try columns[2].wideNumber(), to: &run)
            if kind == Self.input {
                for _ in 0..<2 {
                    let text = try columns[4].bytes(try columns[4].number())
                    FrameCodec.appendNumber(UInt64(text.count), to: &run)
                    run.append(contentsOf: text)
                }
            }
            let length = try columns[3].number()
            FrameCodec.appendNumber(UInt64(length), to: &run)
            run.append(contentsOf: try reader.bytes(length))
        }
        guard reader.rest.isEmpty else { throw ErrorBody(.internal, "a segment is garbled: something stands after its frames") }
        return run
    }

    /// `FrameCodec`'s code of `in`.
    private static let input: UInt8 = 1
}

/// Takes numbers and bytes off the front.
struct ColumnReader {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    static let short = ErrorBody(.internal, "a segment is garbled: it is cut short")

    mutating func byte() throws(ErrorBody) -> UInt8 {
        guard let byte = rest.popFirst() else { throw Self.short }
        return byte
    }

    mutating func wideNumber() throws(ErrorBody) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            guard shift < 64 else { throw ErrorBody(.internal, "a segment is garbled: a number of over 64 bits") }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    mutating func number() throws(ErrorBody) -> Int {
        guard let number = Int(exactly: try wideNumber()) else { throw ErrorBody(.internal, "a segment is garbled: a number is too large") }
        return number
    }

    mutating func bytes(_ count: Int) throws(ErrorBody) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw Self.short }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
