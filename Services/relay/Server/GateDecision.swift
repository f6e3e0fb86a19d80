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
            /// The answer to the dialog with this fingerprint.
            case approve(String)
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
        /// A half-typed line is kept rather than in the way.
        var keepsDraft = false
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
        case .type, .submit, .approve:
            switch lease.type(viewer: operation.viewer, author: operation.author, now: now) {
            case .granted: return .pass
            case .refused(let holder):
                return .refuse(.busy, "\(holder.author) writes since \(holder.since); take over, or wait until they stop")
            }
        }
    }

    /// A person needs the role operator. A pod needs an active binding with the scope.
    static func missingRight(_ operation: Operation) -> String? {
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

    /// What a person has to answer: text that ends in Enter would choose something in it.
    private static let dialogs: Set<String> = ["approval", "plan", "trust", "question", "login", "password"]

    /// Whether a status shows a dialog.
    static func isDialog(_ status: PodStatus) -> Bool { status.status == "waiting" && status.reason.map { dialogs.contains($0) } ?? false }

    private static func statusRefusal(_ operation: Operation, _ scene: Scene) -> GateDecision? {
        if case .approve(let fingerprint) = operation.kind {
            guard let status = scene.status, isDialog(status) else { return .refuse(.screenChanged, "no dialog is open any more") }
            guard status.fingerprint == fingerprint else {
                return .refuse(.screenChanged, "another dialog is open than the one that was seen; look at it first")
            }
            return nil
        }
        let isPrompt = operation.kind == .submit
        // Keystrokes of a person are how dialogs are answered; an agent's are a prompt in pieces.
        let isGuarded = isPrompt || operation.kind == .type && operation.author.kind == .pod
        // That an agent waits for another one is no obstacle; what its screen shows is.
        if isGuarded, let status = scene.status?.onScreen {
            if isDialog(status) {
                return .refuse(.approvalOpen, "a dialog is open (\(status.reason ?? "")); a prompt never answers it. Approve or reject it first")
            }
            if status.status == "idle", status.reason == "draft", !operation.keepsDraft {
                return .refuse(.draftPresent, "somebody has typed half a line here; keep it with --keep-draft, or wait")
            }
            if operation.author.kind == .pod, status.status == "executing", status.agent != nil {
                return .refuse(.busy, "the agent works (\(status.reason ?? "executing")); send it when idle")
            }
        }
        if let wanted = operation.ifStatus {
            let status = scene.status?.status ?? "unknown"
            guard status == wanted || scene.status?.onScreen.status == wanted else { return .refuse(.screenChanged, "the pod is \(status), not \(wanted)") }
        }
        return nil
    }
}
