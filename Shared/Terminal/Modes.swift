/// Which mouse events the program wants.
public enum MouseTracking: UInt8, Sendable, Hashable {
    case off, x10, normal, button, any
}

/// How mouse reports are written.
public enum MouseEncoding: UInt8, Sendable, Hashable {
    case standard, utf8, sgr, urxvt, sgrPixels
}

public enum CursorShape: UInt8, Sendable, Hashable {
    case block, underline, bar
}

/// The modes a program can set. Names follow the VT510 and xterm manuals.
public struct Modes: Hashable, Sendable {
    /// ?1 DECCKM
    public var applicationCursorKeys = false
    /// DECKPAM
    public var applicationKeypad = false
    /// 4 IRM
    public var insert = false
    /// 20 LNM
    public var newline = false
    /// 2 KAM
    public var keyboardLocked = false
    /// 12 SRM
    public var localEchoOff = true
    /// ?5 DECSCNM
    public var reverseScreen = false
    /// ?7 DECAWM
    public var autowrap = true
    /// ?45
    public var reverseWrap = false
    /// ?1045 extended reverse wrap: across lines that were not wrapped.
    public var extendedReverseWrap = false
    /// ?69 DECLRMM
    public var leftRightMargins = false
    /// ?3 DECCOLM
    public var columns132 = false
    /// ?40
    public var allowColumnChange = false
    /// ?8 DECARM
    public var autorepeat = true
    /// ?67 DECBKM
    public var backarrowSendsBackspace = false
    /// ?66 is `applicationKeypad`; ?2004
    public var bracketedPaste = false
    /// ?1004
    public var focusEvents = false
    public var mouse = MouseTracking.off
    public var mouseEncoding = MouseEncoding.standard
    /// ?1007
    public var alternateScroll = false
    /// ?2026
    public var synchronizedUpdate = false
    /// ?2031
    public var colorSchemeReports = false
    /// ?2048
    public var sizeReports = false
    /// Kitty keyboard progressive enhancements in force on this screen.
    public var kittyKeyboard: UInt8 = 0
    /// xterm's modifyOtherKeys.
    public var modifyOtherKeys: UInt8 = 0
    public init() {}
}
