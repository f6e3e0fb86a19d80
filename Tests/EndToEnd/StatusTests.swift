import APIClient
import Contract
import Foundation
import TestSupport
import Testing

/// From a real program's terminal to `switchback ps`, with every part a process of its own.
@Suite("Status end to end", .serialized)
struct StatusTests {
    private static let person = Author(kind: .person, id: "test")

    private func api(_ stack: Stack) -> APIClient { APIClient(address: stack.apiURL, token: stack.token) }

    /// Waits for a status of a pod.
    @discardableResult
    private func status(_ stack: Stack, _ pod: PodID, _ wanted: String, _ reason: String? = nil, within limit: Duration = .seconds(20)) async throws -> PodStatus {
        var last: PodStatus?
        return try await eventually(
            within: limit, "the status did not become \(wanted) \(reason ?? "") but \(last.map { "\($0)" } ?? "-")"
        ) {
            let status = try await api(stack).status(pod.text)
            last = status
            return status.status == wanted && (reason == nil || status.reason == reason) ? status : nil
        }
    }

    private func command(_ stack: Stack, _ arguments: [String]) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(
            filePath: ProcessInfo.processInfo.environment["SWITCHBACK_BIN"].map { $0 + "/switchback" }
                ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path + "/switchback")
        process.arguments = arguments
        process.environment = ["SWITCHBACK_URL": stack.apiURL, "SWITCHBACK_TOKEN": stack.token, "HOME": "/tmp", "PATH": "/usr/bin:/bin"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test("A question read as a line is answered with Enter, one read as a key without; the same words about something else are another question")
    func questions() async throws {
        let stack = try await Stack.start()
        let script = """
            echo 'make test'; read -r -p 'Run it? (y/n) ' a; echo "first $a"; echo; echo 'rm -rf build'; read -r -p 'Run it? (y/n) ' a; echo "second $a"; echo
            read -r -n 1 -p 'Go on? [y/n] ' a; echo; echo "third $a"; read -r -t 3 a && echo "more came" || echo "no more came"; sleep 60
            """
        let asker = try await stack.run(["bash", "-c", script], name: "asker").pod
        func asked(about: String?, _ question: String) async throws -> String {
            try await eventually(within: .seconds(20), "\(question) about \(about ?? "nothing") was not told") {
                let status = try await api(stack).status(asker.text)
                return status.status == "waiting" && status.question == question && status.about == about ? status.fingerprint : nil
            }
        }
        func shows(_ text: String) async throws {
            try await eventually(within: .seconds(20), "\(text) is not on the screen") {
                String(decoding: try await api(stack).screen(asker.text).body, as: UTF8.self).contains(text) ? true : nil
            }
        }
        let first = try await asked(about: "make test", "Run it? (y/n)")
        let yes = try await api(stack).approve(asker.text, fingerprint: first, option: nil, reject: nil)
        #expect(yes.result == .applied && yes.tookEffect == true, "\(yes)")
        try await shows("first y")
        let second = try await asked(about: "rm -rf build", "Run it? (y/n)")
        let stale = await #expect(throws: ErrorBody.self) { try await api(stack).approve(asker.text, fingerprint: first, option: nil, reject: nil) }
        #expect(stale?.code.rawValue == "screen_changed", "\(String(describing: stale))")
        let no = try await api(stack).approve(asker.text, fingerprint: second, option: nil, reject: true)
        #expect(no.result == .applied && no.tookEffect == true, "\(no)")
        try await shows("second n")
        let third = try await asked(about: nil, "Go on? [y/n]")
        #expect(try await api(stack).approve(asker.text, fingerprint: third, option: nil, reject: nil).tookEffect == true)
        try await shows("third y")
        try await shows("no more came")
    }

    @Test("A shell's prompt, a running command, a password prompt and a silent build are told apart, as ps and explain show")
    func programs() async throws {
        let stack = try await Stack.start()
        let shell = try await stack.run(["bash", "--norc", "-i"], name: "shell")
        try await status(stack, shell.pod, "idle", "prompt")
        _ = try await api(stack).input("shell", .init(text: "sleep 3", submit: true))
        try await status(stack, shell.pod, "executing")
        try await status(stack, shell.pod, "idle", "prompt")

        let bash = try await stack.run(["bash", "-c", "sleep 0.3; read -s -p 'Password: ' x; sleep 60"], name: "ask")
        let python = try await stack.run(["python3", "-c", "import getpass, time; getpass.getpass(); time.sleep(60)"], name: "getpass")
        try await status(stack, bash.pod, "waiting", "password")
        try await status(stack, python.pod, "waiting", "password")

        let build = try await stack.run(
            ["bash", "-c", "echo 'Building target all:'; timeout 8 sh -c 'while :; do :; done'; echo All done.; sleep 60"], name: "build")
        try await status(stack, build.pod, "executing")

        let list = try command(stack, ["ps"])
        #expect(list.code == 0)
        let lines = list.output.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("ask ") && $0.contains("waiting (password)") })
        #expect(lines.contains { $0.hasPrefix("shell ") && $0.contains("idle (prompt)") })
        let waiting = try command(stack, ["ps", "--status", "waiting"])
        #expect(waiting.output.contains("getpass") && !waiting.output.contains("shell"))
        let why = try command(stack, ["explain", "ask"])
        #expect(why.code == 0 && why.output.contains("waiting (password)") && why.output.contains("won"))
        let agents = try command(stack, ["agents"])
        #expect(agents.code == 0 && agents.output.contains("claude") && agents.output.contains("shell"))

