public import Bus
public import Contract

/// Asks the detector why it says what it says. Every call throws the detector's own ``ErrorBody``, or one that says that the bus did
/// not answer (`unavailable`, `timed_out`).
public struct DetectorClient: Sendable {
    private let bus: BusConnection

    public init(bus: BusConnection) {
        self.bus = bus
    }

    /// The evidence for a pod's status, now or at a moment in the past (computed again from its record).
    /// - Throws: `not_found`, `before_start`, `gone`, `unavailable`.
    public func explain(_ request: ExplainStatus) async throws(ErrorBody) -> StatusExplanation {
        do throws(ErrorBody) {
            return try await bus.ask(Subjects.detector(request.pod.shard, "explain"), request, timeout: .seconds(20))
        } catch  where error.code == .unavailable {
            throw ErrorBody(.unavailable, "no detector answers for this pod at the moment: \(error.message)")
        }
    }

    /// The agents that the detector knows, and the manifests that it refuses.
    public func agents() async throws(ErrorBody) -> KnownAgents {
        try await bus.ask(Subjects.detectorAgents, Done())
    }
}
