internal import Synchronization

/// At most so many loads at once.
final class LoadLimit: Sendable {
    private struct Fields {
        var free: Int
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let fields: Mutex<Fields>

    init(_ count: Int) { fields = Mutex(Fields(free: count)) }

    func run(_ body: () async -> Void) async {
        await withCheckedContinuation { continuation in
            let isFree = fields.withLock { fields in
                guard fields.free == 0 else {
                    fields.free -= 1
                    return true
                }
                fields.waiters.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
        await body()
        let next = fields.withLock { fields -> CheckedContinuation<Void, Never>? in
            guard fields.waiters.isEmpty else { return fields.waiters.removeFirst() }
            fields.free += 1
            return nil
        }
        next?.resume()
    }
}
