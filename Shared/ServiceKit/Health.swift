internal import Synchronization

/// Whether this instance can do its work: named checks that `/readyz` runs.
public final class Health: Sendable {
    /// Nil when all is well, else what is wrong, for a person.
    public typealias Check = @Sendable () async -> String?

    private let checks = Mutex<[(name: String, check: Check)]>([])

    public init() {}

    /// Adds a check; it should answer within a second.
    public func register(_ name: String, _ check: @escaping Check) {
        checks.withLock { $0.append((name, check)) }
    }

    /// What each check says, in the order of registration.
    public func report() async -> [(name: String, problem: String?)] {
        var report: [(name: String, problem: String?)] = []
        for (name, check) in checks.withLock({ $0 }) { report.append((name, await check())) }
        return report
    }
}
