import APIClient
import Contract
import Foundation
import TestSupport
import Testing

@testable import APIServer

/// Sends a request and drops the connection with an RST, whatever has come meanwhile.
private func ask(_ port: UInt16, _ request: String, andResetAfter wait: Duration) async throws {
    let socket = try rawSocket(port)
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    _ = send(socket, request, request.utf8.count, Int32(MSG_NOSIGNAL))
    try? await Task.sleep(for: wait)
    close(socket)
}

/// What browsers do when somebody leaves a page.
@Suite("Terminal sockets that are reset", .serialized)
struct SocketResetTests {
    @Test("at any moment of their opening take nothing along: the server answers, and others watch on")
    func resets() async throws {
        let stage = try await APIStage()
        let pod = try await stage.pod()
        let viewer = RawViewer()
        let other = try await stage.client(APIStage.operatorToken).terminal(pod.pod.text, mode: .raw) { viewer.take($0) }
        try await eventually("no first message") { viewer.binaries > 0 }
        let port = try #require(stage.address.split(separator: ":").last.flatMap { UInt16($0) })
        let head = [
            "GET /v1/pods/\(pod.pod.text)/terminal?mode=MODE HTTP/1.1", "Host: 127.0.0.1:\(port)", "Authorization: Bearer \(APIStage.operatorToken)", "Connection: Upgrade",
            "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
        ].joined(separator: "\r\n")
        var random = SplitMix(state: 7)
        for round in 0..<60 {
            try pod.output("round \(round)\r\n")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for mode in ["raw", "view", "view", "view"] {
                    let wait = UInt64.random(in: 0..<12_000, using: &random)
                    group.addTask {
                        try await ask(port, head.replacing("MODE", with: mode), andResetAfter: .microseconds(wait))
                    }
                }
                try await group.waitForAll()
            }
        }
        try pod.output("after all\r\n")
        try await eventually("the viewer that stayed sees no more") { viewer.screen.contains { $0.contains("after all") } }
        other.close()
    }
}
