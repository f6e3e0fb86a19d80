internal import Contract

/// The size of a pod whose viewers asked that it fit the smallest of them. Without such viewers it stays as it is; when
/// the last of them leaves, the size from before comes back.
struct SmallestSize: Equatable {
    /// A viewer that has not repeated its size for this long has left.
    static let lease = Duration.seconds(10)

    private struct Viewer: Equatable {
        var columns: Int
        var rows: Int
        var until: Timestamp
    }

    private var viewers: [String: Viewer] = [:]
    private var before: (columns: Int, rows: Int)?

    static func == (a: Self, b: Self) -> Bool {
        a.viewers == b.viewers && a.before?.columns == b.before?.columns && a.before?.rows == b.before?.rows
    }

    /// Each returns the size the pod should take, or nil if it is right.
    mutating func set(
        _ name: String, columns: Int, rows: Int, now: Timestamp, current: (columns: Int, rows: Int)
    ) -> (columns: Int, rows: Int)? {
        if viewers.isEmpty { before = current }
        viewers[name] = Viewer(columns: columns, rows: rows, until: now + Self.lease)
        return wanted(current)
    }

    mutating func remove(_ name: String, current: (columns: Int, rows: Int)) -> (columns: Int, rows: Int)? {
        guard viewers.removeValue(forKey: name) != nil else { return nil }
        return wanted(current)
    }

    mutating func expire(now: Timestamp, current: (columns: Int, rows: Int)) -> (columns: Int, rows: Int)? {
        let count = viewers.count
        viewers = viewers.filter { $0.value.until > now }
        return viewers.count == count ? nil : wanted(current)
    }

    private mutating func wanted(_ current: (columns: Int, rows: Int)) -> (columns: Int, rows: Int)? {
        let columns = viewers.values.map(\.columns).min()
        let rows = viewers.values.map(\.rows).min()
        guard let columns, let rows else {
            defer { before = nil }
            return before.flatMap { $0 == current ? nil : $0 }
        }
        return (columns, rows) == current ? nil : (columns, rows)
    }
}
