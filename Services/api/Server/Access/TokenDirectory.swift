internal import Bus
internal import Contract
internal import Digest
internal import Logging
internal import RegistryClient
internal import Synchronization

/// The registry's tokens as they are now: its list and the events since, so that a check costs no request and a revocation counts at once.
final class TokenDirectory: TokenVerifier {
    private struct Fields {
        var entries: [String: CredentialList.Entry] = [:]
        var isKnown = false
        /// Revocations that came while a list was under way: it may be older than they are.
        var revoked: [String: Timestamp] = [:]
        var watchers: [UInt64: @Sendable () -> Void] = [:]
        var nextWatcher: UInt64 = 1
    }

    private let bus: BusConnection
    private let registry: RegistryClient
    private let logger: Logger
    private let fields = Mutex(Fields())
    private let wishes: AsyncStream<Void>
    private let wanted: AsyncStream<Void>.Continuation

    init(bus: BusConnection, logger: Logger) {
        self.bus = bus
        self.logger = logger
        registry = RegistryClient(bus: bus)
        (wishes, wanted) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: - Asking

    func person(token: String, now: Timestamp) throws(ErrorBody) -> Person? {
        guard let id = PersonToken.id(of: token) else { return nil }
        let found = fields.withLock { fields in (fields.isKnown, fields.entries[id]) }
        guard found.0 else { throw ErrorBody(.unavailable, "the registry has not said yet which tokens there are; try again in a moment") }
        guard let entry = found.1, entry.credential.state(at: now) == .active, Self.equal(entry.digest, SHA256.digest(Array(token.utf8)).hex) else {
            return nil
        }
        let credential = entry.credential
        return Person(
            name: credential.name, role: credential.role, credential: id, scope: credential.pods.map { PodScope(patterns: $0) },
            expires: credential.expires)
    }

    func isStillGood(_ person: Person, now: Timestamp) -> Bool {
        guard let id = person.credential, PersonToken.isID(id) else { return true }
        return fields.withLock { fields in fields.entries[id]?.credential.state(at: now) == .active }
    }

    private static func equal(_ a: String, _ b: String) -> Bool {
        let (a, b) = (Array(a.utf8), Array(b.utf8))
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Calls `action` whenever a token has ended, until `end` with the number it gives.
    func watch(_ action: @escaping @Sendable () -> Void) -> UInt64 {
        fields.withLock { fields in
            defer { fields.nextWatcher += 1 }
            fields.watchers[fields.nextWatcher] = action
            return fields.nextWatcher
        }
    }

    func endWatching(_ number: UInt64) { fields.withLock { $0.watchers[number] = nil } }

    // MARK: - Following

    /// Follows until the task ends.
    func run() async {
        var subscription: BusSubscription?
        do throws(BusError) {
            subscription = try bus.subscribe(Subjects.allCredentialEvents) { [weak self] message in
                if let event = try? JSON.decode(CredentialEvent.self, from: message.payload) { self?.learn(event) }
            }
        } catch {
            logger.error("tokens cannot be followed", metadata: ["reason": "\(error)"])
        }
        bus.onLoss { [weak self] _ in self?.wanted.yield() }
        wanted.yield()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in self.wishes { await self.load() } }
            group.addTask {
                // Whatever was missed is made up for within this time.
                while (try? await Task.sleep(for: .seconds(20))) != nil { self.wanted.yield() }
                self.wanted.finish()
            }
        }
        subscription?.unsubscribe()
    }

    /// The list again, before somebody uses what was just made.
    func refresh() async throws(ErrorBody) { take(try await registry.credentials()) }

    private func learn(_ event: CredentialEvent) {
        guard event.what == "revoked", let time = event.credential.revoked else {
            wanted.yield()
            return
        }
        revoked(event.credential.id, at: time)
    }

    /// A token has ended; what is open by it closes.
    func revoked(_ id: String, at time: Timestamp) {
        let watchers = fields.withLock { fields in
            fields.revoked[id] = time
            fields.entries[id]?.credential.revoked = time
            return Array(fields.watchers.values)
        }
        for watcher in watchers { watcher() }
    }

    private func take(_ list: [CredentialList.Entry]) {
        let watchers = fields.withLock { fields in
            fields.entries = Dictionary(list.map { ($0.credential.id, $0) }, uniquingKeysWith: { $1 })
            for (id, time) in fields.revoked where fields.entries[id]?.credential.revoked == nil { fields.entries[id]?.credential.revoked = time }
            fields.revoked = fields.revoked.filter { fields.entries[$0.key]?.credential.revoked == $0.value }
            fields.isKnown = true
            return Array(fields.watchers.values)
        }
        for watcher in watchers { watcher() }
    }

    private func load() async {
        var pause = Duration.milliseconds(50)
        while !Task.isCancelled {
            do throws(ErrorBody) {
                return try await refresh()
            } catch {
                logger.debug("tokens are not known yet", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(2))
            }
        }
    }
}
