internal import Bus
internal import Synchronization

/// Requests whose answers go to closures: for keystrokes, which must leave in the order they came and cannot each wait
/// for a task. Answers come on the connection's delivery thread; a request without one ends with an error after `patience`.
final class OrderedRequests: Sendable {
    typealias Completion = @Sendable (Result<BusMessage, BusError>) -> Void

    private struct Waiting {
        var completion: Completion
        var deadline: ContinuousClock.Instant
    }

    private struct Fields {
        var next: UInt64 = 0
        var waiting: [UInt64: Waiting] = [:]
        /// How many of those that wait have nobody to answer them: the bus says that, and not which.
        var unheard = 0
        var isSweeping = false
    }

    /// What is asked of one subject, with an inbox of its own.
    private final class Lane: Sendable {
        let subject: String
        let inbox: String
        let fields = Mutex(Fields())

        init(subject: String, inbox: String) {
            self.subject = subject
            self.inbox = inbox
        }
    }

    private let bus: BusConnection
    private let patience: Duration
    private let lanes = Mutex<[String: Lane]>([:])

    init(bus: BusConnection, patience: Duration = .seconds(5)) {
        self.bus = bus
        self.patience = patience
    }

    func send(_ subject: String, payload: [UInt8], headers: [(String, String)], completion: @escaping Completion) {
        let lane: Lane
        do throws(BusError) {
            lane = try self.lane(subject)
        } catch {
            return completion(.failure(error))
        }
        let (token, mustSweep) = lane.fields.withLock { fields -> (UInt64, Bool) in
            fields.next += 1
            fields.waiting[fields.next] = Waiting(completion: completion, deadline: .now + patience)
            defer { fields.isSweeping = true }
            return (fields.next, !fields.isSweeping)
        }
        if mustSweep { Self.sweep(lane, patience) }
        do throws(BusError) {
            try bus.publish(subject, payload: payload, headers: headers, reply: "\(lane.inbox).\(token)")
        } catch {
            Self.finish(lane, token, .failure(error))
        }
    }

    /// The subject's lane, opened with its first request.
    private func lane(_ subject: String) throws(BusError) -> Lane {
        let result = lanes.withLock { lanes -> Result<Lane, BusError> in
            if let lane = lanes[subject] { return .success(lane) }
            let lane = Lane(subject: subject, inbox: bus.newInbox())
            do throws(BusError) {
                let skip = lane.inbox.utf8.count + 1
                try bus.subscribeToAnswers(lane.inbox + ".*", onNoResponders: { Self.nobodyListens(lane) }) { message in
                    let token = message.withSubject { subject in
                        subject.count > skip ? UInt64(String(decoding: subject[skip...], as: UTF8.self)) : nil
                    }
                    if let token { Self.finish(lane, token, .success(message)) }
                }
            } catch {
                return .failure(error)
            }
            lanes[subject] = lane
            return .success(lane)
        }
        return try result.get()
    }

    private static func finish(_ lane: Lane, _ token: UInt64, _ result: Result<BusMessage, BusError>) {
        lane.fields.withLock { $0.waiting.removeValue(forKey: token) }?.completion(result)
        endUnheard(lane)
    }

    private static func nobodyListens(_ lane: Lane) {
        lane.fields.withLock { $0.unheard += 1 }
        endUnheard(lane)
    }

    /// Once all that wait are those that nobody hears, it is known which they are. The others' answers, or their deadlines, come first.
    private static func endUnheard(_ lane: Lane) {
        let unheard = lane.fields.withLock { fields -> [Waiting] in
            guard fields.unheard > 0, fields.unheard >= fields.waiting.count else { return [] }
            defer {
                fields.waiting = [:]
                fields.unheard = 0
            }
            return fields.waiting.sorted { $0.key < $1.key }.map(\.value)
        }
        for request in unheard { request.completion(.failure(BusError(.noResponders, "nobody answers on \(lane.subject)"))) }
    }

    /// One task while anything waits, looking twice within the time a request may take.
    private static func sweep(_ lane: Lane, _ patience: Duration) {
        Task { [weak lane] in
            while true {
                try? await Task.sleep(for: patience / 2)
                guard let lane else { return }
                let now = ContinuousClock.now
                let (late, isDone) = lane.fields.withLock { fields -> ([Waiting], Bool) in
                    let late = fields.waiting.filter { $0.value.deadline <= now }
                    for token in late.keys { fields.waiting[token] = nil }
                    if fields.waiting.isEmpty {
                        fields.isSweeping = false
                        fields.unheard = 0
                    }
                    return (late.sorted { $0.key < $1.key }.map(\.value), fields.waiting.isEmpty)
                }
                for request in late { request.completion(.failure(BusError(.timeout, "no answer within \(patience)"))) }
                endUnheard(lane)
                if isDone { return }
            }
        }
    }
}
