internal import Bus
internal import Contract
internal import NIOCore
internal import NIOWebSocket
internal import Synchronization
internal import ViewProtocol

/// A frame of a pod on its way to viewers: bytes of the terminal ready for any socket, or a control frame.
struct LiveFrame: Step, Sendable {
    enum Content: Sendable {
        /// A complete WebSocket message.
        case output(ByteBuffer)
        case control(Control)
        /// Input, keyframes, and what cannot be read: nothing to show, but a place in the log.
        case silent
    }

    static let loss = LiveFrame(seq: .max, content: .silent)

    var seq: UInt64
    var content: Content
    var base: UInt64 { seq - 1 }
}

/// A change of a pod's screen on its way to viewers, as a complete WebSocket message.
struct LiveDelta: Step, Sendable {
    static let loss = LiveDelta(base: .max, seq: .max, message: ByteBuffer())

    var base: UInt64
    var seq: UInt64
    var message: ByteBuffer
}

/// The live streams of pods that somebody watches through this server: one subscription per pod and kind, however many
/// sockets follow it.
final class LiveFeeds: Sendable {
    /// A stream with its members.
    final class Feed<Item: Sendable>: Sendable {
        fileprivate struct Fields {
            var members = 0
            var subscription: BusSubscription?
        }

        let fanout = Fanout<Item>()
        fileprivate let fields = Mutex(Fields())
    }

    private let bus: BusConnection
    private let relay: RelayWatching
    private let output = Mutex<[PodID: Feed<LiveFrame>]>([:])
    private let views = Mutex<[PodID: Feed<LiveDelta>]>([:])
    private let masked = Mutex<[PodID: Feed<LiveDelta>]>([:])
    private let names = Atomic<UInt64>(1)

    init(bus: BusConnection, relay: RelayWatching) {
        self.bus = bus
        self.relay = relay
        bus.onLoss { [weak self] subject in self?.lost(subject) }
    }

    /// Has viewers join anew: what they missed may have been the last that a pod says for long.
    private func lost(_ subject: String?) {
        func tell<Item: Step>(_ feeds: borrowing Mutex<[PodID: Feed<Item>]>, _ name: (PodID) -> String) {
            let concerned = feeds.withLock { $0.filter { subject == nil || name($0.key) == subject } }
            for feed in concerned.values { feed.fanout.publish(.loss) }
        }
        tell(output) { Subjects.pty($0) }
        tell(views) { Subjects.viewDelta($0) }
        tell(masked) { Subjects.viewMasked($0) }
    }

    /// A member's place in a feed. Made and left on the member's event loop.
    struct Membership {
        fileprivate let id: UInt64
        fileprivate let leave: () -> Void
        func end() { leave() }
    }

    /// Follows a pod's frames. On the member's loop; items come on it too.
    func followOutput(
        of pod: PodID, on loop: any EventLoop, _ member: @escaping ([LiveFrame]) -> Void
    ) throws(BusError) -> Membership {
        try join(pod, output, on: loop, member) { [bus] feed throws(BusError) in
            try bus.subscribe(Subjects.pty(pod)) { message in
                if let frame = Self.frame(message, pod) { feed.fanout.publish(frame) }
            }
        } left: { _ in
        }
    }

    /// Follows a pod's screen, which the relay computes as long as somebody here does.
    ///
    /// - Parameter masked: secrets are hidden.
    func followView(
        of pod: PodID, masked hides: Bool, on loop: any EventLoop, _ member: @escaping ([LiveDelta]) -> Void
    ) throws(BusError) -> Membership {
        let subject = hides ? Subjects.viewMasked(pod) : Subjects.viewDelta(pod)
        let subscribe = { [bus] (feed: Feed<LiveDelta>) throws(BusError) -> BusSubscription in
            try bus.subscribe(subject) { message in
                if let delta = Self.delta(message) { feed.fanout.publish(delta) }
            }
        }
        let left = { [relay] (pod: PodID) in relay.unwatch(pod, masked: hides) }
        let membership =
            hides
            ? try join(pod, masked, on: loop, member, subscribe: subscribe, left: left)
            : try join(pod, views, on: loop, member, subscribe: subscribe, left: left)
        relay.watch(pod, masked: hides)
        return membership
    }

    private func join<Item: Sendable>(
        _ pod: PodID, _ feeds: borrowing Mutex<[PodID: Feed<Item>]>, on loop: any EventLoop, _ member: @escaping ([Item]) -> Void,
        subscribe: (Feed<Item>) throws(BusError) -> BusSubscription, left: @escaping (PodID) -> Void
    ) throws(BusError) -> Membership {
        let feed = feeds.withLock { feeds in
            if let feed = feeds[pod] { return feed }
            let feed = Feed<Item>()
            feeds[pod] = feed
            return feed
        }
        let id = names.wrappingAdd(1, ordering: .relaxed).newValue
        feed.fanout.add(id, on: loop, member)
        let result = feed.fields.withLock { fields -> Result<Void, BusError> in
            do throws(BusError) {
                if fields.subscription == nil { fields.subscription = try subscribe(feed) }
                fields.members += 1
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        do throws(BusError) {
            try result.get()
        } catch {
            feed.fanout.remove(id, on: loop)
            throw error
        }
        return Membership(id: id) {
            feed.fanout.remove(id, on: loop)
            let last = feed.fields.withLock { fields -> BusSubscription? in
                fields.members -= 1
                guard fields.members == 0 else { return nil }
                defer { fields.subscription = nil }
                return fields.subscription
            }
            guard let last else { return }
            last.unsubscribe()
            left(pod)
        }
    }

    // MARK: - From the bus

    private static func frame(_ message: BusMessage, _ pod: PodID) -> LiveFrame? {
        guard let id = Frame.id({ message.header($0) }), let seq = Frame.seq(inMessageID: id, of: pod) else { return nil }
        let kind = message.withSubject { subject in
            let dot = subject.lastIndex(of: UInt8(ascii: ".")) ?? -1
            return FrameKind(rawValue: String(decoding: subject[(dot + 1)...], as: UTF8.self))
        }
        switch kind {
        case .out:
            return LiveFrame(seq: seq, content: .output(message.withPayload { WebSocketWire.message(.binary, payload: $0) }))
        case .ctl:
            let control = message.withPayload { try? JSON.decode(Control.self, from: $0) }
            return LiveFrame(seq: seq, content: control.map { .control($0) } ?? .silent)
        case .in, .key:
            return LiveFrame(seq: seq, content: .silent)
        case nil:
            return nil
        }
    }

    private static func delta(_ message: BusMessage) -> LiveDelta? {
        guard let base = message.header(ViewHeaders.base).flatMap({ UInt64($0) }),
            let seq = message.header(ViewHeaders.seq).flatMap({ UInt64($0) }), seq >= base
        else { return nil }
        return LiveDelta(base: base, seq: seq, message: message.withPayload { WebSocketWire.message(.binary, payload: $0) })
    }
}
