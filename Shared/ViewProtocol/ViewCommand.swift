/// What a viewer asks over the terminal socket, as JSON in a text or binary message: `{"type":"seek","time":"-5m"}`.
public struct ViewCommand: Codable, Sendable, Equatable {
    /// `live`, `seek`, `play`, `pause`, `step`, `input`, `resize`, `take`, `timeline`, `keyframe`.
    public var type: String
    /// seek: RFC 3339, `-5m`, `14:03:07`, `+90s`.
    public var time: String?
    /// seek: after this frame.
    public var seq: UInt64?
    /// play: times as fast as it happened; negative runs backwards.
    public var rate: Double?
    /// play: pauses longer than this, in seconds, are shortened to it.
    public var idleLimit: Double?
    /// step: frames of output forward, or back.
    public var frames: Int?
    /// input: text as typed.
    public var text: String?
    /// input: bytes as typed, base64.
    public var bytesB64: String?
    /// input: the text is pasted, marked as such where the program asked for it.
    public var paste: Bool?
    /// input: Enter follows as one operation.
    public var submit: Bool?
    /// input: only if nothing came after this output frame.
    public var ifSeq: UInt64?
    public var columns: Int?
    public var rows: Int?

    public init(type: String) {
        self.type = type
    }

    public static let live = ViewCommand(type: "live")
    public static let pause = ViewCommand(type: "pause")
    public static let take = ViewCommand(type: "take")
    public static let timeline = ViewCommand(type: "timeline")
    public static let keyframe = ViewCommand(type: "keyframe")

    public static func seek(_ time: String) -> ViewCommand {
        var command = ViewCommand(type: "seek")
        command.time = time
        return command
    }

    public static func play(rate: Double, idleLimit: Double? = nil) -> ViewCommand {
        var command = ViewCommand(type: "play")
        command.rate = rate
        command.idleLimit = idleLimit
        return command
    }

    public static func step(_ frames: Int) -> ViewCommand {
        var command = ViewCommand(type: "step")
        command.frames = frames
        return command
    }

    public static func input(_ text: String) -> ViewCommand {
        var command = ViewCommand(type: "input")
        command.text = text
        return command
    }

    public static func resize(columns: Int, rows: Int) -> ViewCommand {
        var command = ViewCommand(type: "resize")
        command.columns = columns
        command.rows = rows
        return command
    }
}
