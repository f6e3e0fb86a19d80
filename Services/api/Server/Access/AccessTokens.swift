internal import Contract
internal import FoundationEssentials

/// Who asks, and what they may do.
struct Person: Sendable, Equatable {
    var name: String
    var role: Role
    /// Of an agent that asks by its pod's credential: its pod.
    var pod: PodID?
    /// The id of the token they came by; none for those of the file of tokens.
    var credential: String?
    /// The pods the token is good for; all where missing.
    var scope: PodScope?
    var expires: Timestamp?

    var author: Author { pod.map { Author(kind: .pod, id: $0.text) } ?? Author(kind: .person, id: name) }
}

/// The bearer tokens of this server: a file with lines `token role name`; `#` begins a comment.
struct AccessTokens: Sendable {
    struct Invalid: Error, CustomStringConvertible {
        let description: String
    }

    private struct Entry: Sendable {
        let token: [UInt8]
        let person: Person
    }

    private let entries: [Entry]

    init(file path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Invalid(description: "the token file \(path) cannot be read; it needs lines `token role name`")
        }
        try self.init(lines: String(decoding: data, as: UTF8.self), from: path)
    }

    init(lines text: String, from source: String) throws {
        var entries: [Entry] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = line.prefix { $0 != "#" }
            let words = content.split(whereSeparator: \.isWhitespace)
            if words.isEmpty { continue }
            guard words.count == 3, let role = Role(rawValue: String(words[1])) else {
                throw Invalid(
                    description: "\(source), line \(index + 1): expected `token role name` with role viewer, operator or admin")
            }
            guard words[0].utf8.count >= 16 else {
                throw Invalid(description: "\(source), line \(index + 1): a token needs at least 16 characters")
            }
            entries.append(Entry(token: Array(words[0].utf8), person: Person(name: String(words[2]), role: role)))
        }
        guard !entries.isEmpty else { throw Invalid(description: "\(source) holds no token; nobody could sign in") }
        self.entries = entries
    }

    /// Everybody in the file.
    var people: [Person] { entries.map(\.person) }

    /// The person a token belongs to. Looks at every entry whole, so that the time taken says nothing about any.
    func person(token: some StringProtocol) -> Person? {
        let given = Array(token.utf8)
        var found: Person?
        for entry in entries where Self.equal(entry.token, given) {
            found = entry.person
        }
        return found
    }

    private static func equal(_ secret: [UInt8], _ given: [UInt8]) -> Bool {
        var difference = UInt8(secret.count == given.count ? 0 : 1)
        for index in secret.indices {
            difference |= secret[index] ^ (given.isEmpty ? 0xff : given[index % given.count])
        }
        return difference == 0
    }
}
