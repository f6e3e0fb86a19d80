internal import CNats
#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif
internal import Synchronization

/// What a connection does over time.
public enum BusState: Sendable, Equatable {
    case connected
    case disconnected
    case reconnected
    case closed
    /// A handler was too slow and messages of its subject were dropped; `dropped` counts them since the subscription began.
    case slowConsumer(subject: String, dropped: Int64)
    /// The server refused to let us publish or subscribe; in its words.
    case refused(String)
}

/// Counters since the connection began.
public struct BusStatistics: Sendable {
    public var messagesIn: UInt64 = 0
    public var bytesIn: UInt64 = 0
    public var messagesOut: UInt64 = 0
    public var bytesOut: UInt64 = 0
    public var reconnects: UInt64 = 0
    /// Times a subscription fell behind and lost messages.
    public var slowConsumers: UInt64 = 0
}

/// A connection to NATS that reconnects for ever. All calls may come from any thread; none blocks a cooperative thread.
// libnats locks its connection itself; `handle` is set once and destroyed in `deinit`.
public final class BusConnection: @unchecked Sendable {
    let handle: OpaquePointer
    let state: ConnectionState
    let inbox: RequestInbox
    /// With a loop that delivers.
    let looped: LoopedConnection?
    /// With TLS.
    private let certificates: CertificateFiles?
    public let options: BusOptions
    let traced = TraceListeners()
    let storage = StorageState()

    private init(
        handle: OpaquePointer, looped: LoopedConnection?, state: ConnectionState, certificates: CertificateFiles?, options: BusOptions
    ) {
        self.certificates = certificates
        self.handle = handle
        self.looped = looped
        self.state = state
        self.options = options
        self.inbox = RequestInbox(prefix: Self.newInbox(below: options.inbox))
    }

    deinit {
        let handle = SendablePointer(handle)
        // Destroying waits for libnats' threads and for the loop's turn, and this may be one of them.
        OwnThread.start { [looped] in
            natsConnection_Close(handle.value)
            looped?.retire()
            natsConnection_Destroy(handle.value)
        }
    }

    /// Connects and, unless `connectTimeout` is nil, waits until it is connected.
    /// - Throws: `noServer` naming the servers, or `authentication`.
    public static func connect(_ options: BusOptions) async throws(BusError) -> BusConnection {
        // libnats gives up for good when the first handshake fails, for whatever reason: a busy server that is late looks like one that refuses
        // us, except that it takes the two seconds of a timeout.
        let deadline = ContinuousClock.now + (options.connectTimeout ?? .zero)
        var refusals = 0
        while true {
            let start = ContinuousClock.now
            do throws(BusError) {
                return try await attempt(options)
            } catch {
                guard error.code == .authentication, options.connectTimeout != nil, ContinuousClock.now < deadline else { throw error }
                if ContinuousClock.now - start < .milliseconds(1500) { refusals += 1 }
                if refusals == 2 { throw error }
                try? await Task.sleep(for: .milliseconds(50))
                if Task.isCancelled { throw error }
            }
        }
    }

    private static func attempt(_ options: BusOptions) async throws(BusError) -> BusConnection {
        let shownServers = options.servers.map(withoutPassword).joined(separator: ", ")
        let state = ConnectionState()
        var looped: LoopedConnection?
        if case .loop(let loop) = options.delivery { looped = LoopedConnection(loop: loop) }
        var certificates: CertificateFiles?
        if let tls = options.tls { certificates = try CertificateFiles(tls) }
        let handle: SendablePointer = try await OwnThread.run { [looped, certificates] () -> Result<SendablePointer, BusError> in
            do throws(BusError) {
                return .success(SendablePointer(try open(options, looped: looped, state: state, certificates: certificates, shownServers: shownServers)))
            } catch {
                return .failure(error)
            }
        }
        let connection = BusConnection(handle: handle.value, looped: looped, state: state, certificates: certificates, options: options)
        if let looped { looped.loop.add(looped) }
        do throws(BusError) {
            try connection.openInbox()
        } catch {
            throw connection.refusal(shownServers) ?? error
        }
        guard let timeout = options.connectTimeout else { return connection }
        if await state.waitUntilConnected(timeout: timeout) { return connection }
        if let refusal = connection.refusal(shownServers) { throw refusal }
        let problem = certificates?.problem
        await connection.close(deadline: .seconds(1))
        if let problem { throw BusError(.noServer, "no connection to \(shownServers): \(problem)") }
        throw BusError(.noServer, "no NATS server answered at \(shownServers) within \(timeout); is it running?")
    }

    /// Why the server itself ended this connection for good; nil when it did not.
    public var refusal: BusError? { refusal(options.servers.map(Self.withoutPassword).joined(separator: ", ")) }

