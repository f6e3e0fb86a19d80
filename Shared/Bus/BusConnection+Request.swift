internal import CNats
internal import Contract
internal import Synchronization
internal import Traces
internal import Tracing

/// Requests that wait for their answer: one wildcard subscription, one entry per request.
final class RequestInbox: Sendable {
    private struct Fields {
        var next: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<Result<BusMessage, BusError>, Never>] = [:]
        var isClosed = false
    }

    let prefix: String
    private let fields = Mutex(Fields())

    init(prefix: String) { self.prefix = prefix }

    func newToken() -> UInt64 {
        fields.withLock { fields in
            fields.next += 1
            return fields.next
        }
    }

    /// False when the connection closes.
    func wait(_ token: UInt64, _ continuation: CheckedContinuation<Result<BusMessage, BusError>, Never>) -> Bool {
        fields.withLock { fields in
            guard !fields.isClosed else { return false }
            fields.waiting[token] = continuation
            return true
        }
    }

    func finish(_ token: UInt64, _ result: Result<BusMessage, BusError>) {
        fields.withLock { $0.waiting.removeValue(forKey: token) }?.resume(returning: result)
    }

    func failAll(_ error: BusError) {
        let waiting = fields.withLock { fields in
            fields.isClosed = true
            defer { fields.waiting = [:] }
            return fields.waiting
        }
        for continuation in waiting.values { continuation.resume(returning: .failure(error)) }
    }

    func deliver(_ message: BusMessage) {
        let skip = prefix.utf8.count + 1
        let token = message.withSubject { subject -> UInt64? in
            subject.count > skip ? UInt64(String(decoding: subject[skip...], as: UTF8.self)) : nil
        }
        guard let token else { return }
        if message.isNoResponders {
            finish(token, .failure(BusError(.noResponders, "nobody listens")))
        } else {
            finish(token, .success(message))
        }
    }
}

extension BusConnection {
    func openInbox() throws(BusError) {
        try subscribeToAnswers(inbox.prefix + ".*") { [inbox] message in inbox.deliver(message) }
    }

    /// Asks and waits for one answer. The request that the task works for (``TraceContext/current``) goes along.
    /// - Parameter timeout: ``BusOptions/requestTimeout`` where it is not said.
    /// - Throws: `noResponders` at once when nobody listens, `timeout`, `closed`; and what `publish` throws.
    public func request(
        _ subject: String, payload: some Collection<UInt8>, headers: [(String, String)] = [], timeout: Duration? = nil
    ) async throws(BusError) -> BusMessage {
        guard let context = ServiceContext.current, let trace = context.trace else { return try await roundTrip(subject, payload, headers, timeout) }
        var headers = headers
        guard trace.isSampled else {
            Self.inject(context, into: &headers)
            return try await roundTrip(subject, payload, headers, timeout)
        }
        let template = Subjects.template(subject)
        let span = startSpan("request \(template)", context: context, ofKind: .client)
        span.attributes = BusSpans.attributes(subject, template: template, operation: "request", type: "send", bytes: payload.count)
        defer { span.end() }
        Self.inject(span.context, into: &headers)
        do throws(BusError) {
            let answer = try await roundTrip(subject, payload, headers, timeout)
            if let error = answer.withPayload({ $0.starts(with: #"{"error":"#.utf8) ? Reply.error(in: Array($0)) : nil }) { span.fail(error.code.rawValue) }
            return answer
        } catch {
            span.fail(BusSpans.errorType(error))
            throw error
        }
    }

    private func roundTrip(
        _ subject: String, _ payload: some Collection<UInt8>, _ headers: [(String, String)], _ timeout: Duration?
    ) async throws(BusError) -> BusMessage {
        do {
            return try await exchange(timeout: timeout ?? options.requestTimeout, what: "asking \(subject)") { reply throws(BusError) in
                try self.publish(subject, payload: payload, headers: headers, reply: reply)
            }
        } catch let error where error.code == .noResponders {
            throw BusError(.noResponders, "nobody answers on \(subject)")
        }
    }

    /// Sends with a fresh reply subject and waits for what comes to it.
    func exchange(
        timeout: Duration, what: String, send: (String) throws(BusError) -> Void
    ) async throws(BusError) -> BusMessage {
        let token = inbox.newToken()
        let inbox = inbox
        let timer = Mutex<Task<Void, Never>?>(nil)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<BusMessage, BusError>, Never>) in
                guard inbox.wait(token, continuation) else {
                    return continuation.resume(returning: .failure(BusError(.closed, "\(what): the connection is closed")))
                }
                if Task.isCancelled { return inbox.finish(token, .failure(BusError(.timeout, "\(what): cancelled"))) }
                do throws(BusError) {
                    try send("\(inbox.prefix).\(token)")
                } catch {
                    return inbox.finish(token, .failure(error))
                }
                let task = Task {
                    guard (try? await Task.sleep(for: timeout)) != nil else { return }
                    inbox.finish(token, .failure(BusError(.timeout, "\(what): no answer within \(timeout)")))
                }
                timer.withLock { $0 = task }
            }
        } onCancel: {
            inbox.finish(token, .failure(BusError(.timeout, "\(what): cancelled")))
        }
        timer.withLock { $0 }?.cancel()
        return try result.get()
    }
}
