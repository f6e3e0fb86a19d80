internal import Bus
internal import Synchronization

/// Requests whose answers go to closures: for keystrokes, which must leave in the order they came and cannot each wait
/// for a task. Answers come on a bus thread; a request without one ends with an error after `patience`.
final class OrderedRequests: Sendable {
    typealias Completion = @Sendable (Result<BusMessage, BusError>) -> Void

    private struct Waiting {
        var completion: Completion
        var deadline: ContinuousClock.Instant
    }

    private struct Fields {
        var next: UInt64 = 0
        var waiting: [UInt64: Waiting] = [:]
        var isSweeping = false
    }

    private let bus: BusConnection
    private let inbox: String
    private let patience: Duration
    private let fields = Mutex(Fields())
    private let opened = Mutex<BusSubscription?>(nil)

    init(bus: BusConnection, patience: Duration = .seconds(5)) {
        self.bus = bus
        inbox = bus.newInbox()
        self.patience = patience
    }

    func send(_ subject: String, payload: [UInt8], headers: [(String, String)], completion: @escaping Completion) {
        let (token, mustSweep) = fields.withLock { fields -> (UInt64, Bool) in
            fields.next += 1
            fields.waiting[fields.next] = Waiting(completion: completion, deadline: .now + patience)
            defer { fields.isSweeping = true }
            return (fields.next, !fields.isSweeping)
        }
        if mustSweep { sweep() }
        do throws(BusError) {
            try openInbox()
            try bus.publish(subject, payload: payload, headers: headers, reply: "\(inbox).\(token)")
        } catch {
            finish(token, .failure(error))
        }
    }

    private func openInbox() throws(BusError) {
        let result = opened.withLock { opened -> Result<Void, BusError> in
            if opened != nil { return .success(()) }
            do throws(BusError) {
                let skip = inbox.utf8.count + 1
                opened = try bus.subscribeToAnswers(inbox + ".*") { [weak self] message in
                    let token = message.withSubject { subject in
                        subject.count > skip ? UInt64(String(decoding: subject[skip...], as: UTF8.self)) : nil
                    }
                    guard let token else { return }
                    if message.payloadSize == 0, message.header("Status") == "503" {
                        self?.finish(token, .failure(BusError(.noResponders, "nobody answers")))
                    } else {
                        self?.finish(token, .success(message))
                    }
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func finish(_ token: UInt64, _ result: Result<BusMessage, BusError>) {
        fields.withLock { $0.waiting.removeValue(forKey: token) }?.completion(result)
    }

    /// One task while anything waits, looking twice within the time a request may take.
    private func sweep() {
        Task { [weak self, patience] in
            while true {
                try? await Task.sleep(for: patience / 2)
                guard let self else { return }
                let now = ContinuousClock.now
                let (late, isDone) = self.fields.withLock { fields -> ([Waiting], Bool) in
                    let late = fields.waiting.filter { $0.value.deadline <= now }
                    for token in late.keys { fields.waiting[token] = nil }
                    if fields.waiting.isEmpty { fields.isSweeping = false }
                    return (Array(late.values), fields.waiting.isEmpty)
                }
                for request in late { request.completion(.failure(BusError(.timeout, "no answer within \(patience)"))) }
                if isDone { return }
            }
        }
    }
}
