internal import FoundationEssentials
#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// PostgreSQL's programs on this machine, and how to run them: PostgreSQL refuses to run as root.
public struct PostgresPrograms: Sendable, Equatable {
    /// The folder that holds `postgres` and `initdb`.
    public var folder: String
    /// The account to run as when this process is root; nil to run as this process.
    public var account: String?

    /// A program, or what must be installed, was not found.
    public struct NotFound: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    public init(folder: String, account: String?) {
        self.folder = folder
        self.account = account
    }

    /// Looks in `POSTGRES_BIN`, then `PATH`, then the folders of Debian's packages, newest first (`/usr/lib/postgresql/*/bin`).
    public static func find(environment: [String: String]) throws -> PostgresPrograms {
        let account = geteuid() == 0 ? "postgres" : nil
        if let account, getpwnam(account) == nil {
            throw NotFound(description: "this process is root, as which PostgreSQL refuses to run, and there is no account \"\(account)\": apt-get install postgresql")
        }
        if let folder = environment["POSTGRES_BIN"], !folder.isEmpty {
            guard holdsPrograms(folder) else {
                throw NotFound(description: "POSTGRES_BIN is \"\(folder)\", which holds no postgres and initdb")
            }
            return PostgresPrograms(folder: folder, account: account)
        }
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [])
            .sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }
            .map { "\(root)/\($0)/bin" }
        guard let folder = (path + versions).first(where: holdsPrograms) else {
            throw NotFound(description: "PostgreSQL's programs postgres and initdb were not found: apt-get install postgresql, or set POSTGRES_BIN to their folder")
        }
        return PostgresPrograms(folder: folder, account: account)
    }

    /// The words that run `program` (`postgres`, `initdb`) with `arguments`, under the account when there is one.
    public func command(_ program: String, _ arguments: [String]) -> [String] {
        let words = ["\(folder)/\(program)"] + arguments
        guard let account else { return words }
        return ["/usr/bin/setpriv", "--reuid=\(account)", "--regid=\(account)", "--init-groups", "--"] + words
    }

    /// The arguments of `postgres` for a private server: on a Unix socket in `socketFolder` only.
    public static func privateServerArguments(dataFolder: String, socketFolder: String, settings: [String: String] = [:]) -> [String] {
        let all = ["listen_addresses": "", "unix_socket_directories": socketFolder, "unix_socket_permissions": "0700"]
            .merging(settings) { _, new in new }
        return ["-D", dataFolder] + all.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0.key)=\($0.value)"] }
    }

    private static func holdsPrograms(_ folder: String) -> Bool {
        ["postgres", "initdb"].allSatisfy { FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)") }
    }
}
