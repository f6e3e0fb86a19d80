internal import BindingsClient
internal import BindingsCore
internal import Bus
internal import Contract
internal import FoundationEssentials
internal import Logging
internal import Outbox
internal import RelayClient
internal import Synchronization
internal import Terminal
internal import ViewProtocol

/// Looks at the screens of pods for the texts that open waits are about: at each change that the relay tells of, not by asking again and
/// again.
final class TextWatcher: Sendable {
    private struct Watched {
        var subscription: BusSubscription?
        var texts: Set<String> = []
        /// The screen is to be looked at as a whole, for texts that go over the end of a row.
        var isChecking = false
        var isChanged = false
    }

    private struct Fields {
        var pods: [PodID: Watched] = [:]
        var isRenewing = false
        var isStopped = false
    }

    /// The relay's lease is ten seconds.
    private static let renewal = Duration.seconds(3)
    private static let pause = Duration.milliseconds(100)

    private let bus: BusConnection
    private let relay: RelayClient
    private let store: BindingsStore
    private let sender: EventSender
    private let viewer: String
    private let logger: Logger
    private let fields = Mutex(Fields())

    init(bus: BusConnection, relay: RelayClient, store: BindingsStore, sender: EventSender, instance: String, logger: Logger) {
        self.bus = bus
        self.relay = relay
        self.store = store
        self.sender = sender
        viewer = "bindings-" + instance
        self.logger = logger
    }

    func stop() {
        let old = fields.withLock { fields in
            fields.isStopped = true
            defer { fields.pods = [:] }
            return fields.pods.values.compactMap(\.subscription)
        }
        for subscription in old { subscription.unsubscribe() }
    }

    /// Compares what is watched with the waits that are open.
    func look() async {
        do {
            var wanted: [PodID: Set<String>] = [:]
            for wait in try await store.list(Wait.self) where wait.until == .text {
                guard let text = wait.text else { continue }
                for target in wait.targets where target.seen == nil {
                    if let pod = target.pod { wanted[pod, default: []].insert(text) }
                }
            }
            try watch(wanted)
        } catch {
            logger.info("waits for texts cannot be looked at; trying again", metadata: ["reason": "\(error)"])
        }
    }

    private func watch(_ wanted: [PodID: Set<String>]) throws {
        let (old, new, mustRenew) = fields.withLock { fields -> ([BusSubscription], [PodID], Bool) in
            guard !fields.isStopped else { return ([], [], false) }
            let gone = fields.pods.keys.filter { wanted[$0] == nil }
            let old = gone.compactMap { fields.pods.removeValue(forKey: $0)?.subscription }
            var new: [PodID] = []
            for (pod, texts) in wanted {
                if fields.pods[pod] == nil { new.append(pod) }
                fields.pods[pod, default: Watched()].texts = texts
            }
            let mustRenew = !fields.pods.isEmpty && !fields.isRenewing
            if mustRenew { fields.isRenewing = true }
            return (old, new, mustRenew)
        }
        for subscription in old { subscription.unsubscribe() }
        for pod in new {
            let subscription = try bus.subscribe(Subjects.viewDelta(pod)) { [weak self] message in self?.hear(message, pod) }
            fields.withLock { $0.pods[pod]?.subscription = subscription }
        }
        if mustRenew { Task { await renew() } }
        // What stood there before anybody watched, or changed while nobody did.
        for pod in wanted.keys { check(pod) }
    }

    private func renew() async {
        while true {
            let pods = fields.withLock { fields in
                if fields.pods.isEmpty || fields.isStopped { fields.isRenewing = false }
                return fields.isRenewing ? Array(fields.pods.keys) : []
            }
            if pods.isEmpty { return }
            for pod in pods {
                do throws(ErrorBody) {
                    try await relay.watch(ViewerRequest(pod: pod, viewer: viewer, author: Author(kind: .system, id: viewer)))
                } catch {
                    logger.debug("a screen is not watched yet", metadata: ["pod": "\(pod)", "reason": "\(error)"])
                }
            }
            try? await Task.sleep(for: Self.renewal)
        }
    }

