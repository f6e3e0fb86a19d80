internal import BindingsCore
internal import Contract
internal import RegistryClient
internal import Synchronization

/// What the service must know of pods: the registry in production.
protocol PodKnowledge: Sendable {
    /// - Throws: `not_found` for a pod nobody knows.
    func pod(_ pod: PodID) async throws(ErrorBody) -> Pod
    /// Every pod that lives.
    func livePods() async throws(ErrorBody) -> [Pod]
}

struct RegistryKnowledge: PodKnowledge {
    let registry: RegistryClient

    func pod(_ pod: PodID) async throws(ErrorBody) -> Pod { try await registry.get(pod.text) }

    func livePods() async throws(ErrorBody) -> [Pod] {
        var pods: [Pod] = []
        var cursor: String?
        repeat {
            let page = try await registry.list(ListPods(live: true, limit: 1000, cursor: cursor))
            pods += page.pods
            cursor = page.next
        } while cursor != nil
        return pods
    }
}

/// The newest status of each pod, as heard on the bus. What the registry keeps of it may be a moment older.
final class StatusBoard: Sendable {
    private let statuses = Mutex<[PodID: PodStatus]>([:])

    func hear(_ status: PodStatus, of pod: PodID) {
        statuses.withLock { statuses in
            if let known = statuses[pod], known.since > status.since || (known.since == status.since && known.seq > status.seq) { return }
            statuses[pod] = status
        }
    }

    func forget(_ pod: PodID) { statuses.withLock { $0[pod] = nil } }

    /// The newer of what was heard and what the registry says.
    func status(of pod: Pod) -> PodStatus? {
        let heard = statuses.withLock { $0[pod.pod] }
        guard let heard else { return pod.status }
        guard let kept = pod.status, kept.since > heard.since else { return heard }
        return kept
    }
}
