internal import CPty
internal import Contract

/// How one frame stands in a spool file.
///
/// Little-endian: magic `SbF1` (4), CRC-32C of what follows (4), length of what follows (4), seq (8), time in µs (8), kind (1),
/// author's length (2), via's length (2), author, via, bytes.
enum SpoolRecord {
    static let magic: UInt32 = 0x3146_6253
    static let fixedSize = 12 + 21
    /// More than any frame; a length beyond it is damage.
    static let largestBody = 64 << 20

    static func encode(_ frame: Frame, into buffer: inout [UInt8]) {
        let author = Array((frame.author?.description ?? "").utf8.prefix(Int(UInt16.max)))
        let via = Array((frame.via ?? "").utf8.prefix(Int(UInt16.max)))
        let body = 21 + author.count + via.count + frame.bytes.count
        buffer.removeAll(keepingCapacity: true)
        buffer.reserveCapacity(12 + body)
        append(magic, to: &buffer)
        append(UInt32(0), to: &buffer)
        append(UInt32(body), to: &buffer)
        append(frame.seq, to: &buffer)
        append(UInt64(bitPattern: frame.time.microseconds), to: &buffer)
        buffer.append(frame.kind.code)
        append(UInt16(author.count), to: &buffer)
        append(UInt16(via.count), to: &buffer)
        buffer += author
        buffer += via
        buffer += frame.bytes
        let crc = buffer.withUnsafeBytes { cpty_crc32c(0, $0.baseAddress?.advanced(by: 8), $0.count - 8) }
        withUnsafeBytes(of: crc.littleEndian) { for (index, byte) in $0.enumerated() { buffer[4 + index] = byte } }
    }

    /// What stands at a place of a file.
    enum Found {
        case frame(Frame, size: Int)
        /// The file ends before the record does.
        case incomplete
        case damaged
    }

    static func decode(_ bytes: UnsafeRawBufferPointer, pod: PodID) -> Found {
        guard bytes.count >= 12 else { return .incomplete }
        guard load(UInt32.self, bytes, 0) == magic else { return .damaged }
        let body = Int(load(UInt32.self, bytes, 8))
        guard (21...largestBody).contains(body) else { return .damaged }
        guard bytes.count >= 12 + body else { return .incomplete }
        guard cpty_crc32c(0, bytes.baseAddress?.advanced(by: 8), body + 4) == load(UInt32.self, bytes, 4) else { return .damaged }
        let author = Int(load(UInt16.self, bytes, 29))
        let via = Int(load(UInt16.self, bytes, 31))
        guard 21 + author + via <= body, let kind = FrameKind(code: bytes[28]) else { return .damaged }
        func text(_ start: Int, _ count: Int) -> String { String(decoding: bytes[start..<(start + count)], as: UTF8.self) }
        let frame = Frame(
            pod: pod, seq: load(UInt64.self, bytes, 12),
            time: Timestamp(microseconds: Int64(bitPattern: load(UInt64.self, bytes, 20))), kind: kind,
            bytes: Array(bytes[(33 + author + via)..<(12 + body)]), author: author == 0 ? nil : Author(text(33, author)),
            via: via == 0 ? nil : text(33 + author, via))
        return .frame(frame, size: 12 + body)
    }

    /// How many bytes a record of which the first twelve are known takes; nil when they are damaged.
    static func size(_ head: UnsafeRawBufferPointer) -> Int? {
        guard head.count >= 12, load(UInt32.self, head, 0) == magic else { return nil }
        let body = Int(load(UInt32.self, head, 8))
        return (21...largestBody).contains(body) ? 12 + body : nil
    }

    private static func load<N: FixedWidthInteger>(_ type: N.Type, _ bytes: UnsafeRawBufferPointer, _ offset: Int) -> N {
        N(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: N.self))
    }

    private static func append<N: FixedWidthInteger>(_ number: N, to buffer: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { buffer.append(contentsOf: $0) }
    }
}

extension FrameKind {
    fileprivate var code: UInt8 {
        switch self {
        case .out: 0
        case .in: 1
        case .ctl: 2
        case .key: 3
        }
    }

    fileprivate init?(code: UInt8) {
        switch code {
        case 0: self = .out
        case 1: self = .in
        case 2: self = .ctl
        case 3: self = .key
        default: return nil
        }
    }
}
