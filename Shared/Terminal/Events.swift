/// OSC 9;4 progress.
public enum ProgressState: UInt8, Sendable, Hashable {
    case none, normal, error, indeterminate, warning
}

/// OSC 133 marks of a shell's prompt and command.
public enum ShellMark: Sendable, Hashable {
    case promptStart
    case commandStart
    case outputStart
    case commandEnd(exitCode: Int?)
}

/// Something a program said beside the screen.
public enum TerminalEvent: Sendable, Hashable {
    case bell
    case title(String)
    case notification(title: String, body: String)
    /// `percent` is 0…100, nil where the state has none.
    case progress(ProgressState, percent: Int?)
    case mark(ShellMark)
    /// OSC 52: noted, never obeyed. `bytes` is the length of the encoded text; a query has none.
    case clipboard(selection: String, bytes: Int)
    /// OSC 7: the URL the program gave.
    case workingDirectory(String)
}
