internal import Agents
public import Contract
internal import Detection
internal import Synchronization
internal import Terminal

/// Reads off a screen whether a dialog is open on it. The detector's status comes a moment after the screen it is about; a prompt is
/// decided on the screen itself.
public struct DialogReader: Sendable {
    /// A screen, as bytes that rebuild it, to the dialog on it. `isSeen`: somebody has seen one there.
    let read: @Sendable (_ screen: [UInt8], _ columns: Int, _ rows: Int, _ agent: String?, _ seq: UInt64, _ isSeen: Bool) -> PodStatus?

    public init(
        _ read: @escaping @Sendable (_ screen: [UInt8], _ columns: Int, _ rows: Int, _ agent: String?, _ seq: UInt64, _ isSeen: Bool) -> PodStatus?
    ) {
        self.read = read
    }

    /// By the detector's own rules, for the agents whose manifests are in these folders.
    public static func detection(folders: [String]) -> DialogReader {
        let catalog = AgentCatalog.load(folders: folders)
        return DialogReader { screen, columns, rows, agent, seq, isSeen in
            let terminal = Terminal(columns: columns, rows: rows, scrollback: 0)
            terminal.feed(screen)
            let manifest = agent.flatMap { catalog.manifests[$0] }
            var detector = Detector(
                manifest: manifest?.name == AgentManifest.fallbackName ? nil : manifest, fallback: catalog.fallback, terminal: terminal, carried: nil)
            let now = Timestamp.now()
            var status = detector.take(.tick, at: now, seq: seq) ?? detector.status
            // A question on a last row is believed once it has stood for a while. What is approved here has.
            if !GateDecision.isDialog(status), isSeen { status = detector.take(.tick, at: now + .seconds(2), seq: seq) ?? detector.status }
            return GateDecision.isDialog(status) ? status : nil
        }
    }

    /// Where the manifests are for this program.
    public static func folders(environment: [String: String]) -> [String] {
        AgentCatalog.folders(program: AgentCatalog.ownProgram, environment: environment)
    }
}
