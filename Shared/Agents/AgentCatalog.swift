public import Contract
internal import FoundationEssentials

/// All manifests that are known here.
///
/// Folders are read in order: first the shipped one, then the person's own, whose files replace those of the same name. A bad file
/// is told in `problems`, and what was known of that agent before stays.
public struct AgentCatalog: Sendable {
    public private(set) var manifests: [String: AgentManifest]
    /// Files that could not be used, each with its line and reason.
    public private(set) var problems: [String]
    private var folders: [String]
    private var stamps: [String: Stamp]

    private struct Stamp: Sendable, Equatable {
        var modified: Double
        var bytes: UInt64
    }

    public init(manifests: [AgentManifest]) {
        self.manifests = Dictionary(manifests.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        problems = []
        folders = []
        stamps = [:]
        join()
    }

    /// Puts the fallback's rules behind every agent's own.
    private mutating func join() {
        guard let fallback else { return }
        for (name, manifest) in manifests where name != fallback.name {
            do throws(ErrorBody) {
                manifests[name]?.rules = try manifest.ownRules.before(fallback.ownRules)
            } catch {
                problems.append("Agents/\(name).toml: \(error.message)")
            }
        }
    }

    /// Reads every `*.toml` of the folders; a later folder's file replaces an earlier one's.
    public static func load(folders: [String]) -> AgentCatalog {
        var catalog = AgentCatalog(manifests: [])
        catalog.folders = folders
        catalog.stamps = stamps(folders)
        catalog.read(keeping: [:])
        return catalog
    }

    /// Only what one agent needs, where a file has its name: for programs that live for one question. Else everything.
    public static func load(folders: [String], only agent: String?) -> AgentCatalog {
        guard let agent, !agent.contains("/"), folders.contains(where: { FileManager.default.fileExists(atPath: "\($0)/\(agent).toml") }) else {
            return agent == nil ? load(folders: folders) { $0 == AgentManifest.fallbackName } : load(folders: folders)
        }
        return load(folders: folders) { $0 == AgentManifest.fallbackName || $0 == agent }
    }

    private static func load(folders: [String], where isWanted: (String) -> Bool) -> AgentCatalog {
        var catalog = AgentCatalog(manifests: [])
        catalog.folders = folders
        catalog.stamps = stamps(folders).filter { isWanted(String($0.key.split(separator: "/").last?.dropLast(5) ?? "")) }
        catalog.read(keeping: [:])
        return catalog
    }

    /// The path of the program that runs, where the system tells it.
    public static var ownProgram: String? {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments.first
    }

    /// Where manifests are: beside the programs, in the checkout they were built in, and the folder that `SWITCHBACK_AGENTS` names.
    public static func folders(program: String?, environment: [String: String]) -> [String] {
        let programs = program.map { URL(filePath: $0).resolvingSymlinksInPath().deletingLastPathComponent().path } ?? "."
        let installed = [programs + "/Agents", programs + "/../../Agents", programs + "/../../../Agents", programs + "/../share/switchback/Agents"]
            .first { FileManager.default.fileExists(atPath: $0 + "/shell.toml") }
        return [installed, environment["SWITCHBACK_AGENTS"]].compactMap { $0 }
    }

    /// The catalog as the folders are now; nil when no file changed.
    public func refreshed() -> AgentCatalog? {
        let now = Self.stamps(folders)
        guard now != stamps else { return nil }
        var catalog = self
        catalog.stamps = now
        catalog.read(keeping: manifests)
        return catalog
    }

    private mutating func read(keeping old: [String: AgentManifest]) {
        var manifests: [String: AgentManifest] = [:]
        problems = []
        for path in stamps.keys.sorted(by: { order($0) < order($1) }) {
            let name = String(path.split(separator: "/").last?.dropLast(5) ?? "")
            guard let data = FileManager.default.contents(atPath: path) else {
                problems.append("\(path) cannot be read")
                continue
            }
            let text = String(decoding: data, as: UTF8.self)
            if let known = old[name], known.file == path, known.text == text {
                manifests[name] = known
                continue
            }
            do throws(ErrorBody) {
                var manifest = try AgentManifest(name: name, toml: text)
                manifest.file = path
                manifests[name] = manifest
            } catch {
                problems.append("\(path): \(error.message)")
                // A later folder's bad file leaves what an earlier one says; a file that went bad leaves what it said before.
                if let known = old[name], known.file == path { manifests[name] = known }
            }
        }
        self.manifests = manifests
        join()
    }

    /// Files of later folders come later.
    private func order(_ path: String) -> String {
        let folder = folders.lastIndex { path.hasPrefix($0 + "/") } ?? 0
        return String(folder) + path
    }

    private static func stamps(_ folders: [String]) -> [String: Stamp] {
        var stamps: [String: Stamp] = [:]
        for folder in folders {
            for file in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where file.hasSuffix(".toml") && !file.hasPrefix(".") {
                let path = folder + "/" + file
                let attributes = try? FileManager.default.attributesOfItem(atPath: path)
                stamps[path] = Stamp(
                    modified: (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0, bytes: (attributes?[.size] as? UInt64) ?? 0)
            }
        }
        return stamps
    }

    /// The first folder: what came with the programs.
    public var shippedFolder: String? { folders.first }

    /// The rules of programs that nobody described.
    public var fallback: AgentManifest? { manifests[AgentManifest.fallbackName] }

    /// The manifest by name or alias; nil for one that nobody described.
    public func manifest(named agent: String) -> AgentManifest? {
        manifests[agent] ?? manifests.values.first { $0.aliases.contains(agent) }
    }

    /// The manifest of a command's program; nil for a program nobody described.
    public func manifest(program: String) -> AgentManifest? {
        manifests.values.first { $0.name != AgentManifest.fallbackName && $0.matches(program: program) }
    }

    /// The manifest by name or alias, or that of the command's program; nil for a program nobody described.
    ///
    /// Throws for an agent that nobody described when there is no command either.
    public func manifest(agent: String?, command: [String]) throws(ErrorBody) -> AgentManifest? {
        if let agent {
            if let manifest = manifest(named: agent) { return manifest.name == AgentManifest.fallbackName ? nil : manifest }
            // A label for a program that nobody described is fine as long as it says what to run.
            guard command.isEmpty else { return nil }
            let known = manifests.keys.filter { $0 != AgentManifest.fallbackName }.sorted().joined(separator: ", ")
            throw ErrorBody(.badRequest, "no agent \"\(agent)\" is known here; known: \(known), or give a command")
        }
        guard let program = command.first else { return nil }
        return manifest(program: program)
    }
}
