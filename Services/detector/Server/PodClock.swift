internal import Contract

/// What time it is for a pod: its frames carry the clock of its host, which may differ from ours, and take a moment to come.
struct PodClock {
    /// Frames that are this far behind come from a clock that was set back, not from a slow bus.
    private static let setBack = Duration.seconds(5)

    private var base: (time: Timestamp, at: ContinuousClock.Instant)?

    /// A frame of this time came.
    mutating func note(_ time: Timestamp, _ now: ContinuousClock.Instant) {
        guard base != nil else { return base = (time, now) }
        let expected = self.time(now)
        // The quickest frame says best how far the clocks are apart.
        if time > expected || expected - time > Self.setBack { base = (time, now) }
    }

    /// The pod's time at a moment of ours.
    func time(_ now: ContinuousClock.Instant) -> Timestamp {
        guard let base else { return .now() }
        return base.time + (now - base.at)
    }

    /// The moment of ours at which it will be `time` for the pod.
    func moment(_ time: Timestamp, _ now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        guard let base else { return now }
        return base.at + (time - base.time)
    }
}
