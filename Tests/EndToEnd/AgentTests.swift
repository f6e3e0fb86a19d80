import APIClient
import Bus
import Contract
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("What an agent may do to another pod", .serialized)
struct AgentTests {
    /// A pod that prints its credential and then echoes; and a client with that credential.
    private func agent(_ stack: Stack, _ name: String, on runner: String? = nil) async throws -> (pod: PodID, api: APIClient, credential: String) {
        let pod = try await stack.run(["sh", "-c", "echo \"$SWITCHBACK_TOKEN\"; exec cat"], name: name, columns: 120) { $0.runner = runner }.pod
        let screen = try await stack.waitForScreen(pod, "sbp_")
        let credential = try #require(screen.text.split(whereSeparator: \.isWhitespace).map(String.init).first { $0.hasPrefix("sbp_") })
        #expect(PodCredential.pod(of: credential) == pod)
        return (pod, APIClient(address: stack.apiURL, token: credential), credential)
    }

    private func code(_ body: () async throws -> Any) async -> ErrorBody.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? ErrorBody)?.code
        }
    }

    @Test(
        "Without a binding everything is denied; with read the screen but no input; after a revoke nothing, at once, and streams close",
        arguments: ["local", "elsewhere"])
    func bindings(host: String) async throws {
        let stack = try await Stack.start()
        if host != "local" { try await stack.startRunner(host) }
        let admin = APIClient(address: stack.apiURL, token: stack.token)
        let (reviewer, api, _) = try await agent(stack, "reviewer", on: "local")
        let (builder, owner, _) = try await agent(stack, "builder", on: host)
        #expect(try await stack.pod("builder").runner == host)
        _ = try await stack.type("the secret word\r", into: builder)
        try await stack.waitForScreen(builder, "the secret word")

        func everythingIsDenied(_ when: Comment) async {
            #expect(await code { try await api.screen("builder") } == .denied, when)
            #expect(await code { try await api.screen("builder", at: Timestamp.now().description) } == .denied, when)
            #expect(await code { try await api.timeline("builder") } == .denied, when)
            #expect(await code { try await api.history("builder") } == .denied, when)
            #expect(await code { try await api.export("builder") { _ in } } == .denied, when)
            #expect(await code { try await api.search("secret", pod: "builder") } == .denied, when)
            #expect(await code { try await api.input("builder", .init(text: "intruder\r")) } == .denied, when)
            #expect(await code { try await api.resize("builder", columns: 90, rows: 30) } == .denied, when)
            #expect(await code { try await api.stop("builder") } == .denied, when)
            #expect(await code { try await api.signal("builder", "INT") } == .denied, when)
            // The services behind the edge refuse by themselves.
            let asker = [(Headers.author, "pod:\(reviewer)")]
            for (subject, body) in [
                (Subjects.relay(builder.shard, "attach"), try! JSON.encode(Attach(pod: builder, format: .text))),
                (Subjects.relay(builder.shard, "screen"), try! JSON.encode(Attach(pod: builder, format: .snapshot))),
                (Subjects.recorder(builder.shard, "seek"), try! JSON.encode(Seek(pod: builder, format: .snapshot))),
                (Subjects.recorder(builder.shard, "play"), try! JSON.encode(Play(pod: builder, seq: 1))),
                (Subjects.recorderSearch, try! JSON.encode(Search(query: "secret", pod: builder))),
            ] {
                let answer = try? await stack.bus.request(subject, payload: body, headers: asker)
                #expect(answer.flatMap { Reply.error(in: $0.payload)?.code } == .denied, "\(subject)")
            }
        }
        await everythingIsDenied("without a binding")
        // A search over all pods finds only what may be read, which is its own.
        let hits = try await eventually(within: .seconds(20), "nothing is recorded") {
            let all = try await admin.search("secret")
            return all.hits.contains { $0.pod == builder } ? all : nil
        }
        #expect(!hits.hits.isEmpty)
        #expect(try await api.search("secret").hits.isEmpty)
        #expect(try await owner.search("secret").hits.contains { $0.pod == builder })
        // Its own terminal is its own.
        #expect(try await api.screen("reviewer").seq > 0)

        let asked = try await api.requestBinding(from: nil, to: "builder", scopes: [.read])
        #expect(asked.from == reviewer && asked.state == .pending)
        #expect(await code { try await api.answerBinding(asked.id, .accept) } == .denied)
        await everythingIsDenied("while it is pending")
        _ = try await owner.answerBinding(asked.id, .accept)
        try await eventually(within: .seconds(5), "the grant did not arrive") { (try? await api.screen("builder"))?.seq }
        #expect(String(decoding: try await api.screen("builder").body, as: UTF8.self).contains("the secret word"))
        #expect(try await api.search("secret").hits.contains { $0.pod == builder })
        #expect(await code { try await api.input("builder", .init(text: "intruder\r")) } == .denied)
        // The other direction is another binding.
        #expect(await code { try await owner.screen("reviewer") } == .denied)

        // Both kinds of stream.
        let closed = Mutex<[TerminalConnection.Mode: Int]>([:])
        let shown = Mutex<Set<TerminalConnection.Mode>>([])
        var connections: [TerminalConnection] = []
        for mode in [TerminalConnection.Mode.raw, .view] {
            connections.append(
                try await api.terminal("builder", mode: mode) { message in
                    switch message {
                    case .closed(let code, _): closed.withLock { $0[mode] = code }
                    default: shown.withLock { _ = $0.insert(mode) }
                    }
                })
        }
        try await eventually("nothing was shown") { shown.withLock { $0 } == [.raw, .view] ? true : nil }
        let began = ContinuousClock.now
        _ = try await owner.answerBinding(asked.id, .revoke)
        try await eventually(within: .seconds(5), "a stream stayed open: \(closed.withLock { $0 })") { closed.withLock { $0 } == [.raw: 4403, .view: 4403] ? true : nil }
        // A second is meant; what is looked at anew each 20 s by itself would be too late.
        #expect(ContinuousClock.now - began < .seconds(10))
        await everythingIsDenied("after the revoke")
        #expect(try await !stack.live(builder).text.contains("intruder"))
        withExtendedLifetime(connections) {}
    }

    @Test("With write another pod types through the gate, in its own name; what is for people is refused; with its end its credential is dead")
    func writes() async throws {
        let stack = try await Stack.start()
        let (reviewer, api, _) = try await agent(stack, "reviewer")
        let (builder, owner, credential) = try await agent(stack, "builder")
        let asked = try await api.requestBinding(from: nil, to: "builder", scopes: [.read, .write])
        _ = try await owner.answerBinding(asked.id, .accept)
        try await eventually(within: .seconds(5), "the grant did not arrive") {
            (try? await api.input("builder", .init(text: "run the tests again", submit: true)))?.seq
        }
        try await stack.waitForScreen(builder, "run the tests again")
        let inputs = try await eventually(within: .seconds(10), "the record lacks the input") {
            let inputs = try await stack.recorded(builder).filter { $0.kind == .in }
            return inputs.isEmpty ? nil : inputs
        }
        #expect(inputs.allSatisfy { $0.author == Author(kind: .pod, id: reviewer.text) })

        #expect(await code { try await api.setBindingPolicy(.sameOwnerAuto) } == .denied)
        #expect(await code { try await api.attention() } == .denied)
        #expect(await code { try await api.events(after: nil) { _ in false } } == .denied)
        #expect(await code { try await api.requestBinding(from: "builder", to: "reviewer", scopes: [.read]) } == .denied)

        #expect(try await owner.pods(live: true).pods.count == 2)
        let forged = APIClient(address: stack.apiURL, token: String(credential.dropLast()) + (credential.last == "0" ? "1" : "0"))
        #expect(await code { try await forged.pods() } == .unauthenticated)
        _ = try await stack.ask(Subjects.podsStop, PodRequest(pod: builder, author: Stack.person, graceMs: 100), as: Pod.self)
        try await eventually(within: .seconds(10), "the credential outlived its pod") {
            await code { try await owner.pods() } == .unauthenticated ? true : nil
        }
    }

    /// A Python that has the package `mcp` of PyPI: `SWITCHBACK_MCP_PYTHON`, else `python3`.
    static let python: String? = {
        let candidate = ProcessInfo.processInfo.environment["SWITCHBACK_MCP_PYTHON"] ?? "python3"
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [candidate, "-c", "import mcp"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        process.waitUntilExit()
        return process.terminationStatus == 0 ? candidate : nil
    }()

    @Test(
        "A public MCP client hands work from one pod to another: request, accept, send, wait, read",
        .enabled(if: python != nil, "no Python with the package mcp; name one in SWITCHBACK_MCP_PYTHON"))
    func mcp() async throws {
        let stack = try await Stack.start()
        let (_, _, asker) = try await agent(stack, "reviewer")
        let (builder, _, asked) = try await agent(stack, "builder")
        try stack.say("idle", "prompt", of: builder, seq: 3)
        let script = URL(filePath: #filePath).deletingLastPathComponent().path + "/Support/mcp_handoff.py"
        let ran = try await stack.command(
            [try #require(Self.python), script, stack.programsDirectory + "/switchback", stack.apiURL, asker, asked, "builder"], program: "/usr/bin/env")
        #expect(ran.exit == 0, "\(ran.output)\(ran.errors)")
        #expect(ran.output.contains("handed over B-"))
    }
}
