public import Terminal

/// A pod's screen as coloured lines, for a terminal that goes on afterwards: none of the pod's modes is set in it. Pure.
public enum ScreenLines {
    /// The rows down to the last one that shows something, cut to so many columns.
    public static func lines(of terminal: Terminal, columns: Int) -> [String] {
        var count = terminal.rows
        while count > 0, terminal.rowText(count - 1).isEmpty { count -= 1 }
        return (0..<count).map { ScreenPainter.line(terminal.runs($0), columns: columns) + "\u{1b}[0m" }
    }
}
