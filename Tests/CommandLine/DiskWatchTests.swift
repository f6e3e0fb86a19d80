import Foundation
import TestSupport
import Testing

@testable import LocalStack

@Suite("A server whose disk was full")
struct DiskWatchTests {
    @Test("is full below eight megabytes, has room again at thirty-two, and says that once")
    func hysteresis() {
        var watch = DiskWatch()
        #expect(watch.look(free: 1 << 30) == .roomy)
        #expect(watch.look(free: 9 << 20) == .roomy)
        #expect(watch.look(free: 8 << 20 - 1) == .full(8 << 20 - 1))
        // What is hardly freed is soon taken.
        #expect(watch.look(free: 31 << 20) == .full(31 << 20))
        #expect(watch.look(free: nil) == .roomy)
        #expect(watch.look(free: 32 << 20) == .roomAgain)
        #expect(watch.look(free: 32 << 20) == .roomy)
    }

    @Test(
        "is named in the status while it is full, and started anew by the supervisor when there is room again",
        .enabled(if: SmallDisk.isAvailable, "mounting a small disk needs root"))
    func supervised() throws {
        let disk = try SmallDisk(megabytes: 256)
        let it = try TestStack()
        let nats = it.directory.path + "/home/nats"
        try FileManager.default.createDirectory(atPath: nats, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try FileManager.default.createDirectory(atPath: disk.folder + "/store", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: nats + "/store", withDestinationPath: disk.folder + "/store")
        try it.up()
        func server(_ report: Stack.Report) -> ServerState? { report.servers.first { $0.name == "nats" } }
        let before = try #require(server(try it.stack.report())?.process)
        try disk.fill()
        let full = try it.wait(120) { server($0)?.state == .unready }
        #expect(server(full)?.detail?.contains("is full (0 MB left)") == true, "\(full)")
        #expect(server(full)?.process == before)
        try disk.empty()
        let mended = try it.wait(120) { report in server(report).map { $0.state == .ready && $0.process != before } ?? false }
        #expect(server(mended)?.state == .ready)
        #expect(server(mended)?.restarts == 1)
        #expect(server(mended)?.lastEnd?.contains("disk had been full") == true)
    }
}
