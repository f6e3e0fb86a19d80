internal import Contract
internal import Terminal

/// Screens as they stand in JSON.
struct Wire: Decodable {
    struct Line: Decodable {
        var row: Int
        var runs: [WireRun]

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            row = try container.decode(Int.self)
            runs = try container.decode([WireRun].self)
        }
    }

    enum Lines {
        case whole([[WireRun]])
        case changed([Line])
    }

    struct WireCursor: Decodable {
        var row: Int
        var column: Int
        var visible: Bool
        var shape: UInt8
        var blinks: Bool
        var pendingWrap: Bool?

        var cursor: Cursor {
            var cursor = Cursor()
            cursor.row = row
            cursor.column = column
            cursor.isVisible = visible
            cursor.shape = CursorShape(rawValue: shape) ?? .block
            cursor.blinks = blinks
            cursor.pendingWrap = pendingWrap ?? false
            return cursor
        }
    }

    struct WireModes: Decodable {
        var bracketedPaste: Bool?
        var applicationCursorKeys: Bool?
        var applicationKeypad: Bool?
        var focusEvents: Bool?
        var reverseScreen: Bool?
        var mouse: UInt8?
        var mouseEncoding: UInt8?
        var kittyKeyboard: UInt8?

        var modes: ViewerModes {
            var modes = ViewerModes()
            modes.bracketedPaste = bracketedPaste ?? false
            modes.applicationCursorKeys = applicationCursorKeys ?? false
            modes.applicationKeypad = applicationKeypad ?? false
            modes.focusEvents = focusEvents ?? false
            modes.reverseScreen = reverseScreen ?? false
            modes.mouse = mouse.flatMap(MouseTracking.init) ?? .off
            modes.mouseEncoding = mouseEncoding.flatMap(MouseEncoding.init) ?? .standard
            modes.kittyKeyboard = kittyKeyboard ?? 0
            return modes
        }
    }

    var type: String
    var base: UInt64?
    var seq: UInt64?
    var time: Timestamp?
    var columns: Int?
    var rows: Int?
    var scroll: Int?
    var lines: Lines?
    var cursor: WireCursor?
    var title: String?
    var alternate: Bool?
    var modes: WireModes?
    var bells: Int?
    var writer: Author?

    enum CodingKeys: CodingKey {
        case type, base, seq, time, columns, rows, scroll, lines, cursor, title, alternate, modes, bells, writer
    }

    init(from decoder: any Decoder) throws {
        let c = try decoder.container(keyedBy: CodingKeys.self)
        type = try c.decodeIfPresent(String.self, forKey: .type) ?? ""
        guard type == "keyframe" || type == "delta" else { return }
        base = try c.decodeIfPresent(UInt64.self, forKey: .base)
        seq = try c.decodeIfPresent(UInt64.self, forKey: .seq)
        time = try c.decodeIfPresent(Timestamp.self, forKey: .time)
        columns = try c.decodeIfPresent(Int.self, forKey: .columns)
        rows = try c.decodeIfPresent(Int.self, forKey: .rows)
        scroll = try c.decodeIfPresent(Int.self, forKey: .scroll)
        if type == "keyframe" {
            lines = .whole(try c.decode([[WireRun]].self, forKey: .lines))
        } else {
            lines = try c.decodeIfPresent([Line].self, forKey: .lines).map { .changed($0) }
        }
        cursor = try c.decodeIfPresent(WireCursor.self, forKey: .cursor)
        title = try c.decodeIfPresent(String.self, forKey: .title)
        alternate = try c.decodeIfPresent(Bool.self, forKey: .alternate)
        modes = try c.decodeIfPresent(WireModes.self, forKey: .modes)
        bells = try c.decodeIfPresent(Int.self, forKey: .bells)
        writer = try c.decodeIfPresent(Author.self, forKey: .writer)
    }

    func need<Value>(_ value: Value?, _ name: String) throws(ErrorBody) -> Value {
        guard let value else { throw ErrorBody(.badRequest, "field \(name) is missing") }
        return value
    }

    func fill(_ screen: inout ScreenDelta) {
        screen.title = title
        screen.isAlternateScreen = alternate ?? false
        screen.modes = modes?.modes ?? ViewerModes()
        screen.bells = bells ?? 0
    }
}

/// `[text, width, foreground, background, flags, link, underline colour]`.
struct WireRun: Decodable {
    var run: StyledRun

    init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        run = StyledRun(text: try container.decode(String.self), width: try container.decode(Int.self))
        if !container.isAtEnd { run.style.foreground = try Self.color(&container) }
        if !container.isAtEnd { run.style.background = try Self.color(&container) }
        if !container.isAtEnd { run.style.attributes = .init(rawValue: try container.decode(UInt32.self)) }
        if !container.isAtEnd, !(try container.decodeNil()) { run.link = TextLink(uri: try container.decode(String.self)) }
        if !container.isAtEnd { run.style.underlineColor = try Self.color(&container) }
    }

    private static func color(_ container: inout any UnkeyedDecodingContainer) throws -> TextColor {
        if try container.decodeNil() { return .standard }
        if let index = try? container.decode(UInt8.self) { return .indexed(index) }
        let text = try container.decode(String.self)
        guard text.utf8.count == 7, text.hasPrefix("#"), let rgb = UInt32(text.dropFirst(), radix: 16) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(text)\" is not a colour")
        }
        return .rgb(UInt8(rgb >> 16), UInt8(rgb >> 8 & 0xff), UInt8(rgb & 0xff))
    }
}
