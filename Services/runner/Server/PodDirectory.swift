internal import CPty
internal import Contract
internal import FoundationEssentials
internal import RunnerClient

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A pod's directory on its host: spec, state, lock and spool.
struct PodDirectory: Sendable, Hashable {
    var path: String

    var specFile: String { path + "/" + ShimFiles.spec }
    var stateFile: String { path + "/" + ShimFiles.state }
    var lockFile: String { path + "/" + ShimFiles.lock }
    var logFile: String { path + "/" + ShimFiles.log }
    /// What the shim shows the bus.
    var busCredentialFile: String { path + "/bus.creds" }
    var plannedFile: String { path + "/started.json" }

    func spec() throws(ErrorBody) -> ShimSpec { try read(ShimSpec.self, specFile) }
    func state() -> ShimState? { try? read(ShimState.self, stateFile) }

    /// What the runner answered when it started this pod, or would have answered had it not ended before; nil where no program ran.
    func started() -> Started? {
        guard var started = try? read(Started.self, plannedFile) else { return nil }
        if started.pid == 0 {
            guard let state = state() else { return nil }
            started.pid = state.pid
        }
        return started
    }

    /// The same, of a shim that may be at its start still.
    func startedOrStarting() async -> Started? {
        for _ in 0..<150 {
            if let started = started() { return started }
            guard isShimAlive() else { return nil }
            try? await Task.sleep(for: .milliseconds(100))
        }
        return nil
    }

    /// Whether the pod's shim lives: it holds the lock.
    func isShimAlive() -> Bool {
        guard FileManager.default.fileExists(atPath: lockFile) else { return false }
        let descriptor = cpty_lock(lockFile, 0)
        guard descriptor >= 0 else { return true }
        close(descriptor)
        return false
    }

    /// Makes the directory with its spec; readable by the owner only, since the spec holds the environment.
    func create(_ spec: ShimSpec, busCredential: String? = nil) throws(ErrorBody) {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            if let busCredential {
                try Data(busCredential.utf8).write(to: URL(filePath: busCredentialFile), options: .atomic)
                chmod(busCredentialFile, 0o600)
            }
            try write(spec, specFile)
        } catch {
            throw ErrorBody(.unavailable, "cannot write the pod's directory \(path): \(error)")
        }
    }

    func write(_ value: some Encodable, _ file: String) throws {
        try Data(JSON.encode(value)).write(to: URL(filePath: file), options: .atomic)
        chmod(file, 0o600)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// The last lines of the shim's log, for an error.
    func logTail() -> String {
        guard let data = FileManager.default.contents(atPath: logFile) else { return "" }
        return String(decoding: data.suffix(500), as: UTF8.self).trimmingWhitespace()
    }

    private func read<Value: Decodable>(_ type: Value.Type, _ file: String) throws(ErrorBody) -> Value {
        guard let data = FileManager.default.contents(atPath: file) else { throw ErrorBody(.notFound, "\(file) is missing") }
        return try JSON.decode(type, from: data)
    }
}
