internal import Compression
internal import Contract

/// What a timeline needs to know of a segment without unpacking it.
struct SegmentSummary: Equatable {
    var entries: [Timeline.Entry] = []
    var activity: [ActivityTracker.Span] = []

    private static let longestText = 64
    private static let version: UInt8 = 1
    private static let packedVersion: UInt8 = 2

    /// Notes an input or a control frame. Inputs of one author in one second are one entry.
    mutating func note(_ frame: Frame, _ control: Control?) {
        var entry = Timeline.Entry(seq: frame.seq, time: frame.time, what: "input", author: frame.author)
        switch frame.kind {
        case .in:
            // Some more than is shown, so that what is cut is cut between characters.
            let text = Self.shortened(String(decoding: frame.bytes.prefix(Self.longestText + 4), as: UTF8.self))
            if let last = entries.last, last.what == "input", last.author == frame.author, frame.time - last.time < .seconds(1) {
                entries[entries.count - 1].text = Self.shortened((last.text ?? "") + text)
                return
            }
            entry.text = text
        case .ctl:
            guard let control else { return }
            entry.what = control.kind
            entry.author = nil
            switch control {
            case .start(let start): entry.text = Self.shortened(start.argv.joined(separator: " "))
            case .resize(let columns, let rows, let author):
                entry.text = "\(columns)x\(rows)"
                entry.author = author
            case .signal(let name, let author):
                entry.text = name
                entry.author = author
            case .marker(let text, let author):
                entry.text = Self.shortened(text)
                entry.author = author
            case .gap(let bytes, let reason): entry.text = Self.shortened("\(bytes) bytes: \(reason)")
            case .held(let bytes): entry.text = "\(bytes) bytes"
            case .exit(let exit):
                switch exit {
                case .code(let code): entry.text = "exit \(code)"
                case .signal(let number): entry.text = "signal \(number)"
                case .lost(let reason): entry.text = Self.shortened("lost: \(reason)")
                }
            case .hook(let hook): entry.text = Self.shortened([hook.event, hook.toolName, hook.detail].compactMap(\.self).joined(separator: " "))
            // Signals for the detector, many and of no use to a person.
            case .process: return
            case .released, .other: break
            }
        case .out, .key: return
        }
        entries.append(entry)
    }

    private static func shortened(_ text: String) -> String {
        guard text.utf8.count > longestText else { return text }
        var bytes = 0
        let kept = text.unicodeScalars.prefix { scalar in
            bytes += UTF8.width(scalar)
            return bytes <= longestText - 3
        }
        return String(kept) + "…"
    }

    // MARK: - Bytes

    /// Version (2: the rest is zstd-compressed), spans, entries; numbers are LEB128, times milliseconds or microseconds after `start` or the entry before.
    func encoded(start: Timestamp, firstSeq: UInt64) -> [UInt8] {
        if entries.isEmpty && activity.isEmpty { return [] }
        var bytes: [UInt8] = [Self.version]
        func number(_ value: Int64) { FrameCodec.appendNumber(UInt64(max(0, value)), to: &bytes) }
        func text(_ value: String) {
            number(Int64(value.utf8.count))
            bytes.append(contentsOf: value.utf8)
        }
        number(Int64(activity.count))
        var clock = start.microseconds
        for span in activity {
            let from = max(0, span.from.microseconds - clock) / 1000
            let length = (span.to.microseconds - span.from.microseconds + 999) / 1000
            number(from)
            number(length)
            clock += (from + length) * 1000
        }
        number(Int64(entries.count))
        clock = start.microseconds
        var seq = firstSeq
        for entry in entries {
            number(entry.time.microseconds - clock)
            number(Int64(clamping: entry.seq &- seq))
            text(entry.what)
            text(entry.author?.description ?? "")
            text(entry.text ?? "")
            clock = entry.time.microseconds
            seq = entry.seq
        }
        if bytes.count > 96, let packed = try? Zstd.compress(Array(bytes.dropFirst()), level: 9), packed.count < bytes.count {
            return [Self.packedVersion] + packed
        }
        return bytes
    }

    /// Takes a summary apart; nil if it is garbled.
    init?(_ bytes: [UInt8], start: Timestamp, firstSeq: UInt64) {
        if bytes.isEmpty { return }
        var bytes = bytes
        if bytes[0] == Self.packedVersion {
            guard let plain = try? Zstd.decompress(Array(bytes.dropFirst()), limit: 16 << 20) else { return nil }
            bytes = [Self.version] + plain
        }
        var rest = bytes[...]
        func number(_ rest: inout ArraySlice<UInt8>) -> Int64? {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while let byte = rest.popFirst(), shift < 63 {
                value |= UInt64(byte & 0x7f) << shift
                if byte < 0x80 { return Int64(exactly: value) }
                shift += 7
            }
            return nil
        }
        func text(_ rest: inout ArraySlice<UInt8>) -> String? {
            guard let count = number(&rest), count <= rest.count else { return nil }
            defer { rest = rest.dropFirst(Int(count)) }
            return String(decoding: rest.prefix(Int(count)), as: UTF8.self)
        }
        guard rest.popFirst() == Self.version, let spanCount = number(&rest) else { return nil }
        var clock = start.microseconds
        for _ in 0..<spanCount {
            guard let from = number(&rest), let length = number(&rest) else { return nil }
            let begin = clock &+ from &* 1000
            clock = begin &+ length &* 1000
            activity.append(.init(from: Timestamp(microseconds: begin), to: Timestamp(microseconds: clock)))
        }
        guard let entryCount = number(&rest) else { return nil }
        clock = start.microseconds
        var seq = firstSeq
        for _ in 0..<entryCount {
            guard let time = number(&rest), let step = number(&rest), let what = text(&rest), let author = text(&rest), let said = text(&rest)
            else { return nil }
            clock = clock &+ time
            seq = seq &+ UInt64(step)
            entries.append(
                Timeline.Entry(
                    seq: seq, time: Timestamp(microseconds: clock), what: what, author: Author(author), text: said.isEmpty ? nil : said))
        }
    }

    init() {}
}
