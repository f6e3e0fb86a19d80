/// Frames of one pod back to back, as `play` answers carry them.
///
/// Per frame: kind (1 byte: 0 out, 1 in, 2 ctl, 3 key), seq, time in µs, author, via, bytes; numbers are LEB128 (time zigzag, both as
/// differences from the frame before), texts and bytes length-prefixed. `key` frames carry no bytes.
public enum FrameCodec {
    /// Adds `frame` to `bytes`. `previous` is the frame before it in the same run, if any.
    public static func append(_ frame: Frame, after previous: (seq: UInt64, time: Timestamp)?, to bytes: inout [UInt8]) {
        let kind: UInt8 =
            switch frame.kind {
            case .out: 0
            case .in: 1
            case .ctl: 2
            case .key: 3
            }
        bytes.append(kind)
        appendNumber(frame.seq &- (previous?.seq ?? 0), to: &bytes)
        let delta = frame.time.microseconds &- (previous?.time.microseconds ?? 0)
        appendNumber(UInt64(bitPattern: (delta << 1) ^ (delta >> 63)), to: &bytes)
        if frame.kind == .in {
            appendText(frame.author?.description ?? "", to: &bytes)
            appendText(frame.via ?? "", to: &bytes)
        }
        appendNumber(UInt64(frame.bytes.count), to: &bytes)
        bytes.append(contentsOf: frame.bytes)
    }

    /// All frames of a run.
    public static func encode(_ frames: some Sequence<Frame>) -> [UInt8] {
        var bytes: [UInt8] = []
        var previous: (UInt64, Timestamp)?
        for frame in frames {
            append(frame, after: previous, to: &bytes)
            previous = (frame.seq, frame.time)
        }
        return bytes
    }

    /// Takes a run apart. Throws `bad_request` if it is garbled.
    public static func decode(_ bytes: ArraySlice<UInt8>, pod: PodID) throws(ErrorBody) -> [Frame] {
        var reader = Reader(rest: bytes)
        var frames: [Frame] = []
        var seq: UInt64 = 0
        var time: Int64 = 0
        while !reader.rest.isEmpty {
            let kind: FrameKind
            switch try reader.byte() {
            case 0: kind = .out
            case 1: kind = .in
            case 2: kind = .ctl
            case 3: kind = .key
            case let other: throw ErrorBody(.badRequest, "a run of frames is garbled: kind \(other)")
            }
            seq &+= try reader.number()
            let zigzag = try reader.number()
            time &+= Int64(bitPattern: (zigzag >> 1) ^ (0 &- (zigzag & 1)))
            var author: Author?
            var via: String?
            if kind == .in {
                author = Author(try reader.text())
                via = try reader.text()
                if via?.isEmpty == true { via = nil }
            }
            let count = try reader.number()
            guard count <= UInt64(reader.rest.count) else { throw Reader.short }
            frames.append(
                Frame(
                    pod: pod, seq: seq, time: Timestamp(microseconds: time), kind: kind, bytes: Array(reader.rest.prefix(Int(count))),
                    author: author, via: via))
            reader.rest = reader.rest.dropFirst(Int(count))
        }
        return frames
    }

    /// Adds an unsigned LEB128 number.
    public static func appendNumber(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func appendText(_ text: String, to bytes: inout [UInt8]) {
        appendNumber(UInt64(text.utf8.count), to: &bytes)
        bytes.append(contentsOf: text.utf8)
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        static let short = ErrorBody(.badRequest, "a run of frames is cut short")

        mutating func byte() throws(ErrorBody) -> UInt8 {
            guard let byte = rest.popFirst() else { throw Self.short }
            return byte
        }

        mutating func number() throws(ErrorBody) -> UInt64 {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                let byte = try byte()
                guard shift < 64 else { throw ErrorBody(.badRequest, "a run of frames is garbled: a number of over 64 bits") }
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
        }

        mutating func text() throws(ErrorBody) -> String {
            let count = try number()
            guard count <= UInt64(rest.count) else { throw Self.short }
            let text = String(decoding: rest.prefix(Int(count)), as: UTF8.self)
            rest = rest.dropFirst(Int(count))
            return text
        }
    }
}
