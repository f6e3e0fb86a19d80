import Contract
import Foundation
import Testing

@testable import LocalStack

/// The built command with the built services, as a person has them.
final class Command {
    let directory = TemporaryDirectory()
    private var environment: [String: String]

    init() {
        environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SWITCHBACK_") }
        environment["SWITCHBACK_HOME"] = directory.path + "/home"
    }

    deinit { _ = try? run("down") }

    static var program: String { Programs(environment: [:]).command }

    static var isBuilt: Bool {
        let folder = program.dropLast("/switchback".count)
        return ([""] + ["-api", "-recorder", "-registry", "-relay", "-runner", "-shim"]).allSatisfy { Files.isProgram(folder + "/switchback" + $0) }
    }

    /// Standard output and the exit code. Standard error goes to a file, so that it is not mixed in.
    @discardableResult
    func run(_ arguments: String..., input: String? = nil) throws -> (code: Int32, output: String, error: String) {
        let errors = directory.path + "/stderr"
        let result = try Spawn.run(
            "/bin/sh", ["-c", "exec \"$0\" \"$@\" 2>\(errors)", Self.program] + arguments, environment: environment, directory: directory.path,
            input: input,
            seconds: 120)
        guard case .exited(let code) = result.end else { throw StackError(.system, "switchback \(arguments) ended by \(result.end)") }
        return (code, result.output, Files.read(errors) ?? "")
    }

    /// Runs until the output has the text.
    func wait(for text: String, seconds: Double = 20, _ arguments: String...) throws -> String {
        let deadline = Clock.now() + seconds
        while true {
            let result = try Spawn.run(Self.program, arguments, environment: environment, directory: directory.path)
            if result.output.contains(text) { return result.output }
            if Clock.now() > deadline { throw StackError(.timedOut, "\(arguments) did not show \"\(text)\" but: \(result.output)") }
            Clock.pause(0.05)
        }
    }
}

private func canRun() -> Bool {
    let programs = Programs(environment: ProcessInfo.processInfo.environment)
    return (try? programs.natsServer()) != nil && (try? programs.postgresDirectory()) != nil && Command.isBuilt
}

@Suite("The command with the whole stack", .serialized, .enabled(if: canRun(), "nats-server, PostgreSQL and all programs are needed"))
struct CommandTests {
    @Test("A day with pods: start, look, type, scrub back, find, export, import, stop, resume")
    func day() throws {
        let it = Command()
        let up = try it.run("up", "--port", "0", "--json")
        #expect(up.code == 0, "\(up.error)")
        #expect(up.output.contains("\"address\":\"http://127.0.0.1:"))

        let run = try it.run("run", "--name", "fix-login", "--env", "PS1=ready$ ", "--", "bash", "--norc", "--noprofile")
        #expect(run.code == 0, "\(run.error)")
        let pod = run.output.trimmingCharacters(in: .newlines)
        #expect(PodID(pod) != nil)
        _ = try it.wait(for: "ready$", "screen", "fix-login")
        #expect(try it.run("send", "fix-login", "echo six times seven is $((6*7))", "--submit").code == 0)
        _ = try it.wait(for: "six times seven is 42", "screen", pod)
        // The unique beginning of the id will do.
        #expect(try it.run("screen", String(pod.prefix(10))).output.contains("42"))
        let moment = Timestamp.now().description
        Clock.pause(0.3)
        #expect(try it.run("send", "fix-login", "clear; echo cleared", "--submit").code == 0)
        _ = try it.wait(for: "cleared\n", "screen", "fix-login")
        #expect(try !it.run("screen", "fix-login").output.contains("42"))
        _ = try it.wait(for: "six times seven is 42", "screen", "fix-login", "--at", moment)
        #expect(try it.wait(for: "fix-login", "ps").contains("running"))
        #expect(try it.wait(for: "\"line\":\"six times seven is 42\"", "search", "times seven is 42", "--json").contains(pod))
        #expect(try it.run("search", "never on any screen").code == 1)

        #expect(try it.run("stop", "fix-login").code == 0)
        _ = try it.wait(for: "fix-login", "ps", "--all")
        _ = try it.wait(for: "No pod runs", "ps")
        let cast = it.directory.path + "/it.cast"
        #expect(try it.run("export", "fix-login", "-o", cast).code == 0)
        #expect(Files.read(cast)?.hasPrefix("{\"version\":2") == true)
        let imported = try it.run("import", cast, "--json")
        #expect(imported.code == 0, "\(imported.error)")
        #expect(imported.output.contains("\"imported\":true") && imported.output.contains("\"pod\":\"p"))
        #expect(try it.run("export", "it", "--format", "text").output == it.run("export", "fix-login", "--format", "text").output)
        #expect(try it.run("search", "times seven is 42", "--pod", "it").code == 0)
        let resumed = try it.run("resume", "fix-login", "--json")
        #expect(resumed.code == 0, "\(resumed.error)")
        #expect(resumed.output.contains("\"resumed_from\":\"\(pod)\""))
        #expect(try it.run("events", "--after", "0", "--count", "2", "--timeout", "20s", "--json").output.contains("\"what\":\"created\""))

        let down = try it.run("down", "--json")
        #expect(down.output.contains("\"pods_stopped\":1"))
        #expect(try it.run("status").code == 1)
        // What is down is said at once: nothing is worth waiting for.
        let began = Clock.now()
        let late = try it.run("ps")
        #expect(late.code == 1 && late.error.contains("is down") && late.error.contains("switchback up"))
        #expect(Clock.now() - began < 5)
    }