        // The same moment, computed again from the record.
        let since = try await api(stack).status("ask").since
        let past = try await eventually(within: .seconds(20), "the record does not explain") {
            try? await api(stack).explain("ask", at: (since + .milliseconds(200)).description)
        }
        #expect(past.status.status == "waiting" && past.status.reason == "password")
    }

    @Test("SIGKILL, exit 1 and exit 0 are what they are, and the status ends with the pod")
    func ends() async throws {
        let stack = try await Stack.start()
        let killed = try await stack.run(["bash", "--norc", "-i"], name: "killed")
        try await status(stack, killed.pod, "idle")
        let failed = try await stack.run(["bash", "-c", "sleep 0.5; exit 1"], name: "failed")
        let done = try await stack.run(["bash", "-c", "sleep 0.5; exit 0"], name: "done")
        _ = try await api(stack).signal("killed", "KILL")
        for (pod, exit, lifecycle) in [
            (killed, Exit.signal(9), Lifecycle.crashed), (failed, .code(1), .exited), (done, .code(0), .exited),
        ] {
            let end = try await eventually(within: .seconds(20), "\(pod.name) did not end") {
                let now = try await stack.pod(pod.pod.text)
                return now.exit != nil ? now : nil
            }
            #expect(end.exit == exit)
            #expect(end.lifecycle == lifecycle || end.lifecycle == .ended)
            #expect(end.status == nil)
            let history = try await api(stack).history(pod.pod.text).entries
            #expect(history.contains { $0.what == "lifecycle" && $0.value == lifecycle.rawValue })
            #expect(history.filter { $0.what == "status" }.allSatisfy { $0.to != nil })
        }
    }

    @Test("A hook's report in a pod reaches its status; outside a pod the command does nothing, and garbage is an error")
    func hooks() async throws {
        let stack = try await Stack.start()
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path + "/switchback"
        let script = """
            printf '\\033[?1049h\\033[?25l'; stty raw -echo
            echo '{"hook_event_name":"UserPromptSubmit","session_id":"s"}' | \(program) hook claude report && sleep 1
            echo '{"hook_event_name":"PermissionRequest","session_id":"s","tool_name":"Bash"}' | \(program) hook claude report
            echo 'not json' | \(program) hook claude report 2>/dev/null; echo "code $?"; sleep 30
            """
        let pod = try await stack.run(["bash", "-c", script], name: "hooked") { $0.agent = "claude" }
        try await status(stack, pod.pod, "waiting", "approval")
        let history = try await api(stack).history("hooked").entries.filter { $0.what == "status" }
        #expect(history.contains { $0.value == "executing" })
        try await eventually("the refusal was not shown") {
            String(decoding: try await api(stack).screen("hooked").body, as: UTF8.self).contains("code 2")
        }
        let explanation = try await api(stack).explain("hooked")
        #expect(explanation.evidence.first?.source == "hook")
        let outside = Process()
        outside.executableURL = URL(filePath: program)
        outside.arguments = ["hook", "claude", "report"]
        outside.environment = ["PATH": "/usr/bin:/bin"]
        outside.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        outside.standardOutput = pipe
        outside.standardError = pipe
        try outside.run()
        #expect((try pipe.fileHandleForReading.readToEnd() ?? Data()).isEmpty)
        outside.waitUntilExit()
        #expect(outside.terminationStatus == 0)
    }

    @Test("The detector killed and started again: a waiting pod stays waiting since then, and what follows is seen")
    func detectorKilled() async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(["bash", "-c", "sleep 0.3; read -s -p 'Password: ' x; echo; sleep 60"], name: "ask")
        let before = try await status(stack, pod.pod, "waiting", "password")
        stack.kill9(.detector)
        try await stack.start(.detector)
        let after = try await eventually("nothing answers") { try? await api(stack).explain("ask") }
        #expect(after.status.status == "waiting" && after.status.since == before.since)
        #expect(try await api(stack).history("ask").entries.filter { $0.value == "waiting" }.count == 1)
        _ = try await api(stack).input("ask", .init(text: "secret\n"))
        try await eventually("the answered prompt still waits") { try await api(stack).status("ask").status != "waiting" }
    }
}
