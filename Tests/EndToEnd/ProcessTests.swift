import Contract
import Foundation
import TestSupport
import Testing

@Suite("Processes start, end and stop in order", .serialized)
struct ProcessTests {
    @Test(
        "Exit codes, signals and a missing program are told apart",
        arguments: [(["sh", "-c", "exit 0"], Exit.code(0)), (["sh", "-c", "exit 7"], .code(7)), (["sh", "-c", "kill -9 $$"], .signal(9))])
    func exits(command: [String], exit: Exit) async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(command).pod
        let ended = try await stack.waitUntilEnded(pod)
        #expect(ended.exit == exit)
        let history = try await stack.ask(Subjects.podsHistory, PodRequest(pod: pod, author: Stack.person), as: PodHistory.self)
        let states = history.entries.filter { $0.what == "lifecycle" }.map(\.value)
        let end: Lifecycle = if case .signal = exit { .crashed } else { .exited }
        #expect(states.contains(end.rawValue), "\(states)")
        #expect(states.last == Lifecycle.ended.rawValue)
    }

    @Test("A program that does not exist is a clear error that names it")
    func missingProgram() async throws {
        let stack = try await Stack.start()
        // Wait for the runner with a pod that starts.
        _ = try await stack.run(["true"])
        let error = await #expect(throws: ErrorBody.self) { try await stack.run(["no-such-program-anywhere"]) }
        #expect(error?.message.contains("no-such-program-anywhere") == true, "\(String(describing: error))")
    }

    @Test("Output written just before the end is recorded")
    func finalOutput() async throws {
        let stack = try await Stack.start()
        for _ in 0..<5 {
            let pod = try await stack.run(["sh", "-c", "seq -f 'line %.0f' 1 20000; printf 'last words'"]).pod
            _ = try await stack.waitUntilEnded(pod)
            let output = try await stack.recordedOutput(pod)
            #expect(String(decoding: output.suffix(10), as: UTF8.self) == "last words")
            #expect(numberedLines(output) == Array(1...20000))
        }
    }

    @Test("Every service stops by itself soon after SIGTERM, and what it held is not lost")
    func cleanStop() async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(["sh", "-c", "i=0; while [ ! -e \"$0\" ]; do i=$((i+1)); echo \"line $i\"; sleep 0.001; done; echo \"total $i\"", stack.directory + "/stop"])
            .pod
        for part in Stack.Part.allCases.reversed() {
            let time = stack.stop(part)
            #expect(time < .seconds(20), "\(part) took \(time)")
            try await stack.start(part)
        }
        #expect(FileManager.default.createFile(atPath: stack.directory + "/stop", contents: nil))
        _ = try await stack.waitUntilEnded(pod)
        let output = try await stack.recordedOutput(pod)
        let text = String(decoding: output.suffix(100), as: UTF8.self)
        let total = try #require(text.firstMatch(of: #/total (\d+)/#).flatMap { Int($0.1) })
        #expect(numberedLines(output) == Array(1...total))
    }

    @Test("A resumed pod runs the same command in the same place, linked to the old one")
    func resume() async throws {
        let stack = try await Stack.start()
        let old = try await stack.run(["sh", "-c", "pwd; echo $MARK"], name: "worker") {
            $0.cwd = "/usr/share"
            $0.env = ["MARK": "same-environment"]
        }
        _ = try await stack.waitUntilEnded(old.pod)
        let new = try await stack.ask(Subjects.podsResume, PodRequest(pod: old.pod, author: Stack.person), as: Pod.self)
        #expect(new.pod != old.pod)
        #expect(new.resumedFrom == old.pod)
        _ = try await stack.waitUntilEnded(new.pod)
        let output = String(decoding: try await stack.recordedOutput(new.pod), as: UTF8.self)
        #expect(output.contains("/usr/share"))
        #expect(output.contains("same-environment"))
        #expect(try await stack.pod(old.pod.text).resumedBy == new.pod)
    }
}