    /// Why the server itself ended the connection (libnats gives up when its credentials are refused twice).
    private func refusal(_ shownServers: String) -> BusError? {
        guard isClosed else { return nil }
        var text: UnsafePointer<CChar>?
        let status = natsConnection_GetLastError(handle, &text)
        guard status != NATS_OK, status != NATS_CONNECTION_CLOSED else { return nil }
        if let problem = certificates?.problem { return BusError(.noServer, "no connection to \(shownServers): \(problem)") }
        // Reconnecting never ends, so "no server left" means that each one refused us.
        if status == NATS_NO_SERVER || status == NATS_CONNECTION_AUTH_FAILED {
            // A certificate that is refused ends a connection of TLS 1.3 after its handshake, often before the reason has come.
            let what = options.tls == nil ? "the credentials" : "the certificate or the credentials"
            return BusError(.authentication, "\(shownServers) refused \(what) of \(options.name)")
        }
        return BusError(status: status, doing: "\(shownServers) refused the connection of \(options.name)")
    }

    private static func open(
        _ options: BusOptions, looped: LoopedConnection?, state: ConnectionState, certificates: CertificateFiles?, shownServers: String
    ) throws(BusError) -> OpaquePointer {
        try check(nats_Open(-1), "opening libnats")
        try check(nats_SetMessageDeliveryPoolSize(Int32(clamping: options.deliveryThreads)), "setting the number of delivery threads")
        var created: OpaquePointer?
        try check(natsOptions_Create(&created), "making options")
        guard let raw = created else { throw BusError(.library, "making options: no memory") }
        defer { natsOptions_Destroy(raw) }
        try apply(options, to: raw, shownServers: shownServers)
        if let tls = options.tls { try certificates?.owning { () throws(BusError) in try apply(tls, to: raw) } }
        if let looped { try check(looped.apply(to: raw), "leaving the socket to a loop") }

        // The closed callback, which always comes last, gives this reference back.
        let context = Unmanaged.passRetained(state).toOpaque()
        natsOptions_SetClosedCB(raw, { _, context in ConnectionState.take(context)?.closed() }, context)
        natsOptions_SetDisconnectedCB(raw, { _, context in ConnectionState.look(context)?.disconnected() }, context)
        natsOptions_SetReconnectedCB(raw, { _, context in ConnectionState.look(context)?.reconnected() }, context)
        natsOptions_SetErrorHandler(
            raw,
            { connection, subscription, status, context in
                ConnectionState.look(context)?.failed(status, subscription: subscription, of: connection)
            },
            context)
        natsOptions_SetRetryOnFailedConnect(raw, true, { _, context in ConnectionState.look(context)?.reconnected() }, context)
        natsOptions_SetCustomReconnectDelay(
            raw,
            { _, attempts, _ in
                let ceiling = min(2000, Int64(50) << Int64(min(max(attempts, 1) - 1, 6)))
                return Int64.random(in: max(50, ceiling / 2)...ceiling)
            }, nil)
        var handle: OpaquePointer?
        let status = natsConnection_Connect(&handle, raw)
        guard status == NATS_OK || status == NATS_NOT_YET_CONNECTED, let handle else {
            // libnats gave no connection, so no closed callback will come.
            Unmanaged<ConnectionState>.fromOpaque(context).release()
            throw BusError(status: status, doing: "connecting to \(shownServers)")
        }
        if status == NATS_OK { state.connected() }
        return handle
    }

    private static func apply(_ options: BusOptions, to raw: OpaquePointer, shownServers: String) throws(BusError) {
        guard !options.servers.isEmpty else { throw BusError(.noServer, "no NATS server is configured") }
        let urls = options.servers.map { strdup($0) }
        defer { for url in urls { free(url) } }
        var pointers = urls.map { UnsafePointer<CChar>($0) }
        try check(
            natsOptions_SetServers(raw, &pointers, Int32(pointers.count)), "the server address \(shownServers) is not valid")
        natsOptions_SetName(raw, options.name)
        if let user = options.user { try check(natsOptions_SetUserInfo(raw, user, options.password ?? ""), "setting the user") }
        if let token = options.token { try check(natsOptions_SetToken(raw, token), "setting the token") }
        if let file = options.credentialsFile {
            try check(natsOptions_SetUserCredentialsFromFiles(raw, file, nil), "reading the credentials \(file)")
        }
        natsOptions_SetSendAsap(raw, options.sendAsSoonAsPossible)
        natsOptions_SetPingInterval(raw, options.pingInterval.milliseconds)
        natsOptions_SetMaxReconnect(raw, -1)
        natsOptions_SetReconnectBufSize(raw, Int32(clamping: options.reconnectBufferBytes))
        natsOptions_SetMaxPendingMsgs(raw, Int32(clamping: options.pendingMessages))
        natsOptions_SetTimeout(raw, 2000)
        natsOptions_SetIOBufSize(raw, Int32(clamping: options.readBytes))
        natsOptions_UseGlobalMessageDelivery(raw, true)
    }

