internal import Glibc

/// Colours, on a terminal only, and not when `NO_COLOR` is set (https://no-color.org).
public struct Style: Sendable {
    public var isColoured: Bool

    /// For standard output.
    public static let forOutput = Style(file: 1)
    /// For standard error.
    public static let forErrors = Style(file: 2)

    public init(isColoured: Bool) { self.isColoured = isColoured }

    init(file: Int32) {
        let refuses = getenv("NO_COLOR").map { $0[0] != 0 } ?? false
        let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
        isColoured = Out.isTerminal(file) && !refuses && !isDumb
    }

    /// What may stand between an escape with a bracket and an `m`.
    static let codes = ["0", "1", "2", "31", "32", "33", "36"]

    public func red(_ text: String) -> String { paint(text, "31") }
    public func green(_ text: String) -> String { paint(text, "32") }
    public func yellow(_ text: String) -> String { paint(text, "33") }
    public func cyan(_ text: String) -> String { paint(text, "36") }
    public func bold(_ text: String) -> String { paint(text, "1") }
    public func dim(_ text: String) -> String { paint(text, "2") }

    private func paint(_ text: String, _ code: String) -> String {
        isColoured && !text.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}
