internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Ends connections on which a request is begun and not finished in any reasonable time, so that nobody holds many of them with few bytes.
///
/// Two handlers share it: one sees bytes before they are parsed, one sees requests. Event loop only.
final class RequestPace {
    private enum Phase {
        /// Between requests; how long that may last is the idle timeout's business.
        case idle
        /// Bytes have come that are no whole head yet.
        case head
        case body
        /// Not HTTP any more.
        case over
    }

    /// How long a head may take, and how long a body may go without `leastBytes`.
    let patience: TimeAmount
    static let leastBytes = 1024

    private var phase = Phase.idle
    private var timer: Scheduled<Void>?
    private var received = 0
    /// We have asked for bytes: when we have not, it is not the peer who is slow.
    private var isReading = true

    init(patience: TimeAmount) { self.patience = patience }

    fileprivate func bytesCame(_ context: ChannelHandlerContext) {
        guard case .idle = phase else { return }
        phase = .head
        start(context)
    }

    fileprivate func headCame(_ context: ChannelHandlerContext) {
        phase = .body
        received = 0
        start(context)
    }

    fileprivate func bodyCame(_ bytes: Int) { received += bytes }

    fileprivate func requestEnded() {
        phase = .idle
        timer?.cancel()
        timer = nil
    }

    func end() {
        requestEnded()
        phase = .over
    }

    fileprivate func noteRead() { isReading = true }

    private func start(_ context: ChannelHandlerContext) {
        timer?.cancel()
        isReading = false
        let channel = context.channel
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: patience) {
            let pace = bound.value
            switch pace.phase {
            case .idle, .over: break
            case .head: channel.close(promise: nil)
            case .body:
                if pace.isReading, pace.received < Self.leastBytes { return channel.close(promise: nil) }
                pace.again(channel)
            }
        }
    }

    private func again(_ channel: any Channel) {
        received = 0
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        timer = channel.eventLoop.scheduleTask(in: patience) {
            let pace = bound.value
            guard case .body = pace.phase else { return }
            if pace.isReading, pace.received < Self.leastBytes { return channel.close(promise: nil) }
            pace.again(channel)
        }
    }
}

/// Sees bytes before they are parsed.
final class BytesPace: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let pace: RequestPace

    init(_ pace: RequestPace) { self.pace = pace }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        pace.bytesCame(context)
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        pace.end()
        context.fireChannelInactive()
    }
}

/// Sees requests.
final class RequestsPace: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let pace: RequestPace

    init(_ pace: RequestPace) { self.pace = pace }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: pace.headCame(context)
        case .body(let bytes): pace.bodyCame(bytes.readableBytes)
        case .end: pace.requestEnded()
        }
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        pace.noteRead()
        context.read()
    }
}
