internal import Contract
internal import Redaction

/// Hides secrets before anything is recorded or shown, for pods that were asked to (`redact: record`): what the shim publishes, and the keyframes it
/// makes, never hold them, so every frame is chained as it was recorded.
struct RecordHiding {
    /// How long the end of a word may be held back while it may grow into a secret.
    static let patience = Duration.milliseconds(40)
    private static let markEvery = Duration.seconds(1)

    private var stream: StreamRedactor
    private let redactor: Redactor
    private var heldSince: ContinuousClock.Instant?
    private var counts: [String: Int] = [:]
    private var lastMark: ContinuousClock.Instant?

    /// - Parameter lines: the user's own patterns, `name pattern`.
    /// - Throws: `bad_request` with what is wrong in them.
    init(lines: String) throws(ErrorBody) {
        redactor = try Redactor(lines: lines)
        stream = StreamRedactor(redactor)
    }

    mutating func pass(_ bytes: [UInt8], _ now: ContinuousClock.Instant) -> [UInt8] {
        let shown = stream.feed(bytes)
        heldSince = stream.isHolding ? heldSince ?? now : nil
        return shown
    }

    /// When what is held back must go; nil while nothing is.
    var deadline: ContinuousClock.Instant? { heldSince.map { $0 + Self.patience } }

    mutating func release() -> [UInt8] {
        heldSince = nil
        return stream.flush()
    }

    /// What was typed: a password is everything that a terminal in line mode does not echo.
    mutating func typed(_ bytes: [UInt8], isSecret: Bool) -> [UInt8] {
        if isSecret {
            counts["typed_without_echo", default: 0] += 1
            return bytes.map { $0 >= 0x20 && $0 != 0x7f ? UInt8(ascii: "*") : $0 }
        }
        var stream = StreamRedactor(redactor)
        let shown = stream.feed(bytes) + stream.flush()
        counts.merge(stream.takeCounts(), uniquingKeysWith: +)
        return shown
    }

    /// Words of others for the timeline: markers, refusals.
    mutating func said(_ text: String) -> String { String(decoding: typed(Array(text.utf8), isSecret: false), as: UTF8.self) }

    func command(_ argv: [String]) -> [String] { redactor.redacted(command: argv) }

    /// The words of a mark that says what was hidden since the last, at most one a second: rules and how often, never a secret.
    mutating func mark(_ now: ContinuousClock.Instant, isLast: Bool = false) -> String? {
        counts.merge(stream.takeCounts(), uniquingKeysWith: +)
        guard !counts.isEmpty, isLast || lastMark.map({ now - $0 >= Self.markEvery }) ?? true else { return nil }
        defer { counts = [:] }
        lastMark = now
        return "hidden before it was recorded: " + counts.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }.joined(separator: ", ")
    }
}
