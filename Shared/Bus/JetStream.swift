internal import Contract
internal import FoundationEssentials

/// JetStream by its JSON API, which is the same from server 2.9 on.
public struct JetStream: Sendable {
    public let connection: BusConnection

    public init(_ connection: BusConnection) { self.connection = connection }

    /// `err_code`s that callers act on.
    enum ErrorCode {
        static let streamNotFound = 10059
        static let noMessageFound = 10037
        static let streamNameInUse = 10058
        static let insufficientStorage = 10047
        static let consumerNotFound = 10014
    }

    /// Makes streams `PTY` and `EVENTS` where they are missing; whoever starts first does it. Existing ones stay as they are.
    public func ensureStreams(_ plan: StreamPlan = StreamPlan()) async throws(BusError) {
        try await ensureStream(Streams.terminals, subjects: [Subjects.allTerminals], plan.terminals)
        try await ensureStream(Streams.events, subjects: [Subjects.allEvents], plan.events)
    }

    /// Makes stream `AUDIT` where it is missing.
    public func ensureAuditStream(_ plan: StreamPlan = StreamPlan()) async throws(BusError) {
        try await ensureStream(Streams.audit, subjects: [Subjects.auditEntry], plan.audit)
    }

    /// Makes a stream unless one of that name exists. A server with less room than `maxBytes` gets a smaller stream, which may then leave no room for
    /// others: where the disk is small, say so by a ``StreamPlan``.
    public func ensureStream(_ name: String, subjects: [String], _ limits: StreamLimits) async throws(BusError) {
        var bytes = limits.maxBytes
        while true {
            let configuration = JetStreamAPI.StreamConfiguration(
                name: name, subjects: subjects, max_age: limits.maxAge.nanoseconds, max_bytes: bytes,
                duplicate_window: min(limits.duplicateWindow.nanoseconds, limits.maxAge.nanoseconds), num_replicas: limits.replicas,
                max_msgs_per_subject: limits.perSubject)
            do throws(BusError) {
                _ = try await call("STREAM.CREATE.\(name)", configuration, as: JetStreamAPI.Envelope.self)
                return
            } catch let error where error.apiCode == ErrorCode.streamNameInUse {
                return
            } catch let error where error.apiCode == ErrorCode.insufficientStorage && bytes > 16 << 20 {
                bytes /= 2
            }
        }
    }

    /// - Throws: `jetStream` with `apiCode` 10059 when there is no such stream.
    public func streamInfo(_ name: String) async throws(BusError) -> StreamInfo {
        let stream = try await call("STREAM.INFO.\(name)", nil as String?, as: JetStreamAPI.Stream.self)
        return StreamInfo(
            messages: stream.state.messages, bytes: stream.state.bytes, firstSequence: stream.state.first_seq,
            lastSequence: stream.state.last_seq, consumers: stream.state.consumer_count, maxBytes: stream.config.max_bytes,
            maxAge: .nanoseconds(stream.config.max_age), created: stream.created)
    }

    /// The newest message on `subject` (wildcards allowed); nil when the stream has none.
    public func lastMessage(_ stream: String, subject: String) async throws(BusError) -> StoredMessage? {
        try await message(stream, JetStreamAPI.GetMessage(last_by_subj: subject))
    }

    /// The newest message on `subject`, by the request that names the subject itself, so that a credential can allow it for some subjects only.
    /// With several servers, one that is a moment behind may answer.
    public func lastMessageDirectly(_ stream: String, subject: String) async throws(BusError) -> StoredMessage? {
        let answer = try await connection.request("$JS.API.DIRECT.GET.\(stream).\(subject)", payload: [])
        if let status = answer.status {
            if status == 404 { return nil }
            throw BusError(.jetStream, "the newest message on \(subject): status \(status)")
        }
        guard let sequence = answer.header("Nats-Sequence").flatMap({ UInt64($0) }), let subject = answer.header("Nats-Subject") else {
            throw BusError(.badReply, "the newest message on \(subject): the answer says neither its sequence nor its subject")
        }
        return StoredMessage(sequence: sequence, subject: subject, headers: answer.headers, payload: answer.payload)
    }

