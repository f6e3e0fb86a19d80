internal import Bus
internal import Contract
internal import RelayClient
internal import Synchronization

/// Keeps the relay computing the screens of pods that somebody watches here: a lease of ten seconds, renewed by one task
/// for all pods.
final class RelayWatching: Sendable {
    private struct Fields {
        var pods: Set<PodID> = []
        var masked: Set<PodID> = []
        var isRenewing = false
    }

    static let every = Duration.seconds(3)

    private let relay: RelayClient
    private let viewer: String
    private let fields = Mutex(Fields())

    /// - Parameter viewer: this server's own name among viewers.
    init(relay: RelayClient, viewer: String) {
        self.relay = relay
        self.viewer = viewer
    }

    func watch(_ pod: PodID, masked: Bool) {
        let mustRenew = fields.withLock { fields in
            if masked { fields.masked.insert(pod) } else { fields.pods.insert(pod) }
            defer { fields.isRenewing = true }
            return !fields.isRenewing
        }
        if mustRenew { Task { await renew() } }
    }

    /// The last viewer of this pod has left.
    func unwatch(_ pod: PodID, masked: Bool) {
        fields.withLock { fields in
            if masked { _ = fields.masked.remove(pod) } else { _ = fields.pods.remove(pod) }
        }
    }

    private func renew() async {
        while true {
            let pods = fields.withLock { fields in
                let all = fields.pods.union(fields.masked).map { (pod: $0, masked: fields.masked.contains($0)) }
                if all.isEmpty { fields.isRenewing = false }
                return all
            }
            if pods.isEmpty { return }
            for (pod, masked) in pods {
                // A relay that is away renews itself by the keyframe its viewers ask for when it is back.
                try? await relay.watch(
                    ViewerRequest(pod: pod, viewer: viewer, author: Author(kind: .system, id: viewer), masked: masked ? true : nil))
            }
            try? await Task.sleep(for: Self.every)
        }
    }
}
