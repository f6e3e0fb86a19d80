import APIClient
import Contract
import Foundation
import TestSupport
import Testing

/// Prints numbered lines, a burst at a time, until the file `stop` appears; then says how many there were.
private let numbers = """
    i=0; while [ ! -e "$0" ]; do for k in 1 2 3 4 5 6 7 8 9 10; do i=$((i+1)); echo "line $i"; done; sleep 0.01; done; echo "total $i"
    """

@Suite("Nothing is lost, whatever is killed", .serialized)
struct NothingLostTests {
    @Test("A pod's lines are recorded once and in order while every part is killed in turn")
    func killEach() async throws {
        let stack = try await Stack.start()
        let stop = stack.directory + "/stop"
        let pod = try await stack.run(["sh", "-c", numbers, stop])
        for part in Stack.Part.allCases {
            stack.kill9(part)
            try await stack.start(part)
        }
        stack.nats.kill9()
        try await stack.nats.restart()
        try await stack.postgres.kill9()
        try await stack.postgres.restart()
        try await goesOn(stack, pod.pod)
        #expect(FileManager.default.createFile(atPath: stop, contents: nil))
        let ended = try await stack.waitUntilEnded(pod.pod)
        #expect(ended.exit == .code(0))
        try await expectWhole(stack, pod.pod)
    }

    @Test(
        "With TLS on the bus, and everybody's certificates replaced by another authority's under way, every line is recorded once and in order",
        .enabled(if: TestCertificates.areAvailable, "openssl is needed"))
    func certificates() async throws {
        let certificates = try TestCertificates()
        for name in ["server", "client"] { try certificates.sign(name) }
        let stack = try await Stack.start(certificates: certificates)
        let stop = stack.directory + "/stop"
        let pod = try await stack.run(["sh", "-c", numbers, stop])
        try certificates.makeAuthority()
        for name in ["server", "client"] { try certificates.sign(name) }
        try await stack.nats.restart()
        try await goesOn(stack, pod.pod)
        #expect(FileManager.default.createFile(atPath: stop, contents: nil))
        let ended = try await stack.waitUntilEnded(pod.pod)
        #expect(ended.exit == .code(0))
        try await expectWhole(stack, pod.pod)
    }

    @Test("With the bus away for a minute, the spool keeps what a pod prints, and all of it arrives afterwards")
    func busAway() async throws {
        let stack = try await Stack.start()
        let stop = stack.directory + "/stop"
        // 50 MB of numbered lines while nobody can take them.
        let script = #"while [ ! -e "$0" ]; do sleep 0.02; done; seq -f 'line %.0f and some more text to make it as long as a log line is' 1 750000; echo "total 750000""#
        let pod = try await stack.run(["sh", "-c", script, stop])
        stack.nats.kill9()
        let outage = ContinuousClock.now
        #expect(FileManager.default.createFile(atPath: stop, contents: nil))
        // The program ends although the bus is away: its output is on the disk, not in a pipe.
        let shim = try #require(pod.pid)
        try await eventually(within: .seconds(60), "the program did not end") { kill(shim, 0) != 0 }
        try await ContinuousClock().sleep(until: outage + .seconds(60))
        try await stack.nats.restart()
        let ended = try await stack.waitUntilEnded(pod.pod, within: .seconds(120))
        #expect(ended.exit == .code(0))
        try await expectWhole(stack, pod.pod)
    }

    @Test("A bus that stands still for 40 s and closes nothing: what a pod prints meanwhile arrives afterwards, once and in order")
    func busFrozen() async throws {
        let stack = try await Stack.start()
        let stop = stack.directory + "/stop"
        let pod = try await stack.run(["sh", "-c", numbers, stop])
        try await goesOn(stack, pod.pod)
        stack.nats.freeze()
        // Longer than requests wait, than runners are missed, and than connections go unheard.
        try await ContinuousClock().sleep(for: .seconds(40))
        stack.nats.thaw()
        try await goesOn(stack, pod.pod)
        #expect(FileManager.default.createFile(atPath: stop, contents: nil))
        let ended = try await stack.waitUntilEnded(pod.pod)
        #expect(ended.exit == .code(0))
        try await expectWhole(stack, pod.pod)
    }

    @Test("With the database away, the stream keeps what a pod prints, and all of it is sealed afterwards")
    func databaseAway() async throws {
        let stack = try await Stack.start()
        let stop = stack.directory + "/stop"
        let pod = try await stack.run(["sh", "-c", numbers, stop])
        try await stack.postgres.kill9()
        #expect(FileManager.default.createFile(atPath: stop, contents: nil))
        let pid = try #require(pod.pid)
        try await eventually(within: .seconds(30), "the program did not end") { kill(pid, 0) != 0 }
        // Who asks meanwhile is told so: to try again later, and nothing of what was asked of the database.
        let api = APIClient(address: stack.apiURL, token: stack.token)
        for path in ["/v1/pods/\(pod.pod.text)", "/v1/pods/\(pod.pod.text)/history", "/v1/runners", "/v1/webhooks", "/v1/channels", "/v1/search?q=line"] {
            let (status, _, body) = try await api.raw("GET", path)
            let text = String(decoding: body, as: UTF8.self)
            #expect(status == 200 || status == 503, "\(path): \(status) \(text)")
            if status != 200 { #expect(Reply.error(in: body)?.code == .unavailable && !text.contains("SELECT"), "\(path): \(text)") }
        }
        let (status, _, body) = try await api.raw("POST", "/v1/channels", body: Array(#"{"name":"ops"}"#.utf8))
        #expect(status == 503 && Reply.error(in: body)?.message.contains("database") == true, "\(status) \(String(decoding: body, as: UTF8.self))")
        try await stack.postgres.restart()
        _ = try await stack.waitUntilEnded(pod.pod)
        try await expectWhole(stack, pod.pod)
    }

    /// Waits until the record has grown.
    private func goesOn(_ stack: Stack, _ pod: PodID) async throws {
        let before = (try? await stack.recorded(pod).last?.seq) ?? 0
        try await eventually(within: .seconds(30), "the record does not grow") {
            ((try? await stack.recorded(pod).last?.seq) ?? 0) > before + 20
        }
    }

    /// Every line once, in order, as many as the program says; and the chain holds.
    private func expectWhole(_ stack: Stack, _ pod: PodID) async throws {
        let output = try await stack.recordedOutput(pod)
        let lines = numberedLines(output)
        let text = String(decoding: output.suffix(200), as: UTF8.self)
        let total = try #require(text.firstMatch(of: #/total (\d+)/#).flatMap { Int($0.1) }, "no total in \(text)")
        #expect(lines.count == total)
        #expect(lines == Array(1...max(1, total)))
        let verified = try await stack.verify(pod)
        #expect(verified.ok, "\(verified.problem ?? "")")
    }
}
