#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif
internal import Synchronization

/// Keeps the first message after quiet for a while (``BusOptions/linger``).
final class Linger: Sendable {
    private let nanoseconds: UInt64
    /// When the newest message was let through, by the clock of `now`.
    private let newest = Atomic<UInt64>(0)

    init(_ duration: Duration) { nanoseconds = UInt64(duration.nanoseconds) }

    /// Holds the calling thread when nothing came for as long as that takes: a thread of libnats, whose messages gather meanwhile.
    func pauseAfterQuiet() {
        if Self.now &- newest.load(ordering: .relaxed) > nanoseconds { usleep(UInt32(clamping: nanoseconds / 1000)) }
        newest.store(Self.now, ordering: .relaxed)
    }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
