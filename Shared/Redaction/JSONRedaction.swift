internal import Contract

extension Redactor {
    /// JSON with the secrets in its strings replaced, each string by itself; what is no string stays byte for byte.
    public func redacted(json bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var copied = 0
        var index = 0
        while let start = bytes[index...].firstIndex(of: UInt8(ascii: "\"")) {
            var end = start + 1
            var isEscaped = false
            while end < bytes.count, bytes[end] != UInt8(ascii: "\"") {
                if bytes[end] == UInt8(ascii: "\\") {
                    isEscaped = true
                    end += 1
                }
                end += 1
            }
            guard end < bytes.count else { break }
            index = end + 1
            guard end - start > 6 else { continue }
            let literal = bytes[start...end]
            let text: String
            if isEscaped {
                guard let decoded = try? JSON.decode(String.self, from: literal) else { continue }
                text = decoded
            } else {
                text = String(decoding: literal.dropFirst().dropLast(), as: UTF8.self)
            }
            let hidden = redacted(text)
            guard hidden != text, let encoded = try? JSON.encode(hidden) else { continue }
            result += bytes[copied..<start]
            result += encoded
            copied = end + 1
        }
        guard copied > 0 else { return bytes }
        return result + bytes[copied...]
    }

    /// Whether a name is one that secrets are kept under: of an environment variable, say.
    public static func isSecretName(_ name: String) -> Bool { SecretName.kind(of: name.unicodeScalars.map(\.value)[...]) != nil }

    /// A command as it may be shown: what follows `--password` and its like is hidden as well.
    public func redacted(command: [String]) -> [String] {
        var isNext = false
        return command.map { word in
            defer { isNext = word.hasPrefix("--") && !word.contains("=") && Self.isSecretName(String(word.dropFirst(2))) }
            return isNext ? String(repeating: String(Self.mark), count: word.unicodeScalars.count) : redacted(word)
        }
    }
}
