internal import Synchronization

/// Who has shown wrong tokens too often is not listened to for a while: per address, and per token that is guessed at.
///
/// An address that has shown a certain token rightly goes on being heard with that one, so that a neighbour's broken program behind the same
/// address signs nobody out. Values and time in, values out; `FailureGuard` holds one.
struct FailureLimit: Sendable {
    /// Failures within `window` after which no more is heard.
    var ofAddress = 20
    var ofToken = 10
    var window = Duration.seconds(60)
    /// Addresses and tokens that are kept in mind. Beyond, those that failed longest ago are forgotten.
    var largest = 4096

    private struct Count: Sendable {
        var failures = 0
        var since: ContinuousClock.Instant
    }

    private var counts: [String: Count] = [:]
    private var proven: Set<String> = []

    init() {}

    /// How long to wait; nil when the asker is heard.
    /// - Parameter token: what identifies the token without being one: its id, or the beginning of a digest.
    func pause(address: String, token: String, now: ContinuousClock.Instant) -> Duration? {
        if proven.contains(address + " " + token) { return nil }
        let waits = [("a " + address, ofAddress), ("t " + token, ofToken)].compactMap { key, limit -> Duration? in
            guard let count = counts[key], count.failures >= limit, now - count.since < window else { return nil }
            return window - (now - count.since)
        }
        return waits.max()
    }

    mutating func failed(address: String, token: String, now: ContinuousClock.Instant) {
        for key in ["a " + address, "t " + token] {
            if counts[key].map({ now - $0.since >= window }) ?? true {
                if counts.count >= largest { forget(now) }
                counts[key] = Count(since: now)
            }
            counts[key]?.failures += 1
        }
    }

    mutating func succeeded(address: String, token: String) {
        if proven.count >= largest { proven = [] }
        proven.insert(address + " " + token)
    }

    private mutating func forget(_ now: ContinuousClock.Instant) {
        counts = counts.filter { now - $0.value.since < window }
        if counts.count >= largest, let oldest = counts.min(by: { $0.value.since < $1.value.since })?.key { counts[oldest] = nil }
    }
}

/// The limit of one server.
final class FailureGuard: Sendable {
    private let limit: Mutex<FailureLimit>

    init(_ limit: FailureLimit = FailureLimit()) { self.limit = Mutex(limit) }

    func pause(address: String, token: String) -> Duration? { limit.withLock { $0.pause(address: address, token: token, now: .now) } }
    func failed(address: String, token: String) { limit.withLock { $0.failed(address: address, token: token, now: .now) } }
    func succeeded(address: String, token: String) { limit.withLock { $0.succeeded(address: address, token: token) } }
}