    private static func apply(_ tls: BusOptions.TLS, to raw: OpaquePointer) throws(BusError) {
        try check(natsOptions_SetSecure(raw, true), "TLS")
        if let file = tls.certificateAuthorities {
            try check(natsOptions_LoadCATrustedCertificates(raw, file), "TLS: reading the certificate authorities \(file)")
        }
        if let chain = tls.certificateChain, let key = tls.privateKey {
            try check(natsOptions_LoadCertificatesChain(raw, chain, key), "TLS: reading the certificate \(chain) and its key \(key)")
        }
        if let name = tls.expectedHostname { try check(natsOptions_SetExpectedHostname(raw, name), "TLS: the host's name \(name)") }
    }

    // MARK: - State

    /// What keeps this connection from the bus, or its messages from their streams, at this moment, for a person; nil while all is well.
    public var problem: String? {
        guard !isConnected else { return storage.problem }
        return ["not connected to NATS", certificates?.problem].compactMap { $0 }.joined(separator: "; ")
    }

    public var isConnected: Bool { natsConnection_Status(handle) == NATS_CONN_STATUS_CONNECTED }

    public var isClosed: Bool { natsConnection_IsClosed(handle) }

    /// Calls `body` at every change of state, from a libnats thread, until `close`. Several may be set.
    public func onStateChange(_ body: @escaping @Sendable (BusState) -> Void) { state.observe(body) }

    /// Calls `body` when messages to subscriptions may have been lost, which nothing else may ever tell.
    ///
    /// - Parameter body: gets the subject of the subscription whose handler was too slow; nil after a reconnect, which concerns them all.
    public func onLoss(_ body: @escaping @Sendable (_ subject: String?) -> Void) {
        onStateChange { state in
            switch state {
            case .reconnected: body(nil)
            case .slowConsumer(let subject, _): body(subject)
            default: break
            }
        }
    }

    public var statistics: BusStatistics {
        var result = BusStatistics()
        result.slowConsumers = state.slowConsumers
        var stats: OpaquePointer?
        guard natsStatistics_Create(&stats) == NATS_OK, let stats else { return result }
        defer { natsStatistics_Destroy(stats) }
        guard natsConnection_GetStats(handle, stats) == NATS_OK else { return result }
        natsStatistics_GetCounts(
            stats, &result.messagesIn, &result.bytesIn, &result.messagesOut, &result.bytesOut, &result.reconnects)
        return result
    }

    /// How often the connection came back. Counted before anything is sent on the new connection, and a moment before `onStateChange` and `onLoss` tell.
    public var reconnects: UInt64 { looped?.epoch ?? statistics.reconnects }

    /// The largest payload the server takes, in bytes.
    public var maxPayload: Int { Int(natsConnection_GetMaxPayload(handle)) }

    /// A subject nobody else uses.
    public func newInbox() -> String { Self.newInbox(below: options.inbox) }

    private static func newInbox(below prefix: String) -> String {
        var id = prefix + "."
        let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        for _ in 0..<22 { id.unicodeScalars.append(Unicode.Scalar(alphabet[Int.random(in: 0..<alphabet.count)])) }
        return id
    }

    private static func withoutPassword(_ url: String) -> String {
        guard let at = url.lastIndex(of: "@") else { return url }
        return String(url[url.index(after: at)...])
    }

    // MARK: - Ending

    /// Lets handlers finish what has arrived, sends what waits, then closes. Returns when closed, at the latest after `deadline`.
    public func close(deadline: Duration = .seconds(2)) async {
        inbox.failAll(BusError(.closed, "the connection is closing"))
        looped?.beginDraining()
        let drained = isConnected && natsConnection_DrainTimeout(handle, max(1, deadline.milliseconds)) == NATS_OK
        if drained, await state.waitUntilClosed(timeout: deadline) { return }
        let handle = SendablePointer(handle)
        _ = try? await OwnThread.run { () -> Result<Bool, BusError> in
            natsConnection_Close(handle.value)
            return .success(true)
        }
        _ = await state.waitUntilClosed(timeout: deadline)
    }
}

/// Carries a C handle into another thread.
// The handle's owner guarantees that it outlives the use.
struct SendablePointer: @unchecked Sendable {
    let value: OpaquePointer
    init(_ value: OpaquePointer) { self.value = value }
}