    /// A change of a screen: its rows at once, so that what stands there for a moment is seen as well.
    private func hear(_ message: BusMessage, _ pod: PodID) {
        let texts = fields.withLock { $0.pods[pod]?.texts ?? [] }
        guard !texts.isEmpty else { return }
        if case .delta(let delta?, _, let seq, _)? = try? ViewMessage(message.payload) {
            let rows = delta.changed.map { row in row.runs.map(\.text).joined() }
            let found = texts.filter { text in rows.contains { $0.contains(text) } }
            if !found.isEmpty { Task { await saw(found, on: pod, seq) } }
        }
        check(pod)
    }

    /// Looks at the whole screen soon, once for all changes until then.
    private func check(_ pod: PodID) {
        let begins = fields.withLock { fields in
            guard fields.pods[pod] != nil else { return false }
            fields.pods[pod]?.isChanged = true
            guard fields.pods[pod]?.isChecking == false else { return false }
            fields.pods[pod]?.isChecking = true
            return true
        }
        guard begins else { return }
        Task {
            while true {
                let texts = fields.withLock { fields -> Set<String> in
                    guard fields.pods[pod]?.isChanged == true else {
                        fields.pods[pod]?.isChecking = false
                        return []
                    }
                    fields.pods[pod]?.isChanged = false
                    return fields.pods[pod]?.texts ?? []
                }
                if texts.isEmpty {
                    fields.withLock { $0.pods[pod]?.isChecking = false }
                    return
                }
                if let (found, seq) = await Self.find(texts, on: pod, relay), !found.isEmpty { await saw(found, on: pod, seq) }
                try? await Task.sleep(for: Self.pause)
            }
        }
    }

    /// The texts that are on a pod's screen now, and after which frame; nil where the screen cannot be had.
    static func find(_ texts: Set<String>, on pod: PodID, _ relay: RelayClient) async -> (Set<String>, UInt64)? {
        struct Screen: Decodable {
            var columns: Int
            var screen: [String]
        }
        guard let attached = try? await relay.screen(Attach(pod: pod, format: .text)), let screen = try? JSON.decode(Screen.self, from: attached.payload)
        else { return nil }
        let whole = whole(screen.screen, columns: screen.columns)
        return (texts.filter { whole.contains($0) }, attached.meta.seq)
    }

    /// A screen as one text: a row that is full goes on in the next.
    static func whole(_ rows: [String], columns: Int) -> String {
        var text = ""
        for row in rows {
            text += row
            if row.count < columns { text += "\n" }
        }
        return text
    }

    private func saw(_ texts: Set<String>, on pod: PodID, _ seq: UInt64) async {
        do {
            try await store.change { ledger in
                for wait in try ledger.openWaits(until: .text) where wait.text.map({ texts.contains($0) }) == true {
                    if let change = WaitMachine.learn(.text(seq: seq), of: pod, wait, now: ledger.time) { try ledger.put(change.wait, change.what) }
                }
            }
            await sender.wake()
            await look()
        } catch {
            logger.info("what was seen on a screen is not kept; it is looked at again", metadata: ["pod": "\(pod)", "reason": "\(error)"])
        }
    }
}

/// Waits for texts on screens.
extension BindingsService {
    /// The pods on whose screens a wait's text is already, and after which frames.
    func screens(for request: CreateWait) async throws -> [PodID: UInt64] {
        guard request.until == .text, let text = request.text, let relay else { return [:] }
        var shown: [PodID: UInt64] = [:]
        for pod in request.pods {
            if let (found, seq) = await TextWatcher.find([text], on: pod, relay), !found.isEmpty { shown[pod] = seq }
        }
        return shown
    }

    /// A pod may look only at screens that a binding lets it read.
    func requireReading(_ request: CreateWait, in ledger: Ledger) throws {
        guard request.waiter.kind == .pod else { return }
        for pod in request.pods where pod.text != request.waiter.id {
            guard try ledger.open(Binding.self, key: "\(request.waiter.id)>\(pod)")?.grants(.read) == true else {
                throw BindingGrants.refusal(request.waiter, .read, on: pod)
            }
        }
    }

    /// A binding that lets read no more ends the waits that looked.
    func stopReading(_ binding: Binding, in ledger: inout Ledger) throws {
        for wait in try ledger.openWaits(until: .text) where wait.waiter == Author(kind: .pod, id: binding.from.text) {
            if let change = WaitMachine.learn(.unbound, of: binding.to, wait, now: ledger.time) { try ledger.put(change.wait, change.what) }
        }
    }
}
