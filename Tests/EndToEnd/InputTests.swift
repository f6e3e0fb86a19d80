import Contract
import Foundation
import Terminal
import TestSupport
import Testing

@Suite("Input passes one gate", .serialized)
struct InputTests {
    @Test("The same three-byte key sent ten times arrives ten times")
    func repeatedKey() async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(["sh", "-c", "stty raw -echo; echo ready; dd bs=1 count=30 2>/dev/null | od -An -v -tx1 | tr -d '\\n'; echo; echo done; sleep 60"]).pod
        try await stack.waitForScreen(pod, "ready")
        for _ in 0..<10 {
            let applied = try await stack.type([0x1b, 0x5b, 0x41], into: pod)
            #expect(applied.result == .applied)
            try await Task.sleep(for: .milliseconds(30))
        }
        let screen = try await stack.waitForScreen(pod, "done")
        let bytes = screen.text.split(whereSeparator: \.isWhitespace).map(String.init).filter { $0.count == 2 }
        #expect(bytes.filter { $0 == "1b" }.count == 10)
        #expect(bytes.count == 30)
        let inputs = try await eventually(within: .seconds(10), "the record lacks inputs") {
            let inputs = try await stack.recorded(pod).filter { $0.kind == .in }
            return inputs.count == 10 ? inputs : nil
        }
        #expect(inputs.allSatisfy { $0.bytes == [0x1b, 0x5b, 0x41] && $0.author == Stack.person && $0.via == "test" })
    }

    @Test("Of two writers one is refused and told who writes; take-over is explicit")
    func twoWriters() async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(["cat"]).pod
        let alice = Author(kind: .person, id: "alice")
        let bob = Author(kind: .person, id: "bob")
        try await eventually(within: .seconds(10), "the relay does not know the pod") { (try? await stack.live(pod)) != nil }
        #expect(try await stack.type("from alice\r", into: pod, viewer: "v1", author: alice).result == .applied)
        let refused = try await stack.type("from bob\r", into: pod, viewer: "v2", author: bob)
        #expect(refused.result == .busy)
        #expect(refused.message?.contains("alice") == true)
        try await stack.waitForScreen(pod, "from alice")
        #expect(try await !stack.live(pod).text.contains("from bob"))

        let taken = try await stack.ask(
            Subjects.relay(pod.shard, "take"), ViewerRequest(pod: pod, viewer: "v2", author: bob, role: .operator), as: Applied.self)
        #expect(taken.result == .applied)
        #expect(try await stack.type("now bob\r", into: pod, viewer: "v2", author: bob).result == .applied)
        #expect(try await stack.type("alice again\r", into: pod, viewer: "v1", author: alice).result == .busy)
        try await stack.waitForScreen(pod, "now bob")
    }

    @Test("Input and resize of a read-only viewer are refused, and nothing is written")
    func readOnly() async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(["cat"]).pod
        try await eventually(within: .seconds(10), "the relay does not know the pod") { (try? await stack.live(pod)) != nil }
        #expect(try await stack.type(Array("intruder\r".utf8), into: pod, role: .viewer).result == .denied)
        #expect(try await stack.resize(pod, 100, 30, role: .viewer).result == .denied)
        _ = try await stack.type("owner\r", into: pod)
        let screen = try await stack.waitForScreen(pod, "owner")
        #expect(!screen.text.contains("intruder"))
        #expect(screen.terminal.columns == 80)
    }

    @Test("A key decided on an older screen is refused, and nothing is written")
    func staleScreen() async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(["sh", "-c", "echo first; read x; echo second; cat"]).pod
        let first = try await stack.waitForScreen(pod, "first")
        #expect(try await stack.type(Array("\r".utf8), into: pod, ifSeq: first.seq).result == .applied)
        let second = try await stack.waitForScreen(pod, "second")
        let late = try await stack.type(Array("late\r".utf8), into: pod, ifSeq: first.seq)
        #expect(late.result == .screenChanged)
        #expect(try await stack.type(Array("fresh\r".utf8), into: pod, ifSeq: second.seq).result == .applied)
        let screen = try await stack.waitForScreen(pod, "fresh")
        #expect(!screen.text.contains("late"))
    }

    @Test("A pod that has ended, or never was, says so")
    func gone() async throws {
        let stack = try await Stack.start()
        let pod = try await stack.run(["true"]).pod
        _ = try await stack.waitUntilEnded(pod)
        #expect(try await stack.type("x", into: pod).result == .gone)
        let nobody = PodID.random()
        #expect(try await stack.type("x", into: nobody).result == .gone)
        await #expect(throws: ErrorBody.self) { try await stack.pod(nobody.text) }
        await #expect(throws: ErrorBody.self) { try await stack.seek(nobody) }
    }
}
