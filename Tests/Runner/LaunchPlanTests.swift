import Agents
import Contract
import Foundation
import Logging
import Testing

@testable import RunnerServer

@Suite("What a pod runs")
struct LaunchPlanTests {
    /// The manifests of this repository.
    private func catalog() throws -> AgentCatalog {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path + "/Agents"
        let catalog = AgentCatalog.load(folders: [folder])
        try #require(catalog.manifests.count >= 6)
        return catalog
    }

    private func plan(
        _ command: [String], agent: String? = nil, prompt: String? = nil, resuming: Bool = false, session: String? = nil
    ) throws -> LaunchPlan {
        try LaunchPlan.make(
            spec: PodSpec(agent: agent, command: command, prompt: prompt), catalog: catalog(), resuming: resuming, sessionID: session,
            newSession: { "NEW" })
    }

    @Test("A program that nobody described runs as it is, at first and again")
    func plain() throws {
        #expect(try plan(["make", "test"]) == LaunchPlan(argv: ["make", "test"], agent: nil, sessionID: nil))
        #expect(try plan(["make", "test"], resuming: true).argv == ["make", "test"])
        #expect(try plan(["./mine"], agent: "my-label") == LaunchPlan(argv: ["./mine"], agent: "my-label", sessionID: nil))
    }

    @Test("Claude Code gets a session of our naming, and that very session again")
    func claude() throws {
        let first = try plan(["/usr/local/bin/claude", "--model", "opus"])
        #expect(first == LaunchPlan(argv: ["/usr/local/bin/claude", "--model", "opus", "--session-id", "NEW"], agent: "claude", sessionID: "NEW"))
        #expect(try plan(["claude"], resuming: true, session: "OLD").argv == ["claude", "--resume", "OLD"])
        #expect(try plan(["claude"], resuming: true).argv == ["claude", "--continue"])
        #expect(try plan([], agent: "claude", prompt: "fix it").argv == ["claude", "--session-id", "NEW", "fix it"])
    }

    @Test("A session that the caller chose stands")
    func ownSession() throws {
        #expect(try plan(["claude", "--resume", "MINE"]).argv == ["claude", "--resume", "MINE"])
        #expect(try plan(["claude", "--resume=MINE"], resuming: true, session: "OLD").argv == ["claude", "--resume=MINE"])
    }

    @Test(
        "Each agent goes on in its own way",
        arguments: [
            (["codex", "--yolo"], ["codex", "resume", "--last", "--yolo"]), (["gemini"], ["gemini", "--resume", "latest"]),
            (["opencode"], ["opencode", "--continue"]), (["aider", "--model", "x"], ["aider", "--model", "x", "--restore-chat-history"]),
            (["bash", "-l"], ["bash", "-l"]),
        ])
    func resume(command: [String], resumed: [String]) throws {
        #expect(try plan(command, resuming: true).argv == resumed)
    }

    @Test("An unknown agent without a command, and a prompt for who takes none, are errors that name them")
    func refused() {
        let unknown = #expect(throws: ErrorBody.self) { try plan([], agent: "hal") }
        #expect(unknown?.message.contains("hal") == true)
        #expect(unknown?.message.contains("claude") == true)
        let prompt = #expect(throws: ErrorBody.self) { try plan(["bash"], prompt: "hello") }
        #expect(prompt?.message.contains("switchback send") == true)
    }

    @Test("A bad manifest is refused with its file and field")
    func badManifest() {
        for (text, word) in [("title = 3 = 4", "Agents/x.toml"), ("[launch]\ncommand = \"claude\"", "launch.command"), ("title = \"X\"", "launch.command")] {
            let error = #expect(throws: ErrorBody.self) { try AgentManifest(name: "x", toml: text) }
            #expect(error?.message.contains(word) == true, "\(String(describing: error))")
        }
    }

    @Test("A pod inherits the runner's environment without its secrets and other terminals' traces")
    func environment() {
        let pod = PodID.random()
        let environment = LaunchPlan.environment(
            base: ["PATH": "/bin", "SWITCHBACK_NATS_URL": "secret", "TMUX": "x", "TERM": "dumb", "LANG": "de_DE.UTF-8"],
            spec: PodSpec(command: ["x"], env: ["PATH": "/opt", "EXTRA": "1"]), pod: pod, name: "n")
        #expect(
            environment == [
                "PATH": "/opt", "EXTRA": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor", "TERM_PROGRAM": "switchback",
                "LANG": "de_DE.UTF-8", "SWITCHBACK_POD": pod.text, "SWITCHBACK_POD_NAME": "n",
            ])
        func path(_ own: String?) -> String? {
            LaunchPlan.environment(
                base: own.map { ["PATH": $0] } ?? [:], spec: PodSpec(command: ["x"]), pod: pod, name: "n", commands: "/opt/switchback/bin")["PATH"]
        }
        #expect(path("/bin") == "/bin:/opt/switchback/bin")
        #expect(path("/opt/switchback/bin:/bin") == "/opt/switchback/bin:/bin")
        #expect(path(nil)?.hasSuffix(":/opt/switchback/bin") == true)
    }
}

@Suite("Worktrees")
struct WorktreeTests {
    private func git(_ arguments: String...) async throws {
        let result = try await Subprocess.run(["git"] + arguments)
        try #require(result.status == 0, "\(result.output)")
    }

    private func repository() async throws -> (folder: String, repository: String) {
        let folder = FileManager.default.temporaryDirectory.resolvingSymlinksInPath().path + "/worktrees-\(UUID().uuidString.prefix(8))"
        let repository = folder + "/app"
        try FileManager.default.createDirectory(atPath: repository, withIntermediateDirectories: true)
        try await git("-C", repository, "init", "--quiet", "--initial-branch=main")
        try await git(
            "-C", repository, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--allow-empty", "-m", "first")
        return (folder, repository)
    }

    @Test("A branch gets a directory of its own, made where missing, and found again")
    func checkOut() async throws {
        let (folder, repository) = try await repository()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let worktrees = Worktrees(folder: folder + "/trees")
        let path = try await worktrees.checkOut("\(repository)#fix/login", inUse: [])
        #expect(path == folder + "/trees/app-fix-login")
        #expect(FileManager.default.fileExists(atPath: path + "/.git"))
        #expect(try await worktrees.checkOut("\(repository)#fix/login", inUse: []) == path)
        let busy = await #expect(throws: ErrorBody.self) { try await worktrees.checkOut("\(repository)#fix/login", inUse: [path]) }
        #expect(busy?.message.contains("another pod") == true)
        let taken = await #expect(throws: ErrorBody.self) { try await worktrees.checkOut("\(repository)#main", inUse: []) }
        #expect(taken?.message.contains(repository) == true)
    }

    @Test(
        "What is no repository or no branch is refused with what to write",
        arguments: ["/tmp", "app#x", "/no/such/place#x", "/tmp#", "/tmp#-x"])
    func refused(text: String) async {
        await #expect(throws: ErrorBody.self) { try await Worktrees(folder: "/tmp/unused").checkOut(text, inUse: []) }
    }
}
