/// One pass over a line with the built-in rules.
struct LineScan {
    /// Values are looked at up to this length, so that a line costs time in proportion to its own.
    private static let longest = 1024

    private let line: UnsafeBufferPointer<UInt32>
    private var found: [Redaction] = []

    static func redactions(in line: UnsafeBufferPointer<UInt32>) -> [Redaction] {
        guard line.count >= 6 else { return [] }
        var scan = LineScan(line: line)
        scan.run()
        return scan.found
    }

    private init(line: UnsafeBufferPointer<UInt32>) { self.line = line }

    /// Characters at which something may begin: the first ones of the rules, and those that stand between a name and its value.
    private static let interesting: [Bool] = (0..<128).map { code in
        !PrefixRule.byFirst[code].isEmpty || "eBb:=-".unicodeScalars.contains { $0.value == UInt32(code) }
    }

    private mutating func run() {
        var index = 0
        while index < line.count {
            let scalar = line[index]
            guard scalar < 128, Self.interesting[Int(scalar)] else {
                index += 1
                continue
            }
            if let match = match(at: index) {
                found.append(match)
                index = max(index + 1, match.range.upperBound)
            } else {
                index += 1
            }
        }
    }

    private func match(at index: Int) -> Redaction? {
        let scalar = line[index]
        switch scalar {
        case 0x3a: return address(at: index) ?? assignment(at: index)
        case 0x3d: return assignment(at: index)
        case 0x2d: return option(at: index)
        default: break
        }
        if index > 0, Character7.isAlphanumeric(line[index - 1]) { return nil }
        for rule in PrefixRule.byFirst[Int(scalar)] { if let match = match(rule, at: index) { return match } }
        switch scalar {
        case 0x65: return jsonWebToken(at: index)
        case 0x42, 0x62: return bearer(at: index)
        default: return nil
        }
    }

    private func match(_ rule: PrefixRule, at index: Int) -> Redaction? {
        guard begins(with: rule.prefix, at: index) else { return nil }
        let start = index + rule.prefix.count
        let end = run(of: rule.allowed, from: start, most: rule.most)
        if end - start < rule.least {
            guard rule.isDistinct, end - start >= PrefixRule.leastOfPart, hasDigit(start..<end) else { return nil }
            return Redaction(range: index..<end, rule: rule.name)
        }
        if rule.isExact, end < line.count, Character7.of(line[end]) & rule.allowed != 0 { return nil }
        if rule.needsDigit, !hasDigit(start..<end) { return nil }
        return Redaction(range: index..<end, rule: rule.name)
    }

    /// Three parts of base64 with dots between, the first one the beginning of a JSON object (RFC 7519).
    private func jsonWebToken(at index: Int) -> Redaction? {
        guard begins(with: [0x65, 0x79, 0x4a], at: index) else { return nil }
        var end = index
        for part in 0..<3 {
            let start = end
            end = run(of: Character7.base64URL, from: start, most: 65_536)
            guard end - start >= 8 else { return nil }
            if part < 2 {
                guard end < line.count, line[end] == 0x2e else { return nil }
                end += 1
            }
        }
        return Redaction(range: index..<end, rule: "json_web_token")
    }

    private func bearer(at index: Int) -> Redaction? {
        let word: [UInt32] = [0x62, 0x65, 0x61, 0x72, 0x65, 0x72]
        guard index + 7 < line.count, zip(word, line[index...]).allSatisfy({ $0 == Character7.lowered($1) }), Character7.isBlank(line[index + 6]) else {
            return nil
        }
        var start = index + 7
        while start < line.count, Character7.isBlank(line[start]) { start += 1 }
        let allowed = Character7.base64URL | Character7.base64 | Character7.dot | Character7.tilde
        let end = run(of: allowed, from: start, most: 65_536)
        guard end - start >= 16, hasDigit(start..<end) else { return nil }
        return Redaction(range: start..<end, rule: "bearer")
    }

    /// `scheme://user:password@host`
    private func address(at index: Int) -> Redaction? {
        guard index + 4 < line.count, line[index + 1] == 0x2f, line[index + 2] == 0x2f, index > 0, Character7.isAlphanumeric(line[index - 1]) else {
            return nil
        }
        var colon: Int?
        var at: Int?
        var place = index + 3
        while place < line.count, place < index + 300 {
            let scalar = line[place]
            if Character7.isBlank(scalar) || scalar == 0x2f || scalar == 0x22 || scalar == 0x27 || scalar == 0x3f || scalar == 0x23 { break }
            if scalar == 0x3a, colon == nil { colon = place }
            if scalar == 0x40 { at = place }
            place += 1
        }
        guard let colon, let at, at > colon + 1 else { return nil }
        let value = (colon + 1)..<at
        guard !isPlaceholder(value) else { return nil }
        return Redaction(range: value, rule: "password")
    }

    // MARK: - Assignments

