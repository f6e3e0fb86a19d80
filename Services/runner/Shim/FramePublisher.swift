internal import Bus
internal import Contract
internal import Synchronization

/// Brings frames from the spool to the stream, in order, with a bounded number of bytes on the way. Belongs to the loop's thread.
final class FramePublisher {
    static let windowBytes = 8 << 20

    private let pod: PodID
    private let spool: Spool
    private let inbox: ShimInbox
    private var connection: BusConnection?
    private var publisher: AckedPublisher?
    /// The next frame to hand to the publisher.
    private var cursor: UInt64

    private let refusals = Refusals()

    init(pod: PodID, spool: Spool, inbox: ShimInbox) {
        self.pod = pod
        self.spool = spool
        self.inbox = inbox
        cursor = spool.acked + 1
    }

    /// Publishes over `connection` from now on; the stream holds everything up to `newest`.
    func attach(_ connection: BusConnection, newest: UInt64) throws(BusError) {
        publisher?.close()
        spool.release(upTo: newest)
        cursor = spool.acked + 1
        self.connection = connection
        publisher = try AckedPublisher(
            connection, firstToken: cursor, windowBytes: Self.windowBytes, windowMessages: 16384,
            newestStored: { [pod] in try await BusLink.newestStored(pod, connection) },
            unstored: Headers.unstored,
            onRefused: { [refusals] error in refusals.note("\(error)") },
            onStored: { [inbox, refusals] _ in
                refusals.forget()
                inbox.post(.busMoved)
            })
    }

    func detach() {
        publisher?.close()
        publisher = nil
        connection = nil
    }

    var isConnected: Bool { connection?.isConnected ?? false }

    /// The connection answers go over; nil before the first.
    var current: BusConnection? { connection }

    /// Offers the frame that was just added to the spool, which spares reading it back.
    func offer(_ frame: Frame) {
        guard let publisher, isConnected, frame.seq == cursor else { return }
        if publisher.publish(frame.subject, payload: frame.bytes, headers: frame.headers) != nil { cursor += 1 }
    }

    /// Publishes what the spool holds beyond the cursor, as far as the window has room.
    func pump() throws(ErrorBody) {
        guard let publisher else { return }
        spool.release(upTo: publisher.storedUpTo)
        guard isConnected else { return }
        var budget = 256
        while cursor <= spool.newest, publisher.hasRoom, budget > 0 {
            let frame = try spool.read(cursor)
            guard publisher.publish(frame.subject, payload: frame.bytes, headers: frame.headers) != nil else { return }
            cursor += 1
            budget -= 1
        }
        // The loop reads the terminal between two helpings.
        if cursor <= spool.newest && publisher.hasRoom { inbox.wakeUp() }
    }
}

/// Logs why the stream refuses frames, once per reason until one is stored: a stream that is away refuses each second.
private final class Refusals: Sendable {
    private let last = Mutex("")

    func note(_ reason: String) {
        let isNews = last.withLock { last in
            defer { last = reason }
            return last != reason
        }
        if isNews { log("the stream refuses frames, which wait: \(reason)") }
    }

    func forget() { last.withLock { $0 = "" } }
}
