internal import Foundation

/// A disk of a few megabytes that can be filled: a tmpfs, mounted below the temporary folder. It goes with this object.
public final class SmallDisk: Sendable {
    public let folder: String

    /// Whether this process may mount one.
    public static let isAvailable: Bool = (try? SmallDisk(megabytes: 1)) != nil

    public init(megabytes: Int) throws {
        folder = "/tmp/sbdisk-\(UUID().uuidString.prefix(8).lowercased())"
        guard geteuid() == 0 else { throw TestSupportError("only root mounts disks") }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        guard mount("tmpfs", folder, "tmpfs", 0, "size=\(megabytes)m,mode=0777") == 0 else {
            let reason = String(cString: strerror(errno))
            try? FileManager.default.removeItem(atPath: folder)
            throw TestSupportError("no disk could be mounted: \(reason)")
        }
    }

    deinit {
        // Also while somebody has files open there.
        umount2(folder, 2)
        rmdir(folder)
    }

    private var ballast: String { folder + "/ballast" }

    /// Takes all the room that is left, but for `spare` bytes.
    public func fill(sparing spare: Int = 0) throws {
        let file = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw TestSupportError("cannot fill \(folder)") }
        defer { close(file) }
        let piece = [UInt8](repeating: 0x5a, count: 4096)
        while write(file, piece, piece.count) > 0 {}
        var info = stat()
        if spare > 0, fstat(file, &info) == 0 { ftruncate(file, max(0, info.st_size - spare)) }
    }

    /// Gives it back.
    public func empty() throws { try FileManager.default.removeItem(atPath: ballast) }
}
