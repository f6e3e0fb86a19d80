internal import NIOCore
internal import NIOHTTP1
internal import NIOWebSocket

/// What a terminal socket was opened for, decided from the request's head.
struct TerminalRequest: Sendable {
    enum Mode: Sendable, Equatable {
        /// ANSI and output bytes, for real terminals.
        case raw
        /// Screens and deltas as JSON, for viewers that paint rows.
        case view
    }

    var pod: String
    var mode: Mode
    var person: Person
    /// Where it comes from.
    var address: String
    /// The credential by which an agent says that it is `person`; checked before anything is shown.
    var credential: String?
    /// The viewer asks that the pod be as small as its smallest viewer.
    var followsSmallest: Bool
    var columns: Int?
    var rows: Int?
    /// Changes a second at most while live; every one where missing.
    var rate: Int?
    /// Lines of history that come before the screen, with mode raw.
    var scrollback = Self.scrollback
    /// An admin wants to see what is hidden.
    var reveal = false

    /// Something to scroll back to at once, in a first message of about ten kilobytes.
    static let scrollback = 100
    static let largestScrollback = 10_000
}

/// What answers one terminal socket. Every call comes on the socket's event loop, and none while the session itself writes or flushes: a flush may
/// find the peer gone, or able to read again, and whoever flushes is in the middle of something.
protocol TerminalSession: AnyObject {
    func opened(_ socket: TerminalSocket)
    func received(binary: ByteBuffer)
    func received(text: String)
    /// The peer reads again after it had stopped.
    func writable()
    func closed()
}

/// The sending half of one terminal socket. Event loop only.
final class TerminalSocket {
    let eventLoop: any EventLoop
    /// The context behind NIO's frame encoder, where ready-made frames enter the pipeline.
    fileprivate var wire: ChannelHandlerContext?
    fileprivate(set) var isClosing = false
    private var needsFlush = false
    /// Since when the peer has more waiting than it should, and what was added since, in bytes.
    fileprivate var behindSince: NIODeadline?
    fileprivate var behindBytes = 0

    /// A viewer may lag this long or by so much before it is taken for one that does not read: bursts are not lost on one
    /// that merely catches its breath, and nobody sees what is older.
    private static let patience = TimeAmount.milliseconds(250)
    private static let behindLimit = 16 << 20

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    var isWritable: Bool { wire?.channel.isWritable ?? false }

    /// The peer does not read, or far too slowly.
    var isBehind: Bool {
        guard let behindSince else { return false }
        return behindBytes > Self.behindLimit || NIODeadline.now() - behindSince > Self.patience
    }

    /// Queues a complete message (see `WebSocketWire`). `flush` sends it.
    func write(_ message: ByteBuffer) {
        guard let wire, !isClosing else { return }
        needsFlush = true
        if behindSince != nil { behindBytes += message.readableBytes }
        wire.write(NIOAny(message), promise: nil)
    }

    /// Looks four times a second whether what the socket shows may still be seen, and closes it when not.
    func closeUnless(_ reason: String, _ isAllowed: @escaping @Sendable () -> Bool) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(250), delay: .milliseconds(250)) { task in
            let socket = bound.value
            guard !socket.isClosing, socket.wire != nil else { return task.cancel() }
            guard !isAllowed() else { return }
            task.cancel()
            socket.close(code: TerminalCloseCode.denied, reason: reason)
        }
    }

    func flush() {
        guard needsFlush else { return }
        needsFlush = false
        wire?.flush()
    }

    func send(_ message: ByteBuffer) {
        write(message)
        flush()
    }

    /// Says why, then closes. The peer has five seconds to answer the close message.
    func close(code: UInt16, reason: String) {
        guard let wire, !isClosing else { return }
        wire.writeAndFlush(NIOAny(WebSocketWire.close(code: code, reason: reason)), promise: nil)
        isClosing = true
        let channel = wire.channel
        eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
    }
}

/// Close codes of our own (RFC 6455 section 7.4.2 leaves 4000–4999 to applications), by their HTTP likeness.
enum TerminalCloseCode {
    static let finished: UInt16 = 1000
    static let goingAway: UInt16 = 1001
    static let protocolError: UInt16 = 1002
    static let tooLarge: UInt16 = 1009
    static let failed: UInt16 = 1011
    static let denied: UInt16 = 4403
    static let noSuchPod: UInt16 = 4404
    static let notReady: UInt16 = 4503
}

