internal import Glibc

/// Where a local stack keeps its data and settings, and what is called how in there.
public struct StackHome: Sendable, Equatable {
    /// The layout this program writes; a directory with a higher number is left alone.
    public static let layoutVersion = 1

    /// Absolute path without a trailing slash.
    public let path: String

    public init(path: String) {
        var trimmed = path
        while trimmed.count > 1 && trimmed.hasSuffix("/") { trimmed.removeLast() }
        self.path = trimmed
    }

    /// `SWITCHBACK_HOME`; else `~/.switchback` when it exists; else `$XDG_DATA_HOME/switchback` when that
    /// variable is set; else `~/.switchback`.
    public static func locate(environment: [String: String]) throws(StackError) -> StackHome {
        try locate(environment: environment, directoryExists: { Files.isDirectory($0) })
    }

    static func locate(environment: [String: String], directoryExists: (String) -> Bool) throws(StackError) -> StackHome {
        if let named = environment["SWITCHBACK_HOME"], !named.isEmpty {
            return StackHome(path: absolute(named))
        }
        let home = environment["HOME"] ?? ""
        let usual = home + "/.switchback"
        if !home.isEmpty && directoryExists(usual) { return StackHome(path: usual) }
        if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return StackHome(path: data + "/switchback") }
        guard !home.isEmpty else {
            throw StackError(
                .badSettings, "Neither HOME nor SWITCHBACK_HOME is set.", fix: "Set SWITCHBACK_HOME to a directory for the stack's data.")
        }
        return StackHome(path: usual)
    }

    private static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let here = getcwd(nil, 0) else { return path }
        defer { free(here) }
        return String(cString: here) + "/" + path
    }

    public var versionFile: String { path + "/version" }
    public var settingsFile: String { path + "/stack.json" }
    public var tokensFile: String { path + "/tokens" }
    public var runDirectory: String { path + "/run" }
    /// Locked by the supervisor for as long as it lives.
    public var lockFile: String { runDirectory + "/lock" }
    /// What the supervisor knows, rewritten at each change.
    public var stateFile: String { runDirectory + "/state.json" }
    public var logDirectory: String { path + "/logs" }
    public var natsDirectory: String { path + "/nats" }
    public var natsConfiguration: String { natsDirectory + "/nats.conf" }
    /// Keys and credentials of the bus.
    public var busDirectory: String { path + "/bus" }
    public var runnerDirectory: String { path + "/runner" }

    public func log(_ name: String) -> String { logDirectory + "/" + name + ".log" }

    /// True when a stack was set up here before.
    public var isSetUp: Bool { Files.exists(settingsFile) }

    /// Makes the directories that are missing and refuses data of a newer layout.
    public func prepare() throws(StackError) {
        try checkVersion()
        try Files.makeDirectory(path, mode: nil)
        for directory in [runDirectory, logDirectory, natsDirectory, runnerDirectory] {
            try Files.makeDirectory(directory)
        }
        if !Files.exists(versionFile) {
            try Files.write("\(Self.layoutVersion)\n", to: versionFile)
        }
        if let free = Files.freeBytes(path), free < Self.leastFreeBytes {
            throw StackError(
                .noSpace,
                "Only \(free / 1_048_576) MB are free on the disk of \(path); the stack needs \(Self.leastFreeBytes / 1_048_576) MB to start.",
                fix: "Free some space, or set SWITCHBACK_HOME to a directory on a larger disk.")
        }
    }

    static let leastFreeBytes: UInt64 = 256 * 1_048_576

    public func checkVersion() throws(StackError) {
        guard let text = Files.read(versionFile) else { return }
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let first = words.first, let version = Int(first) else {
            throw StackError(
                .badSettings, "\(versionFile) does not hold a version number.",
                fix: "Put \(Self.layoutVersion) there if this is Switchback's data, or set SWITCHBACK_HOME to another directory.")
        }
        guard version <= Self.layoutVersion else {
            throw StackError(
                .newerData,
                "The data in \(path) was written by a newer Switchback (layout \(version); this program knows up to \(Self.layoutVersion)).",
                fix: "Use that newer version, or set SWITCHBACK_HOME to another directory to start an empty stack beside it.")
        }
    }
}
