internal import Bus
internal import Contract
internal import Logging
internal import Synchronization

/// Reports what was done and what was refused, in its order, until the stream `AUDIT` has it.
///
/// A change is answered after its entry is in the stream, which survives this server, the registry and the database. While the bus is away
/// nothing can be changed; what was refused meanwhile waits here.
final class Auditor: Sendable {
    private struct Fields {
        var waiting: [AuditEntry] = []
        var watchers: [String: CheckedContinuation<Void, Never>] = [:]
        var isSending = false
        var strangers = StrangerBudget()
    }

    /// Entries that may wait for the bus. Beyond, the oldest are given up, which the log of this server tells.
    private static let most = 10_000
    /// How long an answer waits for its entry.
    private static let patience = Duration.seconds(2)

    private let bus: BusConnection
    private let logger: Logger
    private let fields = Mutex(Fields())

    init(bus: BusConnection, logger: Logger) {
        self.bus = bus
        self.logger = logger
    }

    /// Reports, and waits until the entry is safe, but not for ever.
    func record(_ entry: AuditEntry) async {
        guard let entry = admitted(entry) else { return }
        let timer = Task { [self] in
            guard (try? await Task.sleep(for: Self.patience)) != nil else { return }
            finish([entry.id])
        }
        await withCheckedContinuation { continuation in
            fields.withLock { $0.watchers[entry.id] = continuation }
            put(entry)
        }
        timer.cancel()
    }

    /// Reports and does not wait; from any thread.
    func post(_ entry: AuditEntry) {
        if let entry = admitted(entry) { put(entry) }
    }

    /// Strangers cannot fill the log: of their refusals a few a minute are told one by one.
    private func admitted(_ entry: AuditEntry) -> AuditEntry? {
        guard entry.actor == Self.nobody, entry.outcome == .denied else { return entry }
        return fields.withLock { $0.strangers.admit(entry, now: .now) }
    }

    static let nobody = "nobody"

    private func put(_ entry: AuditEntry) {
        let (begins, lost) = fields.withLock { fields in
            fields.waiting.append(entry)
            let lost = max(0, fields.waiting.count - Self.most)
            fields.waiting.removeFirst(lost)
            defer { fields.isSending = true }
            return (!fields.isSending, lost)
        }
        if lost > 0 { logger.error("entries for the audit log are lost: the bus has been away too long", metadata: ["count": "\(lost)"]) }
        if begins { Task { await send() } }
    }

    private func send() async {
        var pause = Duration.milliseconds(50)
        while true {
            let entry = fields.withLock { fields in
                if fields.waiting.isEmpty { fields.isSending = false }
                return fields.waiting.first
            }
            guard let entry else { return }
            do {
                try await bus.store(Subjects.auditEntry, payload: try JSON.encode(entry), headers: [(Headers.messageID, entry.id)], timeout: .seconds(2))
                fields.withLock { fields in
                    if fields.waiting.first?.id == entry.id { fields.waiting.removeFirst() }
                }
                finish([entry.id])
                pause = .milliseconds(50)
            } catch let error as BusError where error.code == .closed {
                return giveUp(error)
            } catch {
                logger.warning("the audit log waits for the bus", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }

    /// This server's own connection has ended, and so does the server: nothing that waits still can be told.
    private func giveUp(_ error: BusError) {
        let (lost, watchers) = fields.withLock { fields in
            defer { (fields.waiting, fields.watchers, fields.isSending) = ([], [:], false) }
            return (fields.waiting.count, fields.watchers.values)
        }
        for watcher in watchers { watcher.resume() }
        logger.error("entries for the audit log are lost: the server has left the bus", metadata: ["count": "\(lost)", "reason": "\(error)"])
    }

    private func finish(_ ids: [String]) {
        for id in ids { fields.withLock { $0.watchers.removeValue(forKey: id) }?.resume() }
    }

    /// Waits for what is under way, when the server stops.
    func flush(within limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        while fields.withLock({ $0.isSending }), ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(10)) }
    }
}

/// How many refusals of strangers are told one by one: some for each address, some for all, each minute; the next that is told says how many
/// were not. Values and time in, values out.
struct StrangerBudget: Sendable {
    var ofAddress = 20
    var ofAll = 600
    var window = Duration.seconds(60)

