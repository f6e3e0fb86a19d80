/// Hides secrets in the bytes of a terminal before anybody sees or keeps them.
///
/// Works on lines of text as they are printed: colours may change inside a secret, whatever moves the cursor begins a new line. A piece of text
/// that is not complete is held back until it is, or until `flush`; what has gone out already cannot be called back, but what follows of the same
/// secret is still hidden. Printable bytes are replaced one by one, everything else passes.
public struct StreamRedactor: Sendable {
    private enum Escape { case none, began, control, string, stringEscape }

    /// A printed character of the line, or what came between two.
    private struct Piece {
        var bytes: [UInt8]
        var isPrinted: Bool
    }

    /// A line longer than this is cut here.
    private static let longestLine = 8192

    private let redactor: Redactor
    /// What the line shows, from its beginning or as far back as matters.
    private var line: [UInt32] = []
    /// Of these, so many characters have gone out.
    private var sent = 0
    /// What has not: pieces in order.
    private var pieces: [Piece] = []
    private var escape = Escape.none
    private var sequence: [UInt8] = []
    private var character: [UInt8] = []
    private var isInsideKey = false
    /// How many secrets of which rule were hidden since this was last taken.
    public private(set) var counts: [String: Int] = [:]
    /// The end of the last secret of this line that was counted.
    private var counted = 0

    public init(_ redactor: Redactor) { self.redactor = redactor }

    public mutating func takeCounts() -> [String: Int] {
        defer { counts = [:] }
        return counts
    }

    /// Whether something is held back.
    public var isHolding: Bool { !pieces.isEmpty || !sequence.isEmpty || !character.isEmpty }

    /// Takes bytes; gives those that may go out.
    public mutating func feed(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        for byte in bytes { take(byte, &out) }
        release(upToWord: true, &out)
        return out
    }

    /// Gives what was held back: it has waited long enough, or nothing follows.
    public mutating func flush() -> [UInt8] {
        var out: [UInt8] = []
        release(upToWord: false, &out)
        out += sequence
        out += character
        sequence = []
        character = []
        escape = .none
        return out
    }

    // MARK: - Bytes

    private mutating func take(_ byte: UInt8, _ out: inout [UInt8]) {
        // What cannot be in a sequence ends it.
        if escape == .began || escape == .control, byte >= 0x80 || byte == 0x1b || byte == 0x18 || byte == 0x1a {
            finishSequence(&out, keepsLine: false)
            return text(byte, &out)
        }
        switch escape {
        case .began:
            sequence.append(byte)
            switch byte {
            case 0x5b: escape = .control
            case 0x5d, 0x50, 0x58, 0x5e, 0x5f: escape = .string
            case 0x20...0x2f: break
            default: finishSequence(&out, keepsLine: false)
            }
        case .control:
            sequence.append(byte)
            // Colours do not end a word.
            if (0x40...0x7e).contains(byte) { finishSequence(&out, keepsLine: byte == 0x6d) }
        case .string:
            sequence.append(byte)
            if byte == 0x07 || byte == 0x18 || byte == 0x1a { finishSequence(&out, keepsLine: true) } else if byte == 0x1b { escape = .stringEscape }
            if sequence.count > 1 << 16 { finishSequence(&out, keepsLine: true) }
        case .stringEscape:
            sequence.append(byte)
            if byte == 0x5c { finishSequence(&out, keepsLine: true) } else { escape = .string }
        case .none:
            text(byte, &out)
        }
    }

    private mutating func finishSequence(_ out: inout [UInt8], keepsLine: Bool) {
        // A title, a link or a clipboard may hold one as well.
        let whole = sequence.count > 8 && keepsLine && sequence[1] != 0x5b ? hidden(inside: sequence) : sequence
        if !keepsLine { endLine(&out) }
        pieces.append(Piece(bytes: whole, isPrinted: false))
        sequence = []
        escape = .none
        if !keepsLine { release(upToWord: false, &out) }
    }

    private mutating func hidden(inside sequence: [UInt8]) -> [UInt8] {
        let end = sequence.suffix(2).first == 0x1b ? 2 : 1
        let text = String(decoding: sequence.dropFirst(2).dropLast(end), as: UTF8.self)
        let hidden = redactor.redacted(text)
        guard hidden != text else { return sequence }
        counts["title_or_link", default: 0] += 1
        return sequence.prefix(2) + Array(hidden.utf8) + sequence.suffix(end)
    }

