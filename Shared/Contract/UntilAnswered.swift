/// Asks again until somebody answers: whoever is killed with a question has lost it, and nobody says so. For questions that change nothing more when they
/// are asked twice, and that wait for each answer much shorter than `limit`.
///
/// - Parameter isSettled: looked at before the question is asked again; true makes the answer nil.
/// - Throws: what was answered; `timed_out` where nobody did.
public func untilAnswered<Answer: Sendable>(
    within limit: Duration, unless isSettled: () async -> Bool = { false }, _ ask: () async throws(ErrorBody) -> Answer
) async throws(ErrorBody) -> Answer? {
    let deadline = ContinuousClock.now + limit
    var isSent = false
    while true {
        do throws(ErrorBody) {
            return try await ask()
        } catch {
            // Nobody was there who could have taken the first; of the others nobody knows.
            guard error.code == .timedOut || isSent && error.code == .unavailable else { throw error }
            guard ContinuousClock.now < deadline, !Task.isCancelled else { throw ErrorBody(.timedOut, error.message) }
            isSent = true
            if await isSettled() { return nil }
            if error.code == .unavailable { try? await Task.sleep(for: .milliseconds(500)) }
        }
    }
}
