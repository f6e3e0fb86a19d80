internal import HTTPTypes
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes
internal import NIOHTTPTypesHTTP1
internal import NIOSSL
internal import NIOWebSocket

/// Hummingbird's HTTP/1.1 channel, with terminal sockets beside it: a request the `gate` admits becomes a WebSocket
/// served by a `TerminalSocketHandler`; every other one goes to the router, which also words the refusals.
struct TerminalUpgradeChannel: HTTPChannelHandler {
    enum Outcome: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case socket
    }

    struct Value: ServerChildChannelValue {
        let outcome: EventLoopFuture<Outcome>
        let channel: any Channel
    }

    let responder: HTTPChannelHandler.Responder
    /// Decides on the head alone, on the event loop: what to serve, or nil to let the router answer.
    let admit: @Sendable (_ head: HTTPRequestHead, _ peer: String) -> TerminalRequest?
    /// Makes what answers an admitted socket. Called on the socket's event loop.
    let serve: @Sendable (TerminalRequest) -> any TerminalSession
    let limits: TerminalSocketHandler.Limits
    /// How long a request's head may take, and how long its body may stand still.
    var patience = TimeAmount.seconds(30)
    /// With one, connections speak TLS.
    var certificate: ServedCertificate?

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let (admit, serve, limits) = (self.admit, self.serve, self.limits)
        let upgrader = NIOTypedWebSocketServerUpgrader<Outcome>(
            maxFrameSize: limits.messageBytes,
            enableAutomaticErrorHandling: false,
            shouldUpgrade: { channel, head in
                channel.eventLoop.makeSucceededFuture(admit(head, channel.remoteAddress?.ipAddress ?? "unknown") == nil ? nil : [:])
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    guard let request = admit(head, channel.remoteAddress?.ipAddress ?? "unknown") else { throw ChannelError.inappropriateOperationForState }
                    try channel.pipeline.syncOperations.addHandler(
                        TerminalSocketHandler(session: serve(request), limits: limits))
                    return .socket
                }
            })
        let (patience, certificate) = (patience, certificate)
        return channel.eventLoop.makeCompletedFuture {
            let pace = NIOLoopBound(RequestPace(patience: patience), eventLoop: channel.eventLoop)
            let upgrade = NIOTypedHTTPServerUpgradeConfiguration<Outcome>(upgraders: [upgrader]) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
                    try pipeline.addHandler(RequestsPace(pace.value))
                    try pipeline.addHandler(UnreadBodyLimit())
                    try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: .seconds(75), logger: logger))
                    return .http(
                        try NIOAsyncChannel(
                            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
                }
            }
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration(upgradeConfiguration: upgrade)
            configuration.enablePipelining = false
            configuration.enableErrorHandling = true
            configuration.enableResponseHeaderValidation = false
            channel.setOption(.tcpOption(.tcp_nodelay), value: 1).whenFailure { error in
                logger.debug("TCP_NODELAY not set: \(error)")
            }
            let waiting = BeforeFirstRequest()
            if let certificate {
                guard let context = certificate.context else {
                    channel.close(promise: nil)
                    throw ChannelError.ioOnClosedChannel
                }
                try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
            }
            try channel.pipeline.syncOperations.addHandler(waiting)
            try channel.pipeline.syncOperations.addHandler(BytesPace(pace.value))
            let outcome = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                configuration: configuration)
            let upgrading = try channel.pipeline.syncOperations.handler(type: NIOTypedHTTPServerUpgradeHandler<Outcome>.self)
            try channel.pipeline.syncOperations.addHandler(
                RefusedUpgrades { head in admit(head, channel.remoteAddress?.ipAddress ?? "unknown") != nil }, position: .before(upgrading))
            let bound = NIOLoopBound(waiting, eventLoop: channel.eventLoop)
            outcome.whenSuccess { outcome in
                bound.value.requestCame()
                if case .socket = outcome { pace.value.end() }
            }
            return Value(outcome: outcome, channel: channel)
        }
    }

    func handle(value: Value, logger: Logger) async {
        do {
            try await withTaskCancellationHandler {
                switch try await value.outcome.get() {
                case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
                case .socket: try await value.channel.closeFuture.get()
                }
            } onCancel: {
                value.channel.close(promise: nil)
            }
        } catch {
            logger.debug("connection ended before its first request: \(error)")
            value.channel.close(promise: nil)
        }
    }
}

/// Makes a request that asks for a socket and may not have one an ordinary request, which the router answers with the reason: left to itself, the
/// upgrade ends such a connection without a word. The connection closes behind the answer, as its parser stops at a request like that.
///
/// Of the first request only; sockets come first on their connections or not at all.
final class RefusedUpgrades: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private let isAdmitted: (HTTPRequestHead) -> Bool

    init(_ isAdmitted: @escaping (HTTPRequestHead) -> Bool) { self.isAdmitted = isAdmitted }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        if head.headers.contains(name: "upgrade"), !isAdmitted(head) {
            head.headers.remove(name: "upgrade")
            head.headers.replaceOrAdd(name: "connection", value: "close")
        }
        context.fireChannelRead(wrapInboundOut(.head(head)))
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}

/// Ends a connection that is opened and then says nothing, or that says nothing when the server stops.
final class BeforeFirstRequest: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private static let patience = TimeAmount.seconds(30)
    private var timer: Scheduled<Void>?
    private var isWaiting = true

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
    }

    func requestCame() {
        isWaiting = false
        timer?.cancel()
        timer = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        requestCame()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent, isWaiting { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}

/// Ends a connection whose request body goes on long after its answer has been written: the body of a refused upload is
/// read and dropped so that the client sees the answer, but not for ever.
final class UnreadBodyLimit: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Enough for the client of a 100 MB mistake to read its 413 on a connection that stays usable.
    static let bytes = 256 << 20

    private var isAnswered = false
    private var unread = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            isAnswered = false
            unread = 0
        case .body(let body):
            if isAnswered {
                unread += body.readableBytes
                if unread > Self.bytes {
                    context.close(promise: nil)
                    return
                }
            }
        case .end: break
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { isAnswered = true }
        context.write(data, promise: promise)
    }
}