    private mutating func text(_ byte: UInt8, _ out: inout [UInt8]) {
        switch byte {
        case 0x1b:
            if !character.isEmpty { flushCharacter(&out) }
            escape = .began
            sequence = [byte]
        case 0x00..<0x20, 0x7f:
            if !character.isEmpty { flushCharacter(&out) }
            if byte == 0x09 {
                print([byte], 0x20, &out)
            } else if byte == 0x0a || byte == 0x0d || byte == 0x08 {
                endLine(&out)
                out.append(byte)
            } else {
                pieces.append(Piece(bytes: [byte], isPrinted: false))
            }
        case 0x20..<0x7f:
            if !character.isEmpty { flushCharacter(&out) }
            print([byte], UInt32(byte), &out)
        default:
            character.append(byte)
            let first = character[0]
            let length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
            if character.count >= length { flushCharacter(&out) }
        }
    }

    private mutating func flushCharacter(_ out: inout [UInt8]) {
        let scalar = String(decoding: character, as: UTF8.self).unicodeScalars.first?.value ?? 0xFFFD
        let bytes = character
        character = []
        print(bytes, scalar, &out)
    }

    private mutating func print(_ bytes: [UInt8], _ scalar: UInt32, _ out: inout [UInt8]) {
        line.append(scalar)
        pieces.append(Piece(bytes: bytes, isPrinted: true))
        if line.count > Self.longestLine { endLine(&out) }
    }

    private mutating func endLine(_ out: inout [UInt8]) {
        release(upToWord: false, &out)
        notePrivateKey()
        line = []
        sent = 0
        counted = 0
    }

    private static let begin = Array("-----BEGIN ".unicodeScalars.map(\.value))
    private static let end = Array("-----END ".unicodeScalars.map(\.value))
    private static let key = Array("PRIVATE KEY".unicodeScalars.map(\.value))

    private mutating func notePrivateKey() {
        guard line.contains(0x2d) else { return }
        if PrivateKeys.place(of: Self.end, in: line, from: 0) != nil {
            isInsideKey = false
        } else if let place = PrivateKeys.place(of: Self.begin, in: line, from: 0), PrivateKeys.place(of: Self.key, in: line, from: place) != nil {
            isInsideKey = true
        }
    }

    // MARK: - Going out

    /// - Parameter upToWord: keep back the last word, which may grow.
    private mutating func release(upToWord: Bool, _ out: inout [UInt8]) {
        guard !pieces.isEmpty else { return }
        var limit = line.count
        if upToWord {
            // What stands after the last blank is not complete; nor is a value whose name stands before it.
            while limit > sent, !Character7.isBlank(line[limit - 1]) { limit -= 1 }
            if line.count - limit > 2048 { limit = line.count }
        }
        var found = redactor.redactions(in: line)
        if isInsideKey, PrivateKeys.place(of: Self.end, in: line, from: 0) == nil {
            if PrivateKeys.longestRun(line) == 0, line.contains(where: { !Character7.isBlank($0) }) {
                isInsideKey = false
            } else {
                found = [Redaction(range: 0..<line.count, rule: PrivateKeys.rule)]
            }
        }
        // What has begun to be a secret and went out too early goes on as one.
        if !upToWord, let open = openSecret() { found.append(open) }
        var place = sent
        var done = 0
        for piece in pieces {
            if piece.isPrinted {
                guard place < limit else { break }
                let redaction = found.first { $0.range.contains(place) }
                if let redaction, !Character7.isBlank(line[place]) || redaction.rule != PrivateKeys.rule {
                    out += Array(String(Redactor.mark).utf8)
                    if redaction.range.upperBound > counted {
                        counts[redaction.rule, default: 0] += counted > redaction.range.lowerBound ? 0 : 1
                        counted = redaction.range.upperBound
                    }
                } else {
                    out += piece.bytes
                }
                place += 1
            } else {
                out += piece.bytes
            }
            done += 1
        }
        pieces.removeFirst(done)
        sent = place
    }

    /// The last word has the beginning of a provider's token, and is too short for one yet: hidden from there, as nobody knows what follows.
    private func openSecret() -> Redaction? {
        var start = line.count
        while start > 0, Character7.of(line[start - 1]) & (Character7.base64URL | Character7.dot) != 0 { start -= 1 }
        for index in start..<line.count where index == 0 || !Character7.isAlphanumeric(line[index - 1]) {
            guard line[index] < 128 else { continue }
            for rule in PrefixRule.byFirst[Int(line[index])] where !rule.needsDigit {
                let end = index + rule.prefix.count
                guard end + 4 <= line.count, line[index..<end].elementsEqual(rule.prefix) else { continue }
                return Redaction(range: index..<line.count, rule: rule.name)
            }
        }
        return nil
    }
}
