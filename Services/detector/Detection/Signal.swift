public import Contract

/// What happened in a pod, in order.
public enum Signal: Sendable {
    /// Bytes of an `out` frame.
    case output([UInt8])
    /// Bytes of an `in` frame.
    case input([UInt8], author: Author?)
    case resize(columns: Int, rows: Int)
    case process(ProcessReport)
    case hook(HookReport)
    case exit(Exit)
    /// The pod's own waits that are open now, as the bindings service keeps them.
    case waits([Wait])
    /// Replaces the screen's content by text; for `switchback inspect status`.
    case screen(String)
    /// Sets the status, as if it had been said before; for `switchback inspect status`.
    case assume(Status)
    /// Only time passed.
    case tick
}

/// What an agent is doing.
public enum Status: String, Sendable, Codable, CaseIterable {
    case executing, waiting, idle, unknown
}
