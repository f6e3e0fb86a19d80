internal import Glibc

/// A process that cannot be mistaken for a later one with the same number.
public struct ProcessIdentity: Codable, Sendable, Hashable {
    public var pid: Int32
    /// Clock ticks between the boot and the process's start (field 22 of `/proc/<pid>/stat`).
    public var startTicks: UInt64
    /// The kernel's random id of this boot.
    public var boot: String

    public init(pid: Int32, startTicks: UInt64, boot: String) {
        self.pid = pid
        self.startTicks = startTicks
        self.boot = boot
    }

    /// True while exactly this process runs; a zombie does not.
    public var isAlive: Bool { ProcessTable.identity(of: pid) == self }
}

/// What `/proc` says about processes.
public enum ProcessTable {
    /// The process's identity, nil when there is none or it has ended.
    public static func identity(of pid: Int32) -> ProcessIdentity? {
        guard let text = Files.read("/proc/\(pid)/stat"), let stat = Stat(text), stat.state != "Z", stat.state != "X" else { return nil }
        return ProcessIdentity(pid: pid, startTicks: stat.startTicks, boot: boot)
    }

    public static var current: ProcessIdentity {
        identity(of: getpid()) ?? ProcessIdentity(pid: getpid(), startTicks: 0, boot: boot)
    }

    private static let boot = (Files.read("/proc/sys/kernel/random/boot_id") ?? "").filter { !$0.isWhitespace }

    /// The fields of `/proc/<pid>/stat` we use (proc(5)).
    struct Stat: Equatable {
        var state: String
        var parent: Int32
        var startTicks: UInt64

        /// The program's name is in parentheses and may itself hold spaces and parentheses.
        init?(_ text: String) {
            guard let close = text.lastIndex(of: ")") else { return nil }
            let fields = text[text.index(after: close)...].split(whereSeparator: \.isWhitespace)
            guard fields.count > 19, let parent = Int32(fields[1]), let ticks = UInt64(fields[19]) else { return nil }
            state = String(fields[0])
            self.parent = parent
            startTicks = ticks
        }
    }

    static func arguments(of pid: Int32) -> [String] {
        strings(Files.readBytes("/proc/\(pid)/cmdline") ?? [])
    }

    static func environment(of pid: Int32) -> [String] {
        strings(Files.readBytes("/proc/\(pid)/environ") ?? [])
    }

    private static func strings(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    static func all() -> [Int32] {
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var found: [Int32] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let pid = Int32(name) { found.append(pid) }
        }
        return found
    }

    /// Seconds since the boot at which the process started, for showing its age.
    public static func age(of identity: ProcessIdentity) -> Double? {
        guard let uptime = Files.read("/proc/uptime")?.split(separator: " ").first, let now = Double(uptime) else { return nil }
        return max(0, now - Double(identity.startTicks) / Double(sysconf(Int32(_SC_CLK_TCK))))
    }
}
