import Bus
import Contract
import Foundation
import RunnerClient
import Testing
import TestSupport

@testable import ShimCore

@Suite("What the shim sees beside the bytes")
struct SignalTests {
    @Test(
        "A password prompt of any program is seen by its terminal modes soon after its last byte",
        arguments: [
            ["bash", "-c", "sleep 0.4; read -s -p 'Password: ' x; echo; echo done; sleep 30"],
            ["python3", "-c", "import getpass, time; time.sleep(0.3); getpass.getpass(); time.sleep(30)"],
        ])
    func password(argv: [String]) async throws {
        let (server, bus) = try await Self.bus()
        let pod = try await ShimPod(argv, server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        let seen = try await eventually(within: .seconds(20), "no password prompt was reported: \(reader.controls)") { () -> Timestamp? in
            for (frame, report) in reader.reports where report.icanon == true && report.echo == false { return frame.time }
            return nil
        }
        let prompt = try await eventually(within: .seconds(5), "no prompt was printed") {
            reader.frames.first { $0.kind == .out && String(decoding: $0.bytes, as: UTF8.self).contains("assword: ") }?.time
        }
        // 100 ms are meant; a machine that stands still for a while must not decide. Nothing else would look before the program ends.
        #expect(seen - prompt < .seconds(20))
        // Answering it is the end of it.
        _ = try await pod.write("secret\n", bus)
        try await eventually(within: .seconds(5), "the end of the prompt was not reported") {
            reader.reports.last?.report.echo == true
        }
        try await Self.stop(pod, bus)
    }

    @Test("A command in a shell is told from the prompt by foreground group and modes, at its start and at its end")
    func command() async throws {
        let (server, bus) = try await Self.bus()
        let pod = try await ShimPod(["bash", "--norc", "-i"], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually(within: .seconds(20), "the prompt was not reported") {
            reader.reports.last.map { $0.report.icanon == false && $0.report.isig == true && $0.report.fg == $0.report.shell } == true
        }
        _ = try await pod.write("sleep 1.5\n", bus)
        let running = try await eventually(within: .seconds(5), "the command was not reported") { () -> ProcessReport? in
            reader.reports.last.flatMap { $0.report.procs?.contains { $0.comm == "sleep" } == true ? $0.report : nil }
        }
        #expect(running.fg != running.shell && running.icanon == true)
        try await eventually(within: .seconds(8), "the command's end was not reported") {
            reader.reports.last.map { $0.report.icanon == false && $0.report.fg == $0.report.shell && $0.report.procs?.count == 1 } == true
        }
        try await Self.stop(pod, bus)
    }

    @Test("A child that burns the processor in silence is reported busy, and quiet when it rests")
    func silentBuild() async throws {
        let (server, bus) = try await Self.bus()
        let pod = try await ShimPod(
            ["bash", "-c", "echo 'Building target all:'; timeout 3 bash -c 'while :; do :; done'; sleep 60"], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually(within: .seconds(20), "nobody was reported busy") {
            reader.reports.contains { $0.report.procs?.contains { ($0.load ?? 0) >= 0.1 } == true }
        }
        try await eventually(within: .seconds(20), "the rest was not reported") {
            reader.reports.last.map { $0.report.procs?.contains { $0.comm == "sleep" } == true && $0.report.procs?.allSatisfy { ($0.load ?? 0) < 0.1 } == true } == true
        }
        #expect(reader.frames.filter { $0.kind == .out }.count == 1)
        #expect(reader.reports.count <= 12)
        try await Self.stop(pod, bus)
    }

    @Test("An idle pod writes no frame")
    func idle() async throws {
        let (server, bus) = try await Self.bus()
        let pod = try await ShimPod(["bash", "--norc", "-i"], server: server)
        let reader = try await FrameReader.start(bus, pod.pod)
        try await eventually(within: .seconds(20), "the prompt was not reported") { reader.reports.last?.report.icanon == false }
        // What belongs to its start comes late on a busy machine.
        var last = (count: -1, since: ContinuousClock.now)
        try await eventually(within: .seconds(60), "frames kept coming") {
            if reader.frames.count != last.count { last = (reader.frames.count, .now) }
            return ContinuousClock.now - last.since > .seconds(2)
        }
        let count = reader.frames.count
        for _ in 0..<20 {
            try await Task.sleep(for: .milliseconds(100))
            #expect(reader.frames.count == count)
        }
        try await Self.stop(pod, bus)
    }

    @Test("Looks end by themselves where nothing can change unseen, and never come more often than is cheap")
    func pacing() {
        let start = ContinuousClock.now
        var pacing = SignalPacing(start)
        var now = start
        var looks = 0
        while let deadline = pacing.deadline {
            now = max(now, deadline)
            let due = pacing.due(now)
            #expect(due != .nothing)
            pacing.looked(now, sawProcesses: due == .processes, changed: looks == 0, isBusy: false, othersSleep: false, retry: nil)
            looks += 1
        }
        #expect(looks < 15 && now - start < .seconds(10), "in made-up time")
        // A program that prints without pause is looked at every 20 ms at most.
        looks = 0
        for millisecond in 0..<1000 {
            let now = now + .seconds(60) + .milliseconds(millisecond)
            pacing.activity(now)
            let due = pacing.due(now)
            if due != .nothing {
                pacing.looked(now, sawProcesses: due == .processes, changed: false, isBusy: false, othersSleep: true, retry: nil)
                looks += 1
            }
        }
        #expect((40...51).contains(looks))
    }

    @Test("A crowd of short processes is told of ever more seldom, a change of modes at once")
    func crowd() {
        var changes = ProcessChanges()
        let start = ContinuousClock.now
        func entry(_ pid: Int32) -> ProcessTable.Entry {
            .init(pid: pid, parent: 1, name: "cc", state: "R", group: 1, session: 1, start: UInt64(pid), cpu: 0, age: 0)
        }
        var told = 0
        for step in 0..<200 {
            let now = start + .milliseconds(50 * step)
            _ = changes.take(modes: .init(bits: 7), foreground: 1)
            changes.take([entry(1), entry(Int32(100 + step))], more: false, at: now)
            if changes.report(root: 1, at: now) != nil { told += 1 }
        }
        #expect((5...12).contains(told))
        let isNew = changes.take(modes: .init(bits: 5), foreground: 1)
        #expect(isNew)
        #expect(changes.report(root: 1, at: start + .milliseconds(10_001)) != nil)
    }

    @Test("A hook's report becomes a frame of the pod's log; what is garbled, too large or empty is answered with an error")
    func hooks() async throws {
        let (server, bus) = try await Self.bus()
        let script = """
            import os, socket, sys
            def report(data):
                s = socket.socket(socket.AF_UNIX); s.connect(os.environ['SWITCHBACK_POD_SOCKET'])
                try: s.sendall(data)
                except BrokenPipeError: pass
                s.shutdown(socket.SHUT_WR)
                print(s.recv(4096).decode().strip(), flush=True)
            report(b'{"agent":"claude","hook_event_name":"PermissionRequest","tool_name":"Bash","session_id":"s1"}\\n')
            report(b'not json\\n')
            report(b'\\n')
            report(b'{"event":"' + b'x' * 200000)
            report(b'{"state":"working","source":"test","seq":4}')
            sys.stdin.readline()
            """
        let pod = try await ShimPod(["python3", "-c", script], server: server, columns: 200)
        let reader = try await FrameReader.start(bus, pod.pod)
        let hooks = try await eventually(within: .seconds(30), "no two hook frames: \(reader.text) \(pod.log)") { () -> [HookReport]? in
            let hooks = reader.controls.compactMap { if case .hook(let report) = $0 { report } else { nil } }
            return hooks.count == 2 && reader.text.split(whereSeparator: \.isNewline).count >= 5 ? hooks : nil
        }
        #expect(hooks[0].event == "PermissionRequest" && hooks[0].agent == "claude" && hooks[0].toolName == "Bash" && hooks[0].time != nil)
        #expect(hooks[1].state == "working" && hooks[1].seq == 4 && hooks[1].source == "test")
        let answers = reader.text.split(whereSeparator: \.isNewline).map(String.init)
        #expect(answers[0] == "{}" && answers[4] == "{}")
        #expect(answers[1].contains("bad_request") && answers[2].contains("bad_request") && answers[3].contains("too_large"))
        #expect(reader.isWhole)
        try await Self.stop(pod, bus)
        try await eventually(within: .seconds(10), "the socket stayed", holds: { !FileManager.default.fileExists(atPath: pod.path + "/hook.sock") })
    }

    @Test("A pod whose directory has a long path gets its socket elsewhere, and none where nothing fits")
    func longPath() throws {
        let pod = PodID.random()
        let short = PodSocket.path(directory: "/run/pods/x", pod: pod, user: 7)
        #expect(short == "/run/pods/x/hook.sock")
        let long = try #require(PodSocket.path(directory: "/" + String(repeating: "a", count: 100), pod: pod, user: 7))
        #expect(long == "/tmp/switchback-7/\(pod).sock" && long.utf8.count <= PodSocket.longestPath)
    }

    @Test("An agent's version is read from where it is installed")
    func version() {
        #expect(AgentVersion.version(inPath: "/home/a/.local/share/claude/versions/2.1.330") == "2.1.330")
        #expect(AgentVersion.version(inPath: "/usr/bin/python3.11") == nil)
        #expect(AgentVersion.version(inPath: "/opt/versions/latest/bin") == nil)
    }

    private static func bus() async throws -> (NATSServer, BusConnection) {
        let server = try await NATSServer.start()
        let bus = try await server.connect()
        try await JetStream(bus).ensureStreams()
        return (server, bus)
    }

    private static func stop(_ pod: ShimPod, _ bus: BusConnection) async throws {
        let _: Done = try await bus.ask(
            Subjects.shimStop(pod.pod), StopPod(pod: pod.pod, graceMs: 200, author: Author(kind: .person, id: "test")))
        try await pod.waitUntilDone()
    }
}

extension FrameReader {
    var reports: [(frame: Frame, report: ProcessReport)] {
        frames.compactMap { frame in
            guard frame.kind == .ctl, case .process(let report)? = try? JSON.decode(Control.self, from: frame.bytes) else { return nil }
            return (frame, report)
        }
    }
}
