import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import APIServer

/// What a socket's own pipeline does to the session behind it, without a server.
@Suite("The end of a terminal socket's pipeline")
struct SocketHandlerTests {
    /// Sends what it gets, and notes what it is told while it sends.
    private final class Sender: TerminalSession {
        private var socket: TerminalSocket?
        private var isSending = false
        private(set) var told: [String] = []
        private(set) var amid: [String] = []

        func opened(_ socket: TerminalSocket) { self.socket = socket }
        func received(binary: ByteBuffer) {
            isSending = true
            socket?.send(WebSocketWire.message(.binary, payload: Array(binary.readableBytesView)))
            isSending = false
        }
        func received(text: String) {}
        func writable() { note("writable") }
        func closed() { note("closed") }
        private func note(_ what: String) { if isSending { amid.append(what) } else { told.append(what) } }
    }

    /// Does at each flush what the network may do then.
    private final class AtFlush: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let action: (ChannelHandlerContext) -> Void

        init(_ action: @escaping (ChannelHandlerContext) -> Void) { self.action = action }
        func flush(context: ChannelHandlerContext) {
            context.flush()
            action(context)
        }
    }

    private func channel(_ session: Sender, atFlush action: @escaping (ChannelHandlerContext) -> Void) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(AtFlush(action))
        try pipeline.addHandler(WebSocketFrameEncoder())
        try pipeline.addHandler(TerminalSocketHandler(session: session, limits: .init()))
        return channel
    }

    private var key: WebSocketFrame { WebSocketFrame(fin: true, opcode: .binary, maskKey: [1, 2, 3, 4], data: ByteBuffer(bytes: [1])) }

    @Test("a session that finds its peer gone while it sends hears of it afterwards, once")
    func gone() throws {
        let session = Sender()
        let channel = try channel(session) { $0.close(promise: nil) }
        try channel.writeInbound(key)
        channel.embeddedEventLoop.run()
        #expect(session.amid == [])
        #expect(session.told == ["closed"])
    }

    @Test("a session whose peer reads again while it sends hears of it afterwards")
    func writable() throws {
        let session = Sender()
        let channel = try channel(session) { context in
            context.channel.pipeline.syncOperations.fireChannelWritabilityChanged()
        }
        try channel.writeInbound(key)
        channel.embeddedEventLoop.run()
        #expect(session.amid == [])
        #expect(session.told == ["writable"])
        _ = try channel.finish()
    }
}
