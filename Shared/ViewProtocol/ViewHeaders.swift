/// Headers of messages on `view.<pod>.delta`, so that a server forwards a change without reading it.
public enum ViewHeaders {
    /// The frame before the change.
    public static let base = "Sb-Base"
    /// The frame after which the screen is the changed one.
    public static let seq = "Sb-Seq"
}
