import Bus
import Contract
import Foundation
import Logging
import RunnerClient
import RunnerServer
import Synchronization
import TestSupport
import Testing

@Suite struct RunnerServerTests {
    static func configuration(_ directory: String, _ server: NATSServer) -> RunnerConfiguration {
        RunnerConfiguration(
            name: "r1", directory: directory, shim: ShimPod.program, natsServers: [server.url], natsCredentialsFile: nil,
            environment: ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp"])
    }

    /// Heartbeats as a registry would take them.
    static func registry(_ bus: BusConnection) throws -> @Sendable () -> [PodID]? {
        let newest = BeatBox()
        try bus.answer(Subjects.runnersHeartbeat, Heartbeat.self) { beat in
            newest.pods.withLock { $0 = beat.pods }
            return HeartbeatReply(time: .now())
        }
        return { newest.pods.withLock { $0 } }
    }

    final class BeatBox: Sendable { let pods = Mutex<[PodID]?>(nil) }

    @Test("a pod starts once however often it is asked for, is adopted by the next runner, and stops through it")
    func adoption() async throws {
        let (server, bus) = try await ShimTests.start()
        let directory = FileManager.default.temporaryDirectory.path + "/switchback-runner-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let beats = try Self.registry(bus)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let first = try await RunnerServer.start(
            bus: bus, configuration: Self.configuration(directory, server), agentFolders: [], version: "0", logger: logger)
        let pod = PodID.random()
        let request = StartPod(
            pod: pod, name: "p",
            spec: PodSpec(command: ["bash", "-c", "echo \"in $SWITCHBACK_POD $TERM $COLORTERM\"; while :; do sleep 0.05; done"], cwd: "/tmp"))
        let answers = try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<4 { group.addTask { try await bus.ask(Subjects.runner("r1", "start"), request, timeout: .seconds(60), as: Started.self).pid } }
            return try await group.reduce(into: Set<Int32>()) { $0.insert($1) }
        }
        #expect(answers.count == 1)
        let reader = try await FrameReader.start(bus, pod)
        try await eventually(holds: { reader.text.contains("in \(pod) xterm-256color truecolor") })
        #expect(reader.controls.filter { $0.kind == "start" }.count == 1)
        await first.stop()