    @Test("With --keep-pods an agent outlives the stack, and what it prints meanwhile is recorded")
    func keepPods() throws {
        let it = Command()
        #expect(try it.run("up", "--port", "0").code == 0)
        let script = "echo before; while [ ! -e go ]; do sleep 0.05; done; echo meanwhile; touch done; cat"
        #expect(try it.run("run", "--name", "patient", "--", "sh", "-c", script).code == 0)
        _ = try it.wait(for: "before", "screen", "patient")
        #expect(try it.run("down", "--keep-pods", "--json").output.contains("\"pods_kept\":1"))
        try Files.write("", to: it.directory.path + "/go")
        let deadline = Clock.now() + 20
        while !Files.exists(it.directory.path + "/done") && Clock.now() < deadline { Clock.pause(0.02) }
        #expect(Files.exists(it.directory.path + "/done"))
        #expect(try it.run("up").code == 0)
        _ = try it.wait(for: "meanwhile", "screen", "patient")
        #expect(try it.wait(for: "patient", "ps").contains("running"))
        _ = try it.wait(for: "meanwhile", "export", "patient", "--format", "text")
    }

    @Test("Errors are one JSON object on standard error, nothing on standard output, with the exit code of their kind")
    func errors() throws {
        let it = Command()
        let cases: [(arguments: [String], code: Int32, word: String)] = [
            (["ps"], 1, "not_running"), (["screen", "x", "--at", "yesterday"], 2, "bad_time"), (["frobnicate"], 2, "usage"),
            (["resize", "x", "wide"], 2, "usage"), (["send", "x"], 2, "usage"), (["run", "--worktree", "nohash", "--", "x"], 1, "not_running"),
            (["run", "--nmae", "x", "bash"], 2, "usage"), (["token"], 1, "no_token"), (["token", "show"], 1, "no_token"),
        ]
        for (arguments, code, word) in cases {
            let result = try Spawn.run(
                "/bin/sh", ["-c", "exec \"$0\" \"$@\" 2>&1 >/dev/null", Command.program] + arguments + (arguments.contains("--") ? [] : ["--json"]),
                environment: ["SWITCHBACK_HOME": it.directory.path + "/none", "PATH": "/usr/bin:/bin"])
            #expect(result.end == .exited(code), "\(arguments): \(result.output)")
            if !arguments.contains("--") { #expect(result.output.hasPrefix("{\"error\":{\"code\":\"\(word)\""), "\(arguments): \(result.output)") }
        }
    }

    @Test("Every command explains itself, also the one that takes any option for the program's", arguments: ["run", "ps", "attach", "keys", "token"])
    func help(name: String) throws {
        let it = Command()
        for flag in ["--help", "-h"] {
            let help = try it.run(name, flag)
            #expect(help.code == 0 && help.output.contains("USAGE: switchback \(name)"), "\(help)")
        }
    }

    @Test("What cannot be written is said, and a status tells of a server elsewhere")
    func elsewhere() throws {
        let it = Command()
        let environment = ["SWITCHBACK_HOME": it.directory.path + "/none", "SWITCHBACK_URL": "http://elsewhere:7420"]
        let lost = try Spawn.run("/bin/sh", ["-c", "\(Command.program) status 2>&1 >/dev/full"], environment: environment)
        #expect(lost.end == .exited(1) && lost.output == "switchback: cannot write: No space left on device\n", "\(lost)")
        let status = try Spawn.run(Command.program, ["status"], environment: environment)
        #expect(status.output.contains("http://elsewhere:7420") && !status.output.contains("switchback up"), "\(status)")
    }

    @Test("An address that cannot be one is a mistake of the caller's", arguments: ["ftp://x", "http://127.0.0.1:99999", "http://:7420", "http://", "x"])
    func addresses(address: String) throws {
        let result = try Spawn.run("/bin/sh", ["-c", "\(Command.program) ps --json 2>&1"], environment: ["SWITCHBACK_URL": address, "SWITCHBACK_TOKEN": "x"])
        #expect(result.end == .exited(2) && result.output.hasPrefix(#"{"error":{"code":"bad_url""#), "\(result)")
    }

    @Test("Credentials are made with an answer that programs can read")
    func keysAsJSON() throws {
        let it = Command()
        let folder = it.directory.path + "/keys"
        let made = try it.run("keys", folder, "--json")
        #expect(made.code == 0 && made.output.hasPrefix(#"{"made":["#) && made.output.contains("nats/access.conf"), "\(made)")
        #expect(try it.run("keys", folder, "--json").output == "{\"made\":[],\"revoked\":[]}\n")
    }
}
