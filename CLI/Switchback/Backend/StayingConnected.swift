internal import APIClient
internal import Contract
internal import Synchronization

/// Codes with which the API closes a terminal socket for good; after others another try is worth it.
enum CloseCode {
    static let denied = 4403
    static let noSuchPod = 4404

    /// Why the socket is closed for good; nil where another try is worth it.
    static func refusal(_ code: Int, _ reason: String) -> ErrorBody? {
        switch code {
        case denied: ErrorBody(.denied, reason)
        case noSuchPod: ErrorBody(.notFound, reason)
        default: nil
        }
    }
}

/// Keeps a terminal socket open until its task is cancelled: connects, and again when the API restarts.
///
/// Ends by itself when the API refuses for good, or when the very first connection fails; `refused` says why.
struct StayingConnected: Sendable {
    var connect: @Sendable (@escaping @Sendable (TerminalConnection.Message) -> Void) async throws(ErrorBody) -> TerminalConnection
    /// Every message but the last, `closed`.
    var received: @Sendable (TerminalConnection.Message) -> Void
    var connected: @Sendable (TerminalConnection) -> Void
    var disconnected: @Sendable () -> Void
    var refused: @Sendable (ErrorBody) -> Void

    func run() async {
        var pause = Duration.milliseconds(100)
        var isFirst = true
        while !Task.isCancelled {
            let (closes, close) = AsyncStream.makeStream(of: (Int, String).self)
            do throws(ErrorBody) {
                let received = self.received
                let socket = try await connect { message in
                    if case .closed(let code, let reason) = message {
                        close.yield((code, reason))
                        close.finish()
                    } else {
                        received(message)
                    }
                }
                connected(socket)
                pause = .milliseconds(100)
                isFirst = false
                for await (code, reason) in closes {
                    if let error = CloseCode.refusal(code, reason) { return refused(error) }
                }
            } catch  where isFirst {
                return refused(error)
            } catch {}
            if Task.isCancelled { return }
            disconnected()
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(2))
        }
    }
}
