#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif
internal import Synchronization

/// Keeps the first message after quiet for a while, so that others gather behind it: for work that nobody waits for, which then does not stand in the
/// way of what somebody does, and is done for many at a time. Subscriptions that share one rest together.
public final class Linger: Sendable {
    private let nanoseconds: UInt64
    /// When the newest message had been handled, by `now`.
    private let newest = Atomic<UInt64>(0)
    private let now: @Sendable () -> UInt64
    private let wait: @Sendable (UInt64) -> Void

    /// - Parameter duration: how long the message is kept, and how long nothing came before, for that to be quiet.
    public convenience init(_ duration: Duration) {
        self.init(duration, now: Self.clock, wait: { usleep(UInt32(clamping: $0 / 1000)) })
    }

    /// - Parameters:
    ///   - now: a clock, in nanoseconds.
    ///   - wait: holds the calling thread for so many nanoseconds.
    init(_ duration: Duration, now: @escaping @Sendable () -> UInt64, wait: @escaping @Sendable (UInt64) -> Void) {
        nanoseconds = UInt64(duration.nanoseconds)
        self.now = now
        self.wait = wait
    }

    /// Runs the handler, and holds the calling thread before when nothing was handled for as long as that takes: a thread of libnats, whose
    /// messages gather meanwhile. Handlers that take long are no quiet.
    func handling(_ handler: () -> Void) {
        // Another thread may note a later time meanwhile.
        let last = newest.load(ordering: .relaxed), time = now()
        if time > last, time - last > nanoseconds { wait(nanoseconds) }
        handler()
        newest.store(now(), ordering: .relaxed)
    }

    @Sendable private static func clock() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
