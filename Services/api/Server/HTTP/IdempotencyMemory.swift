internal import Contract
internal import Digest
internal import Hummingbird
internal import Synchronization

/// Answers of mutations by the key their client gave, so that a repeated request is answered and not done again.
///
/// Of this server's memory only: a client repeats within minutes, to the server it just spoke to.
final class IdempotencyMemory: Sendable {
    private enum Entry {
        case underWay(SHA256Digest, [CheckedContinuation<Response?, Never>])
        case done(SHA256Digest, Response, at: ContinuousClock.Instant)
    }

    private let keep: Duration
    private let limit: Int
    private let entries = Mutex<[String: Entry]>([:])

    init(keep: Duration = .seconds(600), limit: Int = 10_000) {
        self.keep = keep
        self.limit = limit
    }

    /// The answer to `key`: the one given before, or that of `work`, done once. A failure is not kept.
    /// - Parameter digest: of what is asked.
    /// - Throws: `conflict` when something else was asked with this key.
    func answer(_ key: String, to digest: SHA256Digest, _ work: () async throws -> Response) async throws -> Response {
        if let before = try await earlier(key, digest) { return before }
        do {
            let response = try await work()
            finish(key, digest, response)
            return response
        } catch {
            finish(key, digest, nil)
            throw error
        }
    }

    private enum Found {
        case answered(Response)
        case underWay
        case mine
        case another
    }

    /// The earlier answer; nil if the caller is to do the work. Waits for one that is under way.
    private func earlier(_ key: String, _ digest: SHA256Digest) async throws(ErrorBody) -> Response? {
        while true {
            let now = ContinuousClock.now
            let found = entries.withLock { entries -> Found in
                switch entries[key] {
                case .done(let request, let response, let at) where now - at < keep: return request == digest ? .answered(response) : .another
                case .underWay(let request, _): return request == digest ? .underWay : .another
                case .done, nil:
                    if entries.count >= limit { Self.forget(&entries, now: now, keep: keep) }
                    entries[key] = .underWay(digest, [])
                    return .mine
                }
            }
            switch found {
            case .answered(let response): return response
            case .mine: return nil
            case .another:
                throw ErrorBody(.conflict, "this Idempotency-Key was given with another request before: each request needs a key of its own")
            case .underWay:
                if let response = await finished(key) { return response }
            }
        }
    }

    private func finished(_ key: String) async -> Response? {
        await withCheckedContinuation { continuation in
            let now: Response?? = entries.withLock { entries in
                switch entries[key] {
                case .underWay(let request, let waiting):
                    entries[key] = .underWay(request, waiting + [continuation])
                    return nil
                case .done(_, let response, _): return .some(response)
                case nil: return .some(nil)
                }
            }
            if let now { continuation.resume(returning: now) }
        }
    }

    private func finish(_ key: String, _ digest: SHA256Digest, _ response: Response?) {
        let waiting = entries.withLock { entries -> [CheckedContinuation<Response?, Never>] in
            defer { entries[key] = response.map { .done(digest, $0, at: .now) } }
            if case .underWay(_, let waiting) = entries[key] { return waiting }
            return []
        }
        for continuation in waiting { continuation.resume(returning: response) }
    }

    private static func forget(_ entries: inout [String: Entry], now: ContinuousClock.Instant, keep: Duration) {
        entries = entries.filter { entry in
            if case .done(_, _, let at) = entry.value { return now - at < keep / 10 }
            return true
        }
    }
}
