public import Contract

#if canImport(Glibc)
    public import Glibc
#else
    public import Darwin
#endif

/// The Unix socket on which a pod's agent reports through its hooks, as `SWITCHBACK_POD_SOCKET` in the pod names it.
public enum PodSocket {
    public static let variable = "SWITCHBACK_POD_SOCKET"
    /// Bytes that a path may have: macOS takes 104 with the NUL, Linux 108.
    public static let longestPath = 103

    /// In the pod's directory, or where that has too long a path, in a folder of the user's; nil if even that is too long.
    public static func path(directory: String, pod: PodID, user: UInt32) -> String? {
        let candidates = ["\(directory)/hook.sock", "/tmp/switchback-\(user)/\(pod).sock"]
        return candidates.first { $0.utf8.count <= longestPath }
    }

    /// The address of a path that is not too long.
    public static func address(_ path: String) -> sockaddr_un {
        precondition(path.utf8.count <= longestPath, "the path of a socket is short enough")
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { space in
            for (index, byte) in path.utf8.enumerated() { space[index] = byte }
        }
        return address
    }
}