    /// The message at `sequence`; nil when the stream no longer has it.
    public func message(_ stream: String, sequence: UInt64) async throws(BusError) -> StoredMessage? {
        try await message(stream, JetStreamAPI.GetMessage(seq: sequence))
    }

    /// The first message on `subject` at or after `sequence`; nil when there is none.
    public func nextMessage(_ stream: String, subject: String, from sequence: UInt64) async throws(BusError) -> StoredMessage? {
        try await message(stream, JetStreamAPI.GetMessage(seq: max(1, sequence), next_by_subj: subject))
    }

    private func message(_ stream: String, _ query: JetStreamAPI.GetMessage) async throws(BusError) -> StoredMessage? {
        do throws(BusError) {
            let got = try await call("STREAM.MSG.GET.\(stream)", query, as: JetStreamAPI.GotMessage.self).message
            let headers = got.hdrs.flatMap { Data(base64Encoded: $0) }.map(Self.parseHeaders) ?? []
            let payload = got.data.flatMap { Data(base64Encoded: $0) }.map { [UInt8]($0) } ?? []
            return StoredMessage(sequence: got.seq, subject: got.subject, headers: headers, payload: payload)
        } catch let error where error.apiCode == ErrorCode.noMessageFound {
            return nil
        }
    }

    /// `NATS/1.0\r\nName: value\r\n…`. Source: NATS ADR-4.
    static func parseHeaders(_ data: Data) -> [(name: String, value: String)] {
        String(decoding: data, as: UTF8.self).split(separator: "\r\n").dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...]
            return (String(line[..<colon]), String(value.drop { $0 == " " }))
        }
    }

    /// Removes every message on `subject` from a stream.
    public func purge(_ stream: String, subject: String) async throws(BusError) {
        _ = try await call("STREAM.PURGE.\(stream)", JetStreamAPI.Purge(filter: subject), as: JetStreamAPI.Envelope.self)
    }

    public func deleteConsumer(_ stream: String, _ consumer: String) async throws(BusError) {
        do throws(BusError) {
            _ = try await call("CONSUMER.DELETE.\(stream).\(consumer)", nil as String?, as: JetStreamAPI.Envelope.self)
        } catch let error where error.apiCode == ErrorCode.consumerNotFound {}
    }

    public func deleteStream(_ stream: String) async throws(BusError) {
        _ = try await call("STREAM.DELETE.\(stream)", nil as String?, as: JetStreamAPI.Envelope.self)
    }

    func createConsumer(_ stream: String, _ configuration: JetStreamAPI.ConsumerConfiguration) async throws(BusError) -> String {
        // The subjects that every server since 2.2 knows; 2.9's newer form puts name and filter in the subject.
        let verb = configuration.durable_name.map { "CONSUMER.DURABLE.CREATE.\(stream).\($0)" } ?? "CONSUMER.CREATE.\(stream)"
        let request = JetStreamAPI.CreateConsumer(stream_name: stream, config: configuration)
        return try await call(verb, request, as: JetStreamAPI.Consumer.self).name
    }

    func call<Answer: Decodable>(
        _ verb: String, _ body: (some Encodable)?, as type: Answer.Type, timeout: Duration? = nil
    ) async throws(BusError) -> Answer {
        let payload: [UInt8]
        do {
            payload = try body.map { [UInt8](try JSONEncoder().encode($0)) } ?? []
        } catch {
            throw BusError(.badReply, "\(verb): \(error)")
        }
        let answer: BusMessage
        do throws(BusError) {
            answer = try await connection.request("$JS.API." + verb, payload: payload, timeout: timeout)
        } catch let error where error.code == .noResponders {
            throw BusError(.jetStream, "JetStream is not enabled on this server (start nats-server with -js)")
        }
        let data = Data(answer.payload)
        do {
            let decoder = JSONDecoder()
            if let failure = try decoder.decode(JetStreamAPI.Envelope.self, from: data).error { throw Self.error(failure, verb) }
            return try decoder.decode(type, from: data)
        } catch let error as BusError {
            throw error
        } catch {
            throw BusError(.badReply, "\(verb): \(error)")
        }
    }

    static func error(_ failure: JetStreamAPI.Failure, _ verb: String) -> BusError {
        BusError(.jetStream, "\(verb): \(failure.description ?? "error \(failure.code)")", apiCode: failure.err_code ?? failure.code)
    }
}