/// The WebSocket end of the pipeline: puts messages together, answers pings, notices dead peers, closes politely.
final class TerminalSocketHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    struct Limits: Sendable {
        /// Largest message a client may send, in bytes.
        var messageBytes = 1 << 20
        /// Bytes waiting for a viewer at which it counts as not reading, and those at which it counts as reading again.
        var waitingHigh = 1 << 20
        var waitingLow = 128 << 10
        var pingEvery: TimeAmount = .seconds(20)
        /// Longer than any pause of a viewer that is merely slow: it must find its keyframe, not a closed socket.
        var silence: TimeAmount = .seconds(120)
    }

    private let session: any TerminalSession
    private let limits: Limits
    private var socket: TerminalSocket?
    private var pinging: RepeatedTask?
    private var lastRead = NIODeadline.now()
    private var parts: ByteBuffer?
    private var partsOpcode = WebSocketOpcode.binary

    init(session: any TerminalSession, limits: Limits) {
        self.session = session
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let socket = TerminalSocket(eventLoop: context.eventLoop)
        socket.wire = try? context.pipeline.syncOperations.context(handlerType: WebSocketFrameEncoder.self)
        self.socket = socket
        try? context.channel.syncOptions?.setOption(
            .writeBufferWaterMark, value: .init(low: limits.waitingLow, high: limits.waitingHigh))
        lastRead = .now()
        let limits = self.limits
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        pinging = context.eventLoop.scheduleRepeatedTask(initialDelay: limits.pingEvery, delay: limits.pingEvery) { _ in
            let (handler, context) = loopBound.value
            if NIODeadline.now() - handler.lastRead > limits.silence {
                context.close(promise: nil)
            } else if context.channel.isWritable {
                handler.socket?.send(WebSocketWire.message(.ping, payload: []))
            }
        }
        session.opened(socket)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        guard let socket else { return }
        self.socket = nil
        pinging?.cancel()
        pinging = nil
        socket.isClosing = true
        socket.wire = nil
        later(on: socket.eventLoop) { $0.closed() }
    }

    /// Tells the session something in a turn of its own.
    private func later(on loop: any EventLoop, _ tell: @escaping @Sendable (any TerminalSession) -> Void) {
        let bound = NIOLoopBound(session, eventLoop: loop)
        loop.execute { tell(bound.value) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        lastRead = .now()
        guard let socket, !socket.isClosing || frame.opcode == .connectionClose else { return }
        guard frame.maskKey != nil else {
            return socket.close(code: TerminalCloseCode.protocolError, reason: "a client's frames must be masked")
        }
        switch frame.opcode {
        case .ping:
            var payload = frame.unmaskedData
            socket.send(WebSocketWire.message(.pong, payload: payload.readBytes(length: payload.readableBytes) ?? []))
        case .pong:
            break
        case .connectionClose:
            if !socket.isClosing {
                var payload = frame.unmaskedData
                let code = payload.readInteger(as: UInt16.self) ?? TerminalCloseCode.finished
                socket.close(code: (1000...4999).contains(code) && code != 1005 ? code : 1000, reason: "")
            }
            context.close(promise: nil)
        case .text, .binary:
            guard parts == nil else {
                return socket.close(
                    code: TerminalCloseCode.protocolError, reason: "a message began inside another one's fragments")
            }
            if frame.fin {
                deliver(frame.opcode, frame.unmaskedData)
            } else {
                parts = frame.unmaskedData
                partsOpcode = frame.opcode
            }
        case .continuation:
            guard parts != nil else {
                return socket.close(code: TerminalCloseCode.protocolError, reason: "a continuation of nothing")
            }
            var data = frame.unmaskedData
            guard (parts?.readableBytes ?? 0) + data.readableBytes <= limits.messageBytes else {
                parts = nil
                return socket.close(
                    code: TerminalCloseCode.tooLarge, reason: "a message may have \(limits.messageBytes) bytes")
            }
            parts?.writeBuffer(&data)
            if frame.fin, let whole = parts {
                parts = nil
                deliver(partsOpcode, whole)
            }
        default:
            socket.close(code: TerminalCloseCode.protocolError, reason: "unknown opcode")
        }
    }

    private func deliver(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) {
        if opcode == .binary { return session.received(binary: payload) }
        guard let text = String(validating: payload.readableBytesView, as: UTF8.self) else {
            socket?.close(code: 1007, reason: "a text message that is not UTF-8")
            return
        }
        session.received(text: text)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        socket?.flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            socket?.behindSince = nil
            later(on: context.eventLoop) { $0.writable() }
        } else {
            socket?.behindSince = .now()
            socket?.behindBytes = 0
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            socket?.close(code: TerminalCloseCode.goingAway, reason: "the server is stopping; connect again")
            context.channel.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? NIOWebSocketError {
            switch error {
            case .invalidFrameLength:
                socket?.close(code: TerminalCloseCode.tooLarge, reason: "a message may have \(limits.messageBytes) bytes")
            default:
                socket?.close(code: TerminalCloseCode.protocolError, reason: "not a WebSocket frame")
            }
        } else {
            context.close(promise: nil)
        }
    }
}
