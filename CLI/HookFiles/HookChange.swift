public import Contract
internal import FoundationEssentials

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Installs and removes hooks in files, and remembers what was there before, so that removing gives back the very bytes.
public struct HookChange: Sendable {
    private struct Record: Codable {
        /// The file before, or nil where there was none, and as we left it.
        var before: Data?
        var after: Data
    }

    private let file: HookFile
    private let path: String
    private let record: String

    /// - Parameters:
    ///   - path: the agent's settings.
    ///   - memory: a folder of ours for what was there before.
    public init(_ file: HookFile, path: String, memory: String) {
        self.file = file
        // A link of the person's (many keep such files in a repository) stays a link.
        let resolved = URL(filePath: path).resolvingSymlinksInPath().path
        self.path = resolved
        record = memory + "/" + String(resolved.utf8.reduce(into: UInt64(14_695_981_039_346_656_037)) { $0 = ($0 ^ UInt64($1)) &* 1_099_511_628_211 }, radix: 16) + ".json"
    }

    /// False: they were there already, as they would be written now.
    @discardableResult
    public func install() throws(ErrorBody) -> Bool {
        let before = try read()
        if let before, file.isInstalled(before) {
            guard try !file.isCurrent(before) else { return false }
            let after = try file.installed(before)
            try write(after)
            // What was there before us is still what an earlier record says.
            if let old = readRecord(), [UInt8](old.after) == before { try remember(Record(before: old.before, after: Data(after))) }
            return true
        }
        let after = try file.installed(before)
        try remember(Record(before: before.map { Data($0) }, after: Data(after)))
        try write(after)
        return true
    }

    /// False: there was nothing of ours.
    @discardableResult
    public func remove() throws(ErrorBody) -> Bool {
        guard let now = try read(), file.isInstalled(now) else { return false }
        defer { unlink(record) }
        if let record = readRecord(), [UInt8](record.after) == now {
            if let before = record.before { try write([UInt8](before)) } else { try delete() }
            return true
        }
        if let rest = try file.removed(now) { try write(rest) } else { try delete() }
        return true
    }

    private func readRecord() -> Record? {
        FileManager.default.contents(atPath: record).flatMap { try? JSONDecoder().decode(Record.self, from: $0) }
    }

    private func remember(_ value: Record) throws(ErrorBody) {
        do {
            let folder = String(record[..<(record.lastIndex(of: "/") ?? record.startIndex)])
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try JSONEncoder().encode(value).write(to: URL(filePath: record), options: .atomic)
            chmod(record, 0o600)
        } catch {
            throw ErrorBody(.internal, "cannot remember what was in \(path): \(error); nothing was changed")
        }
    }

    private func read() throws(ErrorBody) -> [UInt8]? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ErrorBody(.denied, "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        return [UInt8](data)
    }

    private func write(_ bytes: [UInt8]) throws(ErrorBody) {
        var status = stat()
        let mode = stat(path, &status) == 0 ? status.st_mode & 0o777 : 0o600
        do {
            let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(bytes).write(to: URL(filePath: path), options: .atomic)
            chmod(path, mode)
        } catch {
            throw ErrorBody(.denied, "cannot write \(path): \(error)")
        }
    }

    private func delete() throws(ErrorBody) {
        guard unlink(path) == 0 else { throw ErrorBody(.denied, "cannot remove \(path): \(String(cString: strerror(errno)))") }
    }
}
