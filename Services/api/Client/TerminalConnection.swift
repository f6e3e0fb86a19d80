public import Contract
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket
internal import Synchronization

/// A terminal socket from the client's side (contract, section 6).
///
/// Messages go to the closure given at `open`, on the connection's own thread, in order; it must not wait.
public final class TerminalConnection: Sendable {
    public enum Mode: String, Sendable { case raw, view }

    public enum Message: Sendable {
        case binary([UInt8])
        case text(String)
        /// The connection's end, always the last. 1006 when it broke without a word.
        case closed(code: Int, reason: String)
    }

    private let channel: any NIOCore.Channel

    private init(channel: any NIOCore.Channel) {
        self.channel = channel
    }

    /// Sends keystrokes (raw) or a command (view).
    public func send(_ bytes: [UInt8]) { write(.binary, ByteBuffer(bytes: bytes)) }

    public func send(text: String) { write(.text, ByteBuffer(string: text)) }

    /// Whether the connection is read. Paused, the server sees a viewer that does not read.
    public func setReading(_ on: Bool) {
        channel.setOption(.autoRead, value: on).whenComplete { _ in }
        if on { channel.read() }
    }

    /// Says goodbye; the end comes as `closed`.
    public func close() {
        var payload = ByteBuffer()
        payload.writeInteger(UInt16(1000))
        write(.connectionClose, payload)
    }

    /// Ends without a word, as a killed client does.
    public func abort() { channel.close(promise: nil) }

    private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        channel.writeAndFlush(
            WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data), promise: nil)
    }

    // MARK: - Opening

    private enum Upgrade: Sendable { case done(any NIOCore.Channel), refused(any NIOCore.Channel) }

    static func open(
        _ client: APIClient, path: String, receive: @escaping @Sendable (Message) -> Void
    ) async throws(ErrorBody) -> TerminalConnection {
        guard let (host, port, isTLS) = target(client.address) else {
            throw ErrorBody(.badRequest, "\(client.address) is not an address of the form http://host:port or https://host:port")
        }
        let upgrade: Upgrade
        do {
            let context = try isTLS ? NIOSSLContext(configuration: APIClient.tls(client.authority)) : nil
            let pending = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connectTimeout(.seconds(10))
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let context {
                            let name = NIOSSLClientHandler.name(host)
                            try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: name))
                        }
                        return try configure(channel, host: host, port: port, path: path, token: client.token, receive: receive)
                    }
                }
            upgrade = try await pending.get()
        } catch {
            // The router words refusals: ask it.
            _ = try await client.send(.GET, path)
            throw ErrorBody(.unavailable, "\(client.address) cannot be reached: \(APIClient.reason(error))")
        }
        switch upgrade {
        case .done(let channel):
            return TerminalConnection(channel: channel)
        case .refused(let channel):
            channel.close(promise: nil)
            _ = try await client.send(.GET, path)
            throw ErrorBody(.unavailable, "the server did not open a terminal socket")
        }
    }

    private static func configure(
        _ channel: any NIOCore.Channel, host: String, port: Int, path: String, token: String?, receive: @escaping @Sendable (Message) -> Void
    ) throws -> EventLoopFuture<Upgrade> {
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(maxFrameSize: 64 << 20, enableAutomaticErrorHandling: false) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(TerminalClientHandler(receive: receive))
                return .done(channel)
            }
        }
        var headers = HTTPHeaders([("Host", host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"), ("Content-Length", "0")])
        if let token { headers.add(name: "Authorization", value: "Bearer \(token)") }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
        var configuration = NIOUpgradableHTTPClientPipelineConfiguration(
            upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(upgradeRequestHead: head, upgraders: [upgrader]) { channel in
                channel.eventLoop.makeSucceededFuture(.refused(channel))
            })
        // The server's first messages may come in one read with its answer to the upgrade.
        configuration.leftOverBytesStrategy = .forwardBytes
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: configuration)
    }

    /// The parts of `http://host:port` and `https://host:port`; nil where it is neither.
    static func target(_ address: String) -> (host: String, port: Int, isTLS: Bool)? {
        guard let scheme = ["http://", "https://"].first(where: { address.hasPrefix($0) }) else { return nil }
        let isTLS = scheme == "https://"
        let rest = address.dropFirst(scheme.count).prefix { $0 != "/" }
        func bare(_ host: Substring) -> String { host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host) }
        guard !rest.isEmpty else { return nil }
        guard let colon = rest.lastIndex(of: ":"), !rest.hasSuffix("]") else { return (bare(rest), isTLS ? 443 : 80, isTLS) }
        guard let port = Int(rest[rest.index(after: colon)...]), (1...65_535).contains(port), colon != rest.startIndex else { return nil }
        return (bare(rest[..<colon]), port, isTLS)
    }
}

extension APIClient {
    /// Opens a terminal socket. Throws what the server says against it.
    public func terminal(
        _ ref: String, mode: TerminalConnection.Mode, columns: Int? = nil, rows: Int? = nil, smallest: Bool = false, rate: Int? = nil,
        scrollback: Int? = nil, reveal: Bool = false,
        receive: @escaping @Sendable (TerminalConnection.Message) -> Void
    ) async throws(ErrorBody) -> TerminalConnection {
        var path = "/v1/pods/\(Self.escaped(ref))/terminal?mode=\(mode.rawValue)"
        if let columns { path += "&columns=\(columns)" }
        if let rows { path += "&rows=\(rows)" }
        if smallest { path += "&size=smallest" }
        if let rate { path += "&rate=\(rate)" }
        if let scrollback { path += "&scrollback=\(scrollback)" }
        if reveal { path += "&reveal=1" }
        return try await TerminalConnection.open(self, path: path, receive: receive)
    }
}

private final class TerminalClientHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let receive: @Sendable (TerminalConnection.Message) -> Void
    private var parts: ByteBuffer?
    private var isText = false
    private var isClosed = false

    init(receive: @escaping @Sendable (TerminalConnection.Message) -> Void) {
        self.receive = receive
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary where frame.fin:
            receive(.binary(Array(frame.data.readableBytesView)))
        case .text where frame.fin:
            receive(.text(String(buffer: frame.data)))
        case .binary, .text:
            parts = frame.data
            isText = frame.opcode == .text
        case .continuation:
            var data = frame.data
            parts?.writeBuffer(&data)
            if frame.fin, let whole = parts {
                parts = nil
                receive(isText ? .text(String(buffer: whole)) : .binary(Array(whole.readableBytesView)))
            }
        case .ping:
            context.writeAndFlush(
                wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.data)), promise: nil)
        case .connectionClose:
            var data = frame.data
            let code = data.readInteger(as: UInt16.self) ?? 1005
            end(Int(code), String(buffer: data))
            context.writeAndFlush(
                wrapOutboundOut(WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: frame.data)), promise: nil)
            context.close(promise: nil)
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(1006, "the connection broke")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(1006, "\(error)")
        context.close(promise: nil)
    }

    private func end(_ code: Int, _ reason: String) {
        guard !isClosed else { return }
        isClosed = true
        receive(.closed(code: code, reason: reason))
    }
}
