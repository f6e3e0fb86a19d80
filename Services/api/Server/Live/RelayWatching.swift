internal import Bus
internal import Contract
internal import RelayClient
internal import Synchronization

/// Keeps the relay computing the screens of pods that somebody watches here: a lease of ten seconds, renewed by one task
/// for all pods.
final class RelayWatching: Sendable {
    private struct Fields {
        var pods: [PodID: Int] = [:]
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

    func watch(_ pod: PodID) {
        let mustRenew = fields.withLock { fields in
            fields.pods[pod, default: 0] += 1
            defer { fields.isRenewing = true }
            return !fields.isRenewing
        }
        if mustRenew { Task { await renew() } }
    }

    /// The last viewer of this pod has left.
    func unwatch(_ pod: PodID) {
        fields.withLock { $0.pods[pod] = nil }
    }

    private func renew() async {
        while true {
            let pods = fields.withLock { fields in
                if fields.pods.isEmpty { fields.isRenewing = false }
                return Array(fields.pods.keys)
            }
            if pods.isEmpty { return }
            for pod in pods {
                // A relay that is away renews itself by the keyframe its viewers ask for when it is back.
                try? await relay.watch(
                    ViewerRequest(pod: pod, viewer: viewer, author: Author(kind: .system, id: viewer)))
            }
            try? await Task.sleep(for: Self.every)
        }
    }
}
