#if canImport(Glibc)
    public import Glibc
#else
    public import Darwin
#endif
internal import Synchronization

/// Waits for the sockets of connections and calls their handlers on one thread: no thread of libnats stands between a
/// message's arrival and its handler, and what handlers send leaves in one write at the end of the turn.
///
/// `shared` has a thread of its own. A program that waits in a poll of its own makes one and owns it: it polls `descriptors`,
/// calls `turn` with what came, and `flush` before it waits again.
public final class BusLoop: Sendable {
    /// The loop of the whole process. Its thread starts with the first use.
    public static let shared: BusLoop = {
        let loop = BusLoop()
        loop.runOnOwnThread()
        return loop
    }()

    /// While a connection is being closed, what it still waits for comes without any socket being readable.
    private static let drainPause: Int32 = 5

    private let connections = Mutex<[LoopedConnection]>([])
    private let owner = Atomic<UInt>(0)
    private let isWoken = Atomic<Bool>(false)
    private let wakeReader: Int32
    private let wakeWriter: Int32

    public init() {
        var ends: [Int32] = [-1, -1]
        let made = pipe(&ends)
        precondition(made == 0, "a pipe can be made")
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        wakeReader = ends[0]
        wakeWriter = ends[1]
    }

    deinit {
        close(wakeReader)
        close(wakeWriter)
    }

    /// Whether this is the thread that runs the loop.
    public var isOwnThread: Bool { owner.load(ordering: .relaxed) == Self.thread }

    private static var thread: UInt {
        #if canImport(Glibc)
            UInt(pthread_self())
        #else
            UInt(bitPattern: pthread_self())
        #endif
    }

    private func runOnOwnThread() {
        OwnThread.start(stackBytes: 8 << 20) {
            var descriptors: [pollfd] = []
            while true {
                descriptors.removeAll(keepingCapacity: true)
                let isDraining = self.appendDescriptors(to: &descriptors)
                poll(&descriptors, nfds_t(descriptors.count), isDraining ? Self.drainPause : -1)
                self.turn(descriptors[...])
                self.flush()
            }
        }
    }

    // MARK: - For the owner

    /// Adds what is to be waited for. The calling thread owns the loop from then on.
    /// - Returns: true while a connection is being closed: then `turn` is due every few milliseconds, whatever comes.
    @discardableResult
    public func appendDescriptors(to descriptors: inout [pollfd]) -> Bool {
        owner.store(Self.thread, ordering: .relaxed)
        descriptors.append(pollfd(fd: wakeReader, events: Int16(POLLIN), revents: 0))
        var isDraining = false
        for connection in connections.withLock({ $0 }) {
            if let descriptor = connection.descriptor { descriptors.append(descriptor) }
            isDraining = isDraining || connection.isDraining
        }
        return isDraining
    }

    /// Reads what came and calls the handlers.
    public func turn(_ descriptors: ArraySlice<pollfd>) {
        var isWake = false
        for descriptor in descriptors where descriptor.revents != 0 && descriptor.fd == wakeReader { isWake = true }
        if isWake {
            var byte: UInt8 = 0
            while read(wakeReader, &byte, 1) > 0 {}
            isWoken.store(false, ordering: .sequentiallyConsistent)
        }
        for connection in connections.withLock({ $0 }) {
            let events = descriptors.first { $0.fd == connection.socket && $0.fd != wakeReader }?.revents ?? 0
            connection.turn(isReadable: events & ~Int16(POLLOUT) != 0)
        }
    }

    /// Sends what handlers and the owner have published since the last time.
    public func flush() {
        for connection in connections.withLock({ $0 }) { connection.flushInTurn() }
    }

    // MARK: - For connections

    func add(_ connection: LoopedConnection) {
        connections.withLock { $0.append(connection) }
        wakeUp()
    }

    func remove(_ connection: LoopedConnection) {
        connections.withLock { $0.removeAll { $0 === connection } }
    }

    /// Ends the wait: something besides a socket needs the loop.
    func wakeUp() {
        guard !isWoken.exchange(true, ordering: .sequentiallyConsistent) else { return }
        var byte: UInt8 = 1
        _ = write(wakeWriter, &byte, 1)
    }
}
