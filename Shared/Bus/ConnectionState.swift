internal import CNats
internal import Synchronization

/// What libnats' connection callbacks change and others wait for.
final class ConnectionState: Sendable {
    private struct Fields {
        var isConnected = false
        var isClosed = false
        var slowConsumers: UInt64 = 0
        var observers: [@Sendable (BusState) -> Void] = []
        var connectedWaiters: [UInt64: CheckedContinuation<Bool, Never>] = [:]
        var closedWaiters: [UInt64: CheckedContinuation<Bool, Never>] = [:]
        var nextWaiter: UInt64 = 0
        var abandoned: [SendablePointer] = []
    }

    private let fields = Mutex(Fields())

    static func look(_ context: UnsafeMutableRawPointer?) -> ConnectionState? {
        context.map { Unmanaged<ConnectionState>.fromOpaque($0).takeUnretainedValue() }
    }

    static func take(_ context: UnsafeMutableRawPointer?) -> ConnectionState? {
        context.map { Unmanaged<ConnectionState>.fromOpaque($0).takeRetainedValue() }
    }

    var slowConsumers: UInt64 { fields.withLock { $0.slowConsumers } }

    func observe(_ body: @escaping @Sendable (BusState) -> Void) { fields.withLock { $0.observers.append(body) } }

    private func tell(_ state: BusState) {
        for observer in fields.withLock({ $0.observers }) { observer(state) }
    }

    func connected() {
        let waiters = fields.withLock { fields in
            fields.isConnected = true
            defer { fields.connectedWaiters = [:] }
            return Array(fields.connectedWaiters.values)
        }
        for waiter in waiters { waiter.resume(returning: true) }
        tell(.connected)
    }

    func reconnected() {
        let (waiters, isFirst) = fields.withLock { fields in
            let isFirst = !fields.isConnected
            fields.isConnected = true
            defer { fields.connectedWaiters = [:] }
            return (Array(fields.connectedWaiters.values), isFirst)
        }
        for waiter in waiters { waiter.resume(returning: true) }
        tell(isFirst ? .connected : .reconnected)
    }

    func disconnected() { tell(.disconnected) }

    func closed() {
        let (closedWaiters, connectedWaiters) = fields.withLock { fields in
            fields.isClosed = true
            defer {
                fields.closedWaiters = [:]
                fields.connectedWaiters = [:]
            }
            return (Array(fields.closedWaiters.values), Array(fields.connectedWaiters.values))
        }
        for waiter in closedWaiters { waiter.resume(returning: true) }
        for waiter in connectedWaiters { waiter.resume(returning: false) }
        tell(.closed)
        // Observers may hold the connection itself.
        let abandoned = fields.withLock { fields in
            fields.observers = []
            defer { fields.abandoned = [] }
            return fields.abandoned
        }
        for subscription in abandoned { natsSubscription_Destroy(subscription.value) }
    }

    /// Keeps a subscription that nobody holds any more delivering until the connection ends.
    func abandon(_ subscription: OpaquePointer) {
        let pointer = SendablePointer(subscription)
        let isClosed = fields.withLock { fields in
            if !fields.isClosed { fields.abandoned.append(pointer) }
            return fields.isClosed
        }
        if isClosed { natsSubscription_Destroy(subscription) }
    }

    func failed(_ status: natsStatus, subscription: OpaquePointer?, of connection: OpaquePointer?) {
        if status == NATS_NOT_PERMITTED {
            var text: UnsafePointer<CChar>?
            _ = natsConnection_GetLastError(connection, &text)
            return tell(.refused(text.map { String(cString: $0) } ?? "not permitted"))
        }
        guard status == NATS_SLOW_CONSUMER else { return }
        fields.withLock { $0.slowConsumers += 1 }
        var dropped: Int64 = 0
        var subject = ""
        if let subscription {
            natsSubscription_GetDropped(subscription, &dropped)
            subject = natsSubscription_GetSubject(subscription).map { String(cString: $0) } ?? ""
        }
        tell(.slowConsumer(subject: subject, dropped: dropped))
    }

    func waitUntilConnected(timeout: Duration) async -> Bool {
        await wait(timeout: timeout, list: \.connectedWaiters) { $0.isConnected ? true : $0.isClosed ? false : nil }
    }

    func waitUntilClosed(timeout: Duration) async -> Bool {
        await wait(timeout: timeout, list: \.closedWaiters) { $0.isClosed ? true : nil }
    }

    private func wait(
        timeout: Duration, list: any Sendable & WritableKeyPath<Fields, [UInt64: CheckedContinuation<Bool, Never>]>,
        known: (Fields) -> Bool?
    ) async -> Bool {
        await withCheckedContinuation { continuation in
            let (id, answer): (UInt64, Bool?) = fields.withLock { fields in
                if let answer = known(fields) { return (0, answer) }
                fields.nextWaiter += 1
                fields[keyPath: list][fields.nextWaiter] = continuation
                return (fields.nextWaiter, nil)
            }
            if let answer { return continuation.resume(returning: answer) }
            Task {
                try? await Task.sleep(for: timeout)
                fields.withLock { $0[keyPath: list].removeValue(forKey: id) }?.resume(returning: false)
            }
        }
    }
}
