import Contract
import Foundation
import TestSupport
import Testing

/// A real agent, started so that it talks to the stand-in for its model and to nothing else.
struct RealAgent: Sendable, CustomTestStringConvertible {
    let name: String
    let program: String
    /// The key that allows what its dialog asks.
    let approve: String

    var testDescription: String { name }

    /// The folder below which agents are installed, such as virtual environments with `openai-codex-cli-bin` and `claude-agent-sdk`.
    static let folder = ProcessInfo.processInfo.environment["SWITCHBACK_REAL_AGENTS"]

    /// Those that are installed.
    static let installed: [RealAgent] = {
        guard let folder, let files = FileManager.default.enumerator(atPath: folder) else { return [] }
        var found: [String: RealAgent] = [:]
        for case let path as String in files {
            if path.hasSuffix("codex_cli_bin/bin/codex") { found["codex"] = RealAgent(name: "codex", program: "\(folder)/\(path)", approve: "y") }
            if path.hasSuffix("claude_agent_sdk/_bundled/claude") {
                found["claude"] = RealAgent(name: "claude", program: "\(folder)/\(path)", approve: "1")
            }
        }
        return found.values.sorted { $0.name < $1.name }
    }()

    static let port = 8017

    /// Writes the agent's settings and gives what runs in the pod: the stand-in and the agent in a network of their own, where that is allowed.
    func prepare(in folder: String) throws -> PodSpec {
        let home = folder + "/home"
        let project = folder + "/project"
        for path in [home + "/.claude", home + "/.codex", project] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        var environment = [
            "HOME": home, "STANDIN_KEY": "none", "DO_NOT_TRACK": "1", "CODEX_HOME": home + "/.codex", "SHELL": "/bin/bash",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:\(Self.port)", "ANTHROPIC_API_KEY": "sk-ant-nobody-00000000000000000000000000",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_BUG_COMMAND": "1", "CLAUDE_CODE_MAX_RETRIES": "1",
        ]
        environment["CLAUDE_CONFIG_DIR"] = nil
        let key = String(environment["ANTHROPIC_API_KEY"]?.suffix(20) ?? "")
        let claude = """
            {"hasCompletedOnboarding": true, "theme": "dark", "lastOnboardingVersion": "9.0.0", "customApiKeyResponses": {"approved": ["\(key)"], "rejected": []},
             "projects": {"\(project)": {"hasTrustDialogAccepted": true, "allowedTools": []}}}
            """
        try claude.write(toFile: home + "/.claude.json", atomically: true, encoding: .utf8)
        try "{}".write(toFile: home + "/.claude/settings.json", atomically: true, encoding: .utf8)
        let codex = """
            model = "standin"
            model_provider = "standin"
            check_for_update_on_startup = false
            approval_policy = "on-request"
            sandbox_mode = "read-only"
            [model_providers.standin]
            name = "standin"
            base_url = "http://127.0.0.1:\(Self.port)/v1"
            env_key = "STANDIN_KEY"
            wire_api = "responses"
            request_max_retries = 1
            stream_max_retries = 1
            [features]
            daemon_auto_start = false
            in_app_updates = false
            [analytics]
            enabled = false
            [feedback]
            enabled = false
            [projects."\(project)"]
            trust_level = "trusted"
            """
        try codex.write(toFile: home + "/.codex/config.toml", atomically: true, encoding: .utf8)
        let standin = URL(filePath: #filePath).deletingLastPathComponent().path + "/standin.py"
        let start = name == "codex" ? "--no-daemon" : "--permission-mode default"
        let script = "python3 '\(standin)' \(Self.port) '\(folder)/requests' >/dev/null 2>&1 & sleep 1; exec '\(program)' \(start)"
        let command = geteuid() == 0 ? ["unshare", "-n", "bash", "-c", script] : ["bash", "-c", script]
        return PodSpec(name: "real-\(name)", agent: name, command: command, cwd: project, env: environment, columns: 100, rows: 30)
    }
}
