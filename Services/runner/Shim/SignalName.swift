#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Signals that may be sent to a pod, by name without `SIG`.
public enum SignalName {
    static let numbers: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "KILL": SIGKILL, "TERM": SIGTERM, "USR1": SIGUSR1, "USR2": SIGUSR2, "CONT": SIGCONT,
        "STOP": SIGSTOP, "TSTP": SIGTSTP, "WINCH": SIGWINCH,
    ]

    /// The number of a name, with or without `SIG`, in any case.
    public static func number(_ name: String) -> Int32? {
        let upper = name.uppercased()
        return numbers[upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper]
    }
}
