internal import Contract
internal import FoundationEssentials
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOWebSocket

/// One WebSocket to `/v1/pods/{pod}/terminal`.
final class TerminalSocket: Sendable {
    enum Incoming: Sendable {
        case binary([UInt8])
        case text([UInt8])
        /// The last one.
        case closed(code: UInt16?, reason: String)
    }

    /// Codes with which the API closes for good; after others it is worth another try.
    static let denied: UInt16 = 4403
    static let noSuchPod: UInt16 = 4404

    private let channel: any Channel

    private init(channel: any Channel) {
        self.channel = channel
    }

    /// - Parameter handler: called on the connection's own thread, in order; a slow one slows the sender, not others.
    static func connect(
        _ backend: Backend, pod: PodID, query: Backend.Query, handler: @escaping @Sendable (Incoming) -> Void
    ) async throws -> TerminalSocket {
        guard let url = URL(string: backend.address), url.scheme == "http", let host = url.host else {
            throw Failure(.error, "unsupported", "A terminal needs an http:// address for now; \(backend.address) is none.", fix: "Use a tunnel: ssh -L 7420:127.0.0.1:7420 HOST, and SWITCHBACK_URL=http://127.0.0.1:7420")
        }
        let port = url.port ?? 80
        var headers = HTTPHeaders([("Host", "\(host):\(port)"), ("Content-Length", "0")])
        if let token = backend.token { headers.add(name: "Authorization", value: "Bearer \(token)") }
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/v1/pods/\(pod)/terminal" + Backend.queryText(query), headers: headers)
        let result: EventLoopFuture<(any Channel)?>
        do {
            result = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(3))
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try configure(channel, head: head, handler: handler)
                    }
                }
        } catch {
            throw Failure(.error, "unavailable", "Switchback does not answer at \(backend.address).", fix: "See `switchback status`.")
        }
        guard let channel = try await result.get() else {
            throw Failure(.denied, "denied", "The terminal at \(backend.address) was refused.", fix: "Is the token right? `switchback ps` says more.")
        }
        return TerminalSocket(channel: channel)
    }

    private static func configure(
        _ channel: any Channel, head: HTTPRequestHead, handler: @escaping @Sendable (Incoming) -> Void
    ) throws -> EventLoopFuture<(any Channel)?> {
        let upgrader = NIOTypedWebSocketClientUpgrader<(any Channel)?>(
            maxFrameSize: 64 << 20,
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrameHandler(handler))
                    return channel
                }
            })
        let configuration = NIOTypedHTTPClientUpgradeConfiguration(
            upgradeRequestHead: head, upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in channel.eventLoop.makeSucceededFuture(nil) })
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
            configuration: .init(upgradeConfiguration: configuration))
    }

    func send(binary bytes: [UInt8]) { send(.binary, bytes) }

    func send(text bytes: [UInt8]) { send(.text, bytes) }

    func close() { send(.connectionClose, [0x03, 0xe8]) }

    private func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8]) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: ByteBuffer(bytes: bytes))
        channel.writeAndFlush(frame, promise: nil)
    }
}

/// Puts frames together to messages, answers pings, tells the end once.
private final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let handler: @Sendable (TerminalSocket.Incoming) -> Void
    private var opcode = WebSocketOpcode.binary
    private var partial: [UInt8] = []
    private var hasEnded = false

    init(_ handler: @escaping @Sendable (TerminalSocket.Incoming) -> Void) { self.handler = handler }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        var bytes = frame.unmaskedData
        switch frame.opcode {
        case .binary, .text, .continuation:
            if frame.opcode != .continuation { opcode = frame.opcode }
            partial += bytes.readBytes(length: bytes.readableBytes) ?? []
            guard frame.fin else { return }
            let message = partial
            partial = []
            handler(opcode == .text ? .text(message) : .binary(message))
        case .ping:
            context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: bytes)), promise: nil)
        case .connectionClose:
            let code: UInt16? = bytes.readInteger()
            end(code, bytes.readString(length: bytes.readableBytes) ?? "")
            context.close(promise: nil)
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(nil, "the connection ended")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(nil, "\(error)")
        context.close(promise: nil)
    }

    private func end(_ code: UInt16?, _ reason: String) {
        guard !hasEnded else { return }
        hasEnded = true
        handler(.closed(code: code, reason: reason))
    }
}
