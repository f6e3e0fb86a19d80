/// A row's characters and how they look, for whoever reads screens: no text is made of them. Filled by ``Terminal/read(_:into:)``.
public struct RowText: Sendable {
    /// Cells next to one another that look alike, as in ``StyledRun``.
    public struct Run: Sendable {
        /// Behind its last character in `scalars`; it begins where the run before it ends.
        public let end: Int
        let width: Int
        public let style: TextStyle
        let link: Int
    }

    /// Unicode scalar values.
    public internal(set) var scalars: [UInt32] = []
    public internal(set) var runs: [Run] = []

    public init() {}

    mutating func clear() {
        scalars.removeAll(keepingCapacity: true)
        runs.removeAll(keepingCapacity: true)
    }
}

/// What changed on a screen, without the rows themselves.
public struct ScreenChanges: Hashable, Sendable {
    /// Lines the whole screen moved up before `rows` applies.
    public var scroll: Int
    /// Rows that may look otherwise, in ascending order.
    public var rows: [Int]
    public var cursor: Cursor
    /// nil when it is what it was.
    public var title: String?
    public var isAlternateScreen: Bool
    public var modes: ViewerModes
    /// Bells since the last changes.
    public var bells: Int
}
