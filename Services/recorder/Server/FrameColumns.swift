internal import Contract

/// A run of frames as columns, which compress better than frame by frame: what is known of the frames, and their bytes.
///
/// `facts` are the number of frames, then each with its length before it: kinds; steps of seq; steps of time; lengths; authors and ways of
/// inputs. The bytes of all frames follow one another in `content`: it is compressed apart, since what is good for numbers is bad for text.
struct FrameColumns: Equatable {
    var facts: [UInt8] = []
    var content: [UInt8] = []

    private static let columnCount = 5

    init(facts: [UInt8], content: [UInt8]) {
        self.facts = facts
        self.content = content
    }

    /// The columns of a `FrameCodec` run.
    init(_ run: [UInt8]) throws {
        var reader = ColumnReader(run[...])
        var count: UInt64 = 0
        var kinds: [UInt8] = [], seqs: [UInt8] = [], times: [UInt64] = [], lengths: [UInt8] = [], authors: [UInt8] = []
        content.reserveCapacity(run.count)
        while !reader.rest.isEmpty {
            let kind = try reader.byte()
            kinds.append(kind)
            FrameCodec.appendNumber(UInt64(try reader.number()), to: &seqs)
            times.append(try reader.wideNumber())
            if kind == Self.input {
                for _ in 0..<2 {
                    let text = try reader.bytes(try reader.number())
                    FrameCodec.appendNumber(UInt64(text.count), to: &authors)
                    authors.append(contentsOf: text)
                }
            }
            let part = try reader.bytes(try reader.number())
            FrameCodec.appendNumber(UInt64(part.count), to: &lengths)
            content.append(contentsOf: part)
            count += 1
        }
        FrameCodec.appendNumber(count, to: &facts)
        for column in [kinds, seqs, NumberPlanes.split(times), lengths, authors] {
            FrameCodec.appendNumber(UInt64(column.count), to: &facts)
            facts.append(contentsOf: column)
        }
    }

    /// The `FrameCodec` run.
    func run() throws -> [UInt8] {
        var reader = ColumnReader(facts[...])
        let count = try reader.number()
        var columns = try Self.columns(&reader)
        guard reader.rest.isEmpty else { throw ErrorBody(.internal, "a segment is garbled: something stands after its columns") }
        let times = try NumberPlanes.joined(columns[2].rest, count: count)
        return try Self.run(count, &columns, times, content[...])
    }

    /// The run of the first version's columns, which are the rest of the bytes: times were numbers among the others, and the content followed.
    static func firstVersion(_ reader: inout ColumnReader) throws -> [UInt8] {
        let count = try reader.number()
        var columns = try Self.columns(&reader)
        var times: [UInt64] = []
        for _ in 0..<count { times.append(try columns[2].wideNumber()) }
        return try Self.run(count, &columns, times, reader.rest)
    }

    private static func columns(_ reader: inout ColumnReader) throws -> [ColumnReader] {
        var columns: [ColumnReader] = []
        for _ in 0..<columnCount { columns.append(ColumnReader(try reader.bytes(try reader.number()))) }
        return columns
    }

    private static func run(_ count: Int, _ columns: inout [ColumnReader], _ times: [UInt64], _ content: ArraySlice<UInt8>) throws -> [UInt8] {
        var reader = ColumnReader(content)
        var run: [UInt8] = []
        run.reserveCapacity(content.count + columns.reduce(0) { $0 + $1.rest.count })
        for index in 0..<count {
            let kind = try columns[0].byte()
            run.append(kind)
            FrameCodec.appendNumber(UInt64(try columns[1].number()), to: &run)
            FrameCodec.appendNumber(times[index], to: &run)
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

/// Numbers byte by byte: how many bytes each has, the lowest byte of all, the second lowest of all that have one, and so on.
///
/// The upper bytes of steps of time are few and repeat, the lowest are noise: apart, the noise does not spoil the others.
enum NumberPlanes {
    static func split(_ numbers: [UInt64]) -> [UInt8] {
        var bytes = numbers.map { UInt8((71 - $0.leadingZeroBitCount) / 8) }
        for place in 0..<8 {
            for number in numbers where number >> UInt64(8 * place) != 0 { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * place))) }
        }
        return bytes
    }

    static func joined(_ bytes: ArraySlice<UInt8>, count: Int) throws(ErrorBody) -> [UInt64] {
        var reader = ColumnReader(bytes)
        let lengths = Array(try reader.bytes(count))
        guard lengths.allSatisfy({ $0 <= 8 }) else { throw ErrorBody(.internal, "a segment is garbled: a number of over 64 bits") }
        var numbers = [UInt64](repeating: 0, count: count)
        for place in 0..<8 {
            for index in 0..<count where Int(lengths[index]) > place { numbers[index] |= UInt64(try reader.byte()) << UInt64(8 * place) }
        }
        guard reader.rest.isEmpty else { throw ErrorBody(.internal, "a segment is garbled: something stands after its numbers") }
        return numbers
    }
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
        guard count >= 0, count <= rest.count else { throw Self.short }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