        let second = try await RunnerServer.start(
            bus: bus, configuration: Self.configuration(directory, server), agentFolders: [], version: "0", logger: logger)
        try await eventually(holds: { beats() == [pod] })
        #expect(try await bus.ask(Subjects.runner("r1", "start"), request, as: Started.self).pid == answers.first)
        let _: Done = try await bus.ask(
            Subjects.runner("r1", "stop"), StopPod(pod: pod, graceMs: 2000, author: Author(kind: .person, id: "t")))
        try await eventually(holds: { reader.exit != nil })
        #expect(reader.isWhole)
        #expect(reader.controls.contains(.signal(name: "TERM", author: Author(kind: .person, id: "t"))))
        try await eventually(holds: { beats() == [] })
        await second.stop()
        await bus.close()
    }

    @Test("a pod that is told to stop while it is still being started is stopped as soon as it runs")
    func stopDuringStart() async throws {
        let (server, bus) = try await ShimTests.start()
        let directory = FileManager.default.temporaryDirectory.path + "/switchback-runner-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        // A shim that begins when it is told to.
        let slow = directory + "/slow-shim"
        try Data("#!/bin/sh\nwhile [ ! -e '\(directory)/go' ]; do sleep 0.02; done\nexec '\(ShimPod.program)' \"$@\"\n".utf8).write(to: URL(filePath: slow))
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: slow)
        var configuration = Self.configuration(directory, server)
        configuration.shim = slow
        let runner = try await RunnerServer.start(
            bus: bus, configuration: configuration, agentFolders: [], version: "0", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let pod = PodID.random()
        async let started: Started = bus.ask(
            Subjects.runner("r1", "start"), StartPod(pod: pod, name: "p", spec: PodSpec(command: ["sleep", "3600"], cwd: "/tmp")), timeout: .seconds(120))
        try await eventually(holds: { FileManager.default.fileExists(atPath: "\(directory)/pods/\(pod)") })
        let answers = Mutex(0)
        try bus.subscribe("stopped") { _ in answers.withLock { $0 += 1 } }
        let stop = StopPod(pod: pod, graceMs: 2000, author: Author(kind: .person, id: "t"))
        try bus.publish(Subjects.runner("r1", "stop"), payload: JSON.encode(stop), reply: "stopped")
        // Whoever answers at once has not waited for the start.
        try await bus.flush()
        try await Task.sleep(for: .milliseconds(300))
        #expect(answers.withLock { $0 } == 0)
        #expect(FileManager.default.createFile(atPath: directory + "/go", contents: nil))
        #expect(try await started.pid > 0)
        let reader = try await FrameReader.start(bus, pod)
        try await eventually(holds: { reader.exit != nil })
        // SIGHUP and SIGTERM are sent together: either may be the one that ends it.
        #expect(reader.exit == .signal(15) || reader.exit == .signal(1))
        try await eventually(holds: { answers.withLock { $0 } == 1 })
        await runner.stop()
        await bus.close()
    }

    /// A bus, a folder, and what starts runners in it; the folder is the test's to remove.
    private func runners() async throws -> (bus: BusConnection, directory: String, start: @Sendable () async throws -> RunnerServer) {
        let (server, bus) = try await ShimTests.start()
        let directory = FileManager.default.temporaryDirectory.path + "/switchback-runner-\(UUID().uuidString.prefix(8))"
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return (
            bus, directory,
            { try await RunnerServer.start(bus: bus, configuration: Self.configuration(directory, server), agentFolders: [], version: "0", logger: logger) }
        )
    }

    @Test("a second runner in the same directory is refused and changes nothing, and takes over once the first has stopped")
    func oneEach() async throws {
        let (bus, directory, start) = try await runners()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let first = try await start()
        for _ in 0..<3 {
            await #expect {
                _ = try await start()
            } throws: { ($0 as? ErrorBody)?.code == .conflict && ($0 as? ErrorBody)?.message.contains(directory) == true }
        }
        await #expect {
            let _: Started = try await bus.ask(
                Subjects.runner("r1", "start"), StartPod(pod: .random(), name: "p", spec: PodSpec(command: ["no-such-program"], cwd: "/tmp")), timeout: .seconds(60))
        } throws: { ($0 as? ErrorBody)?.message.contains("no-such-program") == true }
        await first.stop()
        await (try await start()).stop()
        await bus.close()
    }

    @Test("a runner that was killed while it started a pod answers with that pod when it is asked again, and starts it once")
    func killedAtStart() async throws {
        let (bus, directory, start) = try await runners()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let request = StartPod(pod: .random(), name: "p", spec: PodSpec(command: ["sleep", "1000"], cwd: "/tmp"))
        let first = try await start()
        let started: Started = try await bus.ask(Subjects.runner("r1", "start"), request, timeout: .seconds(60))
        await first.stop()
        // As it is on disk when the shim runs and the runner has not heard so.
        let file = URL(filePath: "\(directory)/pods/\(request.pod)/started.json")
        var unheard = started
        unheard.pid = 0
        try Data(JSON.encode(unheard)).write(to: file)
        let second = try await start()
        let again: Started = try await bus.ask(Subjects.runner("r1", "start"), request, timeout: .seconds(60))
        #expect(again.pid == started.pid && again.cwd == started.cwd && again.argv == started.argv)
        // Its shim ends once everything is in the stream.
        let reader = try await FrameReader.start(bus, request.pod)
        kill(started.pid, SIGKILL)
        try await eventually(holds: { reader.exit != nil })
        try await eventually("the shim stays") { !FileManager.default.fileExists(atPath: file.path) }
        await second.stop()
        await bus.close()
    }

    @Test("a pod whose command is not there fails to start with the reason, leaves nothing behind, and may be asked for again")
    func failedStart() async throws {
        let (server, bus) = try await ShimTests.start()
        let directory = FileManager.default.temporaryDirectory.path + "/switchback-runner-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let runner = try await RunnerServer.start(
            bus: bus, configuration: Self.configuration(directory, server), agentFolders: [], version: "0", logger: logger)
        let pod = PodID.random()
        for _ in 0..<2 {
            await #expect {
                let _: Started = try await bus.ask(
                    Subjects.runner("r1", "start"), StartPod(pod: pod, name: "p", spec: PodSpec(command: ["no-such-program"], cwd: "/tmp")),
                    timeout: .seconds(60))
            } throws: { ($0 as? ErrorBody)?.message.contains("no-such-program") == true }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory + "/pods").isEmpty)
        await runner.stop()
        await bus.close()
    }
}
