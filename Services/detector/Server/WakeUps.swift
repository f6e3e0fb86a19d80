internal import Dispatch
internal import Foundation
internal import Synchronization

/// One thread that calls back at booked moments, each at most a few milliseconds late. While nothing is booked it sleeps.
final class WakeUps: Sendable {
    /// Moments are rounded up to this, so that many pods share one wake-up.
    static let grid = Duration.milliseconds(4)

    private struct Fields {
        /// Latest first: the next is the last.
        var entries: [(moment: ContinuousClock.Instant, pod: WatchedPod)] = []
        var isStopped = false
    }

    private let fields = Mutex(Fields())
    private let semaphore = DispatchSemaphore(value: 0)
    private let handler: @Sendable (WatchedPod) -> Void

    init(handler: @escaping @Sendable (WatchedPod) -> Void) { self.handler = handler }

    func start() {
        let thread = Thread { [self] in run() }
        thread.name = "wake-ups"
        thread.start()
    }

    func stop() {
        fields.withLock { $0.isStopped = true }
        semaphore.signal()
    }

    func book(_ pod: WatchedPod, at moment: ContinuousClock.Instant) {
        let isFirst = fields.withLock { fields in
            var low = 0
            var high = fields.entries.count
            while low < high {
                let middle = (low + high) / 2
                if fields.entries[middle].moment > moment { low = middle + 1 } else { high = middle }
            }
            fields.entries.insert((moment, pod), at: low)
            return low == fields.entries.count - 1
        }
        if isFirst { semaphore.signal() }
    }

    private func run() {
        while true {
            let now = ContinuousClock.now
            let (due, wait, isStopped) = fields.withLock { fields -> ([WatchedPod], Duration?, Bool) in
                var due: [WatchedPod] = []
                while let last = fields.entries.last, last.moment <= now {
                    due.append(last.pod)
                    fields.entries.removeLast()
                }
                return (due, fields.entries.last.map { $0.moment - now }, fields.isStopped)
            }
            if isStopped { return }
            for pod in due { handler(pod) }
            if !due.isEmpty { continue }
            if let wait {
                let milliseconds = max(Self.grid, wait)
                _ = semaphore.wait(
                    timeout: .now() + .microseconds(Int(clamping: milliseconds.components.seconds * 1_000_000 + milliseconds.components.attoseconds / 1_000_000_000_000)))
            } else {
                semaphore.wait()
            }
        }
    }
}
