internal import Dispatch
internal import Glibc
internal import Synchronization

/// The terminal this program runs in, taken over for raw keys and given back whatever happens.
public final class ConsoleTerminal: Sendable {
    private struct Fields {
        var saved: termios?
        var goodbye: [UInt8] = []
        var reader: (@Sendable ([UInt8]) -> Void)?
    }

    private let fields = Mutex(Fields())

    /// The one terminal of the process.
    public static let shared = ConsoleTerminal()

    private init() {}

    /// Columns and rows; nil when standard output is no terminal.
    public static func size() -> (columns: Int, rows: Int)? {
        for file: Int32 in [1, 0, 2] {
            var size = winsize()
            if ioctl(file, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 { return (Int(size.ws_col), Int(size.ws_row)) }
        }
        return nil
    }

    /// Puts the terminal into raw mode: every key comes as it is.
    /// - Parameter goodbye: written when the terminal is given back.
    /// - Returns: false when standard input is no terminal.
    public func takeOver(goodbye: [UInt8]) -> Bool {
        var settings = termios()
        guard tcgetattr(0, &settings) == 0 else { return false }
        let saved = settings
        fields.withLock { fields in
            fields.saved = saved
            fields.goodbye = goodbye
        }
        cfmakeraw(&settings)
        tcsetattr(0, TCSADRAIN, &settings)
        atexit { ConsoleTerminal.shared.giveBack() }
        for number in [SIGTERM, SIGHUP, SIGINT, SIGQUIT] {
            watch(number) {
                ConsoleTerminal.shared.giveBack()
                // As if we had not looked: whoever started us sees the signal.
                signal(number, SIG_DFL)
                raise(number)
                exit(128 + number)
            }
        }
        return true
    }

    /// Restores the terminal; safe to call at any time and more than once.
    public func giveBack() {
        let (saved, goodbye) = fields.withLock { fields in
            defer { fields.saved = nil }
            return (fields.saved, fields.goodbye)
        }
        guard var saved else { return }
        Out.write(goodbye, to: 1)
        tcsetattr(0, TCSADRAIN, &saved)
    }

    /// Calls `body` at each change of the terminal's size.
    public func onResize(_ body: @escaping @Sendable () -> Void) { watch(SIGWINCH, body) }

    private func watch(_ number: Int32, _ body: @escaping @Sendable () -> Void) {
        // The source only hears signals that are ignored or handled.
        if number != SIGWINCH { signal(number, SIG_IGN) }
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { body() }
        source.resume()
        // Kept for the process's life.
        _ = Unmanaged.passRetained(source as AnyObject)
    }

    /// Reads keys on a thread of its own, for the rest of the process's life.
    /// - Parameter body: is given what was read; nothing at the end of input.
    public func readKeys(_ body: @escaping @Sendable ([UInt8]) -> Void) {
        let isFirst = fields.withLock { fields in
            defer { fields.reader = body }
            return fields.reader == nil
        }
        guard isFirst else { return }
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { _ in
                var buffer = [UInt8](repeating: 0, count: 4096)
                while true {
                    let count = read(0, &buffer, buffer.count)
                    if count < 0 && errno == EINTR { continue }
                    let reader = ConsoleTerminal.shared.fields.withLock { $0.reader }
                    reader?(count > 0 ? Array(buffer[..<count]) : [])
                    if count <= 0 { return nil }
                }
            }, nil)
    }
}

/// Bytes for the terminal this program runs in.
public enum ConsoleBytes {
    /// Undoes what a program in a pod may have set: alternate screen, mouse, paste, keyboard and cursor modes, margins, colours.
    public static let reset: [UInt8] = Array(
        // On the main screen, leaving the other one moves the cursor to where it was saved last: here.
        ("\u{1b}[?2026l\u{1b}7\u{1b}[?1049l\u{1b}[?1000l\u{1b}[?1002l\u{1b}[?1003l\u{1b}[?1004l\u{1b}[?1005l\u{1b}[?1006l\u{1b}[?1015l\u{1b}[?1016l"
            + "\u{1b}[?2004l\u{1b}[?1l\u{1b}>\u{1b}[<99u\u{1b}[>4;0m\u{1b}[4l\u{1b}[?5l\u{1b}[?6l\u{1b}[?7h\u{1b}[?69l"
            // Setting the margins moves the cursor.
            + "\u{1b}7\u{1b}[r\u{1b}8\u{1b}(B\u{0f}\u{1b}]8;;\u{1b}\\\u{1b}[0m\u{1b}[0 q\u{1b}[?25h").utf8)

    public static let enterAlternate: [UInt8] = Array("\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J\u{1b}[H".utf8)
    public static let leaveAlternate: [UInt8] = Array("\u{1b}[0m\u{1b}[?25h\u{1b}[0 q\u{1b}[?1049l".utf8)

    /// The bytes without "erase the scrollback": a screen that is rebuilt in a person's terminal must not take their history.
    public static func keepingScrollback(_ bytes: [UInt8]) -> [UInt8] {
        let erase = Array("\u{1b}[3J".utf8)
        guard let at = bytes.firstRange(of: erase) else { return bytes }
        return Array(bytes[..<at.lowerBound]) + keepingScrollback(Array(bytes[at.upperBound...]))
    }
}
