internal import Contract
internal import Glibc

/// Where commands print.
public enum Out {
    public static func print(_ text: String) { write(text + "\n", to: 1) }

    /// To standard error.
    public static func complain(_ text: String) { write(text + "\n", to: 2) }

    /// One line of JSON in the project's dialect (snake_case keys).
    public static func printJSON(_ value: some Encodable) { print(jsonText(value)) }

    public static func jsonText(_ value: some Encodable) -> String {
        (try? JSON.text(value)) ?? #"{"error":{"code":"internal","message":"the answer could not be encoded"}}"#
    }

    /// Writes all of it; a reader that went away ends the program quietly, as `head` expects.
    public static func write(_ text: String, to file: Int32) { write(Array(text.utf8), to: file) }

    public static func write(_ bytes: [UInt8], to file: Int32) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
            } else if errno == EAGAIN {
                var entry = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
                poll(&entry, 1, 1000)
            } else if errno != EINTR {
                if errno == EPIPE { exit(0) }
                let reason = String(cString: strerror(errno))
                if file != 2 { complain("switchback: cannot write: \(reason)") }
                exit(1)
            }
        }
    }

    public static func isTerminal(_ file: Int32) -> Bool { isatty(file) == 1 }

    /// Columns of the terminal on standard output; nil when it is none.
    public static var columns: Int? {
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}

public enum Signals {
    /// A closed pipe is then an error of `write`, not the end without a word.
    public static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
}
