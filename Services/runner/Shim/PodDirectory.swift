internal import CPty
internal import Contract
internal import FoundationEssentials
internal import RunnerClient

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A pod's directory on its host.
struct PodDirectory: Sendable, Equatable {
    let path: String

    init(_ path: String) { self.path = path }

    var spec: String { path + "/" + ShimFiles.spec }
    var state: String { path + "/" + ShimFiles.state }
    /// Locked by the shim (or whoever finishes its work) for as long as it lives.
    var lock: String { path + "/" + ShimFiles.lock }
    var spool: String { path + "/spool" }

    /// Takes the lock; nil when another has it for longer than a look at it takes.
    func takeLock() -> Int32? {
        let descriptor = cpty_lock(lock, 200)
        return descriptor >= 0 ? descriptor : nil
    }

    func readSpec() throws -> ShimSpec { try JSON.decode(ShimSpec.self, from: FileBytes.read(spec)) }

    /// Nil when there is none or it is damaged: both mean that no shim ever said anything.
    func readState() -> ShimState? { (try? FileBytes.read(state)).flatMap { try? JSON.decode(ShimState.self, from: $0) } }

    func write(_ state: ShimState) throws { try FileBytes.replace(self.state, with: JSON.encode(state)) }
}

/// Whole small files.
enum FileBytes {
    static func read(_ path: String) throws(ErrorBody) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ErrorBody(.notFound, "cannot read \(path): \(String(cString: strerror(errno)))")
        }
        return [UInt8](data)
    }

    /// Others see the old content or the new, never half.
    static func replace(_ path: String, with bytes: [UInt8]) throws(ErrorBody) {
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ErrorBody(.internal, "cannot write \(temporary): \(String(cString: strerror(errno)))") }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress?.advanced(by: written), bytes.count - written) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let reason = String(cString: strerror(errno))
                close(file)
                throw ErrorBody(.internal, "cannot write \(temporary): \(reason)")
            }
            written += count
        }
        fsync(file)
        close(file)
        guard rename(temporary, path) == 0 else {
            throw ErrorBody(.internal, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }
}
