internal import CoreMetrics
internal import Synchronization

/// Whether this instance can do its work: named checks that `/readyz` runs.
public final class Health: Sendable {
    /// Nil when all is well, else what is wrong, for a person.
    public typealias Check = @Sendable () async -> String?

    private let checks = Mutex<[(name: String, check: Check)]>([])

    public init() {}

    /// Adds a check; it should answer within a second.
    ///
    /// One of the same name takes the place of the one before.
    public func register(_ name: String, _ check: @escaping Check) {
        checks.withLock { checks in
            if let index = checks.firstIndex(where: { $0.name == name }) { checks[index] = (name, check) } else { checks.append((name, check)) }
        }
    }

    /// Forgets all checks but the one named.
    func forget(allBut name: String) {
        checks.withLock { $0.removeAll { $0.name != name } }
    }

    /// What each check says, in the order of registration.
    public func report() async -> [(name: String, problem: String?)] {
        var report: [(name: String, problem: String?)] = []
        for (name, check) in checks.withLock({ $0 }) {
            let problem = await check()
            Gauge(label: "health", dimensions: [("check", name)]).record(problem == nil ? 1 : 0)
            report.append((name, problem))
        }
        return report
    }
}
