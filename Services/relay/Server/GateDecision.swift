internal import Contract

/// The one door (contract, section 4), as a function of values: may this operation reach the agent?
///
/// The shim judges `if_seq`, in the turn of its loop that writes; everything else is judged here.
enum GateDecision: Equatable {
    /// Goes on to the shim.
    case pass
    case refuse(Applied.Result, String)

    /// What is wanted.
    struct Operation: Equatable {
        enum Kind: Equatable {
            /// Keystrokes or text.
            case type
            /// A prompt: text with Enter, which must never answer a dialog.
            case submit
            case resize
            case takeOver
        }
        var kind: Kind
        var author: Author
        /// The author's right, when it is a person.
        var role: Role?
        /// Whether a binding grants it, when the author is a pod.
        var isGranted = false
        var viewer: String?
        var ifStatus: String?
    }

    /// What the relay knows of the pod.
    struct Scene: Equatable {
        var hasExited = false
        /// The detector's word, if there is one.
        var status: PodStatus?
    }

    /// Decides, and enters the writer where it passes. A refused operation changes nothing.
    static func decide(_ operation: Operation, scene: Scene, lease: inout WriterLease, now: Timestamp) -> GateDecision {
        if let words = missingRight(operation) { return .refuse(.denied, words) }
        if scene.hasExited { return .refuse(.gone, "the pod has ended; nothing reads its input any more") }
        if let refusal = statusRefusal(operation, scene) { return refusal }
        switch operation.kind {
        case .resize:
            if let holder = lease.current(at: now), let viewer = operation.viewer, holder.viewer != viewer {
                return .refuse(.busy, "\(holder.author) writes, so the size is theirs; take over first")
            }
            return .pass
        case .takeOver:
            guard let viewer = operation.viewer else { return .refuse(.denied, "only a viewer can take over") }
            _ = lease.take(viewer: viewer, author: operation.author, now: now)
            return .pass
        case .type, .submit:
            switch lease.type(viewer: operation.viewer, author: operation.author, now: now) {
            case .granted: return .pass
            case .refused(let holder):
                return .refuse(.busy, "\(holder.author) writes since \(holder.since); take over, or wait until they stop")
            }
        }
    }

    /// A person needs the role operator. A pod needs an active binding with the scope.
    private static func missingRight(_ operation: Operation) -> String? {
        switch operation.author.kind {
        case .person:
            guard let role = operation.role, role >= .operator else {
                return "\(operation.author) may look, not write: that needs the role operator"
            }
            return nil
        case .pod:
            return operation.isGranted ? nil : "\(operation.author) has no binding that lets it write here"
        case .system:
            return nil
        }
    }

    private static func statusRefusal(_ operation: Operation, _ scene: Scene) -> GateDecision? {
        if operation.kind == .submit, let status = scene.status, status.status == "waiting", status.reason == "approval" {
            return .refuse(.approvalOpen, "an approval dialog is open; a prompt never answers it. Approve or reject it first")
        }
        if let wanted = operation.ifStatus {
            let status = scene.status?.status ?? "unknown"
            guard status == wanted else { return .refuse(.screenChanged, "the pod is \(status), not \(wanted)") }
        }
        return nil
    }
}