    /// `name = value`, `name: value`, `"name": "value"`.
    private func assignment(at index: Int) -> Redaction? {
        let next = index + 1 < line.count ? line[index + 1] : 0
        let before = index > 0 ? line[index - 1] : 0
        // Comparisons, arrows, definitions, addresses.
        if next == 0x3d || next == 0x3e || next == 0x7e || before == 0x3d || before == 0x21 || before == 0x3c || before == 0x3e { return nil }
        if line[index] == 0x3a, next == 0x3a || before == 0x3a || next == 0x2f { return nil }
        var end = index
        if before == 0x3a { end -= 1 }
        var isTight = true
        while end > 0, Character7.isBlank(line[end - 1]), index - end < 4 {
            end -= 1
            isTight = false
        }
        if end > 0, isQuote(line[end - 1]) { end -= 1 }
        var start = end
        let inName = Character7.alphanumeric | Character7.underscore | Character7.hyphen | Character7.dot
        while start > 0, end - start < 64, Character7.of(line[start - 1]) & inName != 0 { start -= 1 }
        guard end - start >= 3, let kind = SecretName.kind(of: Array(line[start..<end])[...]) else { return nil }
        var value = index + 1
        while value < line.count, Character7.isBlank(line[value]), value - index < 5 {
            value += 1
            isTight = false
        }
        return self.value(at: value, kind, isTight: isTight && line[index] == 0x3d)
    }

    /// `--password value`
    private func option(at index: Int) -> Redaction? {
        guard index + 6 < line.count, line[index + 1] == 0x2d, index == 0 || Character7.isBlank(line[index - 1]) else { return nil }
        let end = run(of: Character7.alphanumeric | Character7.hyphen, from: index + 2, most: 64)
        guard end < line.count, Character7.isBlank(line[end]), let kind = SecretName.kind(of: Array(line[(index + 2)..<end])[...]) else { return nil }
        let value = end + 1
        guard value < line.count, line[value] != 0x2d else { return nil }
        return self.value(at: value, kind, isTight: false)
    }

    private func value(at start: Int, _ kind: SecretName.Kind, isTight: Bool) -> Redaction? {
        guard start < line.count, !Character7.isBlank(line[start]) else { return nil }
        var start = start
        var end = start
        let isQuoted = isQuote(line[start])
        var hasScheme = false
        if isQuoted {
            let quote = line[start]
            start += 1
            end = start
            while end < line.count, end - start < Self.longest, line[end] != quote { end += line[end] == 0x5c ? 2 : 1 }
            end = min(end, line.count)
        } else {
            for scheme in ["Bearer ", "Basic ", "token "] {
                let word = scheme.unicodeScalars.map(\.value)
                if begins(with: word, at: start) {
                    start += word.count
                    hasScheme = true
                }
            }
            end = start
            while end < line.count, end - start < Self.longest, !isEnd(line[end]) { end += 1 }
        }
        let value = start..<max(start, end)
        guard !isPlaceholder(value) else { return nil }
        let digits = hasDigit(value)
        let symbols = line[value].contains { Character7.isAlphanumeric($0) == false && $0 != 0x5f && $0 != 0x2d && $0 != 0x2e && $0 != 0x2f }
        let isLikely: Bool =
            switch kind {
            case .password: isTight || isQuoted ? value.count >= 4 : value.count >= 6 && (digits || symbols)
            case .secret where hasScheme: value.count >= 8
            case .secret: value.count >= 8 && digits && !isNumber(value) && !isPath(value) || isQuoted && value.count >= 20 && !line[value].contains(0x20)
            }
        guard isLikely, !(isPath(value) && !isQuoted) else { return nil }
        // A call or a lookup in a program, not a value.
        if !isQuoted, line[value].contains(0x28) || line[value].contains(0x5b) { return nil }
        return Redaction(range: value, rule: kind == .password ? "password" : "secret")
    }

    // MARK: - Looking

    private func begins(with text: [UInt32], at index: Int) -> Bool {
        guard index + text.count <= line.count else { return false }
        for offset in 0..<text.count where line[index + offset] != text[offset] { return false }
        return true
    }

    /// Where a run of these characters ends.
    private func run(of allowed: UInt16, from start: Int, most: Int) -> Int {
        var end = start
        while end < line.count, end - start < most, Character7.of(line[end]) & allowed != 0 { end += 1 }
        return end
    }

    private func hasDigit(_ range: Range<Int>) -> Bool { line[range].contains { Character7.of($0) == Character7.digit } }
    private func isNumber(_ range: Range<Int>) -> Bool { line[range].allSatisfy { Character7.of($0) & (Character7.digit | Character7.dot) != 0 } }
    private func isPath(_ range: Range<Int>) -> Bool {
        guard let first = line[range].first else { return true }
        return first == 0x2f || first == 0x7e || first == 0x2e || PrivateKeys.place(of: [0x3a, 0x2f, 0x2f], in: Array(line[range]), from: 0) != nil
    }
    private func isQuote(_ scalar: UInt32) -> Bool { scalar == 0x22 || scalar == 0x27 || scalar == 0x60 }
    private func isEnd(_ scalar: UInt32) -> Bool {
        scalar < 0x20 || Character7.isBlank(scalar) || isQuote(scalar) || scalar == 0x2c || scalar == 0x3b || scalar == 0x29 || scalar == 0x7d || scalar == 0x5d
            || scalar == 0x26 || scalar == 0x7c || scalar == 0x2502
    }

    private func isPlaceholder(_ range: Range<Int>) -> Bool {
        guard let first = line[range].first else { return true }
        // $VARIABLE, <name>, {{template}}, %NAME%, ***, •••.
        if [0x24, 0x3c, 0x7b, 0x25, 0x2a, 0x2022].contains(first) || line[range].allSatisfy({ $0 == first }) { return true }
        guard range.count <= 12 else {
            return ["process.env", "os.environ", "import.meta"].contains { begins(with: $0.unicodeScalars.map(\.value), at: range.lowerBound) }
        }
        let word = String(String.UnicodeScalarView(line[range].compactMap { Unicode.Scalar(Character7.lowered($0)) }))
        return SecretName.placeholders.contains(word)
    }
}
