internal import Glibc
internal import PostgresPrograms

/// Finds the programs the stack consists of.
public struct Programs: Sendable {
    public var environment: [String: String]

    public init(environment: [String: String]) {
        self.environment = environment
    }

    static let aptLine = "Install what the stack needs:  sudo apt-get install nats-server postgresql"

    /// `NATS_SERVER`, or `nats-server` from the path.
    public func natsServer() throws(StackError) -> String {
        if let named = environment["NATS_SERVER"], !named.isEmpty {
            guard let program = resolve(named) else {
                throw StackError(.missingProgram, "NATS_SERVER names \(named), which is not a program.", fix: "Correct or unset NATS_SERVER.")
            }
            return program
        }
        guard let program = resolve("nats-server") else {
            throw StackError(.missingProgram, "nats-server is not installed.", fix: Self.aptLine)
        }
        return program
    }

    /// The directory with `postgres` and `initdb`: `SWITCHBACK_POSTGRES`, else Debian's directory of the wanted
    /// major version, else its newest one, else the one on the path.
    public func postgresDirectory(major: Int? = nil) throws(StackError) -> String {
        do throws(PostgresPrograms.NotFound) {
            return try PostgresPrograms.findFolder(environment: environment, major: major)
        } catch {
            let isNamed = environment["SWITCHBACK_POSTGRES"]?.isEmpty == false
            throw StackError(.missingProgram, "\(error).", fix: isNamed ? "Correct or unset SWITCHBACK_POSTGRES." : Self.aptLine)
        }
    }

    /// One of our own programs: in `SWITCHBACK_LIBEXEC`, or beside the running one.
    public func own(_ name: String) throws(StackError) -> String {
        let directory = libexec
        let path = directory + "/" + name
        guard Files.isProgram(path) else {
            throw StackError(
                .missingProgram, "\(name) is not in \(directory).",
                fix: "Build all of Switchback (`make build`), or set SWITCHBACK_LIBEXEC to the directory that holds its programs.")
        }
        return path
    }

    /// The directory of our own programs.
    public var libexec: String {
        if let named = environment["SWITCHBACK_LIBEXEC"], !named.isEmpty { return named }
        let myself = Self.executable
        guard let slash = myself.lastIndex(of: "/") else { return "." }
        let beside = String(myself[..<slash])
        // Installed as /usr/bin/switchback with the services in /usr/libexec/switchback.
        if !Files.isProgram(beside + "/switchback-relay") {
            let installed = beside + "/../libexec/switchback"
            if Files.isProgram(installed + "/switchback-relay") { return installed }
        }
        return beside
    }

    /// The absolute path of the running program.
    public static var executable: String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { bytes -> Int in
            guard let start = bytes.baseAddress else { return 0 }
            return readlink("/proc/self/exe", start, bytes.count)
        }
        guard count > 0 else { return CommandLine.arguments.first ?? "switchback" }
        let path = String(decoding: buffer[..<count], as: UTF8.self)
        // A rebuilt program's old file is shown like this; the new one has the same name.
        let mark = " (deleted)"
        return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
    }

    /// The `switchback` command, which also is the supervisor: the running program, or in a test the one beside it.
    var command: String {
        let myself = Self.executable
        guard let slash = myself.lastIndex(of: "/"), myself[myself.index(after: slash)...] != "switchback" else { return myself }
        return myself[..<slash] + "/switchback"
    }

    func resolve(_ name: String) -> String? {
        if name.contains("/") { return Files.isProgram(name) ? name : nil }
        let path = environment["PATH"] ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        // A person's path often lacks sbin, where Debian puts nats-server.
        for directory in path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/bin", "/usr/bin"] {
            let candidate = directory + "/" + name
            if Files.isProgram(candidate) { return candidate }
        }
        return nil
    }
}
