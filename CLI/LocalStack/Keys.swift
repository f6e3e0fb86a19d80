internal import BusRights
internal import Glibc

/// The secrets of a deployment: made once, as files, one folder for each who needs them.
///
/// | file | who reads it |
/// |---|---|
/// | `root/root.json` | `switchback keys` only: it signs everything on the bus |
/// | `root/revoked` | the same: which credentials were taken back |
/// | `nats/access.conf` | nats-server: whom it trusts; holds no secret |
/// | `<service>/bus.creds` | that service |
/// | `registry/shim-signer` | the registry, which signs for pods |
/// | `runners/<name>.creds` | the runner of that name |
/// | `people/tap.creds`, `people/admin.creds`, `people/system.creds` | people at the bus |
/// | `database/password`, `database/url` | postgres; recorder, registry, bindings |
/// | `tls/…` | see `Certificates` |
/// | `api/tokens` | the API and the command: lines `token role name` |
public enum Keys {
    /// Writes what is missing in `folder`, and the credentials of the bus anew where another version wrote them; returns the files that were
    /// written. Passwords and tokens stay as they are, so that it may be said again.
    ///
    /// - Parameters:
    ///   - runners: for whom credentials are made.
    ///   - hosts: for whom certificates are made, with an authority; none: no TLS.
    ///   - database: where PostgreSQL listens, `host:port`.
    public static func make(in folder: String, runners: [String], hosts: [String] = [], database: String) throws(StackError) -> [String] {
        var written: [String] = []
        let services = BusIdentity.Service.allCases.map(\.rawValue)
        for runner in runners where runner.isEmpty || runner.contains(where: { ".*>/".contains($0) || $0.isWhitespace }) {
            throw StackError(.badSettings, "\"\(runner)\" cannot be a runner's name.", fix: "Use letters, digits, '-' and '_'.")
        }
        for part in ["nats", "runners", "people", "database"] + services { try Files.makeDirectory("\(folder)/\(part)", mode: 0o755) }

        let keys = try BusKeys.open(folder + "/root")
        // Credentials say what their owner may do: another version may need more, or less.
        let stamp = "\(folder)/root/version"
        let isOld = Files.read(stamp) != rights
        func put(_ text: () -> String, _ path: String) throws(StackError) {
            if isOld || !Files.exists(path) { try write(text(), path, &written) }
        }
        for service in BusIdentity.Service.allCases {
            try put({ keys.credentials(.service(service)) }, "\(folder)/\(service.rawValue)/bus.creds")
        }
        try put({ keys.signer }, "\(folder)/registry/\(BusKeys.signerFile)")
        for runner in runners { try put({ keys.credentials(.runner(runner)) }, "\(folder)/runners/\(runner).creds") }
        try put({ keys.credentials(.tap) }, folder + "/people/tap.creds")
        try put({ keys.credentials(.admin) }, folder + "/people/admin.creds")
        try put({ keys.systemCredentials }, folder + "/people/system.creds")
        try put({ keys.serverConfiguration(replacing: Files.read(access(folder))) }, access(folder))
        try put({ keys.accountName + "\n" }, folder + "/nats/account")
        if isOld { try Files.write(rights, to: stamp) }

        if !hosts.isEmpty { written += try Certificates.make(in: folder, names: hosts) }

        // The files of one part belong together: a password that only one of them knows helps nobody.
        if !Files.exists("\(folder)/database/url") || !Files.exists("\(folder)/database/password") {
            let password = StackSettings.secret(bytes: 24)
            try write(password + "\n", "\(folder)/database/password", &written)
            try write("postgres://switchback:\(password)@\(database)/switchback\n", "\(folder)/database/url", &written)
        }
        if !Files.exists("\(folder)/api/tokens") {
            try write("sb_\(StackSettings.secret(bytes: 24)) admin admin\n", "\(folder)/api/tokens", &written)
        }
        return written
    }

    private static func access(_ folder: String) -> String { folder + "/nats/access.conf" }

    /// Takes credentials back, so that nats-server lets their owner in no more once it has read its configuration anew.
    ///
    /// - Parameter what: a `.creds` file, which goes, so that ``make(in:runners:hosts:database:)`` puts a new one in its place if it is one of ours; or the
    ///   public key of its owner (`U…`), as nats-server's log and `nats server report connections` show it.
    /// - Returns: the public key.
    public static func revoke(_ what: String, in folder: String) throws(StackError) -> String {
        guard Files.exists(folder + "/root/root.json") else {
            throw StackError(.badSettings, "\(folder) holds no root/root.json.", fix: "Name the folder that `switchback keys` made.")
        }
        let file = Files.exists(what) ? what : nil
        let keys = try BusKeys.open(folder + "/root")
        guard let revocation = try keys.revoke(file.flatMap { Files.read($0) } ?? what) else {
            throw StackError(
                .badSettings, "\(what) is neither a credentials file nor a user's public key.", fix: "Give a .creds file, or a key that begins with U.")
        }
        var written: [String] = []
        if let file { Files.remove(file) }
        try write(keys.serverConfiguration(replacing: Files.read(access(folder))), access(folder), &written)
        return revocation.user
    }

    /// Everybody's rights in this version.
    private static var rights: String { BusIdentity.rightsDigest + "\n" }

    /// Readable by every user of a container: which containers see a folder is what keeps it secret.
    private static func write(_ text: String, _ path: String, _ written: inout [String]) throws(StackError) {
        try Files.write(text, to: path, mode: 0o444)
        written.append(path)
    }

    /// The first token of a role in a file of tokens.
    public static func token(role: String, inFile path: String) -> String? {
        for line in (Files.read(path) ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count >= 2, words[1] == role { return String(words[0]) }
        }
        return nil
    }
}
