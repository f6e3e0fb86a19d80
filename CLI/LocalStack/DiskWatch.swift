/// The disk of a server that does not get over a full one by itself.
///
/// nats-server, measured: 2.9 then hangs (no answer about the stream, not even SIGTERM ends it) and 2.15 takes nothing more, until each is started anew; 2.10 goes
/// on by itself. So it is started anew once there is room again. What it had acknowledged is kept by all three. A value: whoever asks looks at the disk.
struct DiskWatch: Sendable, Equatable {
    enum Finding: Equatable {
        case roomy
        /// With the bytes that are left.
        case full(UInt64)
        /// It was full, and is not any more.
        case roomAgain
    }

    /// With less than this it counts as full.
    static let least: UInt64 = 8 << 20
    /// It has room again from here on: what is hardly freed is soon taken.
    static let enough: UInt64 = 32 << 20

    private(set) var wasFull = false

    /// - Parameter free: bytes that are free; nil where that cannot be told.
    mutating func look(free: UInt64?) -> Finding {
        guard let free else { return .roomy }
        if free < Self.least || (wasFull && free < Self.enough) {
            wasFull = true
            return .full(free)
        }
        defer { wasFull = false }
        return wasFull ? .roomAgain : .roomy
    }
}
