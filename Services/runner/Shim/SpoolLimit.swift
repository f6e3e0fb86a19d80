/// Whether the spool has room. It is full at its cap or when 5 % of the disk are left, and has room again well below both.
/// A value: sizes come in.
struct SpoolLimit {
    private let cap: UInt64
    private(set) var isFull = false
    private var checkedAt: UInt64 = 0

    init(cap: UInt64) { self.cap = max(cap, 64 << 10) }

    /// Whether the disk should be asked again: each MiB, and always while full.
    func wantsDisk(spoolBytes: UInt64) -> Bool {
        isFull || spoolBytes >= checkedAt + 1 << 20 || spoolBytes < checkedAt
    }

    /// The new state; `disk` is nil when it was not asked.
    mutating func update(spoolBytes: UInt64, disk: (free: UInt64, total: UInt64)?) -> Bool {
        if disk != nil { checkedAt = spoolBytes }
        if isFull {
            let hasRoom = spoolBytes <= cap / 4 * 3
            // 1 % above the mark at which it became full.
            let diskHasRoom = disk.map { $0.free >= $0.total / 100 * 6 || spoolBytes == 0 } ?? true
            isFull = !(hasRoom && diskHasRoom)
        } else {
            isFull = spoolBytes >= cap || disk.map { $0.free < $0.total / 100 * 5 && spoolBytes > 1 << 20 } ?? false
        }
        return isFull
    }
}
