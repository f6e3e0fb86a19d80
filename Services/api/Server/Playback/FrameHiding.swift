internal import Contract
internal import Redaction
internal import Terminal

/// Hides the secrets of frames, one after the other, for a recording that leaves the house.
///
/// While a secret stands on the screen, a frame's output becomes the whole screen without it; else its own bytes without those that only pass
/// through. What is typed while the terminal does not echo a line is a password, whatever it looks like.
struct FrameHiding {
    private let redactor: Redactor
    private var wasHidden = false
    private var echoes = true

    init(_ redactor: Redactor) { self.redactor = redactor }

    /// A copy of the screen as it may be shown.
    func shown(_ terminal: Terminal) throws(ErrorBody) -> Terminal {
        do {
            let copy = try Terminal(snapshot: terminal.snapshot())
            redactor.cover(copy)
            return copy
        } catch {
            throw ErrorBody(.internal, "the screen cannot be copied: \(error)")
        }
    }

    /// The frame as it may be shown.
    /// - Parameter terminal: the screen after it.
    mutating func shown(_ frame: Frame, _ terminal: Terminal) throws(ErrorBody) -> Frame {
        var frame = frame
        switch frame.kind {
        case .out:
            let isHidden = !ScreenRedaction(terminal, redactor).isEmpty
            if isHidden || wasHidden {
                frame.bytes = try shown(terminal).ansi(historyLines: [])
            } else {
                var stream = StreamRedactor(redactor)
                frame.bytes = stream.feed(frame.bytes) + stream.flush()
            }
            wasHidden = isHidden
        case .in:
            if echoes {
                var stream = StreamRedactor(redactor)
                frame.bytes = stream.feed(frame.bytes) + stream.flush()
            } else {
                frame.bytes = frame.bytes.map { $0 >= 0x20 && $0 != 0x7f ? UInt8(ascii: "*") : $0 }
            }
        case .ctl:
            if case .process(let process)? = try? JSON.decode(Control.self, from: frame.bytes) {
                if let echo = process.echo { echoes = echo || process.icanon == false }
            }
            frame.bytes = redactor.redacted(json: frame.bytes)
        case .key: break
        }
        return frame
    }
}
