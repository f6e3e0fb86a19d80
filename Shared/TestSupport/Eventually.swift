/// Looks again and again until `body` gives a value. What is waited for decides a test, not how long it took: a limit below two minutes is
/// taken for two minutes, because machines that run tests stand still at times.
/// - Throws: ``TestSupportError`` with `message` at the deadline.
@discardableResult
public func eventually<Value>(
    within limit: Duration = .seconds(30), _ message: @autoclosure () -> String = "it did not happen",
    _ body: () async throws -> Value?
) async throws -> Value {
    let limit = max(limit, .seconds(120))
    let deadline = ContinuousClock.now + limit
    while true {
        if let value = try await body() { return value }
        guard ContinuousClock.now < deadline else { throw TestSupportError("\(message()) within \(limit)") }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Waits until `condition` holds.
public func eventually(
    within limit: Duration = .seconds(30), _ message: @autoclosure () -> String = "it did not become true",
    holds condition: () async throws -> Bool
) async throws {
    try await eventually(within: limit, message()) { try await condition() ? true : nil }
}
