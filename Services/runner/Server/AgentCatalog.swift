internal import Contract
internal import FoundationEssentials
internal import Logging

/// All manifests that this runner knows.
struct AgentCatalog: Sendable {
    var manifests: [String: AgentManifest]

    init(manifests: [AgentManifest]) {
        self.manifests = Dictionary(manifests.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    }

    /// Reads every `*.toml` of the folders; a later folder's file replaces an earlier one's. A bad file is left out and told.
    static func load(folders: [String], logger: Logger) -> AgentCatalog {
        var manifests: [AgentManifest] = []
        for folder in folders {
            for file in ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted() where file.hasSuffix(".toml") {
                do {
                    guard let data = FileManager.default.contents(atPath: folder + "/" + file) else { continue }
                    manifests.append(try AgentManifest(name: String(file.dropLast(5)), toml: String(decoding: data, as: UTF8.self)))
                } catch {
                    logger.error("left out an agent's manifest", metadata: ["file": "\(folder)/\(file)", "error": "\(error)"])
                }
            }
        }
        return AgentCatalog(manifests: manifests)
    }

    /// The manifest by name or alias, or that of the command's program; nil for a program nobody described.
    func manifest(agent: String?, command: [String]) throws(ErrorBody) -> AgentManifest? {
        if let agent {
            if let manifest = manifests[agent] ?? manifests.values.first(where: { $0.aliases.contains(agent) }) { return manifest }
            // A label for a program that nobody described is fine as long as it says what to run.
            guard command.isEmpty else { return nil }
            throw ErrorBody(
                .badRequest, "no agent \"\(agent)\" is known here; known: \(manifests.keys.sorted().joined(separator: ", ")), or give a command")
        }
        guard let program = command.first else { return nil }
        return manifests.values.first { $0.matches(program: program) }
    }
}
