public import Contract

extension BusConnection {
    /// Asks in JSON and takes the answer from JSON.
    /// - Throws: the ``ErrorBody`` that was answered, or one that says what the bus did (`unavailable`, `timed_out`).
    public func ask<Answer: Decodable>(
        _ subject: String, _ question: some Encodable, headers: [(String, String)] = [], timeout: Duration? = nil,
        as type: Answer.Type = Answer.self
    ) async throws(ErrorBody) -> Answer {
        let payload: [UInt8]
        do { payload = try JSON.encode(question) } catch { throw ErrorBody(.internal, "the request could not be encoded: \(error)") }
        let answer: BusMessage
        do throws(BusError) {
            answer = try await request(subject, payload: payload, headers: headers, timeout: timeout)
        } catch {
            throw ErrorBody(error)
        }
        return try Reply.decode(type, from: answer.payload)
    }

    /// Answers JSON requests, a task each. An ``ErrorBody`` that is thrown becomes the answer; any other error answers `internal`.
    @discardableResult
    public func answer<Question: Decodable & Sendable & SendableMetatype, Answer: Encodable & SendableMetatype>(
        _ subject: String, queue: String? = nil, _ type: Question.Type = Question.self,
        handler: @escaping @Sendable (Question) async throws -> Answer
    ) throws(BusError) -> BusSubscription {
        try serve(
            subject, queue: queue,
            asyncHandler: { message in
                do {
                    let question = try message.withPayload { try JSON.decode(type, from: Array($0)) }
                    return BusReply(Reply.encode(try await handler(question)))
                } catch {
                    return BusReply(Reply.error(ErrorBody(describing: error)))
                }
            })
    }
}

extension BusError: ErrorBodyConvertible {
    public var errorBody: ErrorBody { ErrorBody(self) }
}

extension ErrorBody {
    /// What a bus failure means to somebody who asked.
    public init(_ error: BusError) {
        let code: Code =
            switch error.code {
            case .timeout: .timedOut
            case .payloadTooLarge: .tooLarge
            case .noResponders, .noServer, .closed, .disconnected, .bufferFull: .unavailable
            default: .internal
            }
        self.init(code, error.message)
    }

    /// Any error as an answer.
    public init(describing error: any Error) {
        switch error {
        case let error as ErrorBody: self = error
        case let error as any ErrorBodyConvertible: self = error.errorBody
        default: self.init(.internal, "\(error)")
        }
    }
}
