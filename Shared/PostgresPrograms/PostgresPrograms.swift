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

    /// The account to run as: PostgreSQL's own when this process is root.
    public static func account() throws(NotFound) -> String? {
        guard geteuid() == 0 else { return nil }
        guard getpwnam("postgres") != nil else {
            throw NotFound(description: "this process is root, as which PostgreSQL refuses to run, and there is no account \"postgres\": apt-get install postgresql")
        }
        return "postgres"
    }

    public static func find(environment: [String: String]) throws(NotFound) -> PostgresPrograms {
        PostgresPrograms(folder: try findFolder(environment: environment), account: try account())
    }

    /// The folder with `postgres` and `initdb`: `SWITCHBACK_POSTGRES` (the folder or a program in it), else Debian's folder of the wanted
    /// major version (`/usr/lib/postgresql/<major>/bin`), else its newest one, else one of `PATH`.
    public static func findFolder(environment: [String: String], major: Int? = nil) throws(NotFound) -> String {
        if let named = environment["SWITCHBACK_POSTGRES"], !named.isEmpty {
            let parent = String(named[..<(named.lastIndex(of: "/") ?? named.startIndex)])
            guard let folder = [named, parent].first(where: holdsPrograms) else {
                throw NotFound(description: "SWITCHBACK_POSTGRES names \(named), where postgres and initdb are not")
            }
            return folder
        }
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }.sorted(by: >)
        let packaged = ((major.map { [$0] } ?? []) + versions).map { "\(root)/\($0)/bin" }
        let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        guard let folder = (packaged + path).first(where: holdsPrograms) else {
            throw NotFound(description: "PostgreSQL's programs postgres and initdb are not installed: apt-get install postgresql, or name their folder in SWITCHBACK_POSTGRES")
        }
        return folder
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
