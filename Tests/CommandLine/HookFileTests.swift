import Agents
import Contract
import Foundation
import TestSupport
import Testing

@testable import HookFiles

@Suite("Hooks in an agent's settings")
struct HookFileTests {
    private static func installation() throws -> HookInstallation {
        let manifest = try AgentManifest(
            name: "toy",
            toml: """
                [launch]
                command = ["toy"]
                [hooks.install]
                folder = "~/.toy"
                folder_variable = "TOY_HOME"
                file = "settings"
                events = ["Stop", "PermissionRequest"]
                """)
        return try #require(try HookInstallation(manifest))
    }

    private static func file() throws -> HookFile {
        HookFile(try installation(), agent: "toy", program: "/opt/switch back/bin/switchback")
    }

    private final class Folder: Sendable {
        let path = FileManager.default.temporaryDirectory.path + "/hooks-\(PodID.random())"
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
        func change(_ file: HookFile) -> HookChange { HookChange(file, path: path + "/settings", memory: path + "/memory") }
        func read() -> [UInt8]? { FileManager.default.contents(atPath: path + "/settings").map { [UInt8]($0) } }
    }

    static let settings: [String?] = [
        nil, "{}", "{}\n", "{ }", "{\n}\n", "{\n  \"model\": \"opus\"\n}\n", "{\"hooks\":{}}", "{\"hooks\": {\"Stop\": []}, \"x\": [1, 2.5e3, null]}",
        "{\n\t\"hooks\": {\n\t\t\"Stop\": [\n\t\t\t{ \"hooks\": [{ \"type\": \"command\", \"command\": \"say \\\"done\\\" # mine\" }] }\n\t\t]\n\t},\n\t\"z\": \"ä{}[]\"\n}",
        "  {\r\n  \"a\" : true\r\n}\r\n",
    ]

    @Test("Installing and removing gives back the very bytes, twice is the same as once", arguments: settings)
    func roundTrip(before: String?) throws {
        let folder = try Folder()
        if let before { try Data(before.utf8).write(to: URL(filePath: folder.path + "/settings")) }
        let change = folder.change(try Self.file())
        #expect(try change.install())
        let installed = try #require(folder.read())
        let json = try #require(try JSONSerialization.jsonObject(with: Data(installed)) as? [String: Any])
        let hooks = try #require(json["hooks"] as? [String: [[String: Any]]])
        #expect(hooks["PermissionRequest"]?.count == 1)
        let command = (hooks["PermissionRequest"]?.last?["hooks"] as? [[String: String]])?.first?["command"] ?? ""
        #expect(command == "[ -z \"$SWITCHBACK_POD_SOCKET\" ] || '/opt/switch back/bin/switchback' hook toy report # switchback-hook")
        #expect(try !change.install())
        #expect(folder.read() == installed)
        #expect(try change.remove())
        #expect(folder.read() == before.map { Array($0.utf8) })
        #expect(try !change.remove())
    }

    @Test("What a person changed meanwhile keeps every byte, with or without our memory of what was there before", arguments: [true, false])
    func changedMeanwhile(hasMemory: Bool) throws {
        let folder = try Folder()
        let own = "{ \"hooks\": [{ \"type\": \"command\", \"command\": \"mine\" }] }"
        try Data("{\n  \"hooks\": {\n    \"Stop\": [\n      \(own)\n    ]\n  }\n}\n".utf8).write(to: URL(filePath: folder.path + "/settings"))
        let change = folder.change(try Self.file())
        try change.install()
        var text = String(decoding: try #require(folder.read()), as: UTF8.self)
        text = text.replacing("{\n  \"hooks\"", with: "{\n  \"theme\":   \"dark\",\n  \"hooks\"")
        try Data(text.utf8).write(to: URL(filePath: folder.path + "/settings"))
        if !hasMemory { try FileManager.default.removeItem(atPath: folder.path + "/memory") }
        try change.remove()
        #expect(
            String(decoding: try #require(folder.read()), as: UTF8.self)
                == "{\n  \"theme\":   \"dark\",\n  \"hooks\": {\n    \"Stop\": [\n      \(own)\n    ]\n  }\n}\n")
    }

    @Test("A damaged file is refused with its line and left as it is", arguments: ["{\n  \"a\": 1,\n}", "[]", "{\"hooks\": 3}", "{\"hooks\": {\"Stop\": {}}}", "nonsense"])
    func damaged(text: String) throws {
        let folder = try Folder()
        try Data(text.utf8).write(to: URL(filePath: folder.path + "/settings"))
        #expect(throws: ErrorBody.self) { try folder.change(try Self.file()).install() }
        #expect(folder.read() == Array(text.utf8))
    }

    @Test("Every shipped agent that reports has events of its own to install, which its rules understand, and they go without a trace")
    func shipped() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path + "/Agents"
        var names: [String] = []
        for manifest in AgentCatalog.load(folders: [folder]).manifests.values {
            guard let installation = try HookInstallation(manifest) else { continue }
            names.append(manifest.name)
            #expect(installation.events.contains { manifest.rules.hooks[$0]?.verdict != nil }, "\(manifest.name)")
            let file = HookFile(installation, agent: manifest.name, program: "/usr/bin/switchback")
            let mine = Array("{\n  \"hooks\": { \"Stop\": [{ \"hooks\": [{ \"type\": \"command\", \"command\": \"mine\" }] }] }\n}\n".utf8)
            let installed = try file.installed(mine)
            let whole = try JSONSerialization.jsonObject(with: Data(installed)) as? [String: Any]
            #expect(Set((whole?["hooks"] as? [String: Any])?.keys.map { $0 } ?? []) == Set(installation.events).union(["Stop"]), "\(manifest.name)")
            #expect(try file.removed(installed) == mine, "\(manifest.name)")
        }
        #expect(Set(names).isSuperset(of: ["claude", "codex", "gemini"]), "\(names)")
    }

    @Test("The settings' folder follows the agent's own variable, and a link stays a link")
    func places() throws {
        let installation = try Self.installation()
        #expect(installation.path(home: "/home/a", environment: [:]) == "/home/a/.toy/settings")
        #expect(installation.path(home: "/home/a", environment: ["TOY_HOME": "/x"]) == "/x/settings")
        let folder = try Folder()
        try Data("{}".utf8).write(to: URL(filePath: folder.path + "/real"))
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/settings", withDestinationPath: folder.path + "/real")
        try folder.change(try Self.file()).install()
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.path + "/settings").hasSuffix("/real"))
        #expect(FileManager.default.contents(atPath: folder.path + "/real")?.count ?? 0 > 10)
    }
}