    private var since: ContinuousClock.Instant?
    private var told: [String: Int] = [:]
    private var total = 0
    private var untold: [String: Int] = [:]

    init() {}

    mutating func admit(_ entry: AuditEntry, now: ContinuousClock.Instant) -> AuditEntry? {
        if since.map({ now - $0 >= window }) ?? true {
            since = now
            told = [:]
            total = 0
            if untold.count > 4096 { untold = [:] }
        }
        guard told[entry.address, default: 0] < ofAddress, total < ofAll else {
            if untold.count <= 4096 { untold[entry.address, default: 0] += 1 }
            return nil
        }
        told[entry.address, default: 0] += 1
        total += 1
        var entry = entry
        entry.repeats = untold.removeValue(forKey: entry.address)
        return entry
    }
}

/// What a route learns that its entry should say. One per request.
final class AuditNote: Sendable {
    struct Fields: Sendable {
        var target: String?
        var person: Person?
        var detail: String?
        /// Worth an entry although it changes nothing.
        var isWorthy = false
    }

    private let fields = Mutex(Fields())

    var now: Fields { fields.withLock { $0 } }

    func target(_ target: String) { fields.withLock { $0.target = target } }
    func person(_ person: Person) { fields.withLock { $0.person = person } }
    /// A look at something that is usually hidden.
    func reveal() {
        fields.withLock { fields in
            fields.detail = "reveal"
            fields.isWorthy = true
        }
    }
}

/// What a terminal socket does, told once each for a socket: a session of typing, not every key.
final class SocketAudit: Sendable {
    private let auditor: Auditor
    private let person: Person
    private let address: String
    private let told = Mutex<Set<String>>([])

    init(_ auditor: Auditor, person: Person, address: String) {
        self.auditor = auditor
        self.person = person
        self.address = address
    }

    func note(_ action: String, on target: String, _ result: Result<Applied, ErrorBody>) {
        switch result {
        case .success(let applied):
            note(action, on: target, applied.result == .applied ? .done : applied.result == .denied ? .denied : .failed, code: applied.result.rawValue)
        case .failure(let error):
            note(action, on: target, error.isDenial ? .denied : .failed, code: error.code.rawValue)
        }
    }

    func note(_ action: String, on target: String, _ outcome: AuditEntry.Outcome, code: String) {
        let code = outcome == .done ? nil : code
        guard told.withLock({ $0.insert("\(action) \(outcome) \(code ?? "")").inserted }) else { return }
        auditor.post(AuditEntry(person: person, address: address, action: action, target: target, outcome: outcome, code: code))
    }
}

extension ErrorBody {
    /// Refused for who asks.
    var isDenial: Bool { code == .denied || code == .unauthenticated || code == .tooManyRequests }
}

extension AuditEntry {
    /// - Parameter person: nil for somebody who did not say, or show, who they are.
    init(
        person: Person?, address: String, action: String, target: String?, outcome: Outcome, code: String?, detail: String? = nil
    ) {
        self.init(
            actor: person?.author.description ?? Auditor.nobody, credential: person.map { $0.pod?.text ?? $0.credential ?? "file" },
            address: address, action: action, target: target.map(Self.shown), outcome: outcome, code: code, detail: detail)
    }

    /// A target as it may stand in the log: whatever else was put in its place is cut and made harmless.
    private static func shown(_ target: String) -> String {
        let text = String(target.unicodeScalars.prefix(64).map { $0.value > 0x20 && $0.value < 0x7f ? Character($0) : "?" })
        return PersonToken.id(of: target) != nil || PodCredential.pod(of: target) != nil || text.hasPrefix("sb_") ? "(a token)" : text
    }
}
